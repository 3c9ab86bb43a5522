/*
 * The FP control state of one arm64 context. The registers themselves (V, Z, P, FFR, FPCR, FPSR)
 * live in the context's area; vec_layout.h says how.
 */
#ifndef FERMATA_ARCH_FP_H
#define FERMATA_ARCH_FP_H

#include "hv/base.h"

#define FP_UNIT_FPSIMD 1u /* behind CPTR_EL2.TFP / FPEN; FP_UNIT_BASE of hv/fp.h */
#define FP_UNIT_SVE    2u /* behind CPTR_EL2.TZ / ZEN */

/* What a VM's `fp =` line gives it. */
struct arch_fp_config {
    u32 units;  /* FP_UNIT_* */
    u32 sve_vl; /* the VM's maximum vector length in bytes; 0: no SVE */
};

struct arch_fp {
    u64 zcr_el1;    /* gated by TZ, so it moves with the SVE unit */
    u64 tpidr2_el0; /* eager, on SME machines without FEAT_FGT only */
    u64 smpri_el1;  /* likewise */
    u64 sve_header; /* how its SVE form begins, */
    u32 sve_vl;     /* the VM's maximum vector length in bytes; 0: no SVE */
    u32 sve_bytes;  /* what its SVE form takes in memory, */
    u32 sve_moved;  /* and what a move of it moves (vec_layout.h) */
};

#endif
