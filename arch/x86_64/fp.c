/*
 * Moves the FP state of x86-64: XSAVE's standard format under everything the vCPU ever enabled, or
 * FXSAVE where there is no XSAVE. Decisions are hv/fp.c's; what an instruction really does is here.
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

u64 fp_hw_offered(void)
{
    u64 offered = XCR0_X87 | XCR0_SSE;

    if (!cpu_has.vendor[0])
        cpu_detect();
    if (cpu_has.xsave)
        offered |= cpu_has.xcr0 & (XCR0_AVX | (cpu_has.pku ? XCR0_PKRU : 0));
    return offered;
}

void fp_plan(struct fp_ctx *ctx)
{
    struct arch_fp *fp = &ctx->arch;

    fp->mask = (u32)(fp->xcr0_ever & XSTATE_GATED);
    fp->bytes = cpu_has.xsave ? xstate_bytes(fp->mask) : XSTATE_LEGACY_BYTES;
    fp->slow =
        !cpu_has.xsaveopt || fp_hw.pointers_leak || fp->code32 || (fp->mask & ~fp->xcr0) != 0;
}

/* XCR0 with its cache: written only when it changes. */
static void xcr0_install(struct pcpu *cpu, u64 value)
{
    if (cpu->arch.xcr0 == value)
        return;
    xsetbv(0, value);
    cpu->arch.xcr0 = value;
}

/*
 * XSAVE and XRSTOR see only what XCR0 enables, and the guest may have lowered it with state live
 * (BUGS 35). Returns the value to go back to.
 */
static u64 xcr0_raise(const struct fp_ctx *fp)
{
    struct pcpu *cpu = arch_this_cpu();
    u64 was = cpu->arch.xcr0;

    if (unlikely(fp->arch.mask & ~was))
        xcr0_install(cpu, was | fp->arch.mask);
    return was;
}

void arch_fp_reset(const struct fp_ctx *fp, struct fp_area *fresh)
{
    (void)fp;
    xstate_reset(fresh->base);
}

void arch_fp_relayout(const struct fp_ctx *fp, struct fp_area *bigger)
{
    xstate_relayout(bigger->base, bigger->bytes, fp->area.base, fp->area.bytes);
}

void arch_fp_controls(struct vcpu *v)
{
    struct arch_pcpu *cpu = &v->pcpu->arch;
    const struct arch_fp *fp = &v->fp.arch;

    if (likely(cpu_has.xsave))
        xcr0_install(v->pcpu, fp->xcr0);
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

size_t fp_load_slow(const struct fp_ctx *fp)
{
    const void *area = fp->area.base;

    if (!cpu_has.xsave) {
        if (fp->arch.code32)
            fp_move_fxrstor32(area);
        else
            fp_move_fxrstor64(area);
        return fp->arch.bytes;
    }
    u64 was = xcr0_raise(fp);
    if (fp->arch.code32)
        fp_move_xrstor32(area, fp->arch.mask);
    else
        fp_move_xrstor64(area, fp->arch.mask);
    xcr0_install(arch_this_cpu(), was);
    return xstate_moved(area);
}

static void save_fxsave(struct fp_ctx *fp)
{
    if (fp->arch.code32)
        fp_move_fxsave32(fp->area.base);
    else
        fp_move_fxsave64(fp->area.base);
}

static void save_xsave(struct fp_ctx *fp)
{
    void *area = fp->area.base;
    u32 mask = fp->arch.mask;

    if (fp->arch.code32) {
        if (cpu_has.xsaveopt)
            fp_move_xsaveopt32(area, mask);
        else
            fp_move_xsave32(area, mask);
    } else if (cpu_has.xsaveopt) {
        fp_move_xsaveopt64(area, mask);
    } else {
        fp_move_xsave64(area, mask);
    }
}

size_t fp_save_slow(struct fp_ctx *fp)
{
    fp->arch.code32 = fp_needs_32bit_form(fp);
    fp_plan(fp);
    if (!cpu_has.xsave) {
        save_fxsave(fp);
        return fp->arch.bytes;
    }
    u64 was = xcr0_raise(fp);
    save_xsave(fp);
    xcr0_install(arch_this_cpu(), was);
    return xstate_moved(fp->area.base);
}

static void restore_image(const struct xsave_image *image, u32 mask)
{
    if (cpu_has.xsave)
        fp_move_xrstor64(image, mask);
    else
        fp_move_fxrstor64(image);
}

void fp_hw_scrub(u32 mask)
{
    if (unlikely(fp_hw.pointers_leak))
        restore_image(&pointers_image, XCR0_X87);
    restore_image(&fp_init_image, mask);
}

void fp_scrub_slow(const struct fp_ctx *fp)
{
    if (!cpu_has.xsave) {
        fp_hw_scrub(0);
        return;
    }
    u64 was = xcr0_raise(fp);
    fp_hw_scrub(fp->arch.mask);
    xcr0_install(arch_this_cpu(), was);
}

/* The firmware used FP registers too: what it left must not be the first guest's to find. */
void fp_hw_init(struct pcpu *cpu)
{
    u64 managed = fp_hw_offered() & XSTATE_GATED;

    fp_hw.pointers_leak = !cpu_has.fpu_pointers_always && cpu_has.svm;
    fp_hw.keep_selectors = !cpu_has.no_fcs_fds;
    if (cpu_has.xsave) {
        xsetbv(0, managed);
        cpu->arch.xcr0 = managed; /* from here on the cache is exact (BUGS 7) */
    }
    if (cpu_has.pku)
        wrpkru(0);
    cpu->arch.pkru = 0;
    fp_hw_scrub((u32)managed);
}

fp_units arch_fp_gate_state(const struct vcpu *v)
{
    return virt->gate_open(v) ? FP_UNIT_BASE : 0;
}

static bool all_zero(const void *p, size_t n)
{
    const u8 *bytes = p;

    for (size_t i = 0; i < n; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}

bool arch_fp_is_init(struct pcpu *cpu)
{
    static struct {
        struct xsave_image image;
        u8 avx[XSTATE_AVX_BYTES];
    } found ALIGNED(64);
    const struct fxsave_image *legacy = &found.image.legacy;
    u32 mask = (u32)(fp_hw_offered() & XSTATE_GATED);

    if (cpu_has.xsave) {
        u64 was = cpu->arch.xcr0;
        xcr0_install(cpu, was | mask);
        fp_move_xsave64(&found, mask);
        xcr0_install(cpu, was);
    } else {
        fp_move_fxsave64(&found);
    }
    return legacy->fcw == FCW_RESET && legacy->fsw == 0 && legacy->ftw == 0 && legacy->fop == 0 &&
           legacy->fip == 0 && legacy->fdp == 0 && legacy->mxcsr == MXCSR_RESET &&
           all_zero(legacy->st, sizeof(legacy->st)) && all_zero(legacy->xmm, sizeof(legacy->xmm)) &&
           all_zero(found.avx, sizeof(found.avx));
}

bool arch_fp_controls_current(const struct vcpu *v)
{
    const struct arch_fp *fp = &v->fp.arch;

    if (cpu_has.xsave && (xgetbv(0) != fp->xcr0 || v->pcpu->arch.xcr0 != fp->xcr0))
        return false;
    return !cpu_has.pku || fp->pku || rdpkru() == 0;
}
