/*
 * SME in the arm64 guest: what the VM has, movers (sme_moves.S), and pictures of everything a vCPU
 * holds (sme_image.c).
 *
 * Lengths are in bytes. Everything here needs sme_open() first. The C code is compiled without FP,
 * so a mode, a length or a pattern stays as it was set until the scenario changes it, also across
 * exceptions.
 */
#ifndef GUEST_ARM64_SME_H
#define GUEST_ARM64_SME_H

#include "guest/arm64/fp.h"

/* Spelt by number: the assembler may not know them (DDI 0487, D23.2). */
#define svcr             S3_3_C4_C2_2
#define smcr_el1         S3_0_C1_C2_6
#define smpri_el1        S3_0_C1_C2_4
#define smidr_el1        S3_1_C0_C0_6
#define tpidr2_el0       S3_3_C13_C0_5
#define fpmr             S3_3_C4_C4_2
#define id_aa64smfr0_el1 S3_0_C0_C4_5
#define id_aa64fpfr0_el1 S3_0_C0_C4_7
#define id_aa64pfr2_el1  S3_0_C0_C4_2

#define SVCR_SM 1u
#define SVCR_ZA 2u

#define SMCR_EZT0 BIT(30)
#define SMCR_FA64 BIT(31)

/* ESR_EL1.ISS.SMTC of EC 0x1d: why an SME instruction was trapped. */
enum { SMTC_CLOSED, SMTC_STREAMING, SMTC_NOT_STREAMING, SMTC_NO_ZA, SMTC_NO_ZT0 };

/* FPSR after any change of PSTATE.SM (DDI 0487, ResetSVEState). */
#define FPSR_AFTER_SM 0x0800009fu

#define SMSTART    0xd503477fu
#define SMSTART_SM 0xd503437fu
#define SMSTART_ZA 0xd503457fu
#define SMSTOP     0xd503467fu
#define SMSTOP_SM  0xd503427fu
#define SMSTOP_ZA  0xd503447fu

/* What the ID registers offer. */
bool has_sme(void);
bool has_sme2(void); /* ZT0 */
bool has_fa64(void);
bool has_fpmr(void);
u64 smpri_mask(void); /* bits of SMPRI_EL1 that are storage here: none where priority is not
                         implemented */

/* CPACR_EL1: all open, and the vCPU out of streaming mode with ZA off. */
void sme_open(void);

/* SMCR_EL1: the largest length not above svl (or the smallest there is), with ZT0 and FA64 enabled
 * where the VM has them. Returns the streaming vector length that came of it. */
u32 sme_set_svl(u32 svl);
u32 sme_max_svl(void);
u64 smcr_flags(void);

/* The streaming vector lengths the VM has, largest first; returns how many (at most 5: they are
 * powers of two). */
#define SVLS_MAX 5
u32 sme_lengths(u32 svls[SVLS_MAX]);
/* The same of SVE, whose lengths may be any multiple of 16; 0 if there is no SVE. */
#define VLS_MAX 16
u32 sve_lengths(u32 vls[VLS_MAX]);

/* sme_moves.S. za_*: SVL vectors of SVL bytes, PSTATE.ZA must be 1; zt0_* as well. */
void za_store(u8 *za, u64 svl);
void za_load(const u8 *za, u64 svl);
void zt0_store(u8 *zt0);
void zt0_load(const u8 *zt0);
void sve_store_p_only(u8 *p); /* P0-P15 without FFR, for streaming mode without FA64 */
void sve_load_no_ffr(const u8 *z, const u8 *p);
u64 sme_svl(void);

/* Everything a vCPU holds. Z, P by vl (the streaming length in streaming mode; 0: V only, the VM
 * has no SVE), ZA by svl. */
struct sme_image {
    u64 svcr_, smcr, zcr, fpcr, fpsr, fpmr_, tpidr2, smpri;
    u32 vl, svl;
    bool ffr; /* FFR is there in this mode */
    u8 z[32 * SVE_MAX_VL] ALIGNED(16);
    u8 p[17 * SVE_MAX_VL / 8] ALIGNED(16);
    u8 zt0[64] ALIGNED(16);
    u8 za[SVE_MAX_VL * SVE_MAX_VL] ALIGNED(16);
};

/* This vCPU's two pictures: what it should hold and what it does. Shared by all scenarios. */
struct sme_image *sme_want(void);
struct sme_image *sme_got(void);

/* Set the lengths (as far as the VM has them) and the mode, fill a picture from the seed for them,
 * and load it. */
void sme_enter(struct sme_image *image, u32 mode, u32 vl, u32 svl, u64 seed);
/* Load the picture again; mode and lengths must be the picture's. */
void sme_load(const struct sme_image *image);
/* Copy out what the vCPU holds, changing nothing. */
void sme_store(struct sme_image *image);
/* As fp_image_equal(); ZA and ZT0 count only while ZA is on. */
bool sme_equal(const struct sme_image *got, const struct sme_image *want,
               struct fp_difference *why);
/* sme_store() into sme_got() and sme_equal() to sme_want(). */
bool sme_held(struct fp_difference *why);

/* Equal by words; both 8-byte aligned. Offset of the difference, or bytes. */
u32 words_differ(const void *a, const void *b, u32 bytes);

/* What the architecture makes of a picture when SVCR is written: zeroes Z, P, FFR, ZA, ZT0 as it
 * says. */
void model_svcr(struct sme_image *image, u64 value);

/* The other vCPUs enter random modes and lengths with patterns of their own, from start to stop
 * (sme_neighbour.c). */
void sme_neighbours_start(void);
void sme_neighbours_stop(void);

/* A probe's exception: EC << 8 | SMTC for EC 0x1d, EC << 8 for others. */
#define OUTCOME(ec, smtc) ((u32)(ec) << 8 | (smtc))
static inline u32 outcome(const struct probe *p)
{
    return OUTCOME(p->ec, p->ec == EC_SME ? (u32)p->esr & 7 : 0);
}

#endif
