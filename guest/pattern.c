/* Patterns to recognise one's own registers by: no two VMs, vCPUs or purposes share one. */
#include "guest/guest.h"

u64 pattern_next(u64 *state)
{
    /* splitmix64 (Steele, Lea, Flood 2014): every 64-bit state gives a distinct, well mixed output.
     */
    u64 z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

u64 pattern_seed(u32 vcpu, u32 purpose)
{
    u64 state = cmdline_u64("seed", 1) << 32 | (u64)vcpu << 16 | purpose;

    return pattern_next(&state);
}

void pattern_fill(void *to, size_t bytes, u64 seed)
{
    u8 *p = to;

    while (bytes) {
        u64 word = pattern_next(&seed);
        size_t n = bytes < sizeof(word) ? bytes : sizeof(word);
        memcpy(p, &word, n);
        p += n;
        bytes -= n;
    }
}

size_t pattern_differs(const void *a, const void *b, size_t bytes)
{
    const u8 *p = a, *q = b;
    size_t i = 0;

    while (i < bytes && p[i] == q[i])
        i++;
    return i;
}

void pattern_diag(const char *what, const void *got, const void *want, size_t bytes)
{
    size_t at = pattern_differs(got, want, bytes) & ~(size_t)7;
    u64 g = 0, w = 0;

    if (at >= bytes)
        return;
    size_t n = bytes - at < 8 ? bytes - at : 8;
    memcpy(&g, (const u8 *)got + at, n);
    memcpy(&w, (const u8 *)want + at, n);
    diag("%s: +%zu: got 0x%016lx, want 0x%016lx", what, at, (unsigned long)g, (unsigned long)w);
}
