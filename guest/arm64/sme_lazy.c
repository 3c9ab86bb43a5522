/*
 * `sme-lazy`: a guest that is lazy itself. CPACR_EL1.SMEN, ZEN and FPEN × SVCR × instruction class,
 * at EL1 and at EL0, first thing after a yield (when the hypervisor's gate is closed as well): the
 * guest must see exactly its own exceptions, syndrome included (5). Then ZT0 behind
 * SMCR_EL1.EZT0, and a lazy kernel that closes SMEN with everything live.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/sme_scenarios.h"

enum class {
    MODE,      /* SMSTART, SMSTOP, SVCR */
    SMCR,      /* EL1 only, SMEN alone */
    LENGTH,    /* RDSVL */
    ZA,        /* needs ZA */
    ZA_SM,     /* needs both */
    ZT0,       /* needs ZA and EZT0 */
    SVE,       /* legal in both modes */
    FFR,       /* in streaming mode with FA64 alone */
    FP,        /* legal in both modes */
    ASIMD,     /* in streaming mode with FA64 alone */
    FPMR_EL1,  /* FPEN; at EL0 SCTLR_EL1.EnFPM too */
    TPIDR2_EL1 /* at EL1 always */
};

static const struct {
    const char *name;
    u32 word;
    enum class class;
} classes[] = {
    {"SMSTART", SMSTART, MODE},
    {"SMSTART SM", SMSTART_SM, MODE},
    {"SMSTART ZA", SMSTART_ZA, MODE},
    {"SMSTOP", SMSTOP, MODE},
    {"SMSTOP SM", SMSTOP_SM, MODE},
    {"SMSTOP ZA", SMSTOP_ZA, MODE},
    {"MRS SVCR", MRS_X0(3, 3, 4, 2, 2), MODE},
    {"MSR SVCR, XZR", MSR_X0(3, 3, 4, 2, 2) | 31, MODE},
    {"MRS SMCR_EL1", MRS_X0(3, 0, 1, 2, 6), SMCR},
    {"RDSVL X0, #1", 0x04bf5820, LENGTH},
    {"ZERO {ZA}", 0xc00800ff, ZA},
    {"LDR ZA[W12, 0], [X0]", 0xe1000000, ZA},
    {"STR ZA[W12, 0], [X0]", 0xe1200000, ZA},
    {"FMOPA ZA0.S", 0x80800000, ZA_SM},
    {"MOVA Z0.B, ZA0H", 0xc0020000, ZA_SM},
    {"ADDHA ZA0.S", 0xc0900000, ZA_SM},
    {"LD1W ZA0H.S", 0xe09f0000, ZA_SM},
    {"LDR ZT0, [X0]", 0xe11f8000, ZT0},
    {"STR ZT0, [X0]", 0xe13f8000, ZT0},
    {"ZERO {ZT0}", 0xc0480001, ZT0},
    {"ADD Z0.S", 0x04a00000, SVE},
    {"PTRUE P0.B", 0x2518e3e0, SVE},
    {"LDR Z0, [X0]", 0x85804000, SVE},
    {"RDVL X0, #1", 0x04bf5020, SVE},
    {"RDFFR P0.B", 0x2519f000, FFR},
    {"LDFF1B Z0.B", 0xa41f6000, FFR},
    {"FMOV D0, X0", 0x9e670000, FP},
    {"LDR Q1, [X0]", 0x3dc00001, FP},
    {"MRS FPCR", 0xd53b4400, FP},
    {"MSR FPSR, XZR", 0xd51b443f, FP},
    {"FADD V2.4S", 0x4e22d442, ASIMD},
    {"MRS FPMR", MRS_X0(3, 3, 4, 4, 2), FPMR_EL1},
    {"MRS TPIDR2_EL0", MRS_X0(3, 3, 13, 0, 5), TPIDR2_EL1},
};

struct situation {
    u32 smen, zen, fpen;
    u64 mode;
    bool el0, fa64, ezt0;
};

static bool closed(u32 field, bool el0)
{
    return el0 ? field != 3 : !(field & 1);
}

/* What needs SMEN, FPEN and then the mode: CheckSMEEnabled and its relatives (DDI 0487, J1.1). */
static u32 sme_outcome(enum class class, const struct situation *s)
{
    if (closed(s->smen, s->el0))
        return OUTCOME(EC_SME, SMTC_CLOSED);
    if (class == MODE || class == SMCR)
        return OUTCOME(EC_NONE, 0);
    if (closed(s->fpen, s->el0))
        return OUTCOME(EC_FP, 0);
    if (class == ZA_SM && !(s->mode & SVCR_SM))
        return OUTCOME(EC_SME, SMTC_NOT_STREAMING);
    if (class != LENGTH && class != SVE && !(s->mode & SVCR_ZA))
        return OUTCOME(EC_SME, SMTC_NO_ZA);
    if (class == ZT0 && !s->ezt0)
        return OUTCOME(EC_SME, SMTC_NO_ZT0);
    return OUTCOME(EC_NONE, 0);
}

static u32 expected(enum class class, const struct situation *s)
{
    bool streaming = s->mode & SVCR_SM;
    u32 result = OUTCOME(EC_NONE, 0);

    switch (class) {
    case SMCR:
        return s->el0 ? OUTCOME(EC_UNKNOWN, 0) : sme_outcome(class, s);
    case FP:
    case ASIMD:
    case FPMR_EL1:
        result = closed(s->fpen, s->el0) ? OUTCOME(EC_FP, 0) : result;
        break;
    case SVE:
    case FFR:
        if (streaming)
            result = sme_outcome(SVE, s);
        else if (closed(s->zen, s->el0))
            result = OUTCOME(EC_SVE, 0);
        else if (closed(s->fpen, s->el0))
            result = OUTCOME(EC_FP, 0);
        break;
    case TPIDR2_EL1:
        break;
    default:
        return sme_outcome(class, s);
    }
    if ((class == FFR || class == ASIMD) && streaming && !s->fa64 && result == OUTCOME(EC_NONE, 0))
        return OUTCOME(EC_SME, SMTC_STREAMING);
    return result;
}

/*
 * QEMU prefers FPEN's trap where both FPEN and SMEN are closed, and checks FPEN for RDSVL but not
 * for the mode: one of the two exceptions it must be. QEMU 11.1 keeps two of SMTC's three bits.
 */
static bool acceptable(u32 got, u32 want, const struct situation *s)
{
    if (got == want)
        return true;
    if (want == OUTCOME(EC_SME, SMTC_NO_ZT0))
        return got == OUTCOME(EC_SME, 0);
    return want == OUTCOME(EC_SME, SMTC_CLOSED) && closed(s->fpen, s->el0) &&
           got == OUTCOME(EC_FP, 0);
}

static u8 operand[SVE_MAX_VL] ALIGNED(16);

static bool skipped(enum class class, const struct situation *s)
{
    if (class == ZT0)
        return !has_sme2();
    if (class == FPMR_EL1)
        return s->el0 || !has_fpmr();
    if (class == TPIDR2_EL1)
        return s->el0;
    return !has_sve() && (class == FFR || (class == SVE && !(s->mode & SVCR_SM)));
}

static bool cell(u32 i, const struct situation *s)
{
    u64 argument = (u64)operand + (s->el0 ? EL0_ALIAS : 0);

    if (skipped(classes[i].class, s))
        return true;
    /* Open only as far as it takes to set the mode; then this situation's gate. */
    sysreg_write(cpacr_el1, CPACR_FPEN(3) | CPACR_ZEN(3) | CPACR_SMEN(3));
    sysreg_write(svcr, s->mode);
    sysreg_write(cpacr_el1, CPACR_FPEN(s->fpen) | CPACR_ZEN(s->zen) | CPACR_SMEN(s->smen));
    yield();
    struct probe p =
        s->el0 ? probe_word_el0(classes[i].word, argument) : probe_word(classes[i].word, argument);
    u32 want = expected(classes[i].class, s), got = outcome(&p);
    if (acceptable(got, want, s) && (p.ec == EC_NONE || this_cpu()->vector == (s->el0 ? 8u : 4u)))
        return true;
    diag("%s at EL%u: EC 0x%x SMTC %u, want EC 0x%x SMTC %u (SMEN %u ZEN %u FPEN %u SVCR %u)",
         classes[i].name, s->el0 ? 0 : 1, got >> 8, got & 7, want >> 8, want & 7, s->smen, s->zen,
         s->fpen, (u32)s->mode);
    return false;
}

static void matrix(bool el0, u64 mode)
{
    struct situation s = {.el0 = el0, .mode = mode, .fa64 = has_fa64(), .ezt0 = has_sme2()};
    u32 cells = 0, bad = 0;

    for (s.smen = 0; s.smen < 4; s.smen++)
        for (s.zen = 0; s.zen < 4; s.zen += has_sve() ? 1 : 3)
            for (s.fpen = 0; s.fpen < 4; s.fpen++)
                for (u32 i = 0; i < ARRAY_SIZE(classes) && bad < 8; i++, cells++)
                    bad += !cell(i, &s);
    sme_open();
    ok(!bad, "sme-lazy: EL%u, SM %u ZA %u: SMEN, ZEN, FPEN × class, %u cells (5)", el0 ? 0 : 1,
       (u32)mode & 1, (u32)mode >> 1, cells);
}

/* EZT0 and FA64 closed by the guest. The mode is entered by fresh code each time: QEMU's erratum.
 */
static void sub_gates(void)
{
    u32 svl = sme_max_svl(), bad = 0;
    struct situation s = {.smen = 3, .zen = 3, .fpen = 3, .mode = 3};

    sysreg_write(smcr_el1, svl / 16 - 1);
    for (u32 i = 0; i < ARRAY_SIZE(classes); i++) {
        if (skipped(classes[i].class, &s))
            continue;
        probe_word(SMSTOP, 0);
        probe_word(SMSTART, 0);
        yield();
        struct probe p = probe_word(classes[i].word, (u64)operand);
        u32 got = outcome(&p), want = expected(classes[i].class, &s);
        if (!acceptable(got, want, &s)) {
            diag("%s: EC 0x%x SMTC %u, want EC 0x%x SMTC %u", classes[i].name, got >> 8, got & 7,
                 want >> 8, want & 7);
            bad++;
        }
    }
    sme_set_svl(svl);
    sme_open();
    ok(!bad, "sme-lazy: SMCR_EL1.FA64 and EZT0 closed: what needs them traps");
}

/* Everything live, the guest closes its own gates, is away, and opens what traps. */
static void close_and_reopen(u64 mode)
{
    struct fp_difference why;
    struct cpu *cpu = this_cpu();
    u32 vl = has_sve() ? sve_max_vl() : 0, svl = sme_max_svl(), round = 0;
    bool good = true;

    cpu->opened_sme = 0;
    for (; round < 40 && good; round++) {
        sme_open();
        sme_enter(sme_want(), (u32)mode, vl, svl, pattern_seed(0, 0x2b00 + round));
        sysreg_write(cpacr_el1, round & 1 ? 0 : CPACR_FPEN(3) | CPACR_ZEN(3));
        for (u32 y = 0; y < round % 4; y++)
            yield();
        cpu->mode = TRAP_OPEN;
        sme_store(sme_got());
        cpu->mode = TRAP_FATAL;
        /* With SMEN closed the length counts as 128 bits: what is above may become zero whenever
         * EL1 is entered (DDI 0487, ZCR_EL1.LEN, SMCR_EL1.LEN; QEMU does it at an ERET from EL2).
         */
        good = sme_equal(sme_got(), sme_want(), &why) ||
               (on_fermata && !(round & 1) && mode & SVCR_SM &&
                sme_kept_or_zeroed(sme_got(), sme_want(), 16, svl));
    }
    if (!ok(good, "sme-lazy: SVCR %u: all held over the guest's own closed gates", (u32)mode))
        fp_difference_diag(&why);
    ok_eq(cpu->opened_sme, round, "sme-lazy: SVCR %u: one SMEN trap each time", (u32)mode);
    sme_open();
}

void scenario_sme_lazy(void)
{
    sme_open();
    if (!has_sme()) {
        skip("no SME", "sme-lazy: CPACR_EL1.SMEN");
        return;
    }
    sme_neighbours_start();
    sme_set_svl(SVE_MAX_VL);
    for (u64 mode = 0; mode < 4; mode++) {
        matrix(false, mode);
        matrix(true, mode);
    }
    sub_gates();
    for (u64 mode = 0; mode < 4; mode++)
        close_and_reopen(mode);
    sme_neighbours_stop();
}
