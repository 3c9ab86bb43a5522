/*
 * Real arithmetic at every rounding mode, with yields in between, against the integer model of
 * softfloat.c and known bit patterns: FPSIMD scalar and vector, float and integer; SVE at the VM's
 * vector length in WHILELT loops with predication, gather, reductions and first-fault loads.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/arith.h"

#define ELEMENTS 333 /* no multiple of any vector length: the last iteration is partial */
#define CASES    400

static u32 a[ELEMENTS + 64], b[ELEMENTS + 64], c[ELEMENTS + 64], out[ELEMENTS + 64];

/* A normal number with an exponent near 0, so that no operation leaves the normal range. */
static u32 random_float(u64 *state)
{
    u64 r = pattern_next(state);

    return ((u32)r & 0x807fffff) | (u32)(117 + (r >> 40) % 20) << 23;
}

static bool same(u64 got, u64 want, const char *what, u32 mode)
{
    if ((u32)got != (u32)want)
        diag("%s, RMode %u: got 0x%x, want 0x%x", what, mode, (u32)got, (u32)want);
    return (u32)got == (u32)want;
}

static bool scalar_case(u32 x, u32 y, u32 z, u32 mode)
{
    return same(fp_add32(x, y), soft_add(x, y, mode), "FADD", mode) &&
           same(fp_sub32(x, y), soft_add(x, y ^ 0x80000000, mode), "FSUB", mode) &&
           same(fp_mul32(x, y), soft_mul(x, y, mode), "FMUL", mode) &&
           same(fp_div32(x, y), soft_div(x, y, mode), "FDIV", mode) &&
           same(fp_sqrt32(x & 0x7fffffff), soft_sqrt(x & 0x7fffffff, mode), "FSQRT", mode) &&
           same(fp_madd32(x, y, z), soft_fma(x, y, z, mode), "FMADD", mode);
}

static void scalar(void)
{
    static const char *const names[] = {"nearest", "+inf", "-inf", "zero"};
    u64 state = pattern_seed(0, 0x400);

    for (u32 mode = 0; mode < 4; mode++) {
        bool good = true;
        fpcr_write((u64)mode << 22);
        for (u32 i = 0; i < CASES && good; i++) {
            u32 x = random_float(&state), y = random_float(&state), z = random_float(&state);
            if (i % 16 == 0)
                yield();
            good = scalar_case(x, y, z, mode);
        }
        ok(good, "arith: scalar FADD FSUB FMUL FDIV FSQRT FMADD, rounding to %s", names[mode]);
    }
}

/* Double precision and conversions: bit patterns by mode RN, RP, RM, RZ, worked out by hand. */
static const struct {
    const char *name;
    u64 (*run)(u64, u64);
    u64 x, y, want[4];
} known_two[] = {
    {"1.0 / 3.0",
     fp_div64,
     0x3ff0000000000000,
     0x4008000000000000,
     {0x3fd5555555555555, 0x3fd5555555555556, 0x3fd5555555555555, 0x3fd5555555555555}},
    {"0.1 + 0.2",
     fp_add64,
     0x3fb999999999999a,
     0x3fc999999999999a,
     {0x3fd3333333333334, 0x3fd3333333333334, 0x3fd3333333333333, 0x3fd3333333333333}},
    {"(1 + 2^-52)^2",
     fp_mul64,
     0x3ff0000000000001,
     0x3ff0000000000001,
     {0x3ff0000000000002, 0x3ff0000000000003, 0x3ff0000000000002, 0x3ff0000000000002}},
    {"1 - 2^-54",
     fp_sub64,
     0x3ff0000000000000,
     0x3c90000000000000,
     {0x3ff0000000000000, 0x3ff0000000000000, 0x3fefffffffffffff, 0x3fefffffffffffff}},
};

static void known(void)
{
    static const struct {
        const char *name;
        u64 (*run)(u64);
        u64 x, want[4];
    } one[] = {
        {"sqrt(2.0)",
         fp_sqrt64,
         0x4000000000000000,
         {0x3ff6a09e667f3bcd, 0x3ff6a09e667f3bcd, 0x3ff6a09e667f3bcc, 0x3ff6a09e667f3bcc}},
        {"2^53 + 1 to double",
         fp_from_s64,
         0x0020000000000001,
         {0x4340000000000000, 0x4340000000000001, 0x4340000000000000, 0x4340000000000000}},
        {"-2.5 to integer", fp_to_s64, 0xc004000000000000, {-2ull, -2ull, -3ull, -2ull}},
        {"1 + 2^-11 to half", fp_to_half, 0x3f801000, {0x3c00, 0x3c01, 0x3c00, 0x3c00}},
        {"half 0x0001 to single",
         fp_from_half,
         0x0001,
         {0x33800000, 0x33800000, 0x33800000, 0x33800000}},
    };

    for (u32 mode = 0; mode < 4; mode++) {
        bool good = true;
        fpcr_write((u64)mode << 22);
        yield();
        for (u32 i = 0; i < ARRAY_SIZE(known_two); i++)
            if (known_two[i].run(known_two[i].x, known_two[i].y) != known_two[i].want[mode]) {
                diag("%s", known_two[i].name);
                good = false;
            }
        for (u32 i = 0; i < ARRAY_SIZE(one); i++)
            if (one[i].run(one[i].x) != one[i].want[mode]) {
                diag("%s: 0x%lx", one[i].name, (unsigned long)one[i].run(one[i].x));
                good = false;
            }
        ok(good, "arith: doubles, conversions and halves, FPCR.RMode %u", mode);
    }
}

static void vector_float(void)
{
    u64 state = pattern_seed(0, 0x401);

    for (u32 mode = 0; mode < 4; mode++) {
        bool good = true;
        fpcr_write((u64)mode << 22);
        for (u32 i = 0; i < CASES / 4 && good; i++) {
            u32 x[4], y[4], z[4], r[6][4];
            for (u32 n = 0; n < 4; n++) {
                x[n] = random_float(&state);
                y[n] = random_float(&state);
                r[4][n] = z[n] = random_float(&state);
                x[n] &= i & 1 ? 0x7fffffffu : ~0u;
            }
            vec_fadd(r[0], x, y);
            vec_fsub(r[1], x, y);
            vec_fmul(r[2], x, y);
            vec_fdiv(r[3], x, y);
            vec_fmla(r[4], x, y);
            vec_fsqrt(r[5], x);
            yield();
            for (u32 n = 0; n < 4 && good; n++)
                good = same(r[0][n], soft_add(x[n], y[n], mode), "FADD.4S", mode) &&
                       same(r[1][n], soft_add(x[n], y[n] ^ 0x80000000, mode), "FSUB.4S", mode) &&
                       same(r[2][n], soft_mul(x[n], y[n], mode), "FMUL.4S", mode) &&
                       same(r[3][n], soft_div(x[n], y[n], mode), "FDIV.4S", mode) &&
                       same(r[4][n], soft_fma(x[n], y[n], z[n], mode), "FMLA.4S", mode) &&
                       (x[n] >> 31 || same(r[5][n], soft_sqrt(x[n], mode), "FSQRT.4S", mode));
        }
        ok(good, "arith: vector FADD FSUB FMUL FDIV FMLA FSQRT, FPCR.RMode %u", mode);
    }
    fpcr_write(0);
}

static bool saturates(void)
{
    s32 bad = 0;
    u16 x[8], y[8], r[8];
    u64 state = pattern_seed(0, 0x402);
    bool saturated = false;

    pattern_fill(x, sizeof(x), state);
    pattern_fill(y, sizeof(y), ~state);
    x[0] = y[0] = 0x7fff;
    fpsr_write(0);
    vec_sqadd16(r, x, y);
    for (u32 i = 0; i < 8; i++) {
        s32 sum = (s32)(s64)(int16_t)x[i] + (s32)(int16_t)y[i];
        s32 want = sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum;
        saturated = saturated || want != sum;
        bad += (int16_t)r[i] != want;
    }
    yield();
    return !bad && saturated && fpsr_read() == 0x08000000; /* QC */
}

static void vector_integer(void)
{
    u8 x[32] ALIGNED(16), y[16], r[5][16];
    u32 xw[4], yw[4], rw[4];
    bool good = true;

    for (u64 round = 0; round < 50; round++) {
        u32 bytes = 0;
        pattern_fill(x, sizeof(x), pattern_seed(0, 0x500) + round);
        pattern_fill(y, sizeof(y), pattern_seed(0, 0x501) + round);
        vec_add32(r[0], x, y);
        vec_mul32(r[1], x, y);
        vec_umax8(r[2], x, y);
        vec_eor(r[3], x, y);
        memcpy(xw, x, 16);
        memcpy(yw, y, 16);
        for (u32 i = 0; i < 16; i++) {
            bytes += x[i];
            good = good && r[2][i] == (x[i] > y[i] ? x[i] : y[i]) && r[3][i] == (x[i] ^ y[i]);
            y[i] &= 0x3f;
        }
        vec_tbl(r[4], x, y);
        for (u32 i = 0; i < 16; i++)
            good = good && r[4][i] == (y[i] < 32 ? x[y[i]] : 0);
        for (u32 op = 0; op < 2; op++) {
            memcpy(rw, r[op], 16);
            for (u32 i = 0; i < 4; i++)
                good = good && rw[i] == (op ? xw[i] * yw[i] : xw[i] + yw[i]);
        }
        good = good && vec_addv8(x) == bytes;
    }
    ok(good, "arith: vector ADD MUL UMAX EOR TBL UADDLV");
    ok(saturates(), "arith: SQADD saturates and sets FPSR.QC");
}

static void fill_operands(void)
{
    u64 state = pattern_seed(0, 0x600);

    for (u32 i = 0; i < ELEMENTS + 64; i++) {
        a[i] = random_float(&state);
        b[i] = random_float(&state);
        c[i] = random_float(&state);
        out[i] = 0xdeadbeef;
    }
}

/* Results must be right up to n, and nothing beyond written. */
static bool tail_intact(void)
{
    for (u32 i = ELEMENTS; i < ELEMENTS + 64; i++)
        if (out[i] != 0xdeadbeef)
            return false;
    return true;
}

static void sve_float(u32 mode, u32 vl)
{
    static void (*const ops[])(u32 *, const u32 *, const u32 *, u64) = {sve_fadd, sve_fmul,
                                                                        sve_fdiv, sve_fmla};
    bool good = true;

    fpcr_write((u64)mode << 22);
    for (u32 op = 0; op < ARRAY_SIZE(ops); op++) {
        fill_operands();
        if (ops[op] == sve_fmla)
            memcpy(out, c, ELEMENTS * sizeof(u32));
        yield();
        ops[op](out, a, b, ELEMENTS);
        for (u32 i = 0; i < ELEMENTS && good; i++) {
            u32 want = ops[op] == sve_fadd   ? soft_add(a[i], b[i], mode)
                       : ops[op] == sve_fmul ? soft_mul(a[i], b[i], mode)
                       : ops[op] == sve_fdiv ? soft_div(a[i], b[i], mode)
                                             : soft_fma(a[i], b[i], c[i], mode);
            good = same(out[i], want, "SVE", mode);
        }
        good = good && tail_intact();
    }
    u32 total = 0;
    for (u32 i = 0; i < ELEMENTS; i++)
        total = i ? soft_add(total, a[i], mode) : a[0];
    good = good && same(sve_fadda(a, ELEMENTS), total, "FADDA", mode);
    ok(good, "arith: SVE FADD FMUL FDIV FMLA FADDA at %u bits, FPCR.RMode %u", vl * 8, mode);
}

static void sve_integer(u32 vl)
{
    bool good = true;
    u64 odd = 0;

    fill_operands();
    sve_mul32(out, a, b, ELEMENTS);
    for (u32 i = 0; i < ELEMENTS; i++)
        good = good && out[i] == a[i] * b[i];
    sve_umax32(out, a, b, ELEMENTS);
    for (u32 i = 0; i < ELEMENTS; i++)
        good = good && out[i] == (a[i] > b[i] ? a[i] : b[i]);
    for (u32 i = 0; i < ELEMENTS; i++) {
        c[i] = b[i] % ELEMENTS;
        odd += a[i] & 1 ? a[i] : 0;
    }
    yield();
    sve_gather(out, a, c, ELEMENTS);
    for (u32 i = 0; i < ELEMENTS; i++)
        good = good && out[i] == a[c[i]];
    good = good && tail_intact() && sve_sum_odd(a, ELEMENTS) == odd;
    ok(good, "arith: SVE MUL UMAX, gather, compare and UADDV at %u bits", vl * 8);

    static const char text[] =
        "a first-fault load goes on as long as it can, and FFR says how far; "
        "its loop finds the length of this sentence at any vector length.";
    good = true;
    for (u32 i = 0; i < sizeof(text); i++)
        good = good && sve_strlen(text + i) == sizeof(text) - 1 - i;
    ok(good, "arith: SVE LDFF1B, RDFFRS, BRKB at %u bits", vl * 8);
}

void scenario_arith(void)
{
    fp_open();
    scalar();
    known();
    vector_float();
    vector_integer();
    if (!has_sve()) {
        skip("no SVE", "arith: SVE");
        return;
    }
    u32 max = sve_max_vl();
    for (u32 vl = max; vl >= 16; vl = vl == max && max > 16 ? 16 : 0) {
        sve_set_vl(vl);
        for (u32 mode = 0; mode < 4; mode++)
            sve_float(mode, vl);
        sve_integer(vl);
    }
    sve_set_vl(max);
    fpcr_write(0);
    fpsr_write(0);
}
