/* What the machine has: found once, at boot. No assembly, so that pure code may use it on a host.
 */
#ifndef FERMATA_FEATURES_H
#define FERMATA_FEATURES_H

#include "hv/base.h"

/* What the boot CPU was found to have; written once by arch_init(), the same for all (features.c).
 */
struct arm64_features {
    bool e2h;         /* HCR_EL2.E2H as it is while Fermata runs */
    bool vhe;         /* FEAT_VHE */
    bool fpsimd;      /* ID_AA64PFR0_EL1.FP, AdvSIMD */
    bool sve;         /* FEAT_SVE */
    bool sme;         /* FEAT_SME */
    bool sme2;        /* FEAT_SME2: ZT0 */
    bool fa64;        /* FEAT_SME_FA64: all of A64 in streaming mode, FFR too */
    bool smps;        /* SMIDR_EL1.SMPS: SMPRI_EL1 is more than RES0 */
    bool fpmr;        /* FEAT_FPMR */
    bool fgt;         /* FEAT_FGT */
    bool hcx;         /* FEAT_HCX */
    bool fwb;         /* FEAT_S2FWB */
    bool ras;         /* FEAT_RAS */
    bool mpam;        /* FEAT_MPAM */
    bool amu;         /* FEAT_AMUv1 */
    bool lor;         /* FEAT_LOR */
    bool mte;         /* FEAT_MTE */
    bool fgt2;        /* FEAT_FGT2 */
    bool pan;         /* FEAT_PAN */
    bool vmid16;      /* 16-bit VMIDs */
    bool e2h0;        /* HCR_EL2.E2H may be 0: absent means FEAT_E2H0 is not implemented */
    bool sme_storage; /* FEAT_SME without FEAT_FGT: TPIDR2_EL0 and SMPRI_EL1 do not trap */
    u32 pa_bits;      /* ID_AA64MMFR0_EL1.PARange, at most 48 */
    u32 sve_vl;       /* largest vector length, bytes; 0 without SVE */
    u32 sve_vls;      /* bit n: a length of 16 * (n + 1) bytes exists */
    u32 sme_vl;       /* the same of streaming mode; 0 without SME */
    u32 sme_vls;
    bool zcr_by_tfp; /* erratum: TFP traps ZCR_EL1 too */
};
/* Hidden: an extern of a position-independent program is reached through the GOT otherwise. */
extern struct arm64_features features __attribute__((visibility("hidden")));

/* Reads the ID registers and finds the vector lengths. Opens and closes the gates. */
void features_find(void);

#endif
