/*
 * How the FP state of a context lies in its area. Pure: the same code runs in the host tests.
 *
 *   FPSIMD form:    header, V0-V31                              528 bytes
 *   SVE form:       header, P0-P15, FFR, Z0-Z31 at one length   64 + 35 * VL
 *   streaming form: the same at the streaming length; FFR counts only with FEAT_SME_FA64
 *
 * An area for SME has ZT0 (64 bytes) and ZA (SVL * SVL) behind the longer of the last two, where
 * they stay whatever form the image in front of them has.
 *
 * An image says itself which form it has, so a larger area may hold the smaller form: a context
 * whose upper halves, predicates and FFR are all zero is saved as FPSIMD whatever it has used
 * before, and that is what lets FPSIMD be opened alone (I6). A zeroed area is a valid image: the
 * reset state.
 */
#ifndef FERMATA_VEC_LAYOUT_H
#define FERMATA_VEC_LAYOUT_H

#include "hv/base.h"
#include "offsets.h"

/* As a number: the unit (FP_UNIT_*) that has to be open besides FPSIMD for what the form holds. */
enum vec_form { VEC_FPSIMD = 0, VEC_SVE = 2, VEC_STREAMING = 4 };

struct vec_header {
    u32 form; /* enum vec_form */
    u32 vl;   /* of the SVE and the streaming form, bytes */
    u32 fpsr;
    u32 fpcr;
};

/* offsets.h: VEC_V_OFFSET, V0 of the FPSIMD form, right behind the header and 16-byte aligned;
 * VEC_P_OFFSET, P0 of the SVE form, on a cache line; VEC_P_VECTORS, vectors before its Z0. */
#define VEC_VL_MIN    16u
#define VEC_VL_MAX    256u
#define VEC_V_BYTES   512u
#define VEC_ZT0_BYTES 64u

/* The first two words of an SVE or streaming image's header as one. */
#define VEC_HEADER(form, vl) ((u64)(form) | (u64)(vl) << 32)

#define VEC_STATUS_BYTES  8u /* FPSR and FPCR */
#define VEC_V_IMAGE_BYTES (VEC_V_OFFSET + VEC_V_BYTES)
#define VEC_V_MOVED       (VEC_V_BYTES + VEC_STATUS_BYTES)

_Static_assert(sizeof(struct vec_header) == VEC_V_OFFSET, "V registers follow the header");

/*
 * Where Z0 lies in the SVE form: behind P0-P15 and FFR, vl / 8 bytes each, at a whole number of
 * vectors, so that one base register and immediate offsets reach everything.
 */
static inline size_t vec_z_offset(u32 vl)
{
    return VEC_P_OFFSET + (size_t)VEC_P_VECTORS * vl;
}

/* What an area must hold for a form at `vl` bytes of vector length (ignored for FPSIMD). */
static inline size_t vec_bytes(enum vec_form form, u32 vl)
{
    if (form == VEC_FPSIMD)
        return VEC_V_IMAGE_BYTES;
    return vec_z_offset(vl) + (size_t)32 * vl;
}

/* Where ZT0 lies in an area for vectors of `vl` (0: no SVE) and streaming vectors of `svl` bytes;
 * ZA follows it. */
static inline size_t vec_zt0_offset(u32 vl, u32 svl)
{
    size_t image = vec_bytes(VEC_STREAMING, vl > svl ? vl : svl);

    return (image + 63) & ~(size_t)63;
}

static inline size_t vec_za_offset(u32 vl, u32 svl)
{
    return vec_zt0_offset(vl, svl) + VEC_ZT0_BYTES;
}

/* What an area for SME must hold: ZA is svl vectors of svl bytes (DDI 0616, B1.4). */
static inline size_t vec_sme_bytes(u32 vl, u32 svl)
{
    return vec_za_offset(vl, svl) + (size_t)svl * svl;
}

/* Bytes that a load or a save of the form moves between registers and memory, FPSR and FPCR too.
 * `ffr`: FFR is there in this mode. */
static inline size_t vec_moved(enum vec_form form, u32 vl, bool ffr)
{
    if (form == VEC_FPSIMD)
        return VEC_V_MOVED;
    return (size_t)32 * vl + (ffr ? 17u : 16u) * (vl / 8) + VEC_STATUS_BYTES;
}

/* Copies the image in `from` to `to`, which is zeroed and at least as large as the image. ZT0 and
 * ZA are not there yet: an area that has them is as large as a context's will ever be. */
void vec_relayout(const void *from, void *to);

/*
 * The largest vector length of `lengths` (bit n: 16 * (n + 1) bytes) that is not above `bytes`; 0
 * if there is none.
 */
u32 vec_round_down(u32 lengths, u32 bytes);

#endif
