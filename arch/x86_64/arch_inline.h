/*
 * Functions of the contract (arch.h) that a switch calls, inline: on the measured path a call costs
 * as much as what most of them do. Included by arch.h only, after it has declared them; they are
 * nowhere out of line. A context outside the common case (fp->arch.slow) goes to fp.c.
 */
#ifndef FERMATA_X86_ARCH_INLINE_H
#define FERMATA_X86_ARCH_INLINE_H

#include "cpu.h"
#include "fp_hw.h"
#include "virt.h"
#include "xstate_layout.h"

ARCH_INLINE u64 tsc_read(void)
{
    u64 low, high; /* RDTSC clears the upper halves */

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return high << 32 | low;
}

ARCH_INLINE u64 arch_ticks(void)
{
    return tsc_read();
}

ARCH_INLINE u64 arch_cycles(void)
{
    return tsc_read();
}

ARCH_INLINE struct vcpu *fp_vcpu(const struct fp_ctx *fp)
{
    return (void *)((uintptr_t)fp - offsetof(struct vcpu, fp));
}

/*
 * The 64-bit form of a save has 64-bit pointers and no selectors, the 32-bit form the other way
 * round (BUGS 36): where the CPU still has selectors, the form follows the code the guest runs.
 */
ARCH_INLINE bool fp_needs_32bit_form(const struct fp_ctx *fp)
{
    return fp_hw.keep_selectors && !vcpu_in_64bit_mode(fp_vcpu(fp));
}

/* There is one unit. */
ARCH_INLINE fp_units arch_fp_closure(const struct fp_ctx *fp, fp_units units)
{
    (void)fp;
    return units;
}

ARCH_INLINE size_t arch_fp_bytes(const struct fp_ctx *fp, fp_units units)
{
    (void)units;
    return fp->arch.bytes;
}

/* I5: XRSTOR of an image that no save of ours made would be a #GP, or load what is not enabled. A
 * compacted one may still have a place for tiles that were given back. */
ARCH_INLINE bool fp_image_sound(const struct fp_ctx *fp)
{
    const struct xsave_image *image = fp->area.base;
    u64 beyond = ~(u64)fp->arch.allocated, never = ~(fp->arch.enabled | XCOMP_COMPACTED);

    return !cpu_has.xsave ||
           ((image->header.xstate_bv & beyond) == 0 && (image->header.xcomp_bv & never) == 0 &&
            (image->header.xcomp_bv != 0) == (fp_xcomp(0) != 0));
}

/* What a move of this image brings across: by what it says is in use, not by its size. Never AMX:
 * that is not simple. */
ARCH_INLINE u32 xstate_moved(const void *area)
{
    return xstate_moved_bytes[((const struct xsave_image *)area)->header.xstate_bv];
}

ARCH_INLINE size_t arch_fp_load(struct fp_ctx *fp, fp_units units)
{
    (void)units;
    DEBUG_CHECK(fp_image_sound(fp));
    if (unlikely(fp->arch.slow))
        return fp_load_slow(fp);
    fp_move_xrstor64(fp->area.base, fp->arch.allocated);
    return xstate_moved(fp->area.base);
}

ARCH_INLINE size_t arch_fp_save(struct fp_ctx *fp)
{
    if (unlikely(fp->arch.slow) || unlikely(fp_needs_32bit_form(fp)))
        return fp_save_slow(fp);
    fp_move_xsaveopt64(fp->area.base, fp->arch.allocated);
    return xstate_moved(fp->area.base);
}

ARCH_INLINE void arch_fp_scrub(const struct fp_ctx *fp, fp_units units)
{
    (void)units;
    if (unlikely(fp->arch.slow))
        fp_scrub_slow(fp);
    else
        fp_move_xrstor64(&fp_init_image, fp->arch.allocated);
}

ARCH_INLINE void arch_fp_gate(struct vcpu *v, fp_units units)
{
    virt->gate(v, units);
}

ARCH_INLINE bool arch_fp_must_load(const struct fp_ctx *fp)
{
    return unlikely(fp_hw.emms_escapes) && fp->area.base &&
           xstate_x87_tags_set(fp->area.base, cpu_has.xsave);
}

#endif
