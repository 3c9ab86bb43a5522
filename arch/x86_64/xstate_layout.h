/*
 * XSAVE areas in the standard and the compacted format, as pure functions: the hypervisor, the host
 * tests and the prover run the same code. Layout: Intel SDM 1, 13.4; AMD APM 2, 11.5.
 *
 * A *format* is what an image's XCOMP_BV says: 0 is the standard one, XCOMP_COMPACTED with a bit
 * per component the compacted one.
 */
#ifndef FERMATA_X86_XSTATE_LAYOUT_H
#define FERMATA_X86_XSTATE_LAYOUT_H

#include "hv/base.h"
#include "fp_components.h"

#define XSTATE_LEGACY_BYTES 512u
#define XSTATE_HEADER_BYTES 64u
#define XSTATE_MIN_BYTES    (XSTATE_LEGACY_BYTES + XSTATE_HEADER_BYTES)
#define XSTATE_AVX_OFFSET   576u    /* fixed by both vendors' manuals */
#define XSTATE_MAX_BYTES    KiB(12) /* what ends behind it is not believed; AMX ends at 11008 */
#define XCOMP_COMPACTED     BIT(63)

#define FCW_RESET          0x037f
#define MXCSR_RESET        0x1f80u
#define MXCSR_MASK_DEFAULT 0xffbfu /* where FXSAVE stores 0: SDM 1, 11.6.6 */

/* The 512-byte image of FXSAVE and of XSAVE's legacy region, 64-bit form. */
struct fxsave_image {
    u16 fcw;
    u16 fsw;
    u8 ftw; /* abridged: a bit per register, 1 = not empty */
    u8 reserved0;
    u16 fop;
    u64 fip; /* 32-bit form: FIP[31:0], FCS */
    u64 fdp; /* 32-bit form: FDP[31:0], FDS */
    u32 mxcsr;
    u32 mxcsr_mask;
    u8 st[8][16]; /* 10 bytes used of each */
    u8 xmm[16][16];
    u8 reserved1[48];
    u64 software[6]; /* no instruction touches it; debuggers look for XCR0 in the first word */
};
_Static_assert(sizeof(struct fxsave_image) == XSTATE_LEGACY_BYTES, "FXSAVE image, SDM 1, 10.5.1");

struct xsave_header {
    u64 xstate_bv;
    u64 xcomp_bv;
    u64 reserved[6];
};

struct xsave_image {
    struct fxsave_image legacy;
    struct xsave_header header;
};
_Static_assert(sizeof(struct xsave_image) == XSTATE_MIN_BYTES, "XSAVE image, SDM 1, 13.4");

/* What CPUID 0xD says, before anyone has looked whether it can be so. */
struct xstate_cpuid {
    u64 xcr0;      /* 0xD.0 EDX:EAX */
    u32 all_bytes; /* 0xD.0 ECX: standard format, everything in `xcr0` enabled */
    struct {
        u32 bytes, offset, flags; /* 0xD.n EAX, EBX, ECX; from n = 2 */
    } leaf[FP_COMPONENTS];
};

/* Why a component that CPUID lists is not believed. */
enum xstate_lie {
    XSTATE_SOUND,
    XSTATE_SMALL,   /* fewer bytes than the manuals give it */
    XSTATE_OVERLAP, /* begins inside the legacy region, the header or another component */
    XSTATE_BEYOND,  /* ends beyond the size that CPUID gives the whole area */
    XSTATE_MOVED,   /* AVX not where both manuals put it */
    XSTATE_KIND,    /* a user component that calls itself a supervisor one */
};

/* Where this CPU keeps what. */
struct xstate_layout {
    u64 components; /* XCR0 bits: managed, described soundly, and all they need as well */
    u64 aligned;    /* on a 64-byte boundary in the compacted format */
    u64 xfd;        /* IA32_XFD has a bit for them */
    u32 bytes[FP_COMPONENTS];
    u32 offset[FP_COMPONENTS]; /* standard format */
    u8 lie[FP_COMPONENTS];     /* enum xstate_lie, of the managed ones */
};

/* This machine's, from cpu_detect() on. */
extern struct xstate_layout xstate_layout;

/* Fills *l with the managed components that `cpuid` describes in a way that can be true. */
void xstate_learn(struct xstate_layout *l, const struct xstate_cpuid *cpuid);

/* Bytes of an area for `components` (XCR0 bits), at least XSTATE_MIN_BYTES. */
u32 xstate_bytes(const struct xstate_layout *l, u64 components, bool compacted);

/* Where component n (2 or above) lies in an image of the format `xcomp_bv`; n must be in it. */
u32 xstate_offset(const struct xstate_layout *l, u64 xcomp_bv, unsigned n);

/*
 * What a move of an image with this XSTATE_BV brings across: the header and the components not in
 * INIT. XSAVEOPT leaves the others out, XRSTOR does not read them. The table is for bits 0 to 7,
 * which is all that the measured path has.
 */
extern u16 xstate_moved_bytes[256];
u32 xstate_moved_all(const struct xstate_layout *l, u64 xstate_bv);

/* Makes a zeroed area an image that restores as the architectural reset state. `xcomp_bv` 0 serves
 * FXSAVE too, whose area has no header. */
void xstate_reset(void *area, u64 xcomp_bv);

/*
 * The image `from` in the format `xcomp_bv`, into a zeroed area with room for it: those components
 * of `keep` that are not in INIT. MXCSR, which only the standard format keeps whatever XSTATE_BV
 * says (SDM 1, 13.8.1 and 13.8.2), comes across either way.
 */
void xstate_convert(const struct xstate_layout *l, struct xsave_image *to, u64 xcomp_bv,
                    const struct xsave_image *from, u64 keep);

/*
 * Does the x87 part of an image hold a register that is not empty? (the EMMS erratum, FACTS.)
 * XSAVEOPT leaves the region of an INIT component unwritten: its tags are then an older image's.
 */
extern inline __attribute__((gnu_inline, always_inline)) bool xstate_x87_tags_set(const void *area,
                                                                                  bool xsave)
{
    const struct xsave_image *image = area;

    return unlikely(image->legacy.ftw != 0) && (!xsave || (image->header.xstate_bv & 1));
}

#endif
