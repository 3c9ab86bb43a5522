/* Sizes, offsets and formats of XSAVE state: pure functions. */
#include "xstate_layout.h"

#define LEAF_SUPERVISOR BIT(0) /* CPUID 0xD.n ECX */
#define LEAF_ALIGNED    BIT(1)
#define LEAF_XFD        BIT(2)

struct xstate_layout xstate_layout;
u16 xstate_moved_bytes[256];

static bool overlaps(const struct xstate_layout *l, const struct xstate_cpuid *cpuid, unsigned n)
{
    u32 from = cpuid->leaf[n].offset, to = from + cpuid->leaf[n].bytes;

    if (from < XSTATE_MIN_BYTES)
        return true;
    for (unsigned i = 2; i < FP_COMPONENTS; i++) {
        if ((l->components & BIT(i)) && from < l->offset[i] + l->bytes[i] && l->offset[i] < to)
            return true;
    }
    return false;
}

/* Of two that overlap the later one is the liar: the first to be fixed by the manuals was AVX. */
static enum xstate_lie judge(const struct xstate_layout *l, const struct xstate_cpuid *cpuid,
                             unsigned n)
{
    u32 bytes = cpuid->leaf[n].bytes, offset = cpuid->leaf[n].offset;
    u32 end = cpuid->all_bytes < XSTATE_MAX_BYTES ? cpuid->all_bytes : XSTATE_MAX_BYTES;

    if (cpuid->leaf[n].flags & LEAF_SUPERVISOR)
        return XSTATE_KIND;
    if (bytes < fp_components[n].bytes || bytes == 0)
        return XSTATE_SMALL;
    if (bytes > end || offset > end - bytes)
        return XSTATE_BEYOND;
    if (BIT(n) == XCR0_AVX && offset != XSTATE_AVX_OFFSET)
        return XSTATE_MOVED;
    return overlaps(l, cpuid, n) ? XSTATE_OVERLAP : XSTATE_SOUND;
}

void xstate_learn(struct xstate_layout *l, const struct xstate_cpuid *cpuid)
{
    *l = (struct xstate_layout){.components = cpuid->xcr0 & (XCR0_X87 | XCR0_SSE)};
    l->bytes[0] = fp_components[0].bytes;
    l->bytes[1] = fp_components[1].bytes;
    for (unsigned n = 2; n < FP_COMPONENTS; n++) {
        if (!(cpuid->xcr0 & XSTATE_MANAGED & BIT(n)))
            continue;
        l->lie[n] = (u8)judge(l, cpuid, n);
        if (l->lie[n] != XSTATE_SOUND)
            continue;
        l->components |= BIT(n);
        l->offset[n] = cpuid->leaf[n].offset;
        l->bytes[n] = cpuid->leaf[n].bytes;
        l->aligned |= cpuid->leaf[n].flags & LEAF_ALIGNED ? BIT(n) : 0;
        l->xfd |= cpuid->leaf[n].flags & LEAF_XFD ? BIT(n) : 0;
    }
    l->components = fp_components_closed(l->components);
    for (u32 bv = 0; bv < ARRAY_SIZE(xstate_moved_bytes); bv++)
        xstate_moved_bytes[bv] = (u16)xstate_moved_all(l, bv);
}

/* Offset just behind component n, or of n itself, in the compacted format: SDM 1, 13.4.3. */
static u32 compacted_offset(const struct xstate_layout *l, u64 components, unsigned n)
{
    u32 at = XSTATE_MIN_BYTES;

    FOR_EACH_COMPONENT(i, components & (BIT(n) - 4))
    { /* from 2 on, below n */
        if (l->aligned & BIT(i))
            at = ALIGN_UP(at, 64u);
        at += l->bytes[i];
    }
    return at;
}

u32 xstate_bytes(const struct xstate_layout *l, u64 components, bool compacted)
{
    u32 bytes = XSTATE_MIN_BYTES;

    if (compacted)
        return compacted_offset(l, components, FP_COMPONENTS);
    /* Standard format: components keep their offsets whatever is enabled below them. */
    FOR_EACH_COMPONENT(n, components & (BIT(FP_COMPONENTS) - 4))
    {
        if (l->offset[n] + l->bytes[n] > bytes)
            bytes = l->offset[n] + l->bytes[n];
    }
    return bytes;
}

u32 xstate_offset(const struct xstate_layout *l, u64 xcomp_bv, unsigned n)
{
    if (!(xcomp_bv & XCOMP_COMPACTED))
        return l->offset[n];
    u32 at = compacted_offset(l, xcomp_bv, n);
    return l->aligned & BIT(n) ? ALIGN_UP(at, 64u) : at;
}

u32 xstate_moved_all(const struct xstate_layout *l, u64 xstate_bv)
{
    u32 bytes = XSTATE_HEADER_BYTES;

    FOR_EACH_COMPONENT(n, xstate_bv & (BIT(FP_COMPONENTS) - 1))
    bytes += l->bytes[n];
    return bytes;
}

void xstate_reset(void *area, u64 xcomp_bv)
{
    struct xsave_image *image = area;

    /*
     * XSTATE_BV stays 0: every component restores as INIT. MXCSR is the exception that has to be
     * in the image, because XRSTOR loads it whatever XSTATE_BV says (SDM 1, 13.8.1); FXRSTOR reads
     * all of it. FCW is what FNINIT leaves and INIT means; power-on has 0x40 for an instant.
     */
    image->legacy.fcw = FCW_RESET;
    image->legacy.mxcsr = MXCSR_RESET;
    if (xcomp_bv)
        image->header.xcomp_bv = xcomp_bv;
}

void xstate_convert(const struct xstate_layout *l, struct xsave_image *to, u64 xcomp_bv,
                    const struct xsave_image *from, u64 keep)
{
    u64 bv = from->header.xstate_bv & keep;
    bool had_mxcsr = !(from->header.xcomp_bv & XCOMP_COMPACTED) || (bv & XCR0_SSE);

    to->legacy = from->legacy;
    if (!had_mxcsr)
        to->legacy.mxcsr = MXCSR_RESET;
    if (!(bv & XCR0_SSE)) {
        memset(to->legacy.xmm, 0, sizeof(to->legacy.xmm));
        /* The compacted format has MXCSR with SSE only: what is not reset makes it in use. */
        if ((xcomp_bv & XCOMP_COMPACTED) && to->legacy.mxcsr != MXCSR_RESET)
            bv |= XCR0_SSE;
    }
    to->header = (struct xsave_header){.xstate_bv = bv, .xcomp_bv = xcomp_bv};
    FOR_EACH_COMPONENT(n, bv & (BIT(FP_COMPONENTS) - 4))
    {
        memcpy((u8 *)to + xstate_offset(l, xcomp_bv, (unsigned)n),
               (const u8 *)from + xstate_offset(l, from->header.xcomp_bv, (unsigned)n),
               l->bytes[n]);
    }
}
