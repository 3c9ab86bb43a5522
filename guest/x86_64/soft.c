/* See soft.h. 128-bit integers are shifted, multiplied and compared, never divided: there is no
 * libgcc here. */
#include "guest/x86_64/soft.h"

typedef unsigned __int128 u128;

/* Round m * 2^e (+ a bit of dust if sticky) to `precision` bits. m must not be 0. */
static struct soft rounded(u32 sign, u128 m, s32 e, bool sticky, u32 precision, enum rounding mode)
{
    u32 top = (u64)(m >> 64) ? 127 - (u32)__builtin_clzll((u64)(m >> 64))
                             : 63 - (u32)__builtin_clzll((u64)m);
    s32 shift = (s32)top + 1 - (s32)precision;
    u64 keep;

    if (shift <= 0) {
        /* Fewer bits than fit: exact, and callers give enough bits whenever there is dust. */
        keep = (u64)(m << -shift);
    } else {
        u128 rest = m & (((u128)1 << shift) - 1), half = (u128)1 << (shift - 1);
        bool inexact = rest || sticky, up = false;
        keep = (u64)(m >> shift);
        if (mode == TO_NEAREST)
            up = rest > half || (rest == half && (sticky || (keep & 1)));
        else if (mode == DOWN)
            up = inexact && sign;
        else if (mode == UP)
            up = inexact && !sign;
        keep += up;
        /* All ones became the next power of two (at 64 bits: wrapped to 0). */
        if (up && (precision == 64 ? keep == 0 : keep >> precision)) {
            keep = 1ull << (precision - 1);
            shift++;
        }
    }
    return (struct soft){sign, e + shift + (s32)precision - 1, keep << (64 - precision)};
}

struct soft soft_add(struct soft a, struct soft b, u32 precision, enum rounding mode)
{
    if (a.exp < b.exp || (a.exp == b.exp && a.mant < b.mant)) {
        struct soft swap = a;
        a = b;
        b = swap;
    }
    u32 distance = (u32)(a.exp - b.exp);
    u128 big = (u128)a.mant << 62, small = (u128)b.mant << 62;
    bool sticky = distance > 62 && (distance > 126 || (small & (((u128)1 << distance) - 1)));

    small = distance > 126 ? 0 : small >> distance;
    if (a.sign == b.sign)
        return rounded(a.sign, big + small, a.exp - 125, sticky, precision, mode);
    /* With dust below, the true difference lies just under big - small: one less, and dust. */
    return rounded(a.sign, big - small - sticky, a.exp - 125, sticky, precision, mode);
}

struct soft soft_sub(struct soft a, struct soft b, u32 precision, enum rounding mode)
{
    b.sign = !b.sign;
    return soft_add(a, b, precision, mode);
}

struct soft soft_mul(struct soft a, struct soft b, u32 precision, enum rounding mode)
{
    return rounded(a.sign ^ b.sign, (u128)a.mant * b.mant, a.exp + b.exp - 126, false, precision,
                   mode);
}

struct soft soft_div(struct soft a, struct soft b, u32 precision, enum rounding mode)
{
    u128 remainder = a.mant, quotient = 0;

    /* 68 bits: one before the point, enough behind it for any precision and a bit to round by. */
    for (u32 i = 0; i < 68; i++) {
        quotient <<= 1;
        if (remainder >= b.mant) {
            remainder -= b.mant;
            quotient |= 1;
        }
        remainder <<= 1;
    }
    return rounded(a.sign ^ b.sign, quotient, a.exp - b.exp - 67, remainder != 0, precision, mode);
}

struct soft soft_sqrt(struct soft a, struct soft b, u32 precision, enum rounding mode)
{
    /* Two bits of the radicand make one of the root; an odd exponent gives its 1 to the radicand.
     */
    u128 radicand = (u128)b.mant << (b.exp & 1 ? 2 : 1), root = 0, remainder = 0;
    s32 exp = b.exp & 1 ? b.exp - 1 : b.exp;

    (void)a;
    for (s32 pair = 32; pair >= -34; pair--) {
        u64 bits = pair >= 0 ? (u64)(radicand >> (2 * pair)) & 3 : 0;
        remainder = remainder << 2 | bits;
        root <<= 1;
        if (remainder >= (root << 1 | 1)) {
            remainder -= root << 1 | 1;
            root |= 1;
        }
    }
    return rounded(0, root, exp / 2 - 66, remainder != 0, precision, mode);
}

struct soft soft_fma(struct soft a, struct soft b, struct soft c, u32 precision, enum rounding mode)
{
    /* As integers of `precision` bits, so that the product leaves room above for c. */
    u32 drop = 64 - precision;
    u128 product = (u128)(a.mant >> drop) * (b.mant >> drop), addend = c.mant >> drop;
    s32 e = a.exp + b.exp - 2 * (s32)(precision - 1), ce = c.exp - (s32)(precision - 1);
    u32 sign = a.sign ^ b.sign;

    if (ce > e) {
        addend <<= ce - e;
    } else {
        product <<= e - ce;
        e = ce;
    }
    if (sign == c.sign)
        return rounded(sign, product + addend, e, false, precision, mode);
    if (product > addend)
        return rounded(sign, product - addend, e, false, precision, mode);
    return rounded(c.sign, addend - product, e, false, precision, mode);
}

struct soft soft_random(u64 *seed, u32 precision, u32 spread)
{
    u64 mant = pattern_next(seed) | BIT(63), other = pattern_next(seed);

    return (struct soft){(u32)other & 1,
                         (s32)(other >> 8 & 0xffff) % (s32)(2 * spread + 1) - (s32)spread,
                         mant & ~0ull << (64 - precision)};
}

void soft_put(void *to, struct soft value, u32 precision)
{
    u8 *bytes = to;

    if (precision == P80) {
        u16 head = (u16)((u32)(value.exp + 16383) | value.sign << 15);
        memcpy(bytes, &value.mant, 8);
        memcpy(bytes + 8, &head, 2);
    } else if (precision == P64) {
        u64 word = (u64)value.sign << 63 | (u64)(value.exp + 1023) << 52 | (value.mant << 1 >> 12);
        memcpy(bytes, &word, 8);
    } else {
        u32 word = value.sign << 31 | (u32)(value.exp + 127) << 23 | (u32)(value.mant << 1 >> 41);
        memcpy(bytes, &word, 4);
    }
}
