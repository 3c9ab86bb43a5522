/*
 * The only routines of the hypervisor that touch FP and vector registers (fp_moves.S, I8). The
 * gates they need must be open at EL2, and the context synchronised, before they are called. An
 * image is what vec_layout.h describes; Z, P and FFR are moved at the length ZCR_EL2.LEN gives,
 * which is the image's.
 */
#ifndef FERMATA_FP_MOVES_H
#define FERMATA_FP_MOVES_H

#include "hv/base.h"

/*
 * The FPSIMD form: V0-V31, FPSR, FPCR, and its header. FPSIMD gate. Loading needs FPCR to be 0 (as
 * all registers are that no one owns); where the SVE gate is open it zeroes the rest of Z0-Z31.
 */
void fp_move_save_v(void *image);
void fp_move_load_v(const void *image);

/*
 * The SVE form: Z0-Z31, P0-P15, FFR, FPSR, FPCR, and its header, whose first two words (form and
 * vl) the caller gives. FPSIMD and SVE gates.
 */
void fp_move_save_z(void *image, u64 form_vl);
void fp_move_load_z(const void *image);

/*
 * What is live with SVE open, in the smallest form that holds it: the FPSIMD form if nothing is set
 * above bit 127, in P or in FFR. Returns the units it needs to be loaded: 1 (FPSIMD), or 3 (and
 * SVE): it took the SVE form.
 */
u32 fp_move_save_sve(void *image, u64 form_vl);

/* V0-V31 := 0, FPCR and FPSR := 0. FPSIMD gate; where the SVE gate is open all of Z0-Z31. */
void fp_move_scrub_v(void);

/* Z0-Z31, P0-P15, FFR, FPCR and FPSR := 0. FPSIMD and SVE gates. */
void fp_move_scrub_z(void);

/*
 * Bits that are set above bit 127 of any Z register, in any P or in FFR: 0 means that FPSIMD may be
 * opened alone (I6). `scratch` holds two Z registers; all registers are as before on return.
 */
u64 fp_move_uppers(void *scratch);

/* FPSR in the low, FPCR in the high half. FPSIMD gate. For checks, not for switching. */
u64 fp_move_status(void);
void fp_move_status_set(u64 fpsr_fpcr);

/* ORs all of V0-V31: 0 means they are zero. `scratch`: 32 bytes. FPSIMD gate. For checks. */
u64 fp_move_any_v(void *scratch);

/* The vector length in bytes. SVE gate. */
u64 fp_move_rdvl(void);

/*
 * The streaming form, PSTATE.SM=1: Z0-Z31, P0-P15, FPSR, FPCR at the length SMCR_EL2.LEN gives,
 * and FFR if `ffr`, which needs FEAT_SME_FA64 enabled. FPSIMD and SME gates.
 */
void fp_move_save_streaming(void *image, u64 form_vl, bool ffr);
void fp_move_load_streaming(const void *image, bool ffr);

/* ZA, PSTATE.ZA=1: `svl` vectors of `svl` bytes, the length SMCR_EL2.LEN gives. And ZT0, 64 bytes,
 * which needs SMCR_EL2.EZT0. FPSIMD and SME gates. */
void fp_move_save_za(void *za, u64 svl);
void fp_move_load_za(const void *za, u64 svl);
void fp_move_save_zt0(void *zt0);
void fp_move_load_zt0(const void *zt0);

/* PSTATE.SM and ZA. SME gate. A change of SM zeroes Z, P and FFR, sets FPSR to 0x0800009F and FPMR
 * to 0; ZA and ZT0 are zero when ZA comes on (DDI 0616, B1.2). */
u64 fp_move_svcr(void);
void fp_move_svcr_set(u64 svcr);

/* FPMR. FPSIMD gate, and HCRX_EL2.EnFPM is not asked of EL2. */
u64 fp_move_fpmr(void);
void fp_move_fpmr_set(u64 fpmr);

/* The streaming vector length in bytes, in either mode. FPSIMD and SME gates. */
u64 fp_move_rdsvl(void);

#endif
