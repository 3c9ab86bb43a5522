/* The `fp` list of a VM: which FP components it may use. Pure. */
#include "fp_config.h"
#include "fp_components.h"
#include "hv/console.h"

/* All components of one word, as XCR0 bits; 0: no such word. */
static u64 find(const char *word, size_t length, u8 *kind)
{
    u64 set = 0;

    if (length == 3 && !strncmp(word, "pku", 3)) {
        word = "pkru"; /* the name of the feature, which others use */
        length = 4;
    }
    for (unsigned n = 0; n < FP_COMPONENTS; n++) {
        const char *name = fp_components[n].word;
        if (!name || strlen(name) != length || strncmp(name, word, length) != 0)
            continue;
        set |= BIT(n);
        *kind = fp_components[n].kind;
    }
    return set;
}

static bool separator(char c)
{
    return c == ',' || c == ' ' || c == '\t';
}

/* One word of the list; on false `why` is filled. */
static bool add_word(const char *word, size_t length, u64 offered, u64 *xcr0, char *why, size_t n)
{
    int shown = length > 32 ? 32 : (int)length;
    u8 kind = COMPONENT_HIDDEN;
    u64 found = find(word, length, &kind);

    if (!found)
        format_text(why, n,
                    "fp = %.*s: no such component; known are x87, sse, avx, avx512, pkru, amx",
                    shown, word);
    else if (kind == COMPONENT_HIDDEN)
        format_text(why, n, "fp = %.*s: not managed by this release; leave it out", shown, word);
    else if (found & ~offered)
        format_text(why, n,
                    "fp = %.*s: this CPU does not have it, or not in a form that can be trusted "
                    "(the boot log says so); leave it out",
                    shown, word);
    else {
        *xcr0 |= found;
        return true;
    }
    return false;
}

/* A set that no hardware has: what lacks what. */
static bool complete(u64 xcr0, char *why, size_t n)
{
    /* x86-64 without SSE2 does not exist, and hiding it would not stop anyone from using it. */
    if ((xcr0 & (XCR0_X87 | XCR0_SSE)) != (XCR0_X87 | XCR0_SSE)) {
        format_text(why, n, "fp: x87 and sse cannot be left out, every x86-64 CPU has them");
        return false;
    }
    for (unsigned i = 0; i < FP_COMPONENTS; i++) {
        u64 lacks = fp_components[i].needs & ~xcr0;
        if (!(xcr0 & BIT(i)) || !lacks)
            continue;
        format_text(why, n, "fp: %s needs %s; add it, or leave %s out", fp_components[i].word,
                    fp_components[__builtin_ctzll(lacks)].word, fp_components[i].word);
        return false;
    }
    return true;
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
    if (!complete(xcr0, why, n))
        return false;
    config->xcr0 = xcr0;
    return true;
}
