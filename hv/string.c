/*
 * memcpy and friends. Compilers turn loops into calls of these very functions, which would make
 * each its own callee: GCC is told not to, and Clang leaves functions of these names alone.
 */
#include "hv/base.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

/* A word that may stand for any bytes. */
typedef u64 __attribute__((may_alias)) word;

static bool both_aligned(const void *a, const void *b)
{
    return ((((uintptr_t)a) | ((uintptr_t)b)) & (sizeof(word) - 1)) == 0;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    u8 *d = to;
    const u8 *s = from;

    if (both_aligned(to, from)) {
        for (; n >= sizeof(word); n -= sizeof(word), d += sizeof(word), s += sizeof(word))
            *(word *)(void *)d = *(const word *)(const void *)s;
    }
    while (n-- != 0)
        *d++ = *s++;
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    u8 *d = to;
    const u8 *s = from;

    if ((uintptr_t)d - (uintptr_t)s >= n) {
        /* Forwards is safe; byte by byte, for memcpy may assume that nothing overlaps. */
        for (size_t i = 0; i < n; i++)
            d[i] = s[i];
    } else {
        while (n-- != 0)
            d[n] = s[n];
    }
    return to;
}

void *memset(void *to, int byte, size_t n)
{
    u8 *d = to;
    const word pattern = 0x0101010101010101u * (u8)byte;

    while (n != 0 && ((uintptr_t)d & (sizeof(word) - 1)) != 0) {
        *d++ = (u8)byte;
        n--;
    }
    /* Four at a time: guests' RAM is cleared with this, and counts in every boot. */
    for (; n >= 4 * sizeof(word); n -= 4 * sizeof(word), d += 4 * sizeof(word)) {
        word *w = (word *)(void *)d;
        w[0] = pattern;
        w[1] = pattern;
        w[2] = pattern;
        w[3] = pattern;
    }
    while (n-- != 0)
        *d++ = (u8)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const u8 *x = a;
    const u8 *y = b;

    /* Equal words are skipped: the self-test compares whole register files, and counts in the boot.
     */
    if (both_aligned(a, b)) {
        for (; n >= sizeof(word); n -= sizeof(word), x += sizeof(word), y += sizeof(word)) {
            if (*(const word *)(const void *)x != *(const word *)(const void *)y)
                break;
        }
    }
    for (; n != 0; n--, x++, y++) {
        if (*x != *y)
            return *x - *y;
    }
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n] != 0)
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    for (; *a != 0 && *a == *b; a++, b++)
        ;
    return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n != 0 && *a != 0 && *a == *b; n--, a++, b++)
        ;
    return n == 0 ? 0 : (u8)*a - (u8)*b;
}
