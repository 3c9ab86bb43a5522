/* What debug builds look at before every entry, and the self-test once: I2, I4, I9. */
#include "cpu.h"
#include "fp_hw.h"
#include "virt.h"
#include "xstate_layout.h"
#include "arch/arch.h"

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

/*
 * XSAVE (not XSAVEOPT) writes INIT out. TILEDATA is 8 KiB that would be written and read at every
 * entry: there XINUSE is asked, and TILECFG, without which no tile can be reached.
 */
bool arch_fp_is_init(struct pcpu *cpu)
{
    const struct xsave_image *found = (const void *)fp_scratch;
    const struct fxsave_image *legacy = &found->legacy;
    u64 managed = fp_hw_offered() & XSTATE_GATED, saved = managed & ~XCR0_TILEDATA;
    bool tiles = false;
    u32 end = XSTATE_MIN_BYTES;

    if (cpu_has.xsave) {
        u64 was = cpu->arch.xcr0;
        fp_xcr0_install(cpu, was | managed);
        fp_move_xsave64(fp_scratch, (u32)saved);
        if ((managed & XCR0_TILEDATA) && cpu_has.xgetbv1 && !fp_hw.tiles_by_hand)
            tiles = xgetbv(1) & XCR0_TILEDATA;
        fp_xcr0_install(cpu, was);
        end = xstate_bytes(&xstate_layout, saved, false);
    } else {
        fp_move_fxsave64(fp_scratch);
    }
    return !tiles && legacy->fcw == FCW_RESET && legacy->fsw == 0 && legacy->ftw == 0 &&
           legacy->fop == 0 && legacy->fip == 0 && legacy->fdp == 0 &&
           legacy->mxcsr == MXCSR_RESET && all_zero(legacy->st, sizeof(legacy->st)) &&
           all_zero(legacy->xmm, sizeof(legacy->xmm)) &&
           all_zero(fp_scratch + XSTATE_MIN_BYTES, end - XSTATE_MIN_BYTES);
}

bool arch_fp_controls_current(const struct vcpu *v)
{
    const struct arch_fp *fp = &v->fp.arch;

    if (cpu_has.xsave && (xgetbv(0) != fp->xcr0 || v->pcpu->arch.xcr0 != fp->xcr0))
        return false;
    if (cpu_has.xsaves && rdmsr(MSR_XSS) != 0)
        return false;
    if (fp_hw.xfd && (rdmsr(MSR_XFD) != v->pcpu->arch.xfd || rdmsr(MSR_XFD_ERR) != 0 ||
                      v->pcpu->arch.xfd != (v->fp.live ? fp_xfd_real(fp) : 0)))
        return false; /* BUGS 8, 10 */
    return !cpu_has.pku || fp->pku || rdpkru() == 0;
}
