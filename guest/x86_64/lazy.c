/*
 * lazy: the guest's own lazy FP works under the hypervisor's, and every fault that is the guest's
 * reaches it. Rows of BUGS.md: 5 (matrix.c), 32, 33.
 */
#include "guest/x86_64/matrix.h"

static struct fp_image contexts[2];
static u32 owner, current, faults;

/* The guest's #NM handler: what a lazy operating system does. */
static bool own_lazy_switch(struct trap_frame *frame)
{
    (void)frame;
    fp_clts();
    faults++;
    if (owner == current)
        return true;
    if (features.avx512) {
        fp_zmm_store(contexts[owner].zmm);
        fp_k_store(contexts[owner].k);
    } else if (features.avx) {
        fp_ymm_store(contexts[owner].ymm);
    }
    fp_fxsave(contexts[owner].fx);
    fp_fxrstor(contexts[current].fx);
    if (features.avx512) {
        fp_zmm_load(contexts[current].zmm);
        fp_k_load(contexts[current].k);
    } else if (features.avx) {
        fp_ymm_load(contexts[current].ymm);
    }
    owner = current;
    return true;
}

static void own_lazy(void)
{
    static const enum fp_first ways[] = {FIRST_FXSAVE, FIRST_MOVUPS, FIRST_VMOV};
    static struct fp_image want[2];
    u32 bad = 0, rounds = 300;

    for (u32 i = 0; i < 2; i++) {
        fp_pattern(&want[i], pattern_seed(0, 10 + i));
        want[i].pkru = 0; /* not part of what the handler switches */
        fp_load(&want[i]);
        contexts[i] = want[i];
    }
    owner = 1;
    faults = 0;
    this_cpu()->nm_handler = own_lazy_switch;
    for (u32 i = 0; i < rounds; i++) {
        current = i % 3 == 2 ? current : !current;
        write_cr0(CR0_NORMAL | CR0_TS);
        yield();
        bad += !fp_holds(&want[current], ways[i / 2 % 3], "own lazy");
    }
    this_cpu()->nm_handler = NULL;
    ok(!bad, "the guest's own lazy FP: two contexts keep their registers");
    ok_eq(faults, rounds, "one #NM for each CR0.TS set");
    ok_eq(read_cr0(), CR0_NORMAL, "CR0 is the guest's own");
}

struct pending_case {
    stub_fn stub;
    const char *name;
    u64 ts_mp; /* CR0 bits */
    u32 want;
    const bool *erratum; /* NULL, or: where it is set nothing is raised */
};

/*
 * A #ZE pending: by a division, which leaves registers in use; or restored, with all of them empty,
 * so that the hypervisor stays lazy even where EMMS escapes its gate.
 */
static void make_pending(bool empty)
{
    static struct fp_image image;

    insn_fninit(NULL);
    if (!empty) {
        insn_x87_pending(NULL);
        return;
    }
    fp_fxsave(image.fx);
    fx_put16(image.fx, FX_FCW, 0x37b);
    fx_put16(image.fx, FX_FSW, 0x8084);
    image.fx[FX_FTW] = 0;
    fp_fxrstor(image.fx);
}

/* BUGS 33: a pending unmasked x87 exception, the vCPU away, then an instruction that must report
 * it. */
static void pending_mf(void)
{
    static const struct pending_case cases[] = {
        {insn_fwait, "FWAIT", 0, VECTOR_MF, NULL},
        {insn_fwait, "FWAIT", CR0_MP, VECTOR_MF, NULL},
        {insn_fwait, "FWAIT", CR0_TS, VECTOR_MF, NULL},
        {insn_fwait, "FWAIT", CR0_TS | CR0_MP, VECTOR_NM, NULL},
        {insn_fldz, "FLDZ", 0, VECTOR_MF, &errata.x87_ignores_pending},
        {insn_fldz, "FLDZ", CR0_TS, VECTOR_NM, NULL},
        {insn_mmx, "MOVD mm", 0, VECTOR_MF, &errata.mmx_ignores_pending},
        {insn_mmx, "MOVD mm", CR0_TS, VECTOR_NM, NULL},
        {insn_fnstcw, "FNSTCW", 0, NO_FAULT, NULL},
        {insn_fninit, "FNINIT", CR0_MP, NO_FAULT, NULL},
        {insn_movups_load, "MOVUPS", CR0_MP, NO_FAULT, NULL},
    };

    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct pending_case *c = &cases[i];
        u32 bad = 0, vector = 0;
        u32 want = c->erratum && *c->erratum ? NO_FAULT : c->want;
        for (u32 round = 0; round < 8; round++) {
            make_pending(round & 1);
            write_cr0((CR0_NORMAL & ~(u64)CR0_MP) | c->ts_mp);
            if (round)
                yield();
            vector = try_stub(c->stub, &scratch);
            bad += !fault_is(want, (const void *)c->stub);
            write_cr0(CR0_NORMAL);
            insn_fninit(NULL);
        }
        if (!ok(!bad, "x87 exception pending, away, %s with TS=%u MP=%u: %s", c->name,
                !!(c->ts_mp & CR0_TS), !!(c->ts_mp & CR0_MP), vector_name(want)))
            diag("last: %s", vector_name(vector));
    }
}

/* An unmasked SIMD exception is #XM at its instruction, the first one after being away. */
static void simd_exception(void)
{
    u32 bad = 0, mxcsr = 0x1f80 & ~0x200u; /* ZM = 0 */
    u32 want = errata.simd_never_raises ? NO_FAULT : VECTOR_XM;

    fp_ldmxcsr(&mxcsr);
    for (u32 i = 0; i < 8; i++) {
        insn_divps_setup(NULL);
        yield();
        try_stub(insn_divps, NULL);
        bad += !fault_is(want, (const void *)insn_divps);
        fp_ldmxcsr(&mxcsr);
    }
    ok(!bad, "SSE division by zero, unmasked, first after being away: %s", vector_name(want));
    mxcsr = 0x1f80;
    fp_ldmxcsr(&mxcsr);
}

/* The registers equal *want but for TOP, by which FXSAVE also orders ST0 to ST7. */
static bool emms_left(const struct fp_image *want)
{
    static struct fp_image got;
    static u32 said;

    fp_read(&got, FIRST_FXSAVE);
    fx_put16(got.fx, FX_FSW, fx16(got.fx, FX_FSW) & 0xc7ff);
    if (!memcmp(got.fx, want->fx, FX_ST) && !memcmp(got.fx + FX_XMM, want->fx + FX_XMM, 256))
        return true;
    if (said++ < 2) {
        pattern_diag("after EMMS", got.fx, want->fx, FX_ST);
        pattern_diag("after EMMS, XMM", got.fx + FX_XMM, want->fx + FX_XMM, 256);
    }
    return false;
}

/*
 * EMMS as the first instruction: it empties the tags and nothing else. QEMU does not trap it by
 * CR0.TS, so a gate that trusts TS would let it loose on registers that are not this vCPU's.
 */
static void emms_first(void)
{
    static struct fp_image image;
    u32 bad = 0;

    for (u32 i = 0; i < 16; i++) {
        fp_pattern(&image, pattern_seed(0, 500 + i));
        image.fx[FX_FTW] |= 0x18;
        fp_load(&image);
        yield();
        insn_emms(NULL);
        image.fx[FX_FTW] = 0;
        /* MMX instructions set TOP to 0; EMMS may or may not (AMD does not say). */
        fx_put16(image.fx, FX_FSW, fx16(image.fx, FX_FSW) & 0xc7ff);
        if (i & 1)
            yield();
        bad += !emms_left(&image);
    }
    ok(!bad, "EMMS first after being away: tags empty, all else kept");
}

/* BUGS 32: XGETBV(1) right after being away shows the guest's own in-use components. */
static void in_use_bits(void)
{
    static struct fp_image image;
    u64 landed, expected = XCR0_X87 | XCR0_SSE | (features.avx ? XCR0_AVX : 0);
    u32 bad = 0;

    fp_pattern(&image, pattern_seed(0, 9));
    image.fx[FX_FTW] = 0; /* see fp_pattern() */
    fp_load(&image);
    landed = fp_xgetbv(1);
    for (u32 i = 0; i < 100; i++) {
        yield();
        bad += fp_xgetbv(1) != landed;
    }
    ok((landed & expected) == expected, "XGETBV(1) shows x87, SSE and AVX in use (0x%lx)",
       (unsigned long)landed);
    ok(!bad, "XGETBV(1) right after being away shows my own");
}

/* The gate's bits are invisible: CR0, CR4, SMSW and CPUID show what the guest wrote, in every
 * combination. */
static void gate_invisible(void)
{
    u64 normal = read_cr4();
    u32 bad0 = 0, bad4 = 0, bad_smsw = 0, bad_cpuid = 0;

    for (u32 i = 0; i < 16; i++) {
        u64 cr0 = (CR0_NORMAL & ~(u64)CR0_MP) | (i & 1 ? CR0_TS : 0) | (i & 2 ? CR0_MP : 0) |
                  (i & 4 ? CR0_EM : 0);
        u64 cr4 = i & 8 ? normal & ~(u64)(CR4_OSXSAVE | CR4_PKE) : normal;
        write_cr0(CR0_NORMAL);
        write_cr4(normal);
        insn_fninit(NULL);
        write_cr4(cr4);
        write_cr0(cr0);
        yield();
        bad0 += read_cr0() != cr0;
        yield();
        bad4 += read_cr4() != cr4;
        yield();
        bad_smsw += (insn_smsw(NULL) & 0xffff) != (cr0 & 0xffff);
        yield();
        bad_cpuid += !!(cpuid(1, 0).ecx & BIT(27)) != !!(cr4 & CR4_OSXSAVE);
        if (features.pku)
            bad_cpuid += !!(cpuid(7, 0).ecx & BIT(4)) != !!(cr4 & CR4_PKE);
    }
    write_cr0(CR0_NORMAL);
    write_cr4(normal);
    ok(!bad0, "CR0 reads as written");
    ok(!bad4, "CR4 reads as written");
    ok(!bad_smsw, "SMSW shows CR0 as written");
    ok(!bad_cpuid, "CPUID OSXSAVE and OSPKE follow CR4");
}

/* CLTS and LMSW as first instructions after being away change the guest's CR0, nothing else. */
static void clts_lmsw(void)
{
    u32 bad = 0;

    for (u32 i = 0; i < 16; i++) {
        insn_fninit(NULL);
        write_cr0(CR0_NORMAL | CR0_TS);
        yield();
        if (i & 1)
            fp_clts();
        else
            insn_lmsw(CR0_PE | CR0_MP);
        bad += read_cr0() != CR0_NORMAL;
        insn_lmsw(CR0_PE | CR0_MP | CR0_TS);
        yield();
        bad += try_stub(insn_fnop, NULL) != VECTOR_NM;
        yield();
        bad += read_cr0() != (CR0_NORMAL | CR0_TS);
        write_cr0(CR0_NORMAL);
    }
    ok(!bad, "CLTS and LMSW work while away");
}

/* At CPL 3: FP works, and the guest kernel's CR0.TS reaches its handler. */
static void user_fp(void)
{
    static const stub_fn stubs[] = {insn_fldz, insn_addps, insn_movups_load};
    u32 bad = 0;

    for (u32 i = 0; i < ARRAY_SIZE(stubs); i++) {
        insn_fninit(NULL);
        if (features.pku)
            fp_wrpkru(0); /* PKRU governs user pages */
        fp_fxsave(user_scratch.area);
        yield();
        bad += try_stub_user(stubs[i], &user_scratch) != NO_FAULT;
        write_cr0(CR0_NORMAL | CR0_TS);
        yield();
        try_stub_user(stubs[i], &user_scratch);
        bad += !fault_is(VECTOR_NM, (const void *)stubs[i]);
        write_cr0(CR0_NORMAL);
    }
    insn_fninit(NULL);
    ok(!bad, "FP at CPL 3, and #NM by CR0.TS from CPL 3");
}

void scenario_lazy(void)
{
    fp_first();
    background_start();
    errata_measure();
    own_lazy();
    pending_mf();
    simd_exception();
    emms_first();
    if (features.xgetbv1)
        in_use_bits();
    else
        skip("not offered", "XGETBV(1)");
    gate_invisible();
    clts_lmsw();
    user_fp();
    matrix_run();
    background_stop();
}
