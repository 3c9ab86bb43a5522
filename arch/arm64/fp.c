/*
 * FPSIMD and SVE of arm64 for hv/fp.c: the gate (CPTR_EL2), the moves, and what they cost. What
 * runs on every trap and switch is in arch_inline.h; SME and FPMR are in fp_sme.c.
 *
 * Closed = TFP, TZ and TSM together. Neither SVE nor SME opens without FPSIMD. FPSIMD may be open
 * alone only while the context's Z above bit 127, P and FFR are all zero (I6): a write to Vn then
 * has nothing above it to zero, and what is found in V at save is all there is. Whether that is so
 * is found out when SVE state is saved, and the image in memory says it by its form (vec_layout.h).
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
               (units & FP_UNIT_SVE ? CPTR_VHE_ZEN : 0) | (units & FP_UNIT_SME ? CPTR_VHE_SMEN : 0);
    return CPTR_RES1 | CPTR_TTA | CPTR_TAM | (units & FP_UNIT_FPSIMD ? 0 : CPTR_TFP) |
           (units & FP_UNIT_SVE ? 0 : CPTR_TZ) | (units & FP_UNIT_SME ? 0 : CPTR_TSM);
}

fp_units fp_units_here(void)
{
    return FP_UNIT_FPSIMD | (features.sve ? FP_UNIT_SVE : 0u) | (features.sme ? FP_UNIT_SME : 0u);
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
    cpu->arch.open = ~0u; /* unknown, like the length: what is compared with */
    cpu->arch.controls = 0;
    fp_open(cpu, fp_units_here());
    if (features.sme) {
        fp_move_svcr_set(0); /* before the lengths, and before what it zeroes and sets */
        cpu->arch.smcr = ~0u;
        fp_set_smcr(cpu, fp_smcr_for(features.sme_vl, features.sme2));
    }
    if (features.sve) {
        cpu->arch.vl = 0;
        fp_set_vl(cpu, features.sve_vl);
        fp_move_scrub_z();
    } else {
        fp_move_scrub_v();
    }
    if (features.fpmr)
        fp_move_fpmr_set(0);
    fp_open(cpu, 0);
}
