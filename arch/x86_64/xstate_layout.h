/*
 * XSAVE areas in the standard format, as pure functions: the hypervisor, the host tests and the
 * prover run the same code. Layout: Intel SDM 1, 13.4; AMD APM 2, 11.5.
 */
#ifndef FERMATA_X86_XSTATE_LAYOUT_H
#define FERMATA_X86_XSTATE_LAYOUT_H

#include "hv/base.h"

#define XSTATE_LEGACY_BYTES 512u
#define XSTATE_HEADER_BYTES 64u
#define XSTATE_MIN_BYTES    (XSTATE_LEGACY_BYTES + XSTATE_HEADER_BYTES)
#define XSTATE_AVX_OFFSET   576u /* fixed by both vendors' manuals; checked against CPUID at boot */
#define XSTATE_AVX_BYTES    256u
#define XSTATE_X87_BYTES    160u /* control, status, pointers, MXCSR: 32; ST0 to ST7: 128 */
#define XSTATE_SSE_BYTES    256u /* XMM0 to XMM15 */

/* XCR0 bits behind the gate that this release manages; PKRU (bit 9) is eager and never saved here.
 */
#define XSTATE_GATED 0x7ull

#define FCW_RESET      0x037f
#define MXCSR_RESET    0x1f80u
#define MXCSR_MASK_ALL 0xffffu

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
    u8 reserved1[96];
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

/*
 * What a move of an image with this XSTATE_BV (within XSTATE_GATED, as our own saves write it: I5)
 * brings across: the header and the components not in INIT. XSAVEOPT leaves the others out, XRSTOR
 * does not read them.
 */
extern const u16 xstate_moved_bytes[XSTATE_GATED + 1];

/* Bytes of a standard-format area for the gated part of `components` (XCR0 bits). */
u32 xstate_bytes(u64 components);

/*
 * As CPUID 0xD.0 reports it to a guest: all of XCR0 `components`, PKRU included, whose offset and
 * size the CPU tells (standard format).
 */
u32 xstate_cpuid_bytes(u64 components, u32 pkru_offset, u32 pkru_bytes);

/* Would hardware whose CPUID 0xD reports `permitted` accept this value in XSETBV(0)? SDM 1, 13.3.
 */
bool xcr0_valid(u64 value, u64 permitted);

/* Makes a zeroed area (XSAVE or FXSAVE) an image that restores as the architectural reset state. */
void xstate_reset(void *area);

/* Copies an image into a larger area; components beyond the old one stay INIT (XSTATE_BV bit 0). */
void xstate_relayout(void *to, u32 to_bytes, const void *from, u32 from_bytes);

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
