/*
 * An arm64 CPU as far as FP goes: Z, P, FFR, ZA, ZT0, the registers that control them, PSTATE.SM
 * and ZA, and who traps what to whom. Written from the Arm ARM's pseudocode (DDI 0487, J1.3 shared
 * pseudocode; C6, C8, C9 for instructions; D23 for the accessibility of system registers), function
 * by function and under the same names. No C library: it runs in tests/model and beside real
 * instructions in user mode alike.
 *
 * Lengths are in bytes. Little-endian, Non-secure, no EL3, HCR_EL2.TGE=0.
 */
#ifndef MODEL_ARM64_CPU_H
#define MODEL_ARM64_CPU_H

#include "hv/base.h"

#define CPU_VL_MAX 256u
#define CPU_PL_MAX (CPU_VL_MAX / 8)

/* What the architecture leaves to the CPU about register bits above the current length. */
enum cpu_uppers {
    UPPERS_KEPT,   /* they stay until something writes them at a longer length */
    UPPERS_ZEROED, /* any write of the register zeroes them (Unpredictable_SVEZEROUPPER) */
    UPPERS_CUT,    /* they are zeroed when the length becomes shorter */
    UPPERS_QEMU, /* so those of Z, P and FFR, and entering a level without SVE counts as shorter */
};

struct cpu_has {
    u32 vls;  /* FEAT_SVE: bit n, a length of 16 * (n + 1) bytes exists; 0: no SVE */
    u32 svls; /* FEAT_SME: likewise, powers of two; 0: no SME */
    bool sme2;
    bool fa64;
    bool fpmr;
    bool fgt;
    bool hcx;
    bool vhe;
    bool el2;
    bool idst;       /* FEAT_IDST: EL0's accesses to ID registers are trapped, not Undefined */
    u8 uppers;       /* enum cpu_uppers */
    u64 smidr;       /* SMIDR_EL1; its bit 15, SMPS: streaming execution priority */
    bool zcr_as_sve; /* QEMU's erratum: ZCR_ELx is trapped as SVE instructions are */
    /* What a VM that was denied a feature finds of it all the same, for there is no trap. */
    bool storage;  /* TPIDR2_EL0 and SMPRI_EL1, without SME: no FEAT_FGT */
    bool ffr;      /* FFR, without SVE: in streaming mode under FEAT_SME_FA64 */
    u32 smcr_bits; /* of SMCR_ELx that are storage; 0: as the features say */
};

/* A system register by its encoding; op0 is 3 in all of them. */
#define SYSREG(op1, crn, crm, op2) ((u32)(op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
#define SYSREGS                    (1u << 14)

#define R_SCTLR_EL1  SYSREG(0, 1, 0, 0)
#define R_CPACR_EL1  SYSREG(0, 1, 0, 2)
#define R_ZCR_EL1    SYSREG(0, 1, 2, 0)
#define R_SMPRI_EL1  SYSREG(0, 1, 2, 4)
#define R_SMCR_EL1   SYSREG(0, 1, 2, 6)
#define R_SMIDR_EL1  SYSREG(1, 0, 0, 6)
#define R_SVCR       SYSREG(3, 4, 2, 2)
#define R_FPCR       SYSREG(3, 4, 4, 0)
#define R_FPSR       SYSREG(3, 4, 4, 1)
#define R_FPMR       SYSREG(3, 4, 4, 2)
#define R_TPIDR2_EL0 SYSREG(3, 13, 0, 5)
#define R_HCR_EL2    SYSREG(4, 1, 1, 0)
#define R_CPTR_EL2   SYSREG(4, 1, 1, 2)
#define R_HFGRTR_EL2 SYSREG(4, 1, 1, 4)
#define R_HFGWTR_EL2 SYSREG(4, 1, 1, 5)
#define R_ZCR_EL2    SYSREG(4, 1, 2, 0)
#define R_HCRX_EL2   SYSREG(4, 1, 2, 2)
#define R_SMPRIMAP   SYSREG(4, 1, 2, 5)
#define R_SMCR_EL2   SYSREG(4, 1, 2, 6)
#define R_SCTLR_EL12 SYSREG(5, 1, 0, 0)
#define R_CPACR_EL12 SYSREG(5, 1, 0, 2)
#define R_ZCR_EL12   SYSREG(5, 1, 2, 0)
#define R_SMCR_EL12  SYSREG(5, 1, 2, 6)

#define SVCR_SM 1u
#define SVCR_ZA 2u

/* What an EL2 control was when the last context synchronization event looked. */
struct cpu_controls {
    u64 cptr, zcr, smcr;
};

struct cpu {
    struct cpu_has has;
    u8 el;
    bool sm, za_on; /* PSTATE.SM, PSTATE.ZA */
    u32 fpcr, fpsr;
    u64 fpmr;
    struct cpu_controls seen; /* CPTR_EL2, ZCR_EL2, SMCR_EL2 as instructions go by them */
    u8 z[32][CPU_VL_MAX] ALIGNED(16);
    u8 p[16][CPU_PL_MAX] ALIGNED(16);
    u8 ffr[CPU_PL_MAX] ALIGNED(16);
    u8 zt0[64] ALIGNED(16);
    u8 za[CPU_VL_MAX][CPU_VL_MAX] ALIGNED(16);
    u64 reg[SYSREGS]; /* all others, by encoding */
};

/* The exception an instruction takes; el 0: none. */
struct exc {
    u8 el;
    u8 ec; /* ESR_ELx.EC */
    u32 iss;
};

enum cpu_ec {
    X_UNDEFINED = 0x00,
    X_FP = 0x07,
    X_SYSREG = 0x18,
    X_SVE = 0x19,
    X_SME = 0x1d,
};

/* ESR_ELx.ISS.SMTC of X_SME. */
enum { SMTC_ACCESS, SMTC_STREAMING, SMTC_NOT_STREAMING, SMTC_INACTIVE_ZA, SMTC_NO_ZT0 };

/* ---- cpu.c: lengths, and what changes of them and of PSTATE do ---- */

/* Registers zero, no EL entered yet but EL1 (without EL2) or EL2. */
void cpu_reset(struct cpu *cpu, const struct cpu_has *has);

u32 CurrentNSVL(const struct cpu *cpu);
u32 CurrentSVL(const struct cpu *cpu);
u32 CurrentVL(const struct cpu *cpu);
void SetPSTATE_SM(struct cpu *cpu, bool value);
void SetPSTATE_ZA(struct cpu *cpu, bool value);

/* A context synchronization event: an ISB, an exception's entry or return. */
void cpu_synchronize(struct cpu *cpu);
/* Exception entry or return: to exception level `el`. */
void cpu_set_el(struct cpu *cpu, u8 el);
/* After a change that may have made the current lengths shorter; CurrentVL() was `before`. */
void cpu_lengths_changed(struct cpu *cpu, u32 before);

/* V[n] := 16 bytes; Z[n], P[n], FFR := the current length's bytes. */
void cpu_set_v(struct cpu *cpu, u32 n, const void *value);
void cpu_set_z(struct cpu *cpu, u32 n, const void *value);
void cpu_set_p(struct cpu *cpu, u32 n, const void *value);
void cpu_set_ffr(struct cpu *cpu, const void *value);

/* ---- cpu_checks.c: may this instruction be executed here? ---- */

struct exc CheckFPEnabled64(const struct cpu *cpu);
struct exc CheckFPAdvSIMDEnabled64(const struct cpu *cpu);
struct exc CheckSVEEnabled(const struct cpu *cpu);
struct exc CheckNonStreamingSVEEnabled(const struct cpu *cpu);
struct exc CheckStreamingSVEEnabled(const struct cpu *cpu);
struct exc CheckSMEAccess(const struct cpu *cpu);
struct exc CheckSMEEnabled(const struct cpu *cpu);
struct exc CheckSMEAndZAEnabled(const struct cpu *cpu);
struct exc CheckStreamingSVEAndZAEnabled(const struct cpu *cpu);
struct exc CheckSMEZT0Enabled(const struct cpu *cpu);
bool IsSVEEnabled(const struct cpu *cpu);
bool IsFullA64Enabled(const struct cpu *cpu);
/* CPACR_EL1.<field at shift> disables it for the current EL; CPTR_EL2 does (either format). */
bool cpacr_disables(const struct cpu *cpu, u32 shift);
bool cptr_disables(const struct cpu *cpu, u32 shift, u32 bit);
#define FPEN_SHIFT 20
#define ZEN_SHIFT  16
#define SMEN_SHIFT 24
#define TFP_BIT    10
#define TZ_BIT     8
#define TSM_BIT    12

/* ---- cpu_sysreg.c: MRS and MSR ---- */

struct exc cpu_sysreg_check(const struct cpu *cpu, u32 reg, bool read);
struct exc cpu_mrs(struct cpu *cpu, u32 reg, u64 *value);
struct exc cpu_msr(struct cpu *cpu, u32 reg, u64 value);

/* ---- cpu_step.c: instructions ---- */

enum cpu_op {
    OP_LDR_Q,    /* V[n] := data: LDR (SIMD&FP), legal in Streaming SVE mode */
    OP_STR_Q,    /* data := V[n] */
    OP_LD1,      /* the same by Advanced SIMD, which is not */
    OP_ST1,      /* */
    OP_LDR_Z,    /* Z[n] := data */
    OP_STR_Z,    /* */
    OP_LDR_P,    /* P[n] := data */
    OP_STR_P,    /* */
    OP_ADD_Z,    /* Z[n] := Z[n] + Z[m], bytes */
    OP_WRFFR,    /* FFR := P[n] */
    OP_RDFFR,    /* P[n] := FFR */
    OP_SETFFR,   /* */
    OP_RDVL,     /* value := the vector length */
    OP_RDSVL,    /* value := the streaming vector length */
    OP_MSR_SVCR, /* MSR SVCRSM/SVCRZA/SVCRSMZA, #imm: n = which bits, m = imm (SMSTART, SMSTOP) */
    OP_MRS,      /* value := system register n */
    OP_MSR,      /* system register n := value */
    OP_LDR_ZA,   /* ZA[n MOD dim] := data */
    OP_STR_ZA,   /* */
    OP_ZERO_ZA,  /* */
    OP_MOVA,     /* ZA0H.B[n MOD dim], P0/M := Z[m] */
    OP_MOVA_Z,   /* Z[m], P0/M := ZA0H.B[n MOD dim] */
    OP_LDR_ZT0,  /* */
    OP_STR_ZT0,  /* */
    OP_ZERO_ZT0, /* */
    CPU_OPS
};

struct insn {
    enum cpu_op op;
    u32 n, m;
    u64 value;
    u8 data[CPU_VL_MAX] ALIGNED(16);
};

/* What it is allowed to do here; MRS and MSR have cpu_sysreg_check(). */
struct exc cpu_check(const struct cpu *cpu, enum cpu_op op);

/* Executes one instruction; what it reads is in value and data. An exception changes nothing. */
struct exc cpu_step(struct cpu *cpu, struct insn *insn);

#endif
