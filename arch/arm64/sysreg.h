/*
 * System registers of arm64, one accessor per line (Arm ARM DDI 0487, D19).
 *
 * Names that old assemblers do not know are given by encoding. With HCR_EL2.E2H=1 the plain EL1
 * names used at EL2 reach EL2's own registers and the guest's are *_EL12 (FACTS); the accessors
 * guest_*() hide that, so that nobody else has to know.
 */
#ifndef FERMATA_SYSREG_H
#define FERMATA_SYSREG_H

#include "hv/base.h"
#include "arch_cpu.h"
#include "features.h"

#define SYSREG_STR_(x) #x
#define SYSREG_STR(x)  SYSREG_STR_(x)

/*
 * The two forms of every access. `reg` is a name or an S3_* encoding. They keep their order among
 * themselves; where memory must wait for a register, isb() or dsb() stands between. isb_registers()
 * is for what only registers wait for. A model of the CPU has its own
 * (tests/model/arm64/machine.h).
 */
#ifndef FERMATA_MODEL
#define sysreg_read(reg)                                                                           \
    ({                                                                                             \
        u64 value_;                                                                                \
        __asm__ volatile("mrs %0, " SYSREG_STR(reg) : "=r"(value_));                               \
        value_;                                                                                    \
    })
#define sysreg_write(reg, value)                                                                   \
    do {                                                                                           \
        u64 written_ = (value);                                                                    \
        __asm__ volatile("msr " SYSREG_STR(reg) ", %0" : : "r"(written_));                         \
    } while (0)

#define isb()           __asm__ volatile("isb" : : : "memory")
#define isb_registers() __asm__ volatile("isb")
#define dsb(which)      __asm__ volatile("dsb " #which : : : "memory")
#endif

/* FP and SME control (DDI 0487 D19.2, and the SME supplement DDI 0616). */
#define ZCR_EL1      S3_0_C1_C2_0
#define ZCR_EL2      S3_4_C1_C2_0
#define ZCR_EL12     S3_5_C1_C2_0
#define SMCR_EL1     S3_0_C1_C2_6
#define SMCR_EL2     S3_4_C1_C2_6
#define SMCR_EL12    S3_5_C1_C2_6
#define SMPRI_EL1    S3_0_C1_C2_4
#define SMPRIMAP_EL2 S3_4_C1_C2_5
#define SMIDR_EL1    S3_1_C0_C0_6
#define TPIDR2_EL0   S3_3_C13_C0_5
#define CPACR_EL12   S3_5_C1_C0_2
#define SVCR_SM      1u
#define SVCR_ZA      2u
#define SMCR_EZT0    BIT(30)
#define SMCR_FA64    BIT(31)

/* Traps. */
#define HCRX_EL2    S3_4_C1_C2_2
#define HFGRTR_EL2  S3_4_C1_C1_4
#define HFGWTR_EL2  S3_4_C1_C1_5
#define HFGITR_EL2  S3_4_C1_C1_6
#define HDFGRTR_EL2 S3_4_C3_C1_4
#define HDFGWTR_EL2 S3_4_C3_C1_5
#define HAFGRTR_EL2 S3_4_C3_C1_6
#define MPAM2_EL2   S3_4_C10_C5_0
#define VDISR_EL2   S3_4_C12_C1_1
#define HCRX_SMPME  BIT(5)  /* SMPRI_EL1 is virtual: SMPRIMAP_EL2 says what it means */
#define HCRX_ENFPM  BIT(23) /* FPMR does not trap */
/* HFGRTR_EL2, HFGWTR_EL2: these do not trap. */
#define HFG_NSMPRI  BIT(54)
#define HFG_NTPIDR2 BIT(55)

/* Identification. */
#define ID_AA64PFR2_EL1  S3_0_C0_C4_2
#define ID_AA64ZFR0_EL1  S3_0_C0_C4_4
#define ID_AA64SMFR0_EL1 S3_0_C0_C4_5
#define ID_AA64FPFR0_EL1 S3_0_C0_C4_7
#define ID_AA64MMFR2_EL1 S3_0_C0_C7_2
#define ID_AA64MMFR4_EL1 S3_0_C0_C7_4
#define ID_AA64ISAR2_EL1 S3_0_C0_C6_2

/* Interrupt controller (GIC architecture IHI 0069). */
#define ICC_SRE_EL2     S3_4_C12_C9_5
#define ICC_SRE_EL1     S3_0_C12_C12_5
#define ICC_PMR_EL1     S3_0_C4_C6_0
#define ICC_BPR1_EL1    S3_0_C12_C12_3
#define ICC_CTLR_EL1    S3_0_C12_C12_4
#define ICC_IAR1_EL1    S3_0_C12_C12_0
#define ICC_EOIR1_EL1   S3_0_C12_C12_1
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define ICH_HCR_EL2     S3_4_C12_C11_0
#define ICH_VMCR_EL2    S3_4_C12_C11_7

/* HCR_EL2 bits. */
#define HCR_VM     BIT(0)
#define HCR_SWIO   BIT(1)
#define HCR_PTW    BIT(2)
#define HCR_FMO    BIT(3)
#define HCR_IMO    BIT(4)
#define HCR_AMO    BIT(5)
#define HCR_FB     BIT(9)
#define HCR_BSU_IS BIT(10)
#define HCR_TWI    BIT(13)
#define HCR_TWE    BIT(14)
#define HCR_TID1   BIT(16)
#define HCR_TID3   BIT(18)
#define HCR_TSC    BIT(19)
#define HCR_TIDCP  BIT(20)
#define HCR_TACR   BIT(21)
#define HCR_TGE    BIT(27)
#define HCR_RW     BIT(31)
#define HCR_E2H    BIT(34)
#define HCR_TLOR   BIT(35)
#define HCR_TERR   BIT(36)
#define HCR_TEA    BIT(37)
#define HCR_FWB    BIT(46)
#define HCR_TID5   BIT(58)

/* CPTR_EL2 with E2H=0: a 1 traps. Bits 13, 9 and 7:0 are RES1; TSM and TZ are RES1 without them. */
#define CPTR_RES1  0x22ffull
#define CPTR_TZ    BIT(8)
#define CPTR_TFP   BIT(10)
#define CPTR_TSM   BIT(12)
#define CPTR_TTA   BIT(20)
#define CPTR_TAM   BIT(30)
#define CPTR_TCPAC BIT(31)
/* CPTR_EL2 with E2H=1: two bits per unit, 0b00 traps at EL2, EL1 and EL0, 0b11 does not. */
#define CPTR_VHE_ZEN  (3ull << 16)
#define CPTR_VHE_FPEN (3ull << 20)
#define CPTR_VHE_SMEN (3ull << 24)
#define CPTR_VHE_TTA  BIT(28)

/* ESR_ELx.EC (DDI 0487 D19.2.37). */
enum esr_ec {
    EC_UNKNOWN = 0x00,
    EC_WFX = 0x01,
    EC_FP = 0x07,
    EC_PAUTH = 0x09,
    EC_LS64 = 0x0a,
    EC_BTI = 0x0d,
    EC_ILLEGAL = 0x0e,
    EC_SYSREG128 = 0x14,
    EC_SVC = 0x15,
    EC_HVC = 0x16,
    EC_SMC = 0x17,
    EC_SYSREG = 0x18,
    EC_SVE = 0x19,
    EC_SME = 0x1d,
    EC_IABT_LOWER = 0x20,
    EC_BREAKPOINT = 0x30, /* of a lower EL, as the next two */
    EC_STEP = 0x32,
    EC_WATCHPOINT = 0x34,
    EC_BRK = 0x3c,
    EC_IABT = 0x21,
    EC_PC_ALIGN = 0x22,
    EC_DABT_LOWER = 0x24,
    EC_DABT = 0x25,
    EC_SP_ALIGN = 0x26,
    EC_SERROR = 0x2f,
};
#define ESR_EC(esr)  ((u32)((esr) >> 26) & 0x3f)
#define ESR_ISS(esr) ((u32)(esr)&0x1ffffff)
#define ESR_IL       BIT(25)

/* PSTATE as SPSR_ELx shows it. */
#define PSTATE_AARCH32 BIT(4)
#define PSTATE_F       BIT(6)
#define PSTATE_I       BIT(7)
#define PSTATE_A       BIT(8)
#define PSTATE_D       BIT(9)
#define PSTATE_DAIF    (PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F)
#define PSTATE_EL1H    5ull
#define PSTATE_EL2H    9ull
#define PSTATE_SS      BIT(21)
#define PSTATE_PAN     BIT(22)
#define PSTATE_SSBS    BIT(12)
#define PSTATE_DIT     BIT(24)
#define PSTATE_NZCV    (15ull << 28)

/* The guest's CPACR_EL1 and ZCR_EL1. ZCR needs CPTR_EL2.TZ / ZEN open, and an ISB after that. */
static inline void guest_cpacr_set(u64 value)
{
    if (features.e2h)
        sysreg_write(CPACR_EL12, value);
    else
        sysreg_write(cpacr_el1, value);
}

static inline u64 guest_zcr(void)
{
    return features.e2h ? sysreg_read(ZCR_EL12) : sysreg_read(ZCR_EL1);
}

static inline void guest_zcr_set(u64 value)
{
    if (features.e2h)
        sysreg_write(ZCR_EL12, value);
    else
        sysreg_write(ZCR_EL1, value);
}

/* The guest's SMCR_EL1: needs CPTR_EL2.TSM / SMEN open. */
static inline u64 guest_smcr(void)
{
    return features.e2h ? sysreg_read(SMCR_EL12) : sysreg_read(SMCR_EL1);
}

static inline void guest_smcr_set(u64 value)
{
    if (features.e2h)
        sysreg_write(SMCR_EL12, value);
    else
        sysreg_write(SMCR_EL1, value);
}

#endif
