/*
 * How the FP state of a context lies in its area. Pure: the same code runs in the host tests.
 *
 *   FPSIMD form: header, V0-V31                              528 bytes
 *   SVE form:    header, P0-P15, FFR, Z0-Z31 at one length   64 + 35 * VL
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

enum vec_form { VEC_FPSIMD, VEC_SVE };

struct vec_header {
    u32 form; /* enum vec_form */
    u32 vl;   /* of the SVE form, bytes */
    u32 fpsr;
    u32 fpcr;
};

/* offsets.h: VEC_V_OFFSET, V0 of the FPSIMD form, right behind the header and 16-byte aligned;
 * VEC_P_OFFSET, P0 of the SVE form, on a cache line; VEC_P_VECTORS, vectors before its Z0. */
#define VEC_VL_MIN  16u
#define VEC_VL_MAX  256u
#define VEC_V_BYTES 512u

/* The first two words of an SVE image's header as one. */
#define VEC_SVE_HEADER(vl) (VEC_FORM_SVE | (u64)(vl) << 32)

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

/* Bytes that a load or a save of the form moves between registers and memory, FPSR and FPCR too. */
static inline size_t vec_moved(enum vec_form form, u32 vl)
{
    if (form == VEC_FPSIMD)
        return VEC_V_MOVED;
    return (size_t)32 * vl + 17u * (vl / 8) + VEC_STATUS_BYTES;
}

/* Copies the image in `from` to `to`, which is zeroed and at least as large as the image. */
void vec_relayout(const void *from, void *to);

/*
 * The largest vector length of `lengths` (bit n: 16 * (n + 1) bytes) that is not above `bytes`; 0
 * if there is none.
 */
u32 vec_round_down(u32 lengths, u32 bytes);

#endif
