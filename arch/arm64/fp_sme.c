/*
 * SME and FPMR of arm64 for hv/fp.c: what arch_inline.h leaves to calls, because FPSIMD and SVE
 * alone are what most guests use.
 *
 * PSTATE.SM is a control, not a register of the unit: while a guest runs the CPU is in streaming
 * mode if and only if the guest is, whatever is open. Otherwise an SVE instruction that is legal in
 * streaming mode would be judged by CPACR_EL1.ZEN instead of SMEN, before CPTR_EL2 is asked (BUGS
 * 34). ZA is lazy: off behind a closed gate (I6), for TSM is checked before "ZA is off".
 *
 * A change of SM zeroes Z, P and FFR, sets FPSR and resets FPMR, and is gated by TSM alone: so TSM
 * opens only with all the vectors loaded (BUGS 39; arch_fp_closure()), and SM is set before
 * anything is loaded. In streaming mode everything opens together: who is in it uses it, and no
 * image of it is ever "clean" (BUGS 40).
 */
#include "arch/arch.h"

void fp_set_smcr(struct pcpu *cpu, u32 smcr)
{
    if (cpu->arch.smcr == smcr)
        return;
    cpu->arch.smcr = smcr;
    sysreg_write(SMCR_EL2, smcr);
    isb();
}

/* ---- Controls ---- */

/* TPIDR2_EL0 and SMPRI_EL1: a VM denied SME reaches them where FEAT_FGT does not trap them. */
void fp_storage_in(const struct vcpu *v)
{
    sysreg_write(TPIDR2_EL0, v->fp.arch.tpidr2_el0);
    if (features.smps)
        sysreg_write(SMPRI_EL1, v->fp.arch.smpri_el1);
}

void fp_storage_out(struct vcpu *v)
{
    v->fp.arch.tpidr2_el0 = sysreg_read(TPIDR2_EL0);
    if (features.smps)
        v->fp.arch.smpri_el1 = sysreg_read(SMPRI_EL1);
}

/* At 0 the rest stays trapped or Undefined: GCS, PIE, ...; MOPS, TCR2, LS64, ... */
void fp_traps(u32 controls)
{
    if (features.fgt) {
        u64 reached = controls & CONTROL_SME ? HFG_NTPIDR2 | HFG_NSMPRI : 0;
        sysreg_write(HFGRTR_EL2, reached);
        sysreg_write(HFGWTR_EL2, reached);
    }
    if (features.hcx)
        sysreg_write(HCRX_EL2,
                     (features.smps ? HCRX_SMPME : 0) | (controls & CONTROL_FPMR ? HCRX_ENFPM : 0));
}

/*
 * From one guest's SM to another's, the registers in INIT before and after. The streaming length is
 * changed outside streaming mode only: what a change inside does to the registers is up to the CPU
 * (DDI 0616, B1.4.2).
 */
static void change_streaming(struct pcpu *cpu, const struct vcpu *v)
{
    fp_open(cpu, fp_units_here());
    fp_move_svcr_set(0);
    if (v->fp.arch.controls & CONTROL_SM) {
        fp_set_smcr(cpu, v->fp.arch.smcr_el2);
        fp_move_svcr_set(SVCR_SM);
    }
    fp_move_status_set(0);
    fp_open(cpu, 0);
}

void fp_controls_change(struct vcpu *v)
{
    struct pcpu *cpu = v->pcpu;
    u32 want = v->fp.arch.controls, change = want ^ cpu->arch.controls;

    cpu->arch.controls = want;
    if (change & (CONTROL_SME | CONTROL_FPMR))
        fp_traps(want);
    if (change & ~(u32)(CONTROL_SME | CONTROL_FPMR))
        change_streaming(cpu, v);
}

/* ---- Moves ---- */

/* QEMU (erratum zcr-el1-streaming): a VM with SME but not SVE reaches ZCR_EL1 in streaming mode. It
 * finds nobody's. */
static void hide_zcr(struct pcpu *cpu)
{
    fp_units open = cpu->arch.open;

    fp_open(cpu, fp_units_here());
    guest_zcr_set(0);
    fp_open(cpu, open);
}

static size_t load_sme(struct pcpu *cpu, const struct fp_ctx *fp)
{
    const struct arch_fp *arch = &fp->arch;
    const u8 *za = (const u8 *)fp->area.base + arch->za_offset;
    size_t moved = 0;

    if (cpu->arch.smcr != arch->smcr_el2)
        fp_set_smcr(cpu, arch->smcr_el2);
    guest_smcr_set(arch->smcr_el1);
    fp_move_svcr_set(arch->svcr); /* SM is what it says already: only ZA changes */
    if (arch->svcr & SVCR_ZA) {
        fp_move_load_za(za, arch->sme_vl);
        moved = (size_t)arch->sme_vl * arch->sme_vl;
        if (arch->smcr_el2 & SMCR_EZT0) {
            fp_move_load_zt0(za - VEC_ZT0_BYTES);
            moved += VEC_ZT0_BYTES;
        }
    }
    return moved;
}

/* Z, P, FFR, V in the form they were saved in; SVE and SME may be open or not. */
static size_t load_vectors(const struct fp_ctx *fp)
{
    if (fp->arch.svcr & SVCR_SM) {
        fp_move_load_streaming(fp->area.base, features.fa64);
        return fp->arch.sme_moved;
    }
    if (fp->arch.needs & FP_UNIT_SVE) {
        fp_move_load_z(fp->area.base);
        return fp->arch.sve_moved;
    }
    fp_move_load_v(fp->area.base);
    return VEC_V_MOVED;
}

size_t fp_load_more(struct fp_ctx *fp, fp_units units)
{
    struct pcpu *cpu = arch_this_cpu();
    size_t moved = 0;

    if (units & FP_UNIT_SME) {
        if (!(fp->offered & FP_UNIT_SVE) && features.sve)
            hide_zcr(cpu);
        moved = load_sme(cpu, fp);
    }
    if (units & FP_UNIT_SVE) {
        if (cpu->arch.vl != fp->arch.sve_vl)
            fp_set_vl(cpu, fp->arch.sve_vl);
        guest_zcr_set(fp->arch.zcr_el1);
    }
    if (!fp->live) /* else it joins what is live, which has them */
        moved += load_vectors(fp);
    if (!fp->live && fp->arch.fpmr_offered) /* last: a change of SM resets it */
        fp_move_fpmr_set(fp->arch.fpmr);
    return moved;
}

static size_t save_vectors(struct fp_ctx *fp, bool streaming)
{
    struct arch_fp *arch = &fp->arch;
    u32 form = VEC_FPSIMD;

    if (streaming) {
        fp_move_save_streaming(fp->area.base, arch->sme_header, features.fa64);
        form = VEC_STREAMING;
    } else if (fp->live & FP_UNIT_SVE) {
        form = fp_move_save_sve(fp->area.base, arch->sve_header) & VEC_SVE;
    } else { /* Z above bit 127, P and FFR are zero, for leaving streaming mode zeroes them */
        fp_move_save_v(fp->area.base);
    }
    arch->needs = streaming ? fp->live : form | (fp->live & (FP_UNIT_FPSIMD | FP_UNIT_MORE));
    return form == VEC_STREAMING ? arch->sme_moved
           : form == VEC_SVE     ? arch->sve_moved
                                 : VEC_V_MOVED;
}

size_t fp_save_more(struct fp_ctx *fp)
{
    struct arch_fp *arch = &fp->arch;
    u8 *za = (u8 *)fp->area.base + arch->za_offset;
    u64 svcr = 0;

    if (fp->live & FP_UNIT_SME) {
        svcr = fp_move_svcr();
        arch->svcr = svcr;
        arch->controls = fp_controls_for(arch);
        arch->smcr_el1 = guest_smcr();
    }
    if (fp->live & FP_UNIT_SVE)
        arch->zcr_el1 = guest_zcr();
    if (arch->fpmr_offered)
        arch->fpmr = fp_move_fpmr();
    size_t moved = save_vectors(fp, svcr & SVCR_SM);
    if (svcr & SVCR_ZA) {
        fp_move_save_za(za, arch->sme_vl);
        moved += (size_t)arch->sme_vl * arch->sme_vl;
        if (arch->smcr_el2 & SMCR_EZT0) {
            fp_move_save_zt0(za - VEC_ZT0_BYTES);
            moved += VEC_ZT0_BYTES;
        }
    }
    return moved;
}

/* Out of streaming mode, ZA off: what was in ZA is gone with that, it is zeroed when it comes on.
 */
void fp_scrub_more(fp_units units)
{
    struct pcpu *cpu = arch_this_cpu();

    if (units & FP_UNIT_SME) {
        fp_move_svcr_set(0);
        cpu->arch.controls &= CONTROL_SME | CONTROL_FPMR;
    }
    if (units & FP_UNIT_SVE)
        fp_move_scrub_z();
    else
        fp_move_scrub_v();
    if ((units & FP_UNIT_MORE) && features.fpmr)
        fp_move_fpmr_set(0);
}
