/*
 * See cpu.h: the checks that instructions begin with (DDI 0487, J1.3 aarch64/exceptions/traps and
 * aarch64/functions/sve). The order of the tests in each is the priority of the exceptions.
 */
#include "cpu.h"

#define HCR_E2H_BIT BIT(34)

static const struct exc none;

#define TRY(check)                                                                                 \
    do {                                                                                           \
        struct exc e_ = (check);                                                                   \
        if (e_.el)                                                                                 \
            return e_;                                                                             \
    } while (0)

/* '00', '10': EL0 and EL1; '01': EL0. EL2 does not ask CPACR_EL1. */
bool cpacr_disables(const struct cpu *cpu, u32 shift)
{
    u64 field = cpu->reg[R_CPACR_EL1] >> shift & 3;

    return cpu->el < 2 && (!(field & 1) || (field == 1 && cpu->el == 0));
}

/* With E2H=1 '01' disables for EL0 of a host only (TGE). */
bool cptr_disables(const struct cpu *cpu, u32 shift, u32 bit)
{
    if (!cpu->has.el2)
        return false;
    if (cpu->reg[R_HCR_EL2] & HCR_E2H_BIT)
        return !(cpu->seen.cptr >> shift & 1);
    return cpu->seen.cptr >> bit & 1;
}

static struct exc trap(u8 el, u8 ec, u32 iss)
{
    return (struct exc){el, ec, iss};
}

/* ISS: CV, COND = 0b1110, and what else AdvSIMDFPAccessTrap() gives. */
static struct exc AdvSIMDFPAccessTrap(u8 el)
{
    return trap(el, X_FP, 0x1e00000);
}

static struct exc SVEAccessTrap(u8 el)
{
    return trap(el, X_SVE, 0);
}

static struct exc SMEAccessTrap(u32 smtc, u8 el)
{
    return trap(el ? el : 1, X_SME, smtc);
}

static bool HaveSVE(const struct cpu *cpu)
{
    return cpu->has.vls != 0;
}

static bool HaveSME(const struct cpu *cpu)
{
    return cpu->has.svls != 0;
}

static struct exc undefined(const struct cpu *cpu)
{
    return trap(cpu->el < 2 ? 1 : 2, X_UNDEFINED, 0);
}

struct exc CheckFPEnabled64(const struct cpu *cpu)
{
    if (cpacr_disables(cpu, FPEN_SHIFT))
        return AdvSIMDFPAccessTrap(1);
    if (cptr_disables(cpu, FPEN_SHIFT, TFP_BIT))
        return AdvSIMDFPAccessTrap(2);
    return none;
}

bool IsFullA64Enabled(const struct cpu *cpu)
{
    if (!cpu->has.fa64)
        return false;
    if (cpu->el < 2 && !(cpu->reg[R_SMCR_EL1] & BIT(31)))
        return false;
    return !cpu->has.el2 || (cpu->seen.smcr & BIT(31));
}

struct exc CheckFPAdvSIMDEnabled64(const struct cpu *cpu)
{
    TRY(CheckFPEnabled64(cpu));
    if (cpu->sm && !IsFullA64Enabled(cpu))
        return SMEAccessTrap(SMTC_STREAMING, cpu->el);
    return none;
}

static struct exc CheckNormalSVEEnabled(const struct cpu *cpu)
{
    if (cpacr_disables(cpu, ZEN_SHIFT))
        return SVEAccessTrap(1);
    if (cpacr_disables(cpu, FPEN_SHIFT))
        return AdvSIMDFPAccessTrap(1);
    if (cptr_disables(cpu, ZEN_SHIFT, TZ_BIT))
        return SVEAccessTrap(2);
    if (cptr_disables(cpu, FPEN_SHIFT, TFP_BIT))
        return AdvSIMDFPAccessTrap(2);
    return none;
}

struct exc CheckSMEAccess(const struct cpu *cpu)
{
    if (!HaveSME(cpu))
        return undefined(cpu);
    if (cpacr_disables(cpu, SMEN_SHIFT))
        return SMEAccessTrap(SMTC_ACCESS, 1);
    if (cptr_disables(cpu, SMEN_SHIFT, TSM_BIT))
        return SMEAccessTrap(SMTC_ACCESS, 2);
    return none;
}

struct exc CheckSMEEnabled(const struct cpu *cpu)
{
    if (!HaveSME(cpu))
        return undefined(cpu);
    if (cpacr_disables(cpu, SMEN_SHIFT))
        return SMEAccessTrap(SMTC_ACCESS, 1);
    if (cpacr_disables(cpu, FPEN_SHIFT))
        return AdvSIMDFPAccessTrap(1);
    if (cptr_disables(cpu, SMEN_SHIFT, TSM_BIT))
        return SMEAccessTrap(SMTC_ACCESS, 2);
    if (cptr_disables(cpu, FPEN_SHIFT, TFP_BIT))
        return AdvSIMDFPAccessTrap(2);
    return none;
}

struct exc CheckStreamingSVEEnabled(const struct cpu *cpu)
{
    TRY(CheckSMEEnabled(cpu));
    return cpu->sm ? none : SMEAccessTrap(SMTC_NOT_STREAMING, cpu->el);
}

struct exc CheckSVEEnabled(const struct cpu *cpu)
{
    if (!HaveSVE(cpu) && !HaveSME(cpu))
        return undefined(cpu);
    if (cpu->sm)
        return CheckSMEEnabled(cpu);
    if (!HaveSVE(cpu))
        return CheckStreamingSVEEnabled(cpu);
    return CheckNormalSVEEnabled(cpu);
}

/* Instructions of FEAT_SVE alone: Undefined where there is only SME. */
struct exc CheckNonStreamingSVEEnabled(const struct cpu *cpu)
{
    if (!HaveSVE(cpu) && !(cpu->has.ffr && cpu->sm && IsFullA64Enabled(cpu)))
        return undefined(cpu);
    TRY(CheckSVEEnabled(cpu));
    if (cpu->sm && !IsFullA64Enabled(cpu))
        return SMEAccessTrap(SMTC_STREAMING, cpu->el);
    return none;
}

struct exc CheckSMEAndZAEnabled(const struct cpu *cpu)
{
    TRY(CheckSMEEnabled(cpu));
    return cpu->za_on ? none : SMEAccessTrap(SMTC_INACTIVE_ZA, cpu->el);
}

struct exc CheckStreamingSVEAndZAEnabled(const struct cpu *cpu)
{
    TRY(CheckStreamingSVEEnabled(cpu));
    return cpu->za_on ? none : SMEAccessTrap(SMTC_INACTIVE_ZA, cpu->el);
}

struct exc CheckSMEZT0Enabled(const struct cpu *cpu)
{
    if (!cpu->has.sme2)
        return undefined(cpu);
    TRY(CheckSMEEnabled(cpu));
    if (!cpu->za_on)
        return SMEAccessTrap(SMTC_INACTIVE_ZA, cpu->el);
    if (cpu->el < 2 && !(cpu->reg[R_SMCR_EL1] & BIT(30)))
        return SMEAccessTrap(SMTC_NO_ZT0, 1);
    if (cpu->has.el2 && !(cpu->seen.smcr & BIT(30)))
        return SMEAccessTrap(SMTC_NO_ZT0, 2);
    return none;
}

/* IsNormalSVEEnabled() or IsStreamingSVEEnabled() of the current EL. */
bool IsSVEEnabled(const struct cpu *cpu)
{
    if (cpu->sm)
        return !cpacr_disables(cpu, SMEN_SHIFT) && !cptr_disables(cpu, SMEN_SHIFT, TSM_BIT);
    return HaveSVE(cpu) && !cpacr_disables(cpu, ZEN_SHIFT) &&
           !cptr_disables(cpu, ZEN_SHIFT, TZ_BIT);
}
