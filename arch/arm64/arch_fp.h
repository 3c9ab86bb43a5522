/*
 * The FP control state of one arm64 context. The registers themselves (V, Z, P, FFR, FPCR, FPSR,
 * ZA, ZT0) live in the context's area; vec_layout.h says how.
 */
#ifndef FERMATA_ARCH_FP_H
#define FERMATA_ARCH_FP_H

#include "hv/base.h"

#define FP_UNIT_FPSIMD 1u /* behind CPTR_EL2.TFP / FPEN; FP_UNIT_BASE of hv/fp.h */
#define FP_UNIT_SVE    2u /* behind CPTR_EL2.TZ / ZEN */
#define FP_UNIT_SME    4u /* behind CPTR_EL2.TSM / SMEN: ZA, ZT0, and the change of mode */
/*
 * No gate: it is with FPSIMD in every set where FPSIMD and SVE by their plain names are not all
 * there is to do: FPMR is behind TFP too, or E2H=1 (ZCR_EL12). So the short path asks once.
 */
#define FP_UNIT_MORE 8u
#define FP_UNITS     16u

/* What a VM's `fp =` line gives it. */
struct arch_fp_config {
    u32 units;  /* FP_UNIT_FPSIMD, FP_UNIT_SVE, FP_UNIT_SME */
    u32 sve_vl; /* the VM's maximum vector length in bytes; 0: no SVE */
    u32 sme_vl; /* its maximum streaming vector length in bytes; 0: no SME */
    bool zt0;   /* SME2 */
    bool fpmr;
};

/*
 * What must be right while a guest runs, whatever is open: arch_fp_controls() compares one word.
 * CONTROL_SM: PSTATE.SM is on, and the bits of SMCR_EL2 that it was entered under are there too.
 */
#define CONTROL_SM   BIT(8)
#define CONTROL_SME  BIT(9)  /* TPIDR2_EL0 and SMPRI_EL1 do not trap (FEAT_FGT) */
#define CONTROL_FPMR BIT(10) /* HCRX_EL2.EnFPM */

struct arch_fp {
    u64 zcr_el1;         /* gated by TZ, so it moves with the SVE unit */
    u64 smcr_el1;        /* gated by TSM, so it moves with the SME unit */
    u64 svcr;            /* likewise, but for SM, which is a control */
    u64 fpmr;            /* moves with FPSIMD where the VM has it */
    u64 tpidr2_el0;      /* eager where they do not trap: `storage` */
    u64 smpri_el1;       /* likewise */
    u64 sve_header;      /* how its SVE form begins, */
    u64 sme_header;      /* and its streaming form */
    u32 needs;           /* units to open for what the image in memory holds (FPSIMD always) */
    u32 sve_vl;          /* the VM's maximum vector length in bytes; 0: no SVE */
    u32 sve_moved;       /* what a move of its SVE form moves (vec_layout.h) */
    u32 sme_vl;          /* the VM's maximum streaming vector length in bytes; 0: no SME */
    u32 sme_moved;       /* what a move of its streaming form moves */
    u32 za_offset;       /* of ZA in the area, behind ZT0 */
    u32 smcr_el2;        /* LEN, FA64, EZT0 as the VM has them */
    u32 controls;        /* CONTROL_* as they must be while it runs, */
    u32 vm_controls;     /* and those that are the VM's for good */
    u32 bytes[FP_UNITS]; /* what an area must hold, by units */
    bool storage;        /* it reaches TPIDR2_EL0 and SMPRI_EL1 */
    bool fpmr_offered;
};

#endif
