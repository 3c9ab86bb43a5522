/*
 * The model of arm64's FP state against QEMU's: random instructions at EL0, EL1 and EL2 under
 * random controls of EL1 and EL2, executed on the emulated CPU and on the model. Both must take the
 * same exception at the same level with the same syndrome, or read the same. Where QEMU does what
 * the manual does not say, known() names it (tests/emu/ERRATA.md), and it is counted.
 *
 * links: hv/format.c hv/string.c tests/host/arm64/user.c
 * links: tests/model/arm64/cpu.c tests/model/arm64/cpu_checks.c tests/model/arm64/cpu_sysreg.c
 * links: tests/model/arm64/cpu_step.c tests/model/arm64/bare.c tests/model/arm64/bare.S
 * machine: bare_arm64
 */
#include "tests/host/arm64/user.h"
#include "tests/model/arm64/bare.h"

#define STEPS     30000u
#define SEQUENCES 8u

#define SCTLR_EL1_RES1 0x30d00800ull
#define HCR_RW_BIT     BIT(31)
#define HCR_E2H_BIT    BIT(34)
#define HCR_TID1_BIT   BIT(16)

static struct cpu model;
static u32 step, failures;

static u32 below(u32 n)
{
    return (u32)(user_random() % n);
}

/* ---- What QEMU is known to do otherwise ---- */

enum erratum { NONE, FPEN_BEFORE_SMEN, ZCR_BY_SVE, EZT0_SMTC, ERRATA };

static const char *const errata[ERRATA] = {
    [FPEN_BEFORE_SMEN] = "FPEN's trap comes before SMEN's",
    [ZCR_BY_SVE] = "ZCR_ELx traps as SVE instructions do: by TFP too, in streaming mode by TSM",
    [EZT0_SMTC] = "SMCR_ELx.EZT0: SMTC is 0, not 4",
};
static u32 seen[ERRATA];

static u64 word(struct exc e)
{
    return (u64)e.el << 40 | (u64)e.ec << 32 | e.iss;
}

static bool is_zcr(const struct insn *insn)
{
    return (insn->op == OP_MRS || insn->op == OP_MSR) &&
           (insn->n == R_ZCR_EL1 || insn->n == R_ZCR_EL2);
}

static enum erratum known(const struct insn *insn, struct exc got, struct exc want)
{
    if (is_zcr(insn) && word(got) == word(CheckSVEEnabled(&model)))
        return ZCR_BY_SVE;
    if (want.ec == X_SME && want.iss == SMTC_ACCESS && word(got) == word(CheckFPEnabled64(&model)))
        return FPEN_BEFORE_SMEN;
    if (want.ec == X_SME && want.iss == SMTC_NO_ZT0 && got.el == want.el && got.ec == X_SME &&
        got.iss == SMTC_ACCESS)
        return EZT0_SMTC;
    return NONE;
}

/* QEMU did what the manual does not allow: so that both go on alike. */
static void follow(const struct insn *insn)
{
    u32 before = CurrentVL(&model);
    bool el2 = insn->n == R_ZCR_EL2 || (model.el == 2 && model.reg[R_HCR_EL2] & HCR_E2H_BIT);

    if (is_zcr(insn) && insn->op == OP_MSR) {
        model.reg[el2 ? R_ZCR_EL2 : R_ZCR_EL1] = insn->value & 15;
        cpu_lengths_changed(&model, before);
    }
}

/* ---- One instruction on both ---- */

static struct exc expected(const struct insn *insn)
{
    if (insn->op == OP_MRS || insn->op == OP_MSR)
        return cpu_sysreg_check(&model, insn->n, insn->op == OP_MRS);
    return cpu_check(&model, insn->op);
}

static void differs(const struct insn *insn, const char *what, u64 got, u64 want)
{
    failures++;
    user_print("# step %u: EL%u operation %u of 0x%x, %u (SM %u, ZA %u): %s 0x%lx, model 0x%lx\n",
               step, model.el, insn->op, insn->n, insn->m, model.sm, model.za_on, what,
               (unsigned long)got, (unsigned long)want);
    user_print("#     CPACR_EL1 0x%lx CPTR_EL2 0x%lx HCR_EL2 0x%lx SMCR_EL1 0x%lx SMCR_EL2 0x%lx "
               "ZCR_EL1 0x%lx ZCR_EL2 0x%lx\n",
               (unsigned long)model.reg[R_CPACR_EL1], (unsigned long)model.reg[R_CPTR_EL2],
               (unsigned long)model.reg[R_HCR_EL2], (unsigned long)model.reg[R_SMCR_EL1],
               (unsigned long)model.reg[R_SMCR_EL2], (unsigned long)model.reg[R_ZCR_EL1],
               (unsigned long)model.reg[R_ZCR_EL2]);
}

/* One of the last instructions executed. */
static struct {
    u8 el;
    u8 op;
    bool trapped;
    u32 n;
    u64 value;
} history[16];

static void remember(u8 el, const struct insn *insn, struct exc e)
{
    memmove(history, history + 1, sizeof(history) - sizeof(history[0]));
    history[ARRAY_SIZE(history) - 1].el = el;
    history[ARRAY_SIZE(history) - 1].op = (u8)insn->op;
    history[ARRAY_SIZE(history) - 1].trapped = e.el;
    history[ARRAY_SIZE(history) - 1].n = insn->n;
    history[ARRAY_SIZE(history) - 1].value = insn->value;
}

static void show_history(void)
{
    for (u32 i = 0; i < ARRAY_SIZE(history); i++)
        user_print("#     EL%u %u 0x%x 0x%lx%s\n", history[i].el, history[i].op, history[i].n,
                   (unsigned long)history[i].value, history[i].trapped ? " trapped" : "");
}

static bool shown;

static void both(u8 el, struct insn *insn)
{
    static struct insn bare;

    if (el != model.el)
        cpu_set_el(&model, el);
    bare = *insn;
    struct exc want = expected(insn);
    struct exc got = bare_step(el, &bare);
    if (word(got) != word(want)) {
        enum erratum which = known(insn, got, want);
        seen[which]++;
        if (which && !got.el)
            follow(insn);
        if (which == NONE)
            differs(insn, "exception", word(got), word(want));
    } else if (!got.el) {
        cpu_step(&model, insn);
        if (bare.value != insn->value)
            differs(insn, "value", bare.value, insn->value);
        for (u32 i = 0; i < CPU_VL_MAX; i++)
            if (bare.data[i] != insn->data[i]) {
                user_print("# byte %u, VL %u:\n", i, CurrentVL(&model));
                differs(insn, "data", bare.data[i], insn->data[i]);
                break;
            }
    }
    remember(el, insn, got);
    if (failures == 1 && !shown) {
        shown = true;
        show_history();
    }
    /* QEMU goes to EL2 and comes back for each. */
    cpu_set_el(&model, 2);
}

static void msr(u8 el, u32 reg, u64 value)
{
    struct insn insn = {.op = OP_MSR, .n = reg, .value = value};

    both(el, &insn);
}

/* ---- Random instructions ---- */

static u64 gate_value(void)
{
    u64 value = 0;

    if (model.reg[R_HCR_EL2] & HCR_E2H_BIT) {
        for (u32 shift = 16; shift <= 24; shift += 4)
            value |= (below(4) ? 3ull : below(4)) << shift;
        return value;
    }
    for (u32 bit = 8; bit <= 12; bit += 2)
        value |= (u64)(below(4) == 0) << bit;
    return value | 0x22ff; /* RES1 */
}

static u64 cpacr_value(void)
{
    u64 value = 0;

    for (u32 shift = 16; shift <= 24; shift += 4)
        value |= (below(3) ? 3ull : below(4)) << shift;
    return value;
}

static u64 smcr_value(void)
{
    u64 value = below(2) ? 15 : below(16);

    if (model.has.fa64)
        value |= below(2) ? BIT(31) : 0;
    if (model.has.sme2)
        value |= below(3) ? BIT(30) : 0;
    return value;
}

static void controls_of_el2(void)
{
    switch (below(6)) {
    case 0:
        msr(2, R_ZCR_EL2, below(2) ? 15 : below(16));
        break;
    case 1:
        msr(2, R_SMCR_EL2, smcr_value());
        break;
    case 2:
        if (model.has.hcx)
            msr(2, R_HCRX_EL2, below(2) ? BIT(23) : 0);
        break;
    case 3:
        if (model.has.fgt) {
            msr(2, R_HFGRTR_EL2, user_random() & (BIT(54) | BIT(55)));
            msr(2, R_HFGWTR_EL2, user_random() & (BIT(54) | BIT(55)));
        }
        break;
    default:
        msr(2, R_CPTR_EL2, gate_value());
    }
}

static const u32 el1_registers[] = {R_CPACR_EL1,  R_CPACR_EL1, R_ZCR_EL1,   R_SMCR_EL1,
                                    R_SVCR,       R_FPCR,      R_FPSR,      R_FPMR,
                                    R_TPIDR2_EL0, R_SMPRI_EL1, R_SCTLR_EL1, R_SMIDR_EL1};

static void system_register(u8 el, struct insn *insn)
{
    /* Where there is no SME, SMIDR_EL1 is whatever ID registers are that do not exist. */
    insn->n = el1_registers[below((u32)ARRAY_SIZE(el1_registers) - !model.has.svls)];
    if (el == 2 && insn->n == R_SCTLR_EL1) /* with E2H=1 that is SCTLR_EL2 */
        insn->n = R_FPSR;
    insn->op = below(3) ? OP_MSR : OP_MRS;
    insn->value = user_random();
    if (insn->n == R_CPACR_EL1)
        insn->value = cpacr_value();
    else if (insn->n == R_SCTLR_EL1)
        insn->value = SCTLR_EL1_RES1 | (below(2) ? BIT(60) : 0) | (below(2) ? BIT(34) : 0);
    else if (insn->n == R_SMCR_EL1)
        insn->value = smcr_value();
    else if (insn->n == R_ZCR_EL1)
        insn->value = below(2) ? 15 : below(16);
    else if (insn->n == R_SVCR)
        insn->value &= 3;
    else if (insn->n == R_FPCR || insn->n == R_FPSR)
        insn->value &= insn->n == R_FPCR ? 0x07c00000 : 0x0800009f;
    else if (insn->n == R_SMIDR_EL1 || (el == 2 && insn->n == R_CPACR_EL1))
        insn->op = OP_MRS;
    if (insn->op == OP_MRS)
        insn->value = 0;
}

static void random_insn(u8 el, struct insn *insn)
{
    for (u32 i = 0; i < CPU_VL_MAX; i += 8) {
        u64 r = user_random();
        memcpy(insn->data + i, &r, 8);
    }
    insn->value = 0;
    insn->op = (enum cpu_op)below(CPU_OPS);
    insn->n = below(32);
    insn->m = below(32);
    switch (insn->op) {
    case OP_MRS:
    case OP_MSR:
        system_register(el, insn);
        break;
    case OP_MSR_SVCR:
        insn->n = 1 + insn->n % 3;
        break;
    case OP_LDR_P:
    case OP_STR_P:
    case OP_RDFFR:
    case OP_WRFFR:
        insn->n %= 16;
        break;
    default:
        break;
    }
}

/* Every register that there is to zero, and all gates open. */
static void start(bool e2h)
{
    static struct insn insn;
    struct cpu_has has = model.has;

    cpu_reset(&model, &has);
    msr(2, R_HCR_EL2, HCR_RW_BIT | (below(2) ? HCR_TID1_BIT : 0) | (e2h ? HCR_E2H_BIT : 0));
    msr(2, R_CPTR_EL2, e2h ? 0x03330000 : 0x22ff);
    if (has.vls)
        msr(2, R_ZCR_EL2, 15);
    if (has.svls) {
        msr(2, R_SMCR_EL2, 15 | (has.fa64 ? BIT(31) : 0) | (has.sme2 ? BIT(30) : 0));
        msr(2, R_SVCR, 3);
        msr(2, R_SVCR, 0); /* zeroes FPMR and ZA as well */
        msr(2, R_TPIDR2_EL0, 0);
    }
    for (insn.n = 0; insn.n < 32; insn.n++) {
        memset(insn.data, 0, sizeof(insn.data));
        insn.op = has.vls ? OP_LDR_Z : OP_LDR_Q;
        both(2, &insn);
        insn.op = OP_LDR_P;
        if (has.vls && insn.n < 16)
            both(2, &insn);
    }
    insn = (struct insn){.op = OP_WRFFR};
    if (has.vls)
        both(2, &insn);
    if (has.fpmr)
        msr(2, R_FPMR, 0);
    msr(2, R_FPCR, 0);
    msr(2, R_FPSR, 0);
    if (has.hcx)
        msr(2, R_HCRX_EL2, 0);
    if (has.fgt) {
        msr(2, R_HFGRTR_EL2, 0);
        msr(2, R_HFGWTR_EL2, 0);
    }
    msr(1, R_SCTLR_EL1, SCTLR_EL1_RES1);
    msr(1, R_CPACR_EL1, 0x03330000);
    if (has.vls)
        msr(1, R_ZCR_EL1, 15);
    if (has.svls)
        msr(1, R_SMCR_EL1, 15);
}

static void sequence(bool e2h, u32 steps)
{
    static struct insn insn;

    start(e2h);
    for (step = 0; step < steps && failures < 10; step++) {
        u8 el = (u8)(below(8) ? 1 + below(2) : 0);
        if (el == 2 && below(2)) {
            controls_of_el2();
            continue;
        }
        random_insn(el, &insn);
        both(el, &insn);
    }
}

long user_main(void)
{
    struct cpu_has has = bare_features();

    cpu_reset(&model, &has);
    user_print("# VLs 0x%x, SVLs 0x%x%s%s%s%s\n", has.vls, has.svls, has.sme2 ? ", SME2" : "",
               has.fa64 ? ", FA64" : "", has.fpmr ? ", FPMR" : "", has.fgt ? ", FGT" : "");
    for (u32 i = 0; i < SEQUENCES && failures < 10; i++)
        sequence(i & 1 && has.vhe, STEPS / SEQUENCES);
    for (u32 i = 1; i < ARRAY_SIZE(errata); i++)
        if (seen[i])
            user_print("# erratum: %s (%u times)\n", errata[i], seen[i]);
    user_print("%sok - the model and QEMU agree on %u random instructions\n",
               failures ? "not " : "", STEPS);
    return 0;
}
