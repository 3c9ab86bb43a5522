/*
 * Random guests. What a guest does comes in phases, because what goes wrong in switching needs a
 * history: FPSIMD alone for a while, then SVE, then streaming mode with ZA, then lengths and
 * controls, and all of it mixed.
 */
#include "world.h"

enum phase { PHASE_IDLE, PHASE_FPSIMD, PHASE_SVE, PHASE_SME, PHASE_CONTROL, PHASE_MIXED, PHASES };

static const u8 fpsimd_ops[] = {OP_LDR_Q, OP_STR_Q, OP_LD1, OP_ST1, OP_LDR_Q, OP_STR_Q};
static const u8 sve_ops[] = {OP_LDR_Z, OP_STR_Z, OP_LDR_P,  OP_STR_P, OP_ADD_Z, OP_WRFFR,
                             OP_RDFFR, OP_RDVL,  OP_SETFFR, OP_LDR_Q, OP_STR_Q};
static const u8 sme_ops[] = {OP_MSR_SVCR, OP_LDR_ZA,  OP_STR_ZA,   OP_MOVA,  OP_MOVA_Z,
                             OP_RDSVL,    OP_LDR_ZT0, OP_STR_ZT0,  OP_LDR_Z, OP_STR_Z,
                             OP_LDR_P,    OP_RDVL,    OP_ZERO_ZT0, OP_ADD_Z, OP_ZERO_ZA};

static const u32 registers[] = {R_FPCR,      R_FPSR,       R_FPMR,      R_ZCR_EL1,
                                R_SMCR_EL1,  R_SVCR,       R_CPACR_EL1, R_SCTLR_EL1,
                                R_SMPRI_EL1, R_TPIDR2_EL0, R_ZCR_EL1,   R_SMCR_EL1};

static enum cpu_op one_of(const u8 *ops, u32 n)
{
    return (enum cpu_op)ops[model_below(n)];
}

/* Zeroes, low 128 bits only, or anything: what is clean and what is not both happen. */
static void data(struct insn *insn)
{
    u64 words[CPU_VL_MAX / 8] = {0};
    u32 kind = model_below(8), n = kind < 2 ? 0 : kind < 4 ? 2 : ARRAY_SIZE(words);

    for (u32 i = 0; i < n; i++)
        words[i] = model_random();
    memcpy(insn->data, words, sizeof(words));
}

/* A field of CPACR_EL1: open more often than not. */
static u64 access(void)
{
    return model_below(8) < 6 ? 3 : model_below(4);
}

static u64 value_for(u32 reg)
{
    u64 r = model_random();

    switch (reg) {
    case R_CPACR_EL1:
        return access() << FPEN_SHIFT | access() << ZEN_SHIFT | access() << SMEN_SHIFT;
    case R_SVCR:
        return model_below(8) ? r & 3 : r;
    case R_ZCR_EL1:
    case R_SMCR_EL1:
        if (model_below(2))
            r |= 15; /* the longest */
        return model_below(8) ? r & (15 | BIT(30) | BIT(31)) : r;
    case R_SCTLR_EL1:
        return (r & 1 ? BIT(60) : 0) | (r & 2 ? BIT(34) : 0);
    case R_FPCR:
        return model_below(3) ? 0 : r;
    default:
        return r;
    }
}

static void control(struct insn *insn)
{
    insn->n = registers[model_below(ARRAY_SIZE(registers))];
    insn->op = model_below(2) ? OP_MRS : OP_MSR;
    insn->value = insn->op == OP_MSR ? value_for(insn->n) : 0;
}

/* Access denied is worth a few instructions, not the whole run. */
static bool reopen(const struct guest *g, struct insn *insn)
{
    u64 cpacr = g->ref->reg[R_CPACR_EL1],
        open = 3ull << FPEN_SHIFT | 3ull << ZEN_SHIFT | 3ull << SMEN_SHIFT;

    if (g->el == 0 || (cpacr & open) == open || model_below(8))
        return false;
    insn->op = OP_MSR;
    insn->n = R_CPACR_EL1;
    insn->value = open;
    return true;
}

void program_next(struct guest *g, struct insn *insn)
{
    if (!g->phase_left) {
        g->phase = (u8)model_below(PHASES);
        g->phase_left = 1 + model_below(60);
    }
    g->phase_left--;

    insn->n = (u32)model_random();
    insn->m = (u32)model_random() % 16;
    insn->value = 0;
    if (reopen(g, insn))
        return;
    u32 kind = model_below(16);
    switch (kind < 2 ? PHASE_MIXED : (enum phase)g->phase) {
    case PHASE_IDLE:
        insn->op = OP_MRS;
        insn->n = R_CPACR_EL1;
        return;
    case PHASE_FPSIMD:
        insn->op = one_of(fpsimd_ops, sizeof(fpsimd_ops));
        break;
    case PHASE_SVE:
        insn->op = one_of(sve_ops, sizeof(sve_ops));
        break;
    case PHASE_SME:
        insn->op = one_of(sme_ops, sizeof(sme_ops));
        break;
    case PHASE_CONTROL:
        if (kind < 8) {
            control(insn);
            return;
        }
        insn->op = kind < 12 ? one_of(sve_ops, sizeof(sve_ops)) : one_of(sme_ops, sizeof(sme_ops));
        break;
    default:
        if (kind == 0) {
            control(insn);
            return;
        }
        insn->op = (enum cpu_op)model_below(CPU_OPS);
        if (insn->op == OP_MRS || insn->op == OP_MSR) {
            control(insn);
            return;
        }
    }
    if (insn->op != OP_LDR_ZA && insn->op != OP_STR_ZA && insn->op != OP_MOVA &&
        insn->op != OP_MOVA_Z)
        insn->n %= insn->op == OP_LDR_P || insn->op == OP_STR_P || insn->op == OP_WRFFR ||
                           insn->op == OP_RDFFR
                       ? 16
                       : 32;
    if (insn->op == OP_MSR_SVCR)
        insn->n = 1 + insn->n % 3;
    data(insn);
}
