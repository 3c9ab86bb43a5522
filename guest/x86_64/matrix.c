/*
 * CR0.{EM,MP,TS} x CR4.{OSXSAVE,OSFXSR} x instruction class: fault for fault as hardware gives
 * (BUGS 5), each instruction being the first after the vCPU was away, so that the hypervisor's own
 * gate (CR0.TS=1 and CR4.OSXSAVE=0 behind the guest's back) is closed when it comes; and once more
 * with the gate open.
 *
 * Expectations: APM vol. 3 and 4 (exceptions of each instruction), vol. 2, 11.3. Where QEMU TCG
 * departs from them the departure is measured once with the gate open, named, printed as "#
 * erratum", and then expected exactly; the harness compares these lines and the "# matrix" lines
 * with a run on the bare emulator, so a hypervisor's fault cannot pass for an erratum.
 */
#include "guest/x86_64/matrix.h"

struct errata errata;
static struct fp_image pattern;

enum kind { X87, FWAIT, MMX, EMMS, SSE, FX, VEX, XSAVE, XCR, PLAIN };

struct class
{
    const char *name;
    enum kind kind;
    stub_fn stub;
    const void *at; /* NULL: the stub's first instruction */
    const bool *offered;
};

static const bool always = true;
static const struct class classes[] = {
    {"fnop", X87, insn_fnop, NULL, &always},
    {"fldz", X87, insn_fldz, NULL, &always},
    {"fninit", X87, insn_fninit, NULL, &always},
    {"fldcw", X87, insn_fldcw, NULL, &always},
    {"fnstcw", X87, insn_fnstcw, NULL, &always},
    {"fwait", FWAIT, insn_fwait, NULL, &always},
    {"movd-mm", MMX, insn_mmx, NULL, &always},
    {"emms", EMMS, insn_emms, NULL, &always},
    {"movups-load", SSE, insn_movups_load, NULL, &always},
    {"movups-store", SSE, insn_movups_store, NULL, &always},
    {"addps", SSE, insn_addps, NULL, &always},
    {"paddd", SSE, insn_paddd, NULL, &always},
    {"ldmxcsr", SSE, insn_ldmxcsr, NULL, &always},
    {"stmxcsr", SSE, insn_stmxcsr, NULL, &always},
    {"fxsave", FX, insn_fxsave, NULL, &always},
    {"fxrstor", FX, insn_fxrstor, NULL, &always},
    {"movnti", PLAIN, insn_movnti, NULL, &always},
    {"sfence", PLAIN, insn_sfence, NULL, &always},
    {"popcnt", PLAIN, insn_popcnt, NULL, &features.popcnt},
    {"vmovups-load", VEX, insn_vmovups_load, NULL, &features.avx},
    {"vmovups-store", VEX, insn_vmovups_store, NULL, &features.avx},
    {"vaddps", VEX, insn_vaddps, NULL, &features.avx},
    {"vpxor-xmm", VEX, insn_vpxor_xmm5, NULL, &features.avx},
    {"vzeroupper", VEX, insn_vzeroupper, NULL, &features.avx},
    {"vldmxcsr", VEX, insn_vldmxcsr, NULL, &features.avx},
    {"andn", PLAIN, insn_andn, NULL, &features.bmi1},
    {"xsave", XSAVE, insn_xsave, insn_xsave_at, &features.xsave},
    {"xsaveopt", XSAVE, insn_xsaveopt, insn_xsaveopt_at, &features.xsaveopt},
    {"xsavec", XSAVE, insn_xsavec, insn_xsavec_at, &features.xsavec},
    {"xrstor", XSAVE, insn_xrstor, insn_xrstor_at, &features.xsave},
    {"xgetbv", XCR, insn_xgetbv, insn_xgetbv_at, &features.xsave},
    {"xgetbv1", XCR, insn_xgetbv1, insn_xgetbv1_at, &features.xgetbv1},
    {"xsetbv", XCR, insn_xsetbv, insn_xsetbv_at, &features.xsave},
};

/* EM is #UD and comes before TS. */
static u32 expect_em_ts(u64 cr0)
{
    if ((cr0 & CR0_TS) && errata.ts_before_em)
        return VECTOR_NM;
    if (cr0 & CR0_EM)
        return VECTOR_UD;
    return cr0 & CR0_TS ? VECTOR_NM : NO_FAULT;
}

static u32 expect_sse(u64 cr0, u64 cr4)
{
    if (!(cr4 & CR4_OSFXSR))
        return VECTOR_UD;
    return expect_em_ts(cr0);
}

static u32 expect_vex(u64 cr0, u64 cr4)
{
    if (!(cr4 & CR4_OSXSAVE))
        return VECTOR_UD;
    if (errata.vex_heeds_em)
        return expect_em_ts(cr0);
    return cr0 & CR0_TS ? VECTOR_NM : NO_FAULT;
}

static u32 expect_fx(u64 cr0)
{
    if (cr0 & CR0_EM)
        return errata.fxsave_em_is_nm ? VECTOR_NM : VECTOR_UD;
    return cr0 & CR0_TS ? VECTOR_NM : NO_FAULT;
}

static u32 expect(enum kind kind, u64 cr0, u64 cr4)
{
    bool ts = cr0 & CR0_TS, em = cr0 & CR0_EM;

    switch (kind) {
    case X87:
        return em || ts ? VECTOR_NM : NO_FAULT;
    case FWAIT:
        return ts && (cr0 & CR0_MP) ? VECTOR_NM : NO_FAULT;
    case MMX:
        return expect_em_ts(cr0);
    case EMMS:
        return errata.emms_never_faults ? NO_FAULT : expect_em_ts(cr0);
    case SSE:
        return expect_sse(cr0, cr4);
    case FX:
        return expect_fx(cr0);
    case VEX:
        return expect_vex(cr0, cr4);
    case XSAVE:
        if (!(cr4 & CR4_OSXSAVE))
            return VECTOR_UD;
        return ts && !errata.xsave_ignores_ts ? VECTOR_NM : NO_FAULT;
    case XCR:
        return cr4 & CR4_OSXSAVE ? NO_FAULT : VECTOR_UD;
    case PLAIN:
        break;
    }
    return NO_FAULT;
}

/* One cell: the instruction under these control bits, `away` or at once. Control bits are normal
 * afterwards. */
static u32 cell(stub_fn stub, u64 cr0, u64 cr4, bool away)
{
    u64 normal_cr4 = read_cr4();
    u32 vector;

    write_cr4(cr4);
    write_cr0(cr0);
    if (away)
        yield();
    vector = try_stub(stub, &scratch);
    write_cr0(CR0_NORMAL);
    write_cr4(normal_cr4);
    return vector;
}

void scratch_prepare(void)
{
    fp_fxsave(scratch.area);
    memset(scratch.area + 512, 0, sizeof(scratch.area) - 512);
    if (features.xsave)
        fp_xsave(scratch.area, FP_NOT_TILES);
    scratch.value = features.xcr0;
    scratch.index = 0;
}

static char letter(u32 vector)
{
    switch (vector) {
    case NO_FAULT:
        return '.';
    case VECTOR_UD:
        return 'U';
    case VECTOR_NM:
        return 'N';
    default:
        return '?';
    }
}

#define CELLS 32 /* EM, MP, TS, no OSXSAVE, no OSFXSR */

static void cell_bits(u32 i, u64 *cr0, u64 *cr4)
{
    *cr0 = CR0_NORMAL & ~(u64)CR0_MP;
    *cr0 |= (i & 1 ? CR0_TS : 0) | (i & 2 ? CR0_MP : 0) | (i & 4 ? CR0_EM : 0);
    *cr4 = read_cr4();
    if (i & 8)
        *cr4 &= ~(u64)CR4_OSXSAVE;
    if (i & 16)
        *cr4 &= ~(u64)CR4_OSFXSR;
}

static void class_row(const struct class *c, bool away)
{
    char row[CELLS + 1] = {0};
    u32 bad = 0, lost = 0;

    for (u32 i = 0; i < CELLS; i++) {
        u64 cr0, cr4;
        cell_bits(i, &cr0, &cr4);
        if ((cr4 & CR4_OSFXSR) == 0 && (c->kind == FX || c->kind == XSAVE)) {
            row[i] = '-'; /* whether XMM is stored without OSFXSR is each CPU's own business */
            continue;
        }
        fp_load(&pattern);
        scratch_prepare();
        u32 want = expect(c->kind, cr0, cr4);
        u32 vector = cell(c->stub, cr0, cr4, away);
        bool good = fault_is(want, c->at ? c->at : (const void *)c->stub);
        row[i] = letter(vector);
        if (!good && bad++ < 4)
            diag("%s: TS=%u MP=%u EM=%u OSXSAVE=%u OSFXSR=%u: %s, want %s (RIP 0x%lx, error 0x%lx)",
                 c->name, i & 1, i >> 1 & 1, i >> 2 & 1, !(i & 8), !(i & 16), vector_name(vector),
                 vector_name(want), (unsigned long)this_cpu()->try.rip,
                 (unsigned long)this_cpu()->try.error);
        if (vector != NO_FAULT)
            lost += !fp_holds(&pattern, FIRST_FXSAVE, c->name);
    }
    diag("matrix %s %s %s", c->name, away ? "away" : "open", row);
    ok(!bad && !lost, "%s, %s: faults as on hardware", c->name,
       away ? "first after being away" : "gate open");
}

static bool silent_when_pending(stub_fn stub)
{
    bool silent;

    insn_fninit(NULL);
    insn_x87_pending(NULL);
    silent = try_stub(stub, &scratch) == NO_FAULT;
    insn_fninit(NULL);
    return silent;
}

static bool silent_divps(void)
{
    u32 unmasked = 0x1d80, normal = 0x1f80;
    bool silent;

    fp_ldmxcsr(&unmasked);
    insn_divps_setup(NULL);
    silent = try_stub(insn_divps, NULL) == NO_FAULT;
    fp_ldmxcsr(&normal);
    return silent;
}

void errata_measure(void)
{
    u64 cr4 = read_cr4();
    static bool measured;

    if (measured)
        return;
    measured = true;
    scratch_prepare();
    errata.emms_never_faults = cell(insn_emms, CR0_NORMAL | CR0_TS, cr4, false) == NO_FAULT;
    insn_fninit(NULL);
    errata.fxsave_em_is_nm = cell(insn_fxsave, CR0_NORMAL | CR0_EM, cr4, false) == VECTOR_NM;
    insn_fninit(NULL);
    errata.ts_before_em = cell(insn_paddd, CR0_NORMAL | CR0_TS | CR0_EM, cr4, false) == VECTOR_NM;
    if (features.avx)
        errata.vex_heeds_em = cell(insn_vpxor_xmm5, CR0_NORMAL | CR0_EM, cr4, false) == VECTOR_UD;
    if (features.xsave)
        errata.xsave_ignores_ts = cell(insn_xsave, CR0_NORMAL | CR0_TS, cr4, false) == NO_FAULT;
    errata.x87_ignores_pending = silent_when_pending(insn_fldz);
    errata.mmx_ignores_pending = silent_when_pending(insn_mmx);
    errata.simd_never_raises = silent_divps();
    diag("erratum xsave-ignores-ts %u", errata.xsave_ignores_ts);
    diag("erratum emms-never-faults %u", errata.emms_never_faults);
    diag("erratum ts-before-em %u", errata.ts_before_em);
    diag("erratum vex-heeds-em %u", errata.vex_heeds_em);
    diag("erratum fxsave-em-is-nm %u", errata.fxsave_em_is_nm);
    diag("erratum x87-ignores-pending %u", errata.x87_ignores_pending);
    diag("erratum mmx-ignores-pending %u", errata.mmx_ignores_pending);
    diag("erratum simd-never-raises %u", errata.simd_never_raises);
}

void matrix_run(void)
{
    fp_pattern(&pattern, pattern_seed(0, 8));
    pattern.fx[FX_FTW] =
        0; /* so that QEMU's EMMS does not make the hypervisor load early: fp_pattern() */
    for (u32 i = 0; i < ARRAY_SIZE(classes); i++) {
        if (!*classes[i].offered) {
            skip("not on this CPU", "%s", classes[i].name);
            continue;
        }
        class_row(&classes[i], true);
        class_row(&classes[i], false);
    }
    insn_fninit(NULL);
}
