/*
 * The gate rule: a unit may be lazy only if every instruction that can see or change it traps while
 * its gate is closed. Here each class is run at EL1 once per state of the gates, and what comes
 * back to EL2 is compared with the architecture.
 */
#include "arch/arch.h"
#include "exceptions.h"
#include "fp_arm64.h"
#include "guest.h"
#include "guest_el1.h"
#include "hv/console.h"
#include "selftest.h"

/* What a snippet can end with, as bits, so that more than one may be right. */
#define RUNS      BIT(0) /* HVC #0 after it */
#define UNDEFINED BIT(1) /* HVC #1: Undefined, taken by EL1 itself */
#define TRAPS_FP  BIT(2) /* EC 0x07 */
#define TRAPS_SVE BIT(3) /* EC 0x19 */
#define TRAPS_SME BIT(4) /* EC 0x1D */
#define TRAPS_REG BIT(5) /* EC 0x18 */
#define MODE      BIT(6) /* HVC #1: EC 0x1D, taken by EL1 itself: not in this mode */
#define OTHER     BIT(7)
#define TRAPS     (TRAPS_FP | TRAPS_SVE | TRAPS_SME | TRAPS_REG)

/* SME_CONTROL needs TSM alone open, SME and ZT0 FPSIMD too, and the mode that check() sets. */
enum unit { CONTROL, FPSIMD, SVE, SVE_CONTROL, SME_CONTROL, SME, ZT0, SME_STORAGE, FP8 };

struct snippet {
    const char *id;
    const char *code;
    enum unit unit;
};

#define SNIPPETS(X)                                                                                \
    X(nothing, CONTROL)                                                                            \
    X(fadd, FPSIMD)                                                                                \
    X(simd, FPSIMD)                                                                                \
    X(fmov, FPSIMD)                                                                                \
    X(fpcr, FPSIMD)                                                                                \
    X(fpsr, FPSIMD)                                                                                \
    X(ldr_q, FPSIMD)                                                                               \
    X(sve_add, SVE)                                                                                \
    X(ptrue, SVE)                                                                                  \
    X(rdvl, SVE)                                                                                   \
    X(rdffr, SVE)                                                                                  \
    X(ldr_z, SVE)                                                                                  \
    X(zcr_read, SVE_CONTROL)                                                                       \
    X(zcr_write, SVE_CONTROL)                                                                      \
    X(smstart, SME_CONTROL)                                                                        \
    X(smstop, SME_CONTROL)                                                                         \
    X(svcr_read, SME_CONTROL)                                                                      \
    X(svcr_write, SME_CONTROL)                                                                     \
    X(smcr_read, SME_CONTROL)                                                                      \
    X(smcr_write, SME_CONTROL)                                                                     \
    X(rdsvl, SME)                                                                                  \
    X(zero_za, SME)                                                                                \
    X(ldr_za, SME)                                                                                 \
    X(str_za, SME)                                                                                 \
    X(fmopa, SME)                                                                                  \
    X(mova, SME)                                                                                   \
    X(zero_zt0, ZT0)                                                                               \
    X(ldr_zt0, ZT0)                                                                                \
    X(tpidr2, SME_STORAGE)                                                                         \
    X(smpri, SME_STORAGE)                                                                          \
    X(fpmr, FP8)

#define DECLARE(name, unit) extern const char selftest_##name[];
SNIPPETS(DECLARE)
#define ROW(name, unit) {#name, selftest_##name, unit},
static const struct snippet snippets[] = {SNIPPETS(ROW)};

extern const char selftest_vectors[], selftest_vectors_el1[], selftest_snippets_end[];

static u8 operand[512] ALIGNED(64);
static u32 deviations, cases;
static bool offered; /* SME and FPMR, as to a VM that has them */

static u64 outcome_of(u64 esr)
{
    switch (ESR_EC(esr)) {
    case EC_HVC:
        if ((esr & 0xffff) == 0)
            return RUNS;
        return ESR_EC(guest_esr()) == EC_UNKNOWN ? UNDEFINED
               : ESR_EC(guest_esr()) == EC_SME   ? MODE
                                                 : OTHER;
    case EC_FP:
        return TRAPS_FP;
    case EC_SVE:
        return TRAPS_SVE;
    case EC_SME:
        return TRAPS_SME;
    case EC_SYSREG:
        return TRAPS_REG;
    default:
        return OTHER;
    }
}

static const char *outcome_text(u64 outcome)
{
    switch (outcome) {
    case RUNS:
        return "it ran";
    case UNDEFINED:
        return "Undefined";
    case MODE:
        return "an exception at EL1 for the mode (EC 0x1D)";
    case TRAPS_FP:
        return "a trap by TFP (EC 0x07)";
    case TRAPS_SVE:
        return "a trap by TZ (EC 0x19)";
    case TRAPS_SME:
        return "a trap by TSM (EC 0x1D)";
    case TRAPS_REG:
        return "a register trap (EC 0x18)";
    default:
        return "another exception";
    }
}

/*
 * What the architecture says of `unit` with `open` open: DDI 0487 D19.2.34 (CPTR_EL2). In streaming
 * mode SVE instructions are behind TSM, and TZ is not asked.
 */
static u64 expected(enum unit unit, fp_units open, bool streaming)
{
    bool fp = open & FP_UNIT_FPSIMD, sve = open & FP_UNIT_SVE, sme = open & FP_UNIT_SME;

    switch (unit) {
    case CONTROL:
        return RUNS;
    case FPSIMD:
        return fp ? RUNS : TRAPS_FP;
    case SVE:
        if (streaming)
            return !sme ? TRAPS_SME : fp ? RUNS : TRAPS_FP;
        if (!features.sve)
            return UNDEFINED | TRAPS | (features.sme ? MODE : 0);
        return !sve ? TRAPS_SVE : fp ? RUNS : TRAPS_FP;
    case SVE_CONTROL:
        if (!features.sve)
            return UNDEFINED | TRAPS;
        return sve ? RUNS : TRAPS_SVE;
    case SME_CONTROL:
        if (!features.sme)
            return UNDEFINED | TRAPS;
        return sme ? RUNS : TRAPS_SME;
    case ZT0:
        if (!features.sme2)
            return UNDEFINED | TRAPS;
        return !sme ? TRAPS_SME : fp ? RUNS : TRAPS_FP;
    case SME:
        if (!features.sme)
            return UNDEFINED | TRAPS;
        return !sme ? TRAPS_SME : fp ? RUNS : TRAPS_FP;
    case SME_STORAGE:
        if (!features.sme)
            return UNDEFINED | TRAPS;
        /* without FEAT_FGT it is switched instead */
        return features.fgt && !offered ? TRAPS_REG : RUNS;
    case FP8:
        if (offered && features.fpmr)
            return fp ? RUNS : TRAPS_FP;
        return UNDEFINED | TRAPS;
    }
    return OTHER;
}

/*
 * What a deviation means. A closed gate that lets something through: the units can be switched
 * eagerly; what is not offered at all must not be reachable. An open gate that does not open: the
 * guest could never go on.
 */
static const char *consequence(enum unit unit, u64 got, u64 want, bool *stop)
{
    *stop = true;
    if (!(want & UNDEFINED) && unit != CONTROL && unit != SME_STORAGE && unit != FP8) {
        if (want & RUNS)
            return "a guest could never run it";
        if (got & TRAPS) {
            *stop = false;
            return "it still traps, and is retried";
        }
        *stop = false;
        fp_gate_incomplete = true;
        return "every vCPU is switched eagerly";
    }
    if (got & TRAPS) {
        *stop = false;
        return "it is refused all the same";
    }
    return "what is hidden from guests could be reached";
}

/*
 * QEMU takes ZCR_EL1 for an SVE instruction: TFP gates it too, and in streaming mode TSM does in
 * place of TZ. Fermata opens neither SVE nor SME without FPSIMD, nor SME without SVE where the VM
 * has both, so nobody sees it (fp_sme.c on a VM that has SME alone).
 */
static bool is_zcr_erratum(const struct snippet *s, fp_units open, bool streaming, u64 got)
{
    static bool said;

    if (s->unit == SVE_CONTROL && streaming) {
        if (!said)
            say_info("erratum: zcr-el1-streaming: expected ZCR_EL1 to be gated by CPTR_EL2.TZ, got "
                     "%s in streaming mode; harmless, for SME never opens without SVE",
                     outcome_text(got));
        said = true;
        return true;
    }
    if (s->unit != SVE_CONTROL || (open & (FP_UNIT_FPSIMD | FP_UNIT_SVE)) != FP_UNIT_SVE ||
        got != TRAPS_FP)
        return false;
    if (!features.zcr_by_tfp)
        say_info("erratum: zcr-el1-tfp: expected ZCR_EL1 to be gated by CPTR_EL2.TZ alone, got "
                 "%s with only TZ open; harmless, for SVE never opens without FPSIMD",
                 outcome_text(got));
    features.zcr_by_tfp = true;
    return true;
}

/* QEMU: with both closed, TFP is asked before TSM. The guest traps twice, and goes on. */
static bool is_order_erratum(fp_units open, u64 got, u64 want)
{
    static bool said;

    if (want != TRAPS_SME || got != TRAPS_FP || (open & FP_UNIT_FPSIMD))
        return false;
    if (!said)
        say_info("erratum: tfp-before-tsm: expected CPTR_EL2.TSM to be asked before TFP, got %s; "
                 "harmless, a trap more",
                 outcome_text(got));
    said = true;
    return true;
}

static bool check(const struct snippet *s, fp_units open, bool streaming, char *why, size_t n)
{
    u64 x0, want = expected(s->unit, open, streaming);
    u64 got = outcome_of(selftest_el1(s->code, (u64)operand, &x0));
    bool stop;

    if (got & want)
        return true;
    deviations++;
    if (is_zcr_erratum(s, open, streaming, got) || is_order_erratum(open, got, want))
        return true;
    const char *text = consequence(s->unit, got, want, &stop);
    say_info("erratum: gate-%s: expected %s with %s%s%s%s open%s, got %s; %s", s->id,
             outcome_text(want & RUNS        ? RUNS
                          : want & UNDEFINED ? UNDEFINED
                                             : want & -want),
             open ? "" : "nothing", open & FP_UNIT_FPSIMD ? "FPSIMD " : "",
             open & FP_UNIT_SVE ? "SVE " : "", open & FP_UNIT_SME ? "SME" : "",
             streaming ? ", streaming" : "", outcome_text(got), text);
    if (stop)
        format_text(why, n, "self-test gate-%s: %s: this CPU or emulator cannot be used", s->id,
                    text);
    return !stop;
}

/* Not legal in this mode whatever is open, for a reason that EL1 is told of itself. */
static bool illegal(const struct snippet *s, bool streaming)
{
    if (!streaming)
        return s->code == selftest_fmopa || s->code == selftest_mova;
    return !features.fa64 && (s->code == selftest_simd || s->code == selftest_rdffr);
}

/* All classes with `open` open. ZA is on, for what needs it; streaming mode as asked. */
static bool check_all(struct pcpu *cpu, fp_units open, bool streaming, char *why, size_t n)
{
    bool good = true;

    for (u32 i = 0; good && i < ARRAY_SIZE(snippets); i++) {
        if (illegal(&snippets[i], streaming))
            continue;
        if (features.sme) {
            fp_open(cpu, fp_units_here());
            guest_smcr_set(cpu->arch.smcr);
            fp_move_svcr_set(SVCR_ZA | (streaming ? SVCR_SM : 0));
        }
        fp_open(cpu, open);
        good = check(&snippets[i], open, streaming, why, n);
        cases++;
    }
    return good;
}

/* TPIDR2_EL0, SMPRI_EL1 and FPMR as a VM has them that is offered SME and FPMR. */
static bool check_offered(struct pcpu *cpu, char *why, size_t n)
{
    bool good = true;

    offered = true;
    fp_traps(CONTROL_SME | CONTROL_FPMR);
    for (fp_units open = 0; open <= FP_UNIT_FPSIMD; open += FP_UNIT_FPSIMD) {
        fp_open(cpu, open);
        for (u32 i = 0; good && i < ARRAY_SIZE(snippets); i++) {
            if (snippets[i].unit != SME_STORAGE && snippets[i].unit != FP8)
                continue;
            good = check(&snippets[i], open, false, why, n);
            cases++;
        }
    }
    fp_traps(0);
    offered = false;
    return good;
}

/* At EL1 with its MMU off instructions are fetched past the caches. */
static void clean_snippets(void)
{
    for (const char *at = selftest_vectors; at < selftest_snippets_end; at += 16)
        __asm__ volatile("dc cvac, %0" : : "r"(at) : "memory");
    dsb(sy);
}

bool selftest_gates(struct pcpu *cpu, char *why, size_t n)
{
    bool good = true;

    clean_snippets();
    sysreg_write(hcr_el2, guest_hcr() & ~HCR_VM);
    sysreg_write(vbar_el2, (u64)selftest_vectors);
    guest_vbar_set((u64)selftest_vectors_el1);
    guest_sctlr_set(0x30d00800);                           /* RES1: everything off */
    guest_cpacr_set(3ull << 20 | 3ull << 16 | 3ull << 24); /* FPEN, ZEN, SMEN: EL1's own are open */
    for (fp_units open = 0; good && open <= fp_units_here(); open++) {
        if (open & ~fp_units_here())
            continue;
        good = check_all(cpu, open, false, why, n) &&
               (!features.sme || check_all(cpu, open, true, why, n));
    }
    good = good && check_offered(cpu, why, n);
    fp_init_cpu(cpu); /* out of streaming mode, ZA off */
    sysreg_write(vbar_el2, (u64)vectors_el2);
    sysreg_write(hcr_el2, guest_hcr());
    isb();
    if (good)
        say_info(
            "selftest: gates: %u instruction classes, %u cases, %u not as the architecture says",
            (u32)ARRAY_SIZE(snippets), cases, deviations);
    return good;
}
