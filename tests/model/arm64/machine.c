/*
 * EL2 of the model: what the hypervisor's accessors reach (machine.h), with the rules that silicon
 * enforces by failing rarely: a control that EL2 writes counts only after an ISB, so whatever would
 * be different before and after one must not be done between (BUGS 20); and a trap taken at EL2
 * from EL2 is the end.
 */
#include "world.h"

struct cpu model_cpus[MAX_CPUS];
u32 model_at;
u64 model_moved;

struct pcpu *arch_this_cpu(void)
{
    return &pcpus[model_at];
}

struct cpu *model_this(void)
{
    return &model_cpus[model_at];
}

static struct exc may(const struct cpu *cpu, const struct insn *insn)
{
    if (insn->op == OP_MRS || insn->op == OP_MSR)
        return cpu_sysreg_check(cpu, insn->n, insn->op == OP_MRS);
    return cpu_check(cpu, insn->op);
}

/* Does it depend on a control that was written and is not synchronised yet? A system register does
 * not depend on a length. */
static bool waits_for_isb(struct cpu *cpu, const struct insn *insn)
{
    const struct cpu_controls seen = cpu->seen;
    const struct cpu_controls now = {cpu->reg[R_CPTR_EL2], cpu->reg[R_ZCR_EL2],
                                     cpu->reg[R_SMCR_EL2]};
    u32 vl = CurrentVL(cpu), svl = CurrentSVL(cpu);
    bool length = insn->op != OP_MRS && insn->op != OP_MSR && insn->op != OP_MSR_SVCR;

    if (now.cptr == seen.cptr && now.zcr == seen.zcr && now.smcr == seen.smcr)
        return false;
    struct exc before = may(cpu, insn);
    cpu->seen = now;
    struct exc after = may(cpu, insn);
    bool same =
        after.el == before.el && (!length || (CurrentVL(cpu) == vl && CurrentSVL(cpu) == svl));
    cpu->seen = seen;
    return !same;
}

static u32 bytes_of(const struct cpu *cpu, enum cpu_op op)
{
    switch (op) {
    case OP_LDR_Q:
    case OP_STR_Q:
    case OP_LD1:
    case OP_ST1:
        return 16;
    case OP_LDR_Z:
    case OP_STR_Z:
        return CurrentVL(cpu);
    case OP_LDR_P:
    case OP_STR_P:
        return CurrentVL(cpu) / 8;
    case OP_LDR_ZA:
    case OP_STR_ZA:
        return CurrentSVL(cpu);
    case OP_LDR_ZT0:
    case OP_STR_ZT0:
        return 64;
    default:
        return 0;
    }
}

void model_el2(struct insn *insn)
{
    struct cpu *cpu = model_this();

    REQUIRE(cpu->el == 2, "the hypervisor runs at EL%u", cpu->el);
    bool early = waits_for_isb(cpu, insn);
    struct exc e = cpu_step(cpu, insn);
    REQUIRE(!e.el, "exception at EL2: EC 0x%x, operation %u of 0x%x, CPTR_EL2 0x%llx", e.ec,
            insn->op, insn->n, (unsigned long long)cpu->reg[R_CPTR_EL2]);
    REQUIRE(!early, "operation %u of 0x%x without an ISB before it", insn->op, insn->n);
    model_moved += bytes_of(cpu, insn->op);
}

u64 model_mrs(u32 reg)
{
    struct insn insn = {.op = OP_MRS, .n = reg};

    model_el2(&insn);
    return insn.value;
}

void model_msr(u32 reg, u64 value)
{
    struct insn insn = {.op = OP_MSR, .n = reg, .value = value};

    model_el2(&insn);
}

void model_isb(void)
{
    cpu_synchronize(model_this());
}

/* ---- ID registers, as features.c and id_filter.c read them ---- */

#define ID(op1, crm, op2) SYSREG(op1, 0, crm, op2)

void model_id_registers(struct cpu *cpu)
{
    const struct cpu_has *has = &cpu->has;

    cpu->reg[ID(0, 4, 0)] = 0x11 | (has->vls ? BIT(32) : 0);                      /* PFR0 */
    cpu->reg[ID(0, 4, 1)] = has->svls ? (has->sme2 ? 2ull : 1ull) << 24 : 0;      /* PFR1 */
    cpu->reg[ID(0, 4, 2)] = has->fpmr ? BIT(32) : 0;                              /* PFR2 */
    cpu->reg[ID(0, 4, 4)] = has->vls ? 1 : 0;                                     /* ZFR0 */
    cpu->reg[ID(0, 4, 5)] = has->svls && has->fa64 ? BIT(63) | BIT(32) : BIT(32); /* SMFR0 */
    cpu->reg[ID(0, 7, 0)] = 5 | (has->fgt ? BIT(56) : 0);                         /* MMFR0 */
    cpu->reg[ID(0, 7, 1)] = BIT(8) | (has->hcx ? BIT(40) : 0);                    /* MMFR1 */
}
