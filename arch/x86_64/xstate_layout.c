/* Sizes, offsets and validity of XSAVE state: pure functions. */
#include "xstate_layout.h"

#define X87  BIT(0)
#define SSE  BIT(1)
#define AVX  BIT(2)
#define MPX  (BIT(3) | BIT(4))
#define AVX3 (BIT(5) | BIT(6) | BIT(7))
#define PKRU BIT(9)
#define AMX  (BIT(17) | BIT(18))

u32 xstate_bytes(u64 components)
{
    return XSTATE_MIN_BYTES + (components & AVX ? XSTATE_AVX_BYTES : 0);
}

#define MOVED(bv)                                                                                  \
    (XSTATE_HEADER_BYTES + ((bv)&X87 ? XSTATE_X87_BYTES : 0) + ((bv)&SSE ? XSTATE_SSE_BYTES : 0) + \
     ((bv)&AVX ? XSTATE_AVX_BYTES : 0))

const u16 xstate_moved_bytes[XSTATE_GATED + 1] = {MOVED(0), MOVED(1), MOVED(2), MOVED(3),
                                                  MOVED(4), MOVED(5), MOVED(6), MOVED(7)};

u32 xstate_cpuid_bytes(u64 components, u32 pkru_offset, u32 pkru_bytes)
{
    u32 bytes = xstate_bytes(components);
    u32 pkru_end = pkru_offset + pkru_bytes;

    /* Standard format: components keep their offsets whatever is enabled below them. */
    return (components & PKRU) && pkru_end > bytes ? pkru_end : bytes;
}

/* True if `value` holds all bits of `group` or none. */
static bool all_or_none(u64 value, u64 group)
{
    return (value & group) == 0 || (value & group) == group;
}

bool xcr0_valid(u64 value, u64 permitted)
{
    if (value & ~permitted)
        return false;
    if (!(value & X87))
        return false;
    if ((value & AVX) && !(value & SSE))
        return false;
    if ((value & AVX3) && !(value & AVX))
        return false;
    return all_or_none(value, AVX3) && all_or_none(value, MPX) && all_or_none(value, AMX);
}

void xstate_reset(void *area)
{
    struct fxsave_image *legacy = area;

    /*
     * XSTATE_BV stays 0: every component restores as INIT. MXCSR is the exception that has to be
     * in the image, because XRSTOR loads it whatever XSTATE_BV says (SDM 1, 13.8.1); FXRSTOR reads
     * all of it. FCW is what FNINIT leaves and INIT means; power-on has 0x40 for an instant.
     */
    legacy->fcw = FCW_RESET;
    legacy->mxcsr = MXCSR_RESET;
}

void xstate_relayout(void *to, u32 to_bytes, const void *from, u32 from_bytes)
{
    /*
     * The standard format never moves a component, so the old image is a prefix of the new one. An
     * allocator's class may have made either larger than its image; what lies behind is zero.
     */
    memcpy(to, from, from_bytes < to_bytes ? from_bytes : to_bytes);
}
