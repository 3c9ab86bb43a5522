/*
 * The ID registers of a guest: what it reads is exactly what it may use. A field not named here is
 * hidden, so that a later CPU's features stay hidden too until someone has looked at them.
 *
 * FP sub-features (BF16, I8MM, SVE2, ...) have no trap of their own: hiding one would not make it
 * Undefined, so they are passed through with their unit. Without the unit they are not there: what
 * of SVE is never legal in streaming mode for a VM with SME alone, FP8 for one without FPMR.
 */
#include "id_filter.h"

#define F(shift) (15ull << (shift))

enum id_register {
    ID_PFR0 = 4 << 3,
    ID_PFR1,
    ID_PFR2,
    ID_ZFR0 = (4 << 3) + 4,
    ID_SMFR0,
    ID_FPFR0 = (4 << 3) + 7,
    ID_DFR0 = 5 << 3,
    ID_ISAR0 = 6 << 3,
    ID_ISAR1,
    ID_ISAR2,
    ID_ISAR3,
    ID_MMFR0 = 7 << 3,
    ID_MMFR1,
    ID_MMFR2,
};

/* Fields passed through as the hardware has them. */
static u64 passed(u32 id)
{
    switch (id) {
    case ID_PFR0: /* FP, AdvSIMD, DIT, CSV3 */
        return F(16) | F(20) | F(48) | F(60);
    case ID_PFR1: /* BT, SSBS */
        return F(0) | F(4);
    case ID_DFR0: /* breakpoints, watchpoints, contexts: RAZ/WI, but they are there */
        return F(12) | F(20) | F(28);
    case ID_ISAR0: /* all but TME */
        return ~F(24);
    case ID_ISAR1: /* all but APA, API, GPA, GPI (pointer authentication) and LS64 */
        return ~(F(4) | F(8) | F(24) | F(28) | F(60));
    case ID_ISAR2: /* WFxT, RPRES, BC, CLRBHB, PRFMSLC, RPRFM, CSSC, LUT */
        return F(0) | F(4) | F(20) | F(28) | F(40) | F(48) | F(52) | F(56);
    case ID_ISAR3: /* FAMINMAX, LSFE, FPRCVT */
        return F(4) | F(16) | F(28);
    case ID_MMFR0: /* ASIDBits, BigEnd, BigEndEL0, TGran16, TGran64, TGran4, ExS */
        return F(4) | F(8) | F(16) | F(20) | F(24) | F(28) | F(44);
    case ID_MMFR1: /* HAFDBS, HPDS, PAN, SpecSEI, ETS, AFP, nTLBPA, ECBHB */
        return F(0) | F(12) | F(20) | F(24) | F(36) | F(44) | F(48) | F(60);
    case ID_MMFR2: /* UAO, LSM, VARange, CCIDX, ST, AT, TTL, BBM, E0PD */
        return F(4) | F(8) | F(16) | F(20) | F(28) | F(32) | F(48) | F(52) | F(60);
    default:
        return 0;
    }
}

static u64 at_most(u64 value, u32 shift, u64 limit)
{
    u64 have = value >> shift & 15;

    return (have < limit ? have : limit) << shift;
}

/* ID_AA64ZFR0_EL1: all of it with SVE. With SME alone not AES, BitPerm, SHA3, SM4, F16MM, F32MM,
 * F64MM. */
static u64 sve_features(u64 hardware, u32 units)
{
    if (units & FP_UNIT_SVE)
        return hardware;
    if (units & FP_UNIT_SME)
        return hardware & ~(F(4) | F(16) | F(32) | F(40) | F(48) | F(52) | F(56));
    return 0;
}

/* ID_AA64SMFR0_EL1: without ZT0 SME is version 1, and LUTv2 has no table; SF8DP2, SF8DP4, SF8FMA,
 * F8F32, F8F16 need FPMR.
 */
static u64 sme_features(u64 hardware, const struct arch_fp_config *fp)
{
    if (!(fp->units & FP_UNIT_SME))
        return 0;
    if (!fp->zt0)
        hardware &= ~(F(56) | BIT(60));
    if (!fp->fpmr)
        hardware &= ~(BIT(28) | BIT(29) | BIT(30) | BIT(40) | BIT(41));
    return hardware;
}

u64 id_filter(u32 crm, u32 op2, u64 hardware, const struct arch_fp_config *fp, u64 parange)
{
    u32 id = crm << 3 | op2;
    u64 value = hardware & passed(id);

    switch (id) {
    case ID_PFR0: /* EL0 and EL1 in AArch64 only; CSV2 without SCXTNUM_ELx */
        value |= 1 | (1 << 4) | at_most(hardware, 56, 1);
        if (fp->units & FP_UNIT_SVE)
            value |= hardware & F(32);
        return value;
    case ID_PFR1:
        if (fp->units & FP_UNIT_SME)
            value |= at_most(hardware, 24, fp->zt0 ? 15 : 1);
        return value;
    case ID_PFR2: /* FPMR */
        return fp->fpmr ? hardware & F(32) : 0;
    case ID_ZFR0:
        return sve_features(hardware, fp->units);
    case ID_SMFR0:
        return sme_features(hardware, fp);
    case ID_FPFR0:
        return fp->fpmr ? hardware : 0;
    case ID_DFR0: /* Armv8 debug; DoubleLock 15: there is none */
        return value | 6 | F(36);
    case ID_MMFR0:
        return value | parange;
    default:
        return value;
    }
}
