/*
 * The ID registers of a guest: what it reads is exactly what it may use. A field not named here is
 * hidden, so that a later CPU's features stay hidden too until someone has looked at them.
 *
 * FP sub-features (BF16, I8MM, SVE2, ...) have no trap of their own: hiding one would not make it
 * Undefined, so they are passed through with their unit.
 */
#include "id_filter.h"

#define F(shift) (15ull << (shift))

enum id_register {
    ID_PFR0 = 4 << 3,
    ID_PFR1,
    ID_ZFR0 = (4 << 3) + 4,
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
    case ID_ZFR0:
        return fp->units & FP_UNIT_SVE ? hardware : 0;
    case ID_DFR0: /* Armv8 debug; DoubleLock 15: there is none */
        return value | 6 | F(36);
    case ID_MMFR0:
        return value | parange;
    default:
        return value;
    }
}
