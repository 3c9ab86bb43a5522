/*
 * Extended feature disable (Intel SDM 1, 13.14): memory for tiles when they are first used.
 *
 * While a vCPU has AMX enabled and its tiles in INIT, TILEDATA is not among its `allocated`
 * components and IA32_XFD is armed: the first instruction that would bring tiles out of INIT is
 * #NM, which grows the area, disarms and retries. Only allocation is lazy so, never the restore:
 * LDTILECFG and TILERELEASE do not fault, and XSAVE stores INIT (BUGS 31). When a save finds the
 * tiles in INIT again it arms again; the area then is larger than it must be, and may be shrunk.
 *
 * The guest's own IA32_XFD and IA32_XFD_ERR are on top, as it wrote them. #NM exits only while XFD
 * can raise it, the real IA32_XFD_ERR is 0 then, and so it tells whose the fault was: 0, the
 * guest's CR0.TS (BUGS 10, 37); a bit that the guest has in its own IA32_XFD, the guest's; else
 * ours.
 */
#include "cpu.h"
#include "fp_hw.h"
#include "virt.h"
#include "xstate_layout.h"
#include "arch/arch.h"

bool fp_xfd_offered(const struct vcpu *v)
{
    return fp_hw.xfd && (v->fp.arch.perm & XCR0_TILEDATA);
}

bool fp_xsaves_offered(void)
{
    return cpu_has.xsaves && !fp_hw.xsaves_hidden;
}

void fp_xfd_install(struct pcpu *cpu, u64 value)
{
    if (cpu->arch.xfd == value)
        return;
    wrmsr(MSR_XFD, value);
    cpu->arch.xfd = value;
}

void fp_xfd_apply(struct vcpu *v)
{
    u64 real = fp_xfd_real(&v->fp.arch);

    if (!fp_xfd_offered(v))
        return;
    virt->trap_nm(v, real != 0);
    if (v->fp.live)
        fp_xfd_install(v->pcpu, real);
}

bool fp_xfd_write(struct vcpu *v, u32 msr, u64 value)
{
    struct arch_fp *fp = &v->fp.arch;

    if (value & ~XCR0_TILEDATA)
        return false;
    if (msr == MSR_XFD_ERR) {
        fp->xfd_err = value;
        return true;
    }
    fp->xfd = value;
    fp_xfd_apply(v);
    return true;
}

void fp_xfd_rearm(struct vcpu *v)
{
    struct arch_fp *fp = &v->fp.arch;
    const struct xsave_image *image = v->fp.area.base;

    if (!fp_hw.xfd || (image->header.xstate_bv & XCR0_TILEDATA))
        return;
    fp->armed = true;
    fp_plan(&v->fp);
    fp_spare(v, fp->bytes);
    virt->trap_nm(v, true);
}

enum fp_trap_result fp_xfd_fault(struct vcpu *v)
{
    struct arch_fp *fp = &v->fp.arch;
    u64 error = fp_xfd_offered(v) ? rdmsr(MSR_XFD_ERR) : 0;

    if (!error)
        return FP_TRAP_NOT_OURS;
    wrmsr(MSR_XFD_ERR, 0);
    if (error & fp->xfd) {
        fp->xfd_err = error & fp->xfd;
        return FP_TRAP_NOT_OURS;
    }
    CHECK(fp->armed); /* nobody else set it */
    fp->armed = false;
    fp_plan(&v->fp);
    if (!fp_grow(v)) {
        fp->armed = true;
        fp_plan(&v->fp);
        return FP_TRAP_NO_MEMORY;
    }
    fp_xfd_apply(v);
    return FP_TRAP_RETRY;
}
