/*
 * Outer products against a reference in integers. Floating-point operands are small integers, so
 * that every product and sum is exact whatever the order and rounding; FMOPA in single precision is
 * checked with random numbers too, against softfloat's fused multiply-add. Both predicates are
 * random, and all of ZA is compared: no other tile may change.
 */
#include "guest/arm64/arith.h"
#include "guest/arm64/sme_ops.h"

enum kind { SIGNED, UNSIGNED, SIGNED_BY_UNSIGNED, UNSIGNED_BY_SIGNED, EQUAL_BITS, FLOAT };

struct operation {
    const char *name;
    outer_product *run[2]; /* tile 0, last tile */
    enum kind kind;
    u8 size, ways; /* bytes of an element of the tile; products added into each */
    u8 exponent;   /* of a source element, FLOAT; FP8: whatever FPMR says */
    bool subtract;
    u8 id_shift, id_width; /* field of ID_AA64SMFR0_EL1 that offers it */
};
#define FP8 0

#define BOTH(name, last)                                                                           \
    {                                                                                              \
        mopa_##name##_0, mopa_##name##_##last                                                      \
    }
static const struct operation operations[] = {
    {"FMOPA.S", BOTH(fmopa_s, 3), FLOAT, 4, 1, 8, false, 32, 1},
    {"FMOPS.S", BOTH(fmops_s, 3), FLOAT, 4, 1, 8, true, 32, 1},
    {"FMOPA.S from H", BOTH(fmopa_h, 3), FLOAT, 4, 2, 5, false, 35, 1},
    {"BFMOPA.S", BOTH(bfmopa, 3), FLOAT, 4, 2, 8, false, 34, 1},
    {"BFMOPS.S", BOTH(bfmops, 3), FLOAT, 4, 2, 8, true, 34, 1},
    {"SMOPA.S", BOTH(smopa, 3), SIGNED, 4, 4, 0, false, 36, 4},
    {"SMOPS.S", BOTH(smops, 3), SIGNED, 4, 4, 0, true, 36, 4},
    {"UMOPA.S", BOTH(umopa, 3), UNSIGNED, 4, 4, 0, false, 36, 4},
    {"SUMOPA.S", BOTH(sumopa, 3), SIGNED_BY_UNSIGNED, 4, 4, 0, false, 36, 4},
    {"USMOPA.S", BOTH(usmopa, 3), UNSIGNED_BY_SIGNED, 4, 4, 0, false, 36, 4},
    {"FMOPA.D", BOTH(fmopa_d, 7), FLOAT, 8, 1, 11, false, 48, 1},
    {"SMOPA.D", BOTH(smopa_d, 7), SIGNED, 8, 4, 0, false, 52, 4},
    {"UMOPS.D", BOTH(umops_d, 7), UNSIGNED, 8, 4, 0, true, 52, 4},
    {"SMOPA.S from H", BOTH(smopa_h, 3), SIGNED, 4, 2, 0, false, 44, 4},
    {"UMOPA.S from H", BOTH(umopa_h, 3), UNSIGNED, 4, 2, 0, false, 44, 4},
    {"BMOPA.S", BOTH(bmopa, 3), EQUAL_BITS, 4, 1, 0, false, 33, 1},
    {"FMOPA.H", BOTH(fmopa_hh, 1), FLOAT, 2, 1, 5, false, 42, 1},
    {"BFMOPA.H", BOTH(bfmopa_h, 1), FLOAT, 2, 1, 8, false, 43, 1},
    {"FMOPA.S from FP8", BOTH(fmopa_b, 3), FLOAT, 4, 4, FP8, false, 40, 1},
    {"FMOPA.H from FP8", BOTH(fmopa_hb, 1), FLOAT, 2, 2, FP8, false, 41, 1},
};

u64 float_bits(s64 value, u32 exponent, u32 mantissa)
{
    u64 sign = value < 0, size = sign ? (u64)-value : (u64)value;

    if (!size)
        return 0;
    u32 top = 63 - (u32)__builtin_clzll(size);
    u64 fraction = size ^ 1ull << top;
    u64 bits = top > mantissa ? fraction >> (top - mantissa) : fraction << (mantissa - top);
    u64 biased = top + (1ull << (exponent - 1)) - 1;
    return sign << (exponent + mantissa) | biased << mantissa | bits;
}

/* Exponent bits of an element of the tile. */
static u32 wide_exponent(const struct operation *op)
{
    return op->size == 8 ? 11 : op->size == 4 || op->exponent == 8 ? 8 : 5;
}

/* FP8 is E5M2 in tile 0 and E4M3 in the last tile, by FPMR.F8S1 and F8S2 (DDI 0487, FPMR). */
static u32 narrow_exponent(const struct operation *op, u32 last)
{
    return op->exponent == FP8 ? (last ? 4 : 5) : op->exponent;
}

static u64 tile_float(const struct operation *op, s64 value)
{
    u32 exponent = wide_exponent(op);

    return float_bits(value, exponent, 8u * op->size - 1 - exponent);
}

/* One pair of operands: as integers, and as the bytes that are loaded. */
struct operand {
    s64 value[SVE_MAX_VL];
    u8 z[SVE_MAX_VL] ALIGNED(16);
    u8 p[SVE_MAX_VL / 8] ALIGNED(16);
};
static struct operand rows, columns;

static void put(u8 *to, u64 bits, u32 bytes)
{
    for (u32 i = 0; i < bytes; i++)
        to[i] = (u8)(bits >> 8 * i);
}

static s64 tile_element(const u8 *from, u32 bytes)
{
    u64 bits = 0;

    for (u32 i = 0; i < bytes; i++)
        bits |= (u64)from[i] << 8 * i;
    return (s64)bits;
}

static void make_operand(struct operand *o, const struct operation *op, bool is_signed,
                         u32 exponent, u32 svl, u64 seed)
{
    u32 bytes = (u32)op->size / op->ways;

    pattern_fill(o->p, svl / 8, ~seed);
    for (u32 i = 0; i < svl / bytes; i++) {
        u64 r = pattern_next(&seed), bits = r & ((1ull << (8 * bytes - 1) << 1) - 1);
        if (op->kind == FLOAT) {
            o->value[i] = (s64)(r % 15) - 7;
            bits = float_bits(o->value[i], exponent, 8 * bytes - 1 - exponent);
        } else {
            u32 unused = 64 - 8 * bytes;
            o->value[i] = is_signed ? (s64)(bits << unused) >> unused : (s64)bits;
        }
        put(o->z + i * bytes, bits, bytes);
    }
}

static bool active(const struct operand *o, u32 byte)
{
    return o->p[byte / 8] >> byte % 8 & 1;
}

static s64 product(const struct operation *op, s64 x, s64 y)
{
    s64 count = 0;

    if (op->kind != EQUAL_BITS)
        return x * y;
    for (u32 equal = ~((u32)x ^ (u32)y); equal; equal &= equal - 1)
        count++;
    return count;
}

/* Apply the operation to `tile` of the ZA array. Tile's row r is ZA vector r * size + tile. */
static void reference(u8 *za, const struct operation *op, u32 tile, u32 svl)
{
    u32 size = op->size, bytes = size / op->ways;

    for (u32 r = 0; r < svl / size; r++)
        for (u32 c = 0; c < svl / size; c++) {
            u8 *at = za + (r * size + tile) * svl + c * size;
            s64 sum = 0;
            for (u32 w = 0; w < op->ways; w++) {
                u32 i = r * op->ways + w, j = c * op->ways + w;
                if (active(&rows, i * bytes) && active(&columns, j * bytes))
                    sum += product(op, rows.value[i], columns.value[j]);
            }
            sum = op->subtract ? -sum : sum;
            if (op->kind != FLOAT) {
                put(at, (u64)tile_element(at, size) + (u64)sum, size);
                continue;
            }
            /* What the tile held: see fill_za(). */
            s64 held = (s64)((r * 3 + c * 5 + tile) % 101) - 50;
            put(at, tile_float(op, held + sum), size);
        }
}

static void fill_za(u8 *za, const struct operation *op, u32 svl, u64 seed)
{
    u32 size = op->size;

    pattern_fill(za, svl * svl, seed);
    if (op->kind != FLOAT)
        return;
    for (u32 v = 0; v < svl; v++)
        for (u32 c = 0; c < svl / size; c++) {
            s64 held = (s64)((v / size * 3 + c * 5 + v % size) % 101) - 50;
            put(za + v * svl + c * size, tile_float(op, held), size);
        }
}

static bool offered(const struct operation *op)
{
    return (sysreg_read(id_aa64smfr0_el1) >> op->id_shift & ((1u << op->id_width) - 1)) != 0;
}

static bool one(const struct operation *op, u32 last, u32 svl, u64 seed)
{
    u8 *want = sme_want()->za, *got = sme_got()->za;
    u32 tile = last ? op->size - 1u : 0;
    u32 exponent = narrow_exponent(op, last);
    bool row_signed = op->kind == SIGNED || op->kind == SIGNED_BY_UNSIGNED;
    bool column_signed = op->kind == SIGNED || op->kind == UNSIGNED_BY_SIGNED;

    fill_za(want, op, svl, seed);
    make_operand(&rows, op, row_signed, exponent, svl, seed + 1);
    make_operand(&columns, op, column_signed, exponent, svl, seed + 2);
    za_load(want, svl);
    if (op->kind == FLOAT && op->exponent == FP8)
        sysreg_write(fpmr, last ? 9 : 0);
    yield();
    op->run[last](rows.z, columns.z, rows.p, columns.p);
    yield();
    za_store(got, svl);
    reference(want, op, tile, svl);
    u32 at = words_differ(got, want, svl * svl);
    if (at == svl * svl)
        return true;
    diag("%s, tile %u: ZA vector %u byte %u", op->name, tile, at / svl, at % svl);
    pattern_diag(op->name, got + at, want + at, 8);
    return false;
}

/*
 * QEMU 7.2 multiplies 8-bit rows and columns only where both are even or both odd: row 0 all ones,
 * column 1 all ones give 0 there instead of 4.
 */
static bool int8_erratum(u32 svl)
{
    u32 sum;

    memset(rows.z, 0, svl);
    memset(rows.z, 1, 4);
    memset(columns.z, 1, svl);
    memset(rows.p, 0xff, svl / 8);
    memset(sme_want()->za, 0, svl * svl);
    za_load(sme_want()->za, svl);
    mopa_smopa_0(rows.z, columns.z, rows.p, rows.p);
    za_store(sme_got()->za, svl);
    memcpy(&sum, sme_got()->za + 4, 4);
    return sum == 0;
}

/* A normal number with an exponent near 0. */
static u32 random_float(u64 *state)
{
    u64 r = pattern_next(state);

    return ((u32)r & 0x807fffff) | (u32)(117 + (r >> 40) % 20) << 23;
}

/* Random numbers, rounded to nearest, twice: the second time onto what the first one left. */
static bool rounded(u32 svl)
{
    static u32 x[SVE_MAX_VL / 4] ALIGNED(16), y[SVE_MAX_VL / 4] ALIGNED(16);
    u32 *want = (u32 *)(void *)sme_want()->za, *got = (u32 *)(void *)sme_got()->za;
    u64 state = pattern_seed(0, 0x2100 + svl);
    u32 n = svl / 4;

    for (u32 i = 0; i < svl * n; i++)
        want[i] = i / n % 4 ? 0 : random_float(&state);
    za_load(sme_want()->za, svl);
    memset(rows.p, 0xff, sizeof(rows.p));
    for (u32 round = 0; round < 2; round++) {
        for (u32 i = 0; i < n; i++) {
            x[i] = random_float(&state);
            y[i] = random_float(&state);
        }
        mopa_fmopa_s_0((u8 *)x, (u8 *)y, rows.p, rows.p);
        yield();
        for (u32 r = 0; r < n; r++)
            for (u32 c = 0; c < n; c++)
                want[r * 4 * n + c] = soft_fma(x[r], y[c], want[r * 4 * n + c], RN);
    }
    za_store(sme_got()->za, svl);
    u32 at = words_differ(got, want, svl * svl);
    if (at < svl * svl)
        pattern_diag("FMOPA.S, random", sme_got()->za + at, sme_want()->za + at, 8);
    return at == svl * svl;
}

void sme_outer_products(u32 svl)
{
    u32 done = 0;
    bool good = true, erratum = int8_erratum(svl);

    if (erratum)
        skip("QEMU 7.2 pairs rows and columns", "sme: 8-bit outer products at %u bits", svl * 8);
    for (u32 i = 0; i < ARRAY_SIZE(operations); i++) {
        if (!offered(&operations[i]) || (erratum && operations[i].size / operations[i].ways == 1))
            continue;
        for (u32 last = 0; last < 2; last++)
            good = one(&operations[i], last, svl, pattern_seed(0, 0x2000 + svl + i)) && good;
        done++;
    }
    ok(good && done, "sme: %u of %u outer products at %u bits, tile by tile, predicated", done,
       (u32)ARRAY_SIZE(operations), svl * 8);
    ok(rounded(svl), "sme: FMOPA of random numbers at %u bits, rounded once each", svl * 8);
}
