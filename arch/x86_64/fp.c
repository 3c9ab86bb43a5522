/*
 * Moves the FP state of x86-64 under everything the vCPU ever enabled, in the best form that works
 * here: the uncommon cases, of which CPUs with XSAVEC and vCPUs with AMX are some; the common one
 * is in arch_inline.h. Decisions are hv/fp.c's; what an instruction really does is here.
 */
#include "fp_hw.h"
#include "cpu.h"
#include "virt.h"
#include "xstate_layout.h"
#include "arch/arch.h"

struct fp_hw fp_hw;

const struct xsave_image fp_init_image ALIGNED(64) = {
    .legacy = {.fcw = FCW_RESET, .mxcsr = MXCSR_RESET},
};

/*
 * On CPUs that move the x87 pointers only when an exception is pending (AMD; XSA-52 and 172), an
 * image with one pending: FSW.ES with an unmasked #IE, pointers zero. Restoring it zeroes them;
 * restoring INIT right after takes the exception back before anything could notice.
 */
static const struct xsave_image pointers_image ALIGNED(64) = {
    .legacy = {.fcw = FCW_RESET & ~1u, .fsw = 0x8081, .mxcsr = MXCSR_RESET},
    .header = {.xstate_bv = XCR0_X87},
};

u8 fp_scratch[XSTATE_MAX_BYTES] ALIGNED(64);

u64 fp_hw_offered(void)
{
    if (!cpu_has.vendor[0])
        cpu_detect();
    if (!cpu_has.xsave)
        return XCR0_X87 | XCR0_SSE;
    u64 without = cpu_has.without | fp_hw.refused | (cpu_has.pku ? 0 : XCR0_PKRU);
    return fp_components_closed(xstate_layout.components & ~without) | XCR0_X87 | XCR0_SSE;
}

u64 fp_xcomp(u64 components)
{
    return fp_hw.form >= FP_XSAVEC ? XCOMP_COMPACTED | components : 0;
}

void fp_plan(struct fp_ctx *ctx)
{
    struct arch_fp *fp = &ctx->arch;

    fp->allocated = (u32)(fp->enabled & XSTATE_GATED & ~(fp->armed ? XCR0_TILEDATA : 0));
    fp->bytes = XSTATE_LEGACY_BYTES;
    if (cpu_has.xsave)
        fp->bytes = xstate_bytes(&xstate_layout, fp->allocated, fp_hw.form >= FP_XSAVEC);
    fp->slow = fp_hw.form != FP_XSAVEOPT || fp_hw.pointers_leak || fp->code32 ||
               (fp->enabled & XSTATE_GATED & ~fp->xcr0) != 0 || (fp->allocated & XCR0_AMX) != 0;
}

void fp_xcr0_install(struct pcpu *cpu, u64 value)
{
    if (cpu->arch.xcr0 == value)
        return;
    xsetbv(0, value);
    cpu->arch.xcr0 = value;
}

/*
 * XSAVE and XRSTOR see only what XCR0 enables, and the guest may have lowered it with state live
 * (BUGS 35). All that was enabled, allocated or not: XSETBV takes AMX only whole. Returns the value
 * to go back to.
 */
static u64 xcr0_raise(const struct fp_ctx *fp)
{
    struct pcpu *cpu = arch_this_cpu();
    u64 was = cpu->arch.xcr0;

    u64 enabled = fp->arch.enabled & XSTATE_GATED;

    if (unlikely(enabled & ~was) && cpu_has.xsave)
        fp_xcr0_install(cpu, was | enabled);
    return was;
}

void arch_fp_reset(const struct fp_ctx *fp, struct fp_area *fresh)
{
    xstate_reset(fresh->base, fp_xcomp(fp->arch.allocated));
}

void arch_fp_relayout(const struct fp_ctx *fp, struct fp_area *bigger)
{
    if (cpu_has.xsave)
        xstate_convert(&xstate_layout, bigger->base, fp_xcomp(fp->arch.allocated), fp->area.base,
                       fp->arch.allocated);
    else
        memcpy(bigger->base, fp->area.base, XSTATE_LEGACY_BYTES);
}

void arch_fp_controls(struct vcpu *v)
{
    struct arch_pcpu *cpu = &v->pcpu->arch;
    const struct arch_fp *fp = &v->fp.arch;

    if (likely(cpu_has.xsave))
        fp_xcr0_install(v->pcpu, fp->xcr0);
    if (cpu->pkru != fp->pkru) {
        wrpkru(fp->pkru);
        cpu->pkru = fp->pkru;
    }
}

void arch_fp_controls_out(struct vcpu *v)
{
    struct arch_fp *fp = &v->fp.arch;

    if (fp->pku) {
        fp->pkru = rdpkru();
        v->pcpu->arch.pkru = fp->pkru;
    }
}

/* What XSAVE and XRSTOR move of `set`, where AMX is moved by hand. */
static u32 without_tiles(u32 set)
{
    return fp_hw.tiles_by_hand ? set & ~(u32)XCR0_AMX : set;
}

static void save_image(struct xsave_image *image, u32 mask, bool code32)
{
    switch (fp_hw.form) {
    case FP_FXSAVE:
        code32 ? fp_move_fxsave32(image) : fp_move_fxsave64(image);
        break;
    case FP_XSAVE:
        code32 ? fp_move_xsave32(image, mask) : fp_move_xsave64(image, mask);
        break;
    case FP_XSAVEOPT:
        code32 ? fp_move_xsaveopt32(image, mask) : fp_move_xsaveopt64(image, mask);
        break;
    case FP_XSAVEC:
        code32 ? fp_move_xsavec32(image, mask) : fp_move_xsavec64(image, mask);
        break;
    default:
        code32 ? fp_move_xsaves32(image, mask) : fp_move_xsaves64(image, mask);
        break;
    }
}

static void load_image(const struct xsave_image *image, u32 mask, bool code32)
{
    switch (fp_hw.form) {
    case FP_FXSAVE:
        code32 ? fp_move_fxrstor32(image) : fp_move_fxrstor64(image);
        break;
    case FP_XSAVES:
        code32 ? fp_move_xrstors32(image, mask) : fp_move_xrstors64(image, mask);
        break;
    default:
        code32 ? fp_move_xrstor32(image, mask) : fp_move_xrstor64(image, mask);
        break;
    }
}

void fp_hw_save(struct xsave_image *image, u32 set, bool code32)
{
    save_image(image, without_tiles(set), code32);
    if (fp_hw.tiles_by_hand && (set & XCR0_AMX))
        fp_tiles_save(image, set);
}

void fp_hw_load(const struct xsave_image *image, u32 set, bool code32)
{
    load_image(image, without_tiles(set), code32);
    if (fp_hw.tiles_by_hand && (set & XCR0_AMX))
        fp_tiles_load(image, set);
}

/* The INIT image is in the standard format: every XRSTOR takes it. */
static void restore_standard(const struct xsave_image *image, u32 mask)
{
    if (cpu_has.xsave)
        fp_move_xrstor64(image, mask);
    else
        fp_move_fxrstor64(image);
}

void fp_hw_scrub(u32 set)
{
    if (unlikely(fp_hw.pointers_leak))
        restore_standard(&pointers_image, XCR0_X87);
    restore_standard(&fp_init_image, without_tiles(set));
    if (fp_hw.tiles_by_hand && (set & XCR0_AMX))
        fp_move_tilerelease();
}

/* Without XSAVE there is no XSTATE_BV: all of it moves. */
static size_t moved(const struct fp_ctx *fp)
{
    const struct xsave_image *image = fp->area.base;

    if (unlikely(!cpu_has.xsave))
        return fp->arch.bytes;
    u64 bv = image->header.xstate_bv;
    return likely(bv < ARRAY_SIZE(xstate_moved_bytes)) ? xstate_moved_bytes[bv]
                                                       : xstate_moved_all(&xstate_layout, bv);
}

/* The common one of the uncommon cases, measured: a CPU with everything, and 64-bit code. */
static inline bool xsaves_does_it(const struct fp_ctx *fp)
{
    return fp_hw.form == FP_XSAVES && !fp->arch.code32 && !fp_hw.tiles_by_hand;
}

static __attribute__((noinline)) size_t load_uncommon(const struct fp_ctx *fp, struct pcpu *cpu)
{
    u64 was = xcr0_raise(fp);

    DEBUG_CHECK(cpu->arch.xfd == 0);
    fp_hw_load(fp->area.base, fp->arch.allocated, fp->arch.code32);
    fp_xcr0_install(cpu, was);
    fp_xfd_install(cpu, fp_xfd_real(&fp->arch));
    return moved(fp);
}

/*
 * IA32_XFD is 0 while TILEDATA moves (BUGS 8, 9), and whenever no gate is open; what the guest runs
 * under comes last: XCR0, XFD, XSTATE in one direction, back in the other.
 */
size_t fp_load_slow(const struct fp_ctx *fp)
{
    struct pcpu *cpu = fp_vcpu(fp)->pcpu;

    if (likely(xsaves_does_it(fp) && !(fp->arch.enabled & XSTATE_GATED & ~cpu->arch.xcr0))) {
        u64 xfd = fp_xfd_real(&fp->arch);
        DEBUG_CHECK(cpu->arch.xfd == 0);
        fp_move_xrstors64(fp->area.base, fp->arch.allocated);
        if (xfd)
            wrmsr(MSR_XFD, cpu->arch.xfd = xfd);
        return moved(fp);
    }
    return load_uncommon(fp, cpu);
}

size_t fp_save_slow(struct fp_ctx *fp)
{
    struct pcpu *cpu = arch_this_cpu();

    bool code32 = fp_needs_32bit_form(fp);
    if (unlikely(code32 != fp->arch.code32)) {
        fp->arch.code32 = code32;
        fp_plan(fp);
    }
    u64 was = xcr0_raise(fp);
    if (cpu->arch.xfd & fp->arch.allocated)
        fp_xfd_install(cpu, 0);
    if (likely(xsaves_does_it(fp)))
        fp_move_xsaves64(fp->area.base, fp->arch.allocated);
    else
        fp_hw_save(fp->area.base, fp->arch.allocated, fp->arch.code32);
    fp_xcr0_install(cpu, was);
    size_t bytes = moved(fp);
    if (fp->arch.allocated & XCR0_TILEDATA)
        fp_xfd_rearm(fp_vcpu(fp));
    fp_xfd_install(cpu, fp_xfd_real(&fp->arch));
    return bytes;
}

void fp_scrub_slow(const struct fp_ctx *fp)
{
    struct pcpu *cpu = arch_this_cpu();
    u64 was = xcr0_raise(fp);

    fp_xfd_install(cpu, 0);
    fp_hw_scrub(fp->arch.allocated);
    fp_xcr0_install(cpu, was);
}

/* Until the self-test has tried it, and for those who make no self-test. */
static u8 fp_form_offered(void)
{
    return cpu_has.xsaves     ? FP_XSAVES
           : cpu_has.xsavec   ? FP_XSAVEC
           : cpu_has.xsaveopt ? FP_XSAVEOPT
           : cpu_has.xsave    ? FP_XSAVE
                              : FP_FXSAVE;
}

/* The firmware used FP registers too: what it left must not be the first guest's to find. */
void fp_hw_init(struct pcpu *cpu)
{
    u64 managed = fp_hw_offered() & XSTATE_GATED;

    fp_hw.pointers_leak = !cpu_has.fpu_pointers_always && cpu_has.svm;
    fp_hw.keep_selectors = !cpu_has.no_fcs_fds;
    fp_hw.form = fp_form_offered();
    if (cpu_has.xsave) {
        xsetbv(0, managed);
        cpu->arch.xcr0 = managed; /* from here on the cache is exact (BUGS 7) */
    }
    if (cpu_has.xsaves)
        wrmsr(MSR_XSS, 0); /* nothing of it is offered: XSAVES moves what XSAVEC would */
    if (cpu_has.xfd) {
        wrmsr(MSR_XFD, 0);
        wrmsr(MSR_XFD_ERR, 0);
    }
    cpu->arch.xfd = 0;
    fp_hw.xfd = cpu_has.xfd && (xstate_layout.xfd & XCR0_TILEDATA);
    if (cpu_has.pku)
        wrpkru(0);
    cpu->arch.pkru = 0;
    fp_move_fxsave64(fp_scratch);
    const u32 mask = ((const struct fxsave_image *)(const void *)fp_scratch)->mxcsr_mask;
    fp_hw.mxcsr_mask = mask ? mask : MXCSR_MASK_DEFAULT;
    fp_hw_scrub((u32)managed);
}
