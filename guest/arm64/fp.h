/*
 * The FP registers of a vCPU as memory: movers (fp.S) and patterns (fp_image.c).
 */
#ifndef GUEST_ARM64_FP_H
#define GUEST_ARM64_FP_H

#include "guest/arm64/cpu.h"

#define SVE_MAX_VL 256 /* bytes: 2048 bits */

/* fp.S; each needs CPACR_EL1 open, the sve_ ones SVE. Storing changes no FP register. */
void fp_store_v(u8 *v);
void fp_load_v(const u8 *v);
void sve_store_z(u8 *z);
void sve_store_p(u8 *p);
void sve_load(const u8 *z, const u8 *p);
void sve_clear_p(void);
u64 sve_vl(void);
u64 fpcr_read(void);
void fpcr_write(u64 value);
u64 fpsr_read(void);
void fpsr_write(u64 value);

/*
 * A picture of the registers at one vector length. vl is in bytes; 0: FPSIMD only, and z holds
 * V0-V31. Register n is at z + n * stride, predicate n (16 = FFR) at p + n * vl / 8.
 */
struct fp_image {
    u8 z[32 * SVE_MAX_VL] ALIGNED(16);
    u8 p[17 * SVE_MAX_VL / 8] ALIGNED(16);
    u64 fpcr, fpsr;
    u32 vl;
};

/* What the ID registers offer: SVE, and its largest and other vector lengths (bytes). */
bool has_sve(void);
u32 sve_max_vl(void);

/* CPACR_EL1: FPEN and ZEN open for EL1 and EL0 (ZEN only with SVE). */
void fp_open(void);

/* Set ZCR_EL1.LEN for at most vl bytes; returns the vector length that came of it. */
u32 sve_set_vl(u32 vl);

/* Fill an image from a seed for a vector length (0: FPSIMD only). FFR gets a legal (monotonic)
 * value. */
void fp_image_fill(struct fp_image *image, u32 vl, u64 seed);
void fp_image_load(const struct fp_image *image);
/* Copy the registers out, at the vector length of the image (it must be the current one). */
void fp_image_store(struct fp_image *image, u32 vl);
/* True if equal; else the first difference is put in words into `why` (what differs, register,
 * offset). */
struct fp_difference {
    const char *what;
    u32 number, offset;
    u64 got, want;
};
bool fp_image_equal(const struct fp_image *got, const struct fp_image *want,
                    struct fp_difference *why);
void fp_difference_diag(const struct fp_difference *why);

/* neighbour.c: the other vCPUs write patterns of their own from start to stop. */
void neighbours_start(void);
void neighbours_stop(void);

/* True if all bytes are zero. */
bool all_zero(const void *p, size_t bytes);

#endif
