/*
 * See cpu.h: MRS and MSR (DDI 0487, C6.2 MRS, MSR (register); D23.2, the accessibility pseudocode
 * of each register). Registers that have nothing to do with FP are storage.
 */
#include "cpu.h"

#define HCR_TID1_BIT BIT(16)
#define HCR_E2H_BIT  BIT(34)
#define EN_TP2       BIT(60) /* SCTLR_EL1 */
#define EN_FPM       BIT(23) /* HCRX_EL2 */
#define EN_FPM_EL0   BIT(34) /* SCTLR_EL1 */
#define N_SMPRI      BIT(54) /* HFGRTR_EL2, HFGWTR_EL2 */
#define N_TPIDR2     BIT(55)
#define FPCR_BITS    0x07ff9f07u
#define FPSR_BITS    0x0800009fu
#define SMIDR_SMPS   BIT(15)

static const struct exc none;

/* By the convention of this model, an MRS or MSR names X1. */
static struct exc SystemAccessTrap(u32 reg, bool read, u8 el, u8 ec)
{
    u32 iss = 3u << 20 | (reg & 7) << 17 | (reg >> 11) << 14 | (reg >> 7 & 15) << 10 | 1u << 5 |
              (reg >> 3 & 15) << 1 | read;

    return (struct exc){el, ec, ec == X_SYSREG ? iss : 0};
}

static struct exc undefined(const struct cpu *cpu)
{
    return (struct exc){cpu->el < 2 ? 1 : 2, X_UNDEFINED, 0};
}

/* HCR_EL2.E2H=1 redirects what EL2 calls by EL1's names, and gives it EL1's by others. */
static u32 redirected(const struct cpu *cpu, u32 reg)
{
    if (cpu->el != 2 || !(cpu->reg[R_HCR_EL2] & HCR_E2H_BIT))
        return reg;
    if (reg >> 11 == 5)
        return reg & ~(7u << 11);
    switch (reg) {
    case R_CPACR_EL1:
        return R_CPTR_EL2;
    case R_SCTLR_EL1:
    case R_ZCR_EL1:
    case R_SMCR_EL1:
        return reg | 4u << 11;
    default:
        return reg;
    }
}

/* ZCR_ELx, SMCR_ELx, SVCR: EL1's control, then EL2's, which traps EL2 as well. */
static struct exc vector_control(const struct cpu *cpu, u32 reg, bool read, bool sve)
{
    u8 ec = sve ? X_SVE : X_SME;

    if (!(sve ? cpu->has.vls : cpu->has.svls))
        return undefined(cpu);
    if (sve && cpu->has.zcr_as_sve)
        return CheckSVEEnabled(cpu);
    if (cpacr_disables(cpu, sve ? ZEN_SHIFT : SMEN_SHIFT))
        return SystemAccessTrap(reg, read, 1, ec);
    if (cptr_disables(cpu, sve ? ZEN_SHIFT : SMEN_SHIFT, sve ? TZ_BIT : TSM_BIT))
        return SystemAccessTrap(reg, read, 2, ec);
    return none;
}

static struct exc fp_status(const struct cpu *cpu)
{
    return CheckFPEnabled64(cpu);
}

static struct exc fpmr(const struct cpu *cpu, bool read)
{
    if (!cpu->has.fpmr)
        return undefined(cpu);
    if (cpu->el == 0 && !(cpu->reg[R_SCTLR_EL1] & EN_FPM_EL0))
        return SystemAccessTrap(R_FPMR, read, 1, X_SYSREG);
    if (cpu->el < 2 && cpu->has.el2 && !(cpu->reg[R_HCRX_EL2] & EN_FPM))
        return SystemAccessTrap(R_FPMR, read, 2, X_SYSREG);
    return CheckFPEnabled64(cpu);
}

/* TPIDR2_EL0, SMPRI_EL1: FEAT_FGT alone stands before them (and SCTLR_EL1 before EL0). */
static struct exc sme_storage(const struct cpu *cpu, u32 reg, bool read)
{
    u64 fine = cpu->reg[read ? R_HFGRTR_EL2 : R_HFGWTR_EL2];

    if (!(cpu->has.svls || cpu->has.storage) || (cpu->el == 0 && reg == R_SMPRI_EL1))
        return undefined(cpu);
    if (cpu->el == 0 && !(cpu->reg[R_SCTLR_EL1] & EN_TP2))
        return SystemAccessTrap(reg, read, 1, X_SYSREG);
    if (cpu->el < 2 && cpu->has.el2 && cpu->has.fgt &&
        !(fine & (reg == R_SMPRI_EL1 ? N_SMPRI : N_TPIDR2)))
        return SystemAccessTrap(reg, read, 2, X_SYSREG);
    return none;
}

static struct exc smidr(const struct cpu *cpu)
{
    if (cpu->el == 0 && cpu->has.idst && cpu->has.svls)
        return SystemAccessTrap(R_SMIDR_EL1, true, 1, X_SYSREG);
    if (!cpu->has.svls || cpu->el == 0)
        return undefined(cpu);
    if (cpu->el < 2 && cpu->has.el2 && (cpu->reg[R_HCR_EL2] & HCR_TID1_BIT))
        return SystemAccessTrap(R_SMIDR_EL1, true, 2, X_SYSREG);
    return none;
}

static struct exc accessible(const struct cpu *cpu, u32 reg, bool read)
{
    switch (reg) {
    case R_ZCR_EL1:
    case R_ZCR_EL2:
        if (cpu->el < (reg == R_ZCR_EL2 ? 2 : 1))
            return undefined(cpu);
        return vector_control(cpu, reg, read, true);
    case R_SMCR_EL1:
    case R_SMCR_EL2:
        if (cpu->el < (reg == R_SMCR_EL2 ? 2 : 1))
            return undefined(cpu);
        return vector_control(cpu, reg, read, false);
    case R_SVCR:
        return vector_control(cpu, reg, read, false);
    case R_FPCR:
    case R_FPSR:
        return fp_status(cpu);
    case R_FPMR:
        return fpmr(cpu, read);
    case R_TPIDR2_EL0:
    case R_SMPRI_EL1:
        return sme_storage(cpu, reg, read);
    case R_SMIDR_EL1:
        return read ? smidr(cpu) : undefined(cpu);
    default:
        return cpu->el == 0 ? undefined(cpu) : none;
    }
}

struct exc cpu_sysreg_check(const struct cpu *cpu, u32 reg, bool read)
{
    reg = redirected(cpu, reg);
    if (reg >> 11 == 5)
        return undefined(cpu); /* *_EL12 is EL2's, with E2H=1 */
    return accessible(cpu, reg, read);
}

struct exc cpu_mrs(struct cpu *cpu, u32 reg, u64 *value)
{
    struct exc e = cpu_sysreg_check(cpu, reg, true);

    if (e.el)
        return e;
    reg = redirected(cpu, reg);
    switch (reg) {
    case R_SVCR:
        *value = (cpu->sm ? SVCR_SM : 0) | (cpu->za_on ? SVCR_ZA : 0);
        break;
    case R_FPCR:
        *value = cpu->fpcr;
        break;
    case R_FPSR:
        *value = cpu->fpsr;
        break;
    case R_FPMR:
        *value = cpu->fpmr;
        break;
    case R_SMIDR_EL1:
        *value = cpu->has.smidr;
        break;
    default:
        *value = cpu->reg[reg];
    }
    return none;
}

/* The bits of a register that are storage; the others read as zero. */
static u64 storage(const struct cpu *cpu, u32 reg)
{
    switch (reg) {
    case R_ZCR_EL1:
    case R_ZCR_EL2:
        return 15;
    case R_SMCR_EL1:
    case R_SMCR_EL2:
        if (cpu->has.smcr_bits)
            return cpu->has.smcr_bits;
        return 15 | (cpu->has.fa64 ? BIT(31) : 0) | (cpu->has.sme2 ? BIT(30) : 0);
    case R_SMPRI_EL1:
        return cpu->has.smidr & SMIDR_SMPS ? 15 : 0;
    default:
        return ~0ull;
    }
}

struct exc cpu_msr(struct cpu *cpu, u32 reg, u64 value)
{
    struct exc e = cpu_sysreg_check(cpu, reg, false);
    u32 before = CurrentVL(cpu);

    if (e.el)
        return e;
    reg = redirected(cpu, reg);
    switch (reg) {
    case R_SVCR:
        SetPSTATE_SM(cpu, value & SVCR_SM);
        SetPSTATE_ZA(cpu, value & SVCR_ZA);
        break;
    case R_FPCR:
        cpu->fpcr = (u32)value & FPCR_BITS;
        break;
    case R_FPSR:
        cpu->fpsr = (u32)value & FPSR_BITS;
        break;
    case R_FPMR:
        cpu->fpmr = value;
        break;
    default:
        cpu->reg[reg] = value & storage(cpu, reg);
        /* EL1 has an ISB behind it in mind; EL2's own wait for one (cpu_synchronize()). */
        if (cpu->el < 2)
            cpu_lengths_changed(cpu, before);
    }
    return none;
}
