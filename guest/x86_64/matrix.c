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
#include "guest/x86_64/tiles.h"

struct errata errata;
static struct fp_image pattern;
static struct tiles tiles;

enum kind { X87, FWAIT, MMX, EMMS, SSE, FX, VEX, EVEX, XSAVE, XCR, AMX, PLAIN };

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
    {"vmovups-zmm-load", EVEX, insn_vmovups_zmm_load, NULL, &features.avx512},
    {"vmovups-zmm-store", EVEX, insn_vmovups_zmm_store, NULL, &features.avx512},
    {"vaddps-zmm", EVEX, insn_vaddps_zmm, NULL, &features.avx512},
    {"vpxord-zmm20", EVEX, insn_vpxord_zmm20, NULL, &features.avx512},
    {"kmovw", EVEX, insn_kmovw, NULL, &features.avx512},
    {"kxnorw", EVEX, insn_kxnorw_k3, NULL, &features.avx512},
    {"andn", PLAIN, insn_andn, NULL, &features.bmi1},
    {"xsave", XSAVE, insn_xsave, insn_xsave_at, &features.xsave},
    {"xsaveopt", XSAVE, insn_xsaveopt, insn_xsaveopt_at, &features.xsaveopt},
    {"xsavec", XSAVE, insn_xsavec, insn_xsavec_at, &features.xsavec},
    {"xsaves", XSAVE, insn_xsaves, insn_xsaves_at, &features.xsaves},
    {"xrstor", XSAVE, insn_xrstor, insn_xrstor_at, &features.xsave},
    {"xrstors", XSAVE, insn_xrstors, insn_xrstors_at, &features.xsaves},
    {"xgetbv", XCR, insn_xgetbv, insn_xgetbv_at, &features.xsave},
    {"xgetbv1", XCR, insn_xgetbv1, insn_xgetbv1_at, &features.xgetbv1},
    {"xsetbv", XCR, insn_xsetbv, insn_xsetbv_at, &features.xsave},
    {"ldtilecfg", AMX, insn_ldtilecfg, NULL, &features.amx},
    {"sttilecfg", AMX, insn_sttilecfg, NULL, &features.amx},
    {"tileloadd", AMX, insn_tileloadd, insn_tileloadd_at, &features.amx},
    {"tilestored", AMX, insn_tilestored, insn_tilestored_at, &features.amx},
    {"tilezero", AMX, insn_tilezero, NULL, &features.amx},
    {"tdpbssd", AMX, insn_tdpbssd, NULL, &features.amx_int8},
    {"tdpbf16ps", AMX, insn_tdpbf16ps, NULL, &features.amx_bf16},
    {"tilerelease", AMX, insn_tilerelease, NULL, &features.amx},
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

static u32 expect_fx(u64 cr0)
{
    if (cr0 & CR0_EM)
        return errata.fxsave_em_is_nm ? VECTOR_NM : VECTOR_UD;
    return cr0 & CR0_TS ? VECTOR_NM : NO_FAULT;
}

/* Control bits a class is tried under. */
struct controls {
    u64 cr0, cr4, xcr0;
};

/* VEX, EVEX and AMX need OSXSAVE and their components in XCR0; AMX does not look at TS. */
static u32 expect_component(enum kind kind, const struct controls *c)
{
    u64 need = kind == VEX ? XCR0_SSE | XCR0_AVX : XCR0_SSE | XCR0_AVX | XCR0_AVX512;

    if (kind == AMX)
        need = XCR0_AMX;
    if (!(c->cr4 & CR4_OSXSAVE) || (c->xcr0 & need) != need)
        return VECTOR_UD;
    if (kind == AMX)
        return NO_FAULT;
    if (errata.vex_heeds_em)
        return expect_em_ts(c->cr0);
    return c->cr0 & CR0_TS ? VECTOR_NM : NO_FAULT;
}

static u32 expect(const struct class *class, const struct controls *c)
{
    bool ts = c->cr0 & CR0_TS, em = c->cr0 & CR0_EM;

    if (class->stub == insn_sttilecfg && amx_errata.sttilecfg_ud)
        return VECTOR_UD;
    switch (class->kind) {
    case X87:
        return em || ts ? VECTOR_NM : NO_FAULT;
    case FWAIT:
        return ts && (c->cr0 & CR0_MP) ? VECTOR_NM : NO_FAULT;
    case MMX:
        return expect_em_ts(c->cr0);
    case EMMS:
        return errata.emms_never_faults ? NO_FAULT : expect_em_ts(c->cr0);
    case SSE:
        return expect_sse(c->cr0, c->cr4);
    case FX:
        return expect_fx(c->cr0);
    case VEX:
    case EVEX:
    case AMX:
        return expect_component(class->kind, c);
    case XSAVE:
        if (!(c->cr4 & CR4_OSXSAVE))
            return VECTOR_UD;
        return ts && !errata.xsave_ignores_ts ? VECTOR_NM : NO_FAULT;
    case XCR:
        return c->cr4 & CR4_OSXSAVE ? NO_FAULT : VECTOR_UD;
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

/* The registers and the memory the class works on, XCR0 being what it will run under. */
static void class_prepare(const struct class *c)
{
    scratch_prepare();
    if (c->stub == insn_xrstors) {
        memset(scratch.area + XSTATE_BV, 0, 64);
        fp_xsaves(scratch.area, FP_NOT_TILES);
    }
    if (c->kind == AMX)
        memcpy(scratch.tilecfg, &tiles.cfg, sizeof(scratch.tilecfg));
}

/* After one cell: was it the fault of the manual, and where it was one, are the registers as
 * before? */
static u32 cell_wrong(const struct class *c, const struct controls *bits, u32 want)
{
    static u32 said;
    u32 vector = this_cpu()->try.vector;
    bool good = fault_is(want, c->at ? c->at : (const void *)c->stub);

    if (!good && said++ < 16)
        diag("%s: CR0 0x%lx, CR4 0x%lx, XCR0 0x%lx: %s, want %s (RIP 0x%lx, error 0x%lx)", c->name,
             (unsigned long)bits->cr0, (unsigned long)bits->cr4, (unsigned long)bits->xcr0,
             vector_name(vector), vector_name(want), (unsigned long)this_cpu()->try.rip,
             (unsigned long)this_cpu()->try.error);
    if (vector != NO_FAULT)
        good &= fp_holds(&pattern, FIRST_FXSAVE, c->name);
    if (vector != NO_FAULT && c->kind == AMX)
        good &= tiles_match(&tiles, c->name);
    return !good;
}

static void class_row(const struct class *c, bool away)
{
    char row[CELLS + 1] = {0};
    u32 bad = 0;

    for (u32 i = 0; i < CELLS; i++) {
        struct controls bits = {.xcr0 = features.xcr0};
        cell_bits(i, &bits.cr0, &bits.cr4);
        if ((bits.cr4 & CR4_OSFXSR) == 0 && (c->kind == FX || c->kind == XSAVE)) {
            row[i] = '-'; /* whether XMM is stored without OSFXSR is each CPU's own business */
            continue;
        }
        fp_load(&pattern);
        if (c->kind == AMX)
            tiles_load(&tiles);
        class_prepare(c);
        row[i] = letter(cell(c->stub, bits.cr0, bits.cr4, away));
        bad += cell_wrong(c, &bits, expect(c, &bits));
    }
    diag("matrix %s %s %s", c->name, away ? "away" : "open", row);
    ok(!bad, "%s, %s: faults as on hardware", c->name,
       away ? "first after being away" : "gate open");
}

/* The class under each legal XCR0, first after being away: what a component it needs and has not is
 * #UD. */
static void class_xcr0(const struct class *c)
{
    u64 values[XCR0_VALUES];
    char row[XCR0_VALUES + 1] = {0};
    u32 count = legal_xcr0(values), bad = 0;

    for (u32 i = 0; i < count; i++) {
        struct controls bits = {CR0_NORMAL, read_cr4(), values[i]};
        fp_load(&pattern);
        if (c->kind == AMX)
            tiles_load(&tiles);
        fp_xsetbv(values[i]);
        class_prepare(c);
        scratch.value = values[i];
        row[i] = letter(cell(c->stub, bits.cr0, bits.cr4, true));
        fp_xsetbv(features.xcr0);
        bad += cell_wrong(c, &bits, expect(c, &bits));
    }
    diag("matrix %s xcr0 %s", c->name, row);
    ok(!bad, "%s, under every legal XCR0", c->name);
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
    u64 seed = pattern_seed(0, 43);

    if (features.amx) {
        amx_errata_measure();
        tiles_configure(&tiles, &seed);
        tiles.cfg.rows[1] = 3; /* TILELOADD and TILESTORED of the stubs stay within scratch.area */
        tiles.cfg.rows[0] = 3;
        tiles_fill(&tiles, &seed);
    }
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
        if (features.xsave)
            class_xcr0(&classes[i]);
    }
    insn_fninit(NULL);
    if (features.amx)
        tile_release();
}
