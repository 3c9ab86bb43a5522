/*
 * arith: real arithmetic gives the right bits although the vCPU is away between loading the
 * operands, operating and storing the result. x87, SSE, AVX and FMA against soft.c in every
 * rounding mode; constants and exact cases of the transcendental instructions; integer SIMD in
 * arith_int.c.
 */
#include "guest/x86_64/arith.h"

#define ROUNDS 12

void arith_step(move_fn load, op_fn op, move_fn store, const void *a, const void *b, void *result,
                const void *c)
{
    yield();
    load(a, b, result, c);
    yield();
    op();
    yield();
    store(a, b, result, c);
}

static void set_rounding(enum rounding mode)
{
    u16 fcw = (u16)(0x37f | mode << 10);
    u32 mxcsr = 0x1f80 | (u32)mode << 13;

    fp_fldcw(&fcw);
    fp_ldmxcsr(&mxcsr);
}

struct float_op {
    const char *name;
    op_fn op;
    soft_fn soft;         /* NULL: soft_fma */
    u32 precision, bytes; /* of the vector: 10, 16, 32 */
    const bool *offered;
};

static const bool always = true;
static const struct float_op float_ops[] = {
    {"FADDP", op_fadd, soft_add, P80, 10, &always},
    {"FSUBP", op_fsub, soft_sub, P80, 10, &always},
    {"FMULP", op_fmul, soft_mul, P80, 10, &always},
    {"FDIVP", op_fdiv, soft_div, P80, 10, &always},
    {"FSQRT", op_fsqrt, soft_sqrt, P80, 10, &always},
    {"ADDPD", op_addpd, soft_add, P64, 16, &always},
    {"SUBPD", op_subpd, soft_sub, P64, 16, &always},
    {"MULPD", op_mulpd, soft_mul, P64, 16, &always},
    {"DIVPD", op_divpd, soft_div, P64, 16, &always},
    {"SQRTPD", op_sqrtpd, soft_sqrt, P64, 16, &always},
    {"ADDPS", op_addps, soft_add, P32, 16, &always},
    {"SUBPS", op_subps, soft_sub, P32, 16, &always},
    {"MULPS", op_mulps, soft_mul, P32, 16, &always},
    {"DIVPS", op_divps, soft_div, P32, 16, &always},
    {"SQRTPS", op_sqrtps, soft_sqrt, P32, 16, &always},
    {"VADDPD ymm", op_vaddpd, soft_add, P64, 32, &features.avx},
    {"VSUBPD ymm", op_vsubpd, soft_sub, P64, 32, &features.avx},
    {"VMULPD ymm", op_vmulpd, soft_mul, P64, 32, &features.avx},
    {"VDIVPD ymm", op_vdivpd, soft_div, P64, 32, &features.avx},
    {"VSQRTPD ymm", op_vsqrtpd, soft_sqrt, P64, 32, &features.avx},
    {"VADDPS ymm", op_vaddps, soft_add, P32, 32, &features.avx},
    {"VSUBPS ymm", op_vsubps, soft_sub, P32, 32, &features.avx},
    {"VMULPS ymm", op_vmulps, soft_mul, P32, 32, &features.avx},
    {"VDIVPS ymm", op_vdivps, soft_div, P32, 32, &features.avx},
    {"VSQRTPS ymm", op_vsqrtps, soft_sqrt, P32, 32, &features.avx},
    {"VFMADD213PD ymm", op_vfmadd_pd, NULL, P64, 32, &features.fma},
    {"VFMADD213PS ymm", op_vfmadd_ps, NULL, P32, 32, &features.fma},
};

struct vectors {
    u8 a[32], b[32], c[32], want[32], got[32];
} ALIGNED(32);

/* Random lanes and what soft.c makes of them. */
static void lanes_random(const struct float_op *o, struct vectors *v, u64 *seed, enum rounding mode)
{
    u32 lane = o->precision == P80 ? 10 : o->precision == P64 ? 8 : 4;

    memset(v, 0, sizeof(*v));
    for (u32 at = 0; at < o->bytes; at += lane) {
        /* The spread keeps everything normal, and within what soft_fma can span. */
        struct soft a = soft_random(seed, o->precision, 8), b = soft_random(seed, o->precision, 8),
                    c = soft_random(seed, o->precision, 4), r;
        if (o->soft == soft_sqrt)
            b.sign = 0;
        if (!o->soft && o->precision == P64)
            a.exp = b.exp = 0;
        soft_put(v->a + at, a, o->precision);
        soft_put(v->b + at, b, o->precision);
        soft_put(v->c + at, c, o->precision);
        r = o->soft ? o->soft(a, b, o->precision, mode) : soft_fma(a, b, c, o->precision, mode);
        soft_put(v->want + at, r, o->precision);
    }
}

static void float_op_check(const struct float_op *o, u64 *seed)
{
    static struct vectors v;
    move_fn load = o->bytes == 10   ? op_load_x87
                   : o->bytes == 16 ? op_load_sse
                   : o->soft        ? op_load_avx
                                    : op_load_fma;
    move_fn store = o->bytes == 10 ? op_store_x87 : o->bytes == 16 ? op_store_sse : op_store_avx;
    u32 bad = 0;

    for (u32 i = 0; i < 4 * ROUNDS; i++) {
        enum rounding mode = i & 3;
        set_rounding(mode);
        lanes_random(o, &v, seed, mode);
        arith_step(load, o->op, store, v.a, v.b, v.got, v.c);
        if (memcmp(v.got, v.want, sizeof(v.got)) && bad++ < 2) {
            diag("%s, rounding mode %u", o->name, mode);
            pattern_diag("result", v.got, v.want, sizeof(v.got));
        }
    }
    ok(!bad, "%s: %u random vectors in every rounding mode", o->name, 4 * ROUNDS);
}

struct f80 {
    u64 mant;
    u16 head;
    u8 pad[6];
};
#define F80(head, mant)                                                                            \
    {                                                                                              \
        mant, head,                                                                                \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define ONE F80(0x3fff, 0x8000000000000000)

/* Results that are exact, or correctly rounded constants (round to nearest). a is loaded first, b
 * on top. */
static const struct known {
    const char *name;
    op_fn op;
    struct f80 a, b, want;
} knowns[] = {
    {"FLDPI", op_fldpi, ONE, ONE, F80(0x4000, 0xc90fdaa22168c235)},
    {"FLDL2E", op_fldl2e, ONE, ONE, F80(0x3fff, 0xb8aa3b295c17f0bc)},
    {"FLDL2T", op_fldl2t, ONE, ONE, F80(0x4000, 0xd49a784bcd1b8afe)},
    {"FLDLG2", op_fldlg2, ONE, ONE, F80(0x3ffd, 0x9a209a84fbcff799)},
    {"FLDLN2", op_fldln2, ONE, ONE, F80(0x3ffe, 0xb17217f7d1cf79ac)},
    {"FSQRT(2)", op_fsqrt, ONE, F80(0x4000, 0x8000000000000000), F80(0x3fff, 0xb504f333f9de6484)},
    {"FPATAN(1, 1) = pi/4", op_fpatan, ONE, ONE, F80(0x3ffe, 0xc90fdaa22168c235)},
    {"FYL2X(1, 8) = 3", op_fyl2x, F80(0x4002, 0x8000000000000000), ONE,
     F80(0x4000, 0xc000000000000000)},
    {"F2XM1(-1) = -0.5", op_f2xm1, ONE, F80(0xbfff, 0x8000000000000000),
     F80(0xbffe, 0x8000000000000000)},
    {"FSCALE(1, 5) = 32", op_fscale, ONE, F80(0x4001, 0xa000000000000000),
     F80(0x4004, 0x8000000000000000)},
    {"FPREM(17.5, 3) = 2.5", op_fprem, F80(0x4003, 0x8c00000000000000),
     F80(0x4000, 0xc000000000000000), F80(0x4000, 0xa000000000000000)},
    {"FCOS(0) = 1", op_fcos, ONE, F80(0, 0), ONE},
    {"FSIN(0) = 0", op_fsin, ONE, F80(0, 0), F80(0, 0)},
};

static void knowns_check(void)
{
    struct f80 got;

    set_rounding(TO_NEAREST);
    for (u32 i = 0; i < ARRAY_SIZE(knowns); i++) {
        memset(&got, 0, sizeof(got));
        arith_step(op_load_x87, knowns[i].op, op_store_x87, &knowns[i].a, &knowns[i].b, &got, NULL);
        set_rounding(TO_NEAREST);
        if (!ok(!memcmp(&got, &knowns[i].want, 10), "%s", knowns[i].name))
            pattern_diag("result", &got, &knowns[i].want, 10);
    }
}

/* 2.5 and -2.5 to integer in every mode. */
static void frndint_check(void)
{
    static const struct f80 half[2] = {F80(0x4000, 0xa000000000000000),
                                       F80(0xc000, 0xa000000000000000)};
    static const struct f80 two[2] = {F80(0x4000, 0x8000000000000000),
                                      F80(0xc000, 0x8000000000000000)};
    static const struct f80 three[2] = {F80(0x4000, 0xc000000000000000),
                                        F80(0xc000, 0xc000000000000000)};
    u32 bad = 0;

    for (u32 i = 0; i < 8; i++) {
        enum rounding mode = i & 3;
        u32 negative = i >> 2;
        bool away_from_zero = negative ? mode == DOWN : mode == UP;
        struct f80 got = {0};
        set_rounding(mode);
        arith_step(op_load_x87, op_frndint, op_store_x87, &half[0], &half[negative], &got, NULL);
        bad += memcmp(&got, away_from_zero ? &three[negative] : &two[negative], 10) != 0;
    }
    ok(!bad, "FRNDINT of 2.5 and -2.5 in every rounding mode");
}

void scenario_arith(void)
{
    u64 seed = pattern_seed(0, 20);

    fp_first();
    background_start();
    insn_fninit(NULL);
    for (u32 i = 0; i < ARRAY_SIZE(float_ops); i++) {
        if (*float_ops[i].offered)
            float_op_check(&float_ops[i], &seed);
        else
            skip("not on this CPU", "%s", float_ops[i].name);
    }
    knowns_check();
    frndint_check();
    set_rounding(TO_NEAREST);
    arith_integers();
    background_stop();
}
