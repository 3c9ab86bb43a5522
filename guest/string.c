/*
 * The string functions the compiler may call, for the guest. Byte loops: nothing here is hot, and
 * volatile keeps the compiler from recognising one and turning it into a call to itself.
 */
#include "guest/guest.h"

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    volatile u8 *t = to;
    const u8 *f = from;

    while (n--)
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
    volatile u8 *t = to;

    while (n--)
        *t++ = (u8)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const volatile u8 *p = a, *q = b;

    for (; n; n--, p++, q++)
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
