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
#define OTHER     BIT(6)
#define TRAPS     (TRAPS_FP | TRAPS_SVE | TRAPS_SME | TRAPS_REG)

enum unit { CONTROL, FPSIMD, SVE, SVE_CONTROL, SME, SME_STORAGE, FP8 };

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
    X(smstart, SME)                                                                                \
    X(svcr_read, SME)                                                                              \
    X(svcr_write, SME)                                                                             \
    X(smcr, SME)                                                                                   \
    X(rdsvl, SME)                                                                                  \
    X(zero_za, SME)                                                                                \
    X(tpidr2, SME_STORAGE)                                                                         \
    X(smpri, SME_STORAGE)                                                                          \
    X(fpmr, FP8)

#define DECLARE(name, unit) extern const char selftest_##name[];
SNIPPETS(DECLARE)
#define ROW(name, unit) {#name, selftest_##name, unit},
static const struct snippet snippets[] = {SNIPPETS(ROW)};

extern const char selftest_vectors[], selftest_vectors_el1[], selftest_snippets_end[];

static u8 operand[512] ALIGNED(64);
static u32 deviations;

static u64 outcome_of(u64 esr)
{
    switch (ESR_EC(esr)) {
    case EC_HVC:
        if ((esr & 0xffff) == 0)
            return RUNS;
        return ESR_EC(guest_esr()) == EC_UNKNOWN ? UNDEFINED : OTHER;
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

/* What the architecture says of `unit` with `open` open: DDI 0487 D19.2.34 (CPTR_EL2). */
static u64 expected(enum unit unit, fp_units open)
{
    bool fp = open & FP_UNIT_FPSIMD, sve = open & FP_UNIT_SVE;

    switch (unit) {
    case CONTROL:
        return RUNS;
    case FPSIMD:
        return fp ? RUNS : TRAPS_FP;
    case SVE:
        if (!features.sve)
            return UNDEFINED | TRAPS;
        return !sve ? TRAPS_SVE : fp ? RUNS : TRAPS_FP;
    case SVE_CONTROL:
        if (!features.sve)
            return UNDEFINED | TRAPS;
        return sve ? RUNS : TRAPS_SVE;
    case SME:
        return features.sme ? TRAPS : UNDEFINED | TRAPS;
    case SME_STORAGE:
        if (!features.sme)
            return UNDEFINED | TRAPS;
        return features.fgt ? TRAPS_REG : RUNS; /* without FEAT_FGT it is switched instead */
    case FP8:
        return UNDEFINED | TRAPS;
    }
    return OTHER;
}

/*
 * What a deviation means. A closed gate that lets something through: FPSIMD and SVE can be switched
 * eagerly; what is not offered at all must not be reachable. An open gate that does not open: the
 * guest could never go on.
 */
static const char *consequence(enum unit unit, u64 got, u64 want, bool *stop)
{
    *stop = true;
    if (unit == FPSIMD || unit == SVE || unit == SVE_CONTROL) {
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

/* QEMU: TFP gates ZCR_EL1 too (FACTS). Fermata never opens SVE without FPSIMD, so nobody sees it.
 */
static bool is_zcr_erratum(const struct snippet *s, fp_units open, u64 got)
{
    return s->unit == SVE_CONTROL && open == FP_UNIT_SVE && got == TRAPS_FP;
}

static bool check(const struct snippet *s, fp_units open, char *why, size_t n)
{
    u64 x0, want = expected(s->unit, open);
    u64 got = outcome_of(selftest_el1(s->code, (u64)operand, &x0));
    bool stop;

    if (got & want)
        return true;
    deviations++;
    if (is_zcr_erratum(s, open, got)) {
        if (!features.zcr_by_tfp)
            say_info("erratum: zcr-el1-tfp: expected ZCR_EL1 to be gated by CPTR_EL2.TZ alone, got "
                     "%s with only TZ open; harmless, for SVE never opens without FPSIMD",
                     outcome_text(got));
        features.zcr_by_tfp = true;
        return true;
    }
    const char *text = consequence(s->unit, got, want, &stop);
    say_info("erratum: gate-%s: expected %s with %s%s%s open, got %s; %s", s->id,
             outcome_text(want & RUNS        ? RUNS
                          : want & UNDEFINED ? UNDEFINED
                                             : want & -want),
             open ? "" : "nothing", open & FP_UNIT_FPSIMD ? "FPSIMD " : "",
             open & FP_UNIT_SVE ? "SVE" : "", outcome_text(got), text);
    if (stop)
        format_text(why, n, "self-test gate-%s: %s: this CPU or emulator cannot be used", s->id,
                    text);
    return !stop;
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
    static const fp_units states[] = {0, FP_UNIT_FPSIMD, FP_UNIT_SVE, FP_UNIT_FPSIMD | FP_UNIT_SVE};
    bool good = true;
    u32 checks = 0;

    clean_snippets();
    sysreg_write(hcr_el2, guest_hcr() & ~HCR_VM);
    sysreg_write(vbar_el2, (u64)selftest_vectors);
    guest_vbar_set((u64)selftest_vectors_el1);
    guest_sctlr_set(0x30d00800);                           /* RES1: everything off */
    guest_cpacr_set(3ull << 20 | 3ull << 16 | 3ull << 24); /* FPEN, ZEN, SMEN: EL1's own are open */
    for (u32 state = 0; good && state < ARRAY_SIZE(states); state++) {
        if ((states[state] & FP_UNIT_SVE) && !features.sve)
            continue;
        fp_open(cpu, states[state]);
        for (u32 i = 0; good && i < ARRAY_SIZE(snippets); i++, checks++)
            good = check(&snippets[i], states[state], why, n);
    }
    sysreg_write(vbar_el2, (u64)vectors_el2);
    sysreg_write(hcr_el2, guest_hcr());
    fp_open(cpu, 0);
    isb();
    if (good)
        say_info(
            "selftest: gates: %u instruction classes, %u cases, %u not as the architecture says",
            (u32)ARRAY_SIZE(snippets), checks, deviations);
    return good;
}
