/*
 * Single-precision arithmetic in integers (IEEE 754-2019, 4.3 and 5.4), the reference of `arith`. A
 * number is
 * (-1)^sign * m * 2^e with m a 64-bit integer; bits lost below are kept as one sticky bit in bit 0,
 * which rounding needs and nothing else. Operands and results must be normal numbers; a sum may be
 * zero.
 */
#include "guest/arm64/arith.h"

#define FRACTION 23
#define BIAS     127

struct number {
    u32 sign;
    s32 e;
    u64 m;
};

static struct number unpack(u32 a)
{
    return (struct number){a >> 31, (s32)(a >> FRACTION & 0xff) - BIAS - FRACTION,
                           (a & 0x7fffff) | 0x800000};
}

/* m >> count, with everything shifted out collected in bit 0. */
static u64 shift_right(u64 m, u32 count)
{
    if (count == 0)
        return m;
    if (count > 63)
        return m != 0;
    return m >> count | ((m & (BIT(count) - 1)) != 0);
}

static u32 pack(struct number n, u32 mode)
{
    if (n.m >> 63) {
        n.m = shift_right(n.m, 1);
        n.e++;
    }
    while (!(n.m >> 62)) {
        n.m <<= 1;
        n.e--;
    }
    /* 24 bits stay, 39 decide. */
    u64 keep = n.m >> 39, rest = n.m & (BIT(39) - 1), half = BIT(38);
    bool up = mode == RN   ? rest > half || (rest == half && (keep & 1))
              : mode == RP ? rest && !n.sign
              : mode == RM ? rest && n.sign
                           : false;
    s32 e = n.e + 39;

    keep += up;
    if (keep >> 24) {
        keep >>= 1;
        e++;
    }
    return n.sign << 31 | (u32)(e + BIAS + FRACTION) << FRACTION | ((u32)keep & 0x7fffff);
}

/* Exact sum of two numbers whose m lies in bits 62..0 with enough zeros below, rounded. */
static u32 sum(struct number a, struct number b, u32 mode)
{
    if (a.e < b.e) {
        struct number t = a;
        a = b;
        b = t;
    }
    b.m = shift_right(b.m, (u32)(a.e - b.e));
    if (a.sign == b.sign) {
        a.m += b.m;
    } else if (a.m >= b.m) {
        a.m -= b.m;
    } else {
        a.m = b.m - a.m;
        a.sign = b.sign;
    }
    if (!a.m) /* exact cancellation is +0, but -0 when rounding down */
        return mode == RM ? 0x80000000u : 0;
    return pack(a, mode);
}

u32 soft_add(u32 a, u32 b, u32 mode)
{
    return soft_fma(a, 0x3f800000, b, mode);
}

u32 soft_mul(u32 a, u32 b, u32 mode)
{
    struct number x = unpack(a), y = unpack(b);

    return pack((struct number){x.sign ^ y.sign, x.e + y.e, x.m * y.m}, mode);
}

u32 soft_div(u32 a, u32 b, u32 mode)
{
    struct number x = unpack(a), y = unpack(b);
    u64 dividend = x.m << 38, quotient = dividend / y.m;

    quotient |= quotient * y.m != dividend;
    return pack((struct number){x.sign ^ y.sign, x.e - y.e - 38, quotient}, mode);
}

u32 soft_sqrt(u32 a, u32 mode)
{
    struct number x = unpack(a);
    u32 shift = x.e & 1 ? 37 : 38;
    u64 square = x.m << shift, root = 0;

    /* One bit of the root at a time: the largest whose square does not exceed x. */
    for (u32 bit = 31; bit < 32; bit--) {
        u64 trial = root | BIT(bit);
        if (trial * trial <= square)
            root = trial;
    }
    bool inexact = root * root != square;
    return pack((struct number){0, (x.e - (s32)shift) / 2 - 1, root << 1 | inexact}, mode);
}

u32 soft_fma(u32 a, u32 b, u32 c, u32 mode)
{
    struct number x = unpack(a), y = unpack(b), z = unpack(c);
    struct number product = {x.sign ^ y.sign, x.e + y.e - 14, (x.m * y.m) << 14};

    z.m <<= 38;
    z.e -= 38;
    return sum(product, z, mode);
}
