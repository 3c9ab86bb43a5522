/* The `fp` list of a VM: which FP components it may use. Pure. */
#include "fp_config.h"
#include "hv/console.h"

struct fp_name {
    const char *name;
    u64 xcr0; /* 0: known, but not managed by this release */
};

static const struct fp_name names[] = {
    {"x87", XCR0_X87},   {"sse", XCR0_SSE}, {"avx", XCR0_AVX}, {"pku", XCR0_PKRU},
    {"pkru", XCR0_PKRU}, {"avx512", 0},     {"amx", 0},        {"mpx", 0},
};

static const struct fp_name *find(const char *word, size_t length)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strlen(names[i].name) == length && strncmp(names[i].name, word, length) == 0)
            return &names[i];
    }
    return NULL;
}

static bool separator(char c)
{
    return c == ',' || c == ' ' || c == '\t';
}

/* One word of the list; on false `why` is filled. */
static bool add_word(const char *word, size_t length, u64 offered, u64 *xcr0, char *why, size_t n)
{
    const struct fp_name *found = find(word, length);
    int shown = length > 32 ? 32 : (int)length;

    if (!found)
        format_text(why, n, "fp = %.*s: no such component; known are x87, sse, avx, pku", shown,
                    word);
    else if (!found->xcr0)
        format_text(why, n, "fp = %s: not managed by this release; leave it out", found->name);
    else if (!(offered & found->xcr0))
        format_text(why, n, "fp = %s: this CPU does not have it; leave it out", found->name);
    else {
        *xcr0 |= found->xcr0;
        return true;
    }
    return false;
}

bool fp_config_parse(const char *list, u64 offered, struct arch_fp_config *config, char *why,
                     size_t n)
{
    u64 xcr0 = 0;
    bool any = false;

    while (*list) {
        if (separator(*list)) {
            list++;
            continue;
        }
        size_t length = 0;
        while (list[length] && !separator(list[length]))
            length++;
        if (!add_word(list, length, offered, &xcr0, why, n))
            return false;
        any = true;
        list += length;
    }
    if (!any)
        xcr0 = offered;
    /* x86-64 without SSE2 does not exist, and hiding it would not stop anyone from using it. */
    if ((xcr0 & (XCR0_X87 | XCR0_SSE)) != (XCR0_X87 | XCR0_SSE)) {
        format_text(why, n, "fp: x87 and sse cannot be left out, every x86-64 CPU has them");
        return false;
    }
    config->xcr0 = xcr0;
    return true;
}
