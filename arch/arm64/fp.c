/*
 * FPSIMD and SVE of arm64 for hv/fp.c: the gate (CPTR_EL2), the moves, and what they cost. What
 * runs on every trap and switch is in arch_inline.h.
 *
 * Closed = TFP, TZ and TSM together. SME is not offered, so TSM never opens. SVE never opens
 * without FPSIMD. FPSIMD may be open alone only while the context's Z above bit 127, P and FFR are
 * all zero (I6): a write to Vn then has nothing above it to zero, and what is found in V at save
 * is all there is. Whether that is so is found out when SVE state is saved, and the image in
 * memory says it by its form (vec_layout.h).
 *
 * State is moved at the VM's maximum vector length (ZCR_EL2.LEN), never at the guest's own: the
 * length of an image must not depend on what a guest does with ZCR_EL1 (BUGS 19).
 *
 * CPACR_EL1, which decides about the guest's own traps before CPTR_EL2 is asked, moves with the EL1
 * registers (vectors.S): eagerly.
 */
#include "arch/arch.h"

/* Set by the self-test: what arch_fp_must_load() answers. */
bool fp_gate_incomplete;

/* CPTR_EL2 with exactly `units` open, in the format of HCR_EL2.E2H as it is. */
static u64 cptr_for(fp_units units)
{
    if (features.e2h)
        return CPTR_VHE_TTA | CPTR_TAM | (units & FP_UNIT_FPSIMD ? CPTR_VHE_FPEN : 0) |
               (units & FP_UNIT_SVE ? CPTR_VHE_ZEN : 0);
    return CPTR_RES1 | CPTR_TSM | CPTR_TTA | CPTR_TAM | (units & FP_UNIT_FPSIMD ? 0 : CPTR_TFP) |
           (units & FP_UNIT_SVE ? 0 : CPTR_TZ);
}

void fp_open(struct pcpu *cpu, fp_units units)
{
    if (cpu->arch.open == units)
        return;
    fp_set_gate(&cpu->arch, units);
    isb();
}

/* Needs the SVE gate open and synchronised. The moves behind it see the new length. */
void fp_set_vl(struct pcpu *cpu, u32 vl)
{
    if (cpu->arch.vl == vl)
        return;
    cpu->arch.vl = vl;
    sysreg_write(ZCR_EL2, vl / 16 - 1);
    isb();
}

void fp_init_cpu(struct pcpu *cpu)
{
    for (u32 units = 0; units < ARRAY_SIZE(cpu->arch.cptr); units++)
        cpu->arch.cptr[units] = cptr_for(units);
    cpu->arch.e2h = features.e2h;
    cpu->arch.open = ~0u; /* unknown, like the length: what is compared with */
    fp_open(cpu, FP_UNIT_FPSIMD | (features.sve ? FP_UNIT_SVE : 0u));
    if (features.sve) {
        cpu->arch.vl = 0;
        fp_set_vl(cpu, features.sve_vl);
        fp_move_scrub_z();
    } else {
        fp_move_scrub_v();
    }
    fp_open(cpu, 0);
}

void fp_init_context(struct arch_fp *arch, const struct arch_fp_config *config)
{
    *arch = (struct arch_fp){
        .sve_vl = config->sve_vl,
        .sve_header = VEC_SVE_HEADER(config->sve_vl),
        .sve_bytes = (u32)vec_bytes(VEC_SVE, config->sve_vl),
        .sve_moved = (u32)vec_moved(VEC_SVE, config->sve_vl),
    };
}

/* All registers reset to values the architecture leaves open; ours are zeros, as INIT is. */
void arch_fp_reset(const struct fp_ctx *fp, struct fp_area *fresh)
{
    (void)fp;
    *(struct vec_header *)fresh->base = (struct vec_header){.form = VEC_FPSIMD};
}

void arch_fp_relayout(const struct fp_ctx *fp, struct fp_area *bigger)
{
    vec_relayout(fp->area.base, bigger->base);
}

u64 arch_fp_quota(const struct vm *vm)
{
    u64 small = fp_area_cost(vec_bytes(VEC_FPSIMD, 0));

    if (!(vm->arch.fp.units & FP_UNIT_SVE))
        return 2 * small;
    return small + 2 * fp_area_cost(vec_bytes(VEC_SVE, vm->arch.fp.sve_vl));
}

/* TPIDR2_EL0 and SMPRI_EL1: a VM denied SME reaches them where FEAT_FGT does not trap them. */
void fp_storage_in(const struct vcpu *v)
{
    sysreg_write(TPIDR2_EL0, v->fp.arch.tpidr2_el0);
    sysreg_write(SMPRI_EL1, v->fp.arch.smpri_el1);
}

void fp_storage_out(struct vcpu *v)
{
    v->fp.arch.tpidr2_el0 = sysreg_read(TPIDR2_EL0);
    v->fp.arch.smpri_el1 = sysreg_read(SMPRI_EL1);
}
