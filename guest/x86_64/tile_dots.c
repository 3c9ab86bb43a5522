/*
 * The tile products against scalar references: four INT8 forms, and BF16 with the rules of SDM vol.
 * 2, TDPBF16PS: single precision FMA, even and odd elements accumulated apart, round to nearest
 * even, denormals in are zero, denormals out are flushed, MXCSR plays no part.
 */
#include "guest/x86_64/soft.h"
#include "guest/x86_64/tiles.h"

extern const u8 tile_dots[];

static const u8 operands[2][3] = {{0, 1, 2}, {7, 6, 5}}; /* destination, A, B */

const char *dot_name(enum dot dot)
{
    static const char *const names[] = {"TDPBSSD", "TDPBSUD", "TDPBUSD", "TDPBUUD", "TDPBF16PS"};

    return names[dot];
}

bool dot_offered(enum dot dot)
{
    return dot == TDPBF16PS ? features.amx_bf16 : features.amx_int8;
}

void dot_run(enum dot dot, u32 set)
{
    union {
        const u8 *code;
        void (*run)(void);
    } u = {tile_dots + 16 * (2 * (u32)dot + set)};

    u.run();
}

static u32 dword(const u8 *tile, u32 row, u32 column)
{
    u32 value;

    memcpy(&value, tile + TILE_COLSB * row + 4 * column, 4);
    return value;
}

/* Four byte products; a_signed, b_signed: how the bytes are extended. */
static u32 dot4(u32 a, u32 b, bool a_signed, bool b_signed)
{
    u32 sum = 0;

    for (u32 shift = 0; shift < 32; shift += 8) {
        s32 x = a_signed ? (signed char)(a >> shift) : (u8)(a >> shift);
        s32 y = b_signed ? (signed char)(b >> shift) : (u8)(b >> shift);
        sum += (u32)(x * y);
    }
    return sum;
}

/* ---- single precision, bits in and out ---- */

static bool is_zero(u32 f)
{
    return (f & 0x7f800000) == 0; /* a denormal counts as zero */
}

static struct soft unpacked(u32 f)
{
    return (struct soft){f >> 31, (s32)(f >> 23 & 0xff) - 127,
                         (0x800000ull | (f & 0x7fffff)) << 40};
}

static u32 packed(struct soft value)
{
    u32 bits;

    if (value.exp < -126)
        return value.sign << 31;
    if (value.exp > 127)
        return value.sign << 31 | 0x7f800000;
    soft_put(&bits, value, P32);
    return bits;
}

/* a * b + c. a and b have at most 12 bits, or one of them is a power of two: the product is exact
 * in 24 bits. */
static u32 fma32(u32 a, u32 b, u32 c)
{
    u32 sign = (a ^ b) >> 31;

    if (is_zero(a) || is_zero(b)) {
        if (is_zero(c))
            return sign == c >> 31 ? sign << 31 : 0;
        return c;
    }
    struct soft x = unpacked(a), y = unpacked(b), z = unpacked(c);
    struct soft product = soft_mul(x, y, P32, TO_NEAREST);
    if (is_zero(c))
        return packed(product);
    if (product.exp - z.exp > 64)
        return packed(product);
    if (z.exp - product.exp > 64)
        return c;
    if (product.sign != z.sign && product.exp == z.exp && product.mant == z.mant)
        return 0;
    return packed(soft_fma(x, y, z, P32, TO_NEAREST));
}

static u32 dot_bf16(const u8 *a, const u8 *b, u32 m, u32 n, u32 count, u32 old)
{
    u32 even = 0, odd = 0;

    for (u32 k = 0; k < count; k++) {
        u32 x = dword(a, m, k), y = dword(b, k, n);
        even = fma32(x << 16, y << 16, even);
        odd = fma32(x & 0xffff0000, y & 0xffff0000, odd);
    }
    u32 sum = fma32(even, 0x3f800000, odd);
    return fma32(sum, 0x3f800000, is_zero(old) ? old & 0x80000000 : old);
}

void dot_reference(enum dot dot, u32 set, struct tiles *tiles)
{
    const u8 *o = operands[set];
    u8 *c = tiles->data[o[0]];
    const u8 *a = tiles->data[o[1]], *b = tiles->data[o[2]];
    u32 inner = tiles->cfg.colsb[o[1]] / 4u;
    bool a_signed = (dot == TDPBSSD || dot == TDPBSUD) && !amx_errata.int8_unsigned;
    bool b_signed = (dot == TDPBSSD || dot == TDPBUSD) && !amx_errata.int8_unsigned;

    for (u32 m = 0; m < tiles->cfg.rows[o[0]]; m++)
        for (u32 n = 0; n < tiles->cfg.colsb[o[0]] / 4u; n++) {
            u32 sum = dword(c, m, n);
            if (dot == TDPBF16PS)
                sum = dot_bf16(a, b, m, n, inner, sum);
            for (u32 k = 0; k < inner && dot != TDPBF16PS; k++)
                sum += dot4(dword(a, m, k), dword(b, k, n), a_signed, b_signed);
            memcpy(c + TILE_COLSB * m + 4 * n, &sum, 4);
        }
}

/* Sign, exponent and fraction bits of a BF16 number; small exponents so that no sum overflows. */
static u32 random_bf16(u64 random)
{
    u32 value = (u32)random & 0x807f;

    switch (random >> 16 & 31) {
    case 0:
        return value & 0x8000; /* zero */
    case 1:
        return value | 1; /* a denormal, which counts as zero */
    case 2:
        return value | 50 << 7; /* two of them multiply to less than a float can be */
    case 3:
        return value | 64 << 7; /* two of them multiply to the very edge of it */
    default:
        return value | (120 + (u32)(random >> 32 & 15)) << 7;
    }
}

void dot_fill_bf16(u32 set, struct tiles *tiles, u64 *seed)
{
    for (u32 i = 0; i < 3; i++) {
        u32 t = operands[set][i];
        for (u32 r = 0; r < tiles->cfg.rows[t]; r++)
            for (u32 at = 0; at < tiles->cfg.colsb[t]; at += 4) {
                u32 value = random_bf16(pattern_next(seed)) << 16 | random_bf16(pattern_next(seed));
                memcpy(tiles->data[t] + TILE_COLSB * r + at, &value, 4);
            }
    }
}
