/*
 * Offsets that assembly needs. offsets.c fails to compile if one of them is wrong, so nothing
 * generates this file.
 */
#ifndef FERMATA_OFFSETS_H
#define FERMATA_OFFSETS_H

#define VCPU_X      0   /* struct arch_vcpu is first in struct vcpu */
#define VCPU_X30    240 /* x[30], followed by pc */
#define VCPU_PC     248
#define VCPU_PSTATE 256
#define VCPU_ESR    264
#define VCPU_EL1    272
#define VCPU_EL1_N  25

/* Further on in struct vcpu. */
#define VCPU_FP_IN_SYNC 604
#define VCPU_EXITS      848

/* An FP image (vec_layout.h). */
#define VEC_STATUS_OFFSET 8 /* FPSR, FPCR */
#define VEC_V_OFFSET      16
#define VEC_P_OFFSET      64
#define VEC_P_VECTORS     3 /* 17 predicates fill 2.125 vectors */

#define CRASH_X     0 /* struct crash_frame: x[31] */
#define CRASH_SP    248
#define CRASH_PC    256
#define CRASH_BYTES 288

#endif
