/*
 * Functions of the contract (arch.h) that a switch or an FP trap calls, inline: on the measured
 * path a call costs as much as what most of them do. Included by arch.h only, after it has declared
 * them; they are nowhere out of line. fp.c says what the gate and the moves are about.
 */
#ifndef FERMATA_ARM64_ARCH_INLINE_H
#define FERMATA_ARM64_ARCH_INLINE_H

#include "fp_arm64.h"
#include "fp_moves.h"
#include "guest.h"
#include "sysreg.h"
#include "vec_layout.h"

/* ---- Time ---- */

ARCH_INLINE u64 arch_ticks(void)
{
    isb(); /* a counter read may be early otherwise (DDI 0487 D11.1.2) */
    return sysreg_read(cntpct_el0);
}

/* For statistics of a few instructions' length: no ISB, which would cost more than it tells. */
ARCH_INLINE u64 arch_cycles(void)
{
    return sysreg_read(cntpct_el0);
}

ARCH_INLINE void arch_timer_set(struct pcpu *cpu, u64 ticks)
{
    (void)cpu;
    sysreg_write(cnthp_cval_el2, sysreg_read(cntpct_el0) + ticks);
    sysreg_write(cnthp_ctl_el2, 1); /* ENABLE, not IMASK */
}

/* ---- Switch ---- */

ARCH_INLINE void arch_vcpu_switch_out(struct vcpu *v)
{
    if (features.ras)
        v->arch.vdisr = sysreg_read(VDISR_EL2);
    if (features.e2h)
        el1_save_vhe(v);
    else
        el1_save(v);
}

/* No ISB at the end: the ERET into the guest is one. */
ARCH_INLINE void arch_vcpu_switch_in(struct vcpu *v)
{
    struct arch_vm *vm = &v->vm->arch;

    sysreg_write(vttbr_el2, vm->vttbr);
    sysreg_write(vmpidr_el2, v->arch.vmpidr);
    if (vm->last_vcpu != v->id)
        vcpu_forget_sibling(v);
    if (features.ras)
        sysreg_write(VDISR_EL2, v->arch.vdisr);
    if (features.e2h)
        el1_load_vhe(v);
    else
        el1_load(v);
}

/* ---- FP: the gate ---- */

/* Sets the gate without the ISB that EL2's own use needs: ERET synchronises for the guest. */
ARCH_INLINE void fp_set_gate(struct arch_pcpu *cpu, fp_units units)
{
    cpu->open = units;
    sysreg_write(cptr_el2, cpu->cptr[units]);
}

/* hv/fp.c opens right after arch_fp_load(), which had to open the same units for itself. */
ARCH_INLINE void arch_fp_gate(struct vcpu *v, fp_units units)
{
    if (units == 0)
        fp_set_gate(&v->pcpu->arch, 0);
    else
        DEBUG_CHECK(v->pcpu->arch.open == units);
}

ARCH_INLINE bool arch_fp_must_load(const struct fp_ctx *fp)
{
    (void)fp;
    return fp_gate_incomplete;
}

/* ---- FP: the moves ---- */

/*
 * With what is asked for goes what the image in memory holds besides (I6): while something is live
 * that is live already. With SME goes all there is: SMSTART and SMSTOP zero Z, P, FFR and FPMR.
 */
ARCH_INLINE fp_units arch_fp_closure(const struct fp_ctx *fp, fp_units units)
{
    if (unlikely(units & FP_UNIT_SME))
        return fp->offered | FP_UNIT_FPSIMD;
    if (!(fp->arch.needs & FP_UNIT_FPSIMD))
        __builtin_unreachable(); /* so that the result is not 0 */
    return units | fp->arch.needs;
}

ARCH_INLINE size_t arch_fp_bytes(const struct fp_ctx *fp, fp_units units)
{
    return fp->arch.bytes[units];
}

/*
 * TZ gates ZCR_EL1 too, so nothing can have missed it until SVE is opened. Here and below FPSIMD
 * and SVE alone are handled where they are: with E2H=1, and with SME or FPMR, FP_UNIT_MORE or
 * FP_UNIT_SME is there too.
 */
ARCH_INLINE size_t arch_fp_load(struct fp_ctx *fp, fp_units units)
{
    struct pcpu *cpu = arch_this_cpu();
    fp_units live = fp->live, together = live | units;

    fp_set_gate(&cpu->arch, together);
    isb_registers(); /* memory need not be read again */
    if (likely(together == (FP_UNIT_FPSIMD | FP_UNIT_SVE))) {
        if (cpu->arch.vl != fp->arch.sve_vl)
            fp_set_vl(cpu, fp->arch.sve_vl);
        sysreg_write(ZCR_EL1, fp->arch.zcr_el1);
        /* SVE joins a live FPSIMD: by I6 the rest of Z, P and FFR are zero in the registers too. */
        if (live)
            return 0;
        if (likely(fp->arch.needs & FP_UNIT_SVE)) {
            fp_move_load_z(fp->area.base);
            return fp->arch.sve_moved;
        }
    } else if (together != FP_UNIT_FPSIMD) {
        return fp_load_more(fp, units);
    }
    fp_move_load_v(fp->area.base); /* with SVE open it zeroes the rest of Z; P, FFR are in INIT */
    return VEC_V_MOVED;
}

/* The gate of what is live is open: fp_trap() opened it, and nothing has closed it since. */
ARCH_INLINE size_t arch_fp_save(struct fp_ctx *fp)
{
    DEBUG_CHECK(arch_this_cpu()->arch.open == fp->live);
    if (likely(fp->live == (FP_UNIT_FPSIMD | FP_UNIT_SVE))) {
        fp->arch.zcr_el1 = sysreg_read(ZCR_EL1);
        fp->arch.needs = fp_move_save_sve(fp->area.base, fp->arch.sve_header);
        return likely(fp->arch.needs & FP_UNIT_SVE) ? fp->arch.sve_moved : VEC_V_MOVED;
    }
    if (fp->live != FP_UNIT_FPSIMD)
        return fp_save_more(fp);
    fp_move_save_v(fp->area.base);
    return VEC_V_MOVED;
}

/*
 * FPSIMD alone was open: Z above bit 127, P and FFR were zero and could not be changed. With SVE
 * open the zeroes written to V reach to the end of Z.
 */
ARCH_INLINE void arch_fp_scrub(const struct fp_ctx *fp, fp_units units)
{
    (void)fp;
    DEBUG_CHECK(arch_this_cpu()->arch.open == units);
    if (likely(units == (FP_UNIT_FPSIMD | FP_UNIT_SVE)))
        fp_move_scrub_z();
    else if (units == FP_UNIT_FPSIMD)
        fp_move_scrub_v();
    else
        fp_scrub_more(units);
}

/* ---- FP: control state that no gate covers ---- */

ARCH_INLINE void arch_fp_controls(struct vcpu *v)
{
    if (unlikely(v->fp.arch.storage))
        fp_storage_in(v);
    if (unlikely(v->fp.arch.controls != v->pcpu->arch.controls))
        fp_controls_change(v);
}

ARCH_INLINE void arch_fp_controls_out(struct vcpu *v)
{
    if (unlikely(v->fp.arch.storage))
        fp_storage_out(v);
}

#endif
