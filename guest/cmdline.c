/* The VM's command line: words `key` or `key=value`, separated by spaces. */
#include "guest/guest.h"

#define LIMIT 1023

static char line[LIMIT + 1];

void cmdline_set(const char *text)
{
    size_t length = strlen(text);

    if (length > LIMIT) {
        diag("command line cut to %u bytes", LIMIT);
        length = LIMIT;
    }
    memcpy(line, text, length);
    line[length] = 0;
}

/* The text behind `key` in its word: "" , "=value ..." or NULL if the word is not there. */
static const char *word(const char *key)
{
    size_t length = strlen(key);

    for (const char *p = line; *p;) {
        while (*p == ' ')
            p++;
        if (!strncmp(p, key, length) && (p[length] == 0 || p[length] == ' ' || p[length] == '='))
            return p + length;
        while (*p && *p != ' ')
            p++;
    }
    return NULL;
}

bool cmdline_has(const char *key)
{
    return word(key) != NULL;
}

static unsigned digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 99;
}

u64 cmdline_u64(const char *key, u64 otherwise)
{
    const char *p = word(key);
    unsigned base = 10;
    u64 value = 0;

    if (!p || *p != '=')
        return otherwise;
    p++;
    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
        base = 16;
        p += 2;
    }
    if (digit(*p) >= base)
        return otherwise;
    for (; digit(*p) < base; p++)
        value = value * base + digit(*p);
    return *p == 0 || *p == ' ' ? value : otherwise;
}

/* True if the list entry of `length` bytes at `entry` names the scenario. */
static bool entry_matches(const char *entry, size_t length, const char *name, bool by_default)
{
    if (length == 3 && !strncmp(entry, "all", 3))
        return by_default;
    if (length && entry[length - 1] == '*')
        return !strncmp(entry, name, length - 1);
    return strlen(name) == length && !strncmp(entry, name, length);
}

bool cmdline_runs(const char *name, bool by_default)
{
    const char *p = word("run");

    if (!p || *p != '=')
        return by_default;
    while (*p == '=' || *p == ',') {
        const char *entry = ++p;
        while (*p && *p != ' ' && *p != ',')
            p++;
        if (entry_matches(entry, (size_t)(p - entry), name, by_default))
            return true;
    }
    return false;
}
