/*
 * The string functions the compiler may call, for the guest. Loops of words where everything is
 * aligned (an FP image is looked at ten thousand times, by an interpreter), of bytes else; volatile
 * keeps the compiler from recognising one and turning it into a call to itself.
 */
#include "guest/guest.h"

static bool words(const void *a, const void *b, size_t n)
{
    return (((uintptr_t)a | (uintptr_t)b | n) & 7) == 0;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    if (words(to, from, n)) {
        volatile u64 *t = to;
        for (const u64 *f = from; n; n -= 8)
            *t++ = *f++;
        return to;
    }
    volatile u8 *t = to;
    for (const u8 *f = from; n; n--)
        *t++ = *f++;
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    volatile u8 *t = to;
    const u8 *f = from;

    if ((uintptr_t)to <= (uintptr_t)from)
        return memcpy(to, from, n);
    while (n--)
        t[n] = f[n];
    return to;
}

void *memset(void *to, int byte, size_t n)
{
    if (words(to, to, n)) {
        for (volatile u64 *t = to; n; n -= 8)
            *t++ = (u8)byte * 0x0101010101010101u;
        return to;
    }
    for (volatile u8 *t = to; n; n--)
        *t++ = (u8)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    size_t at = 0;

    if (words(a, b, 0))
        while (n - at >= 8 && *(const volatile u64 *)((const u8 *)a + at) ==
                                  *(const volatile u64 *)((const u8 *)b + at))
            at += 8;
    const volatile u8 *p = (const u8 *)a + at, *q = (const u8 *)b + at;
    for (; at < n; at++, p++, q++)
        if (*p != *q)
            return *p < *q ? -1 : 1;
    return 0;
}

size_t strlen(const char *s)
{
    const volatile char *p = s;

    while (*p)
        p++;
    return (size_t)(p - s);
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (u8)*a < (u8)*b ? -1 : (u8)*a > (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    while (n && *a && *a == *b) {
        a++;
        b++;
        n--;
    }
    return !n ? 0 : (u8)*a < (u8)*b ? -1 : (u8)*a > (u8)*b;
}
