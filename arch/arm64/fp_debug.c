/*
 * The arch half of fp_check() (hv/fp.c): is what the registers hold what the invariants say? Called
 * at every guest entry of a debug build; it opens gates to look, and puts them back.
 */
#include "arch/arch.h"
#include "fp_arm64.h"
#include "fp_moves.h"
#include "sysreg.h"

static u8 scratch[512] ALIGNED(64);

/* Everything zero at the machine's longest vectors? Leaves gate and length as they were. */
static bool registers_are(struct pcpu *cpu, bool v_too)
{
    u32 open = cpu->arch.open, vl = cpu->arch.vl;
    u64 bits = 0;

    fp_open(cpu, FP_UNIT_FPSIMD | (features.sve ? FP_UNIT_SVE : 0u));
    if (features.sve) {
        fp_set_vl(cpu, features.sve_vl);
        bits |= fp_move_uppers(scratch);
        fp_set_vl(cpu, vl);
    }
    if (v_too)
        bits |= fp_move_any_v(scratch) | fp_move_status();
    fp_open(cpu, open);
    return bits == 0;
}

bool arch_fp_is_init(struct pcpu *cpu)
{
    return registers_are(cpu, true);
}

bool arch_fp_controls_current(const struct vcpu *v)
{
    struct pcpu *cpu = v->pcpu;
    u32 live = v->fp.live;

    /* What a guest may write itself cannot be compared: what EL2 keeps a copy of can. */
    if (cpu->arch.open > 3 || sysreg_read(cptr_el2) != cpu->arch.cptr[cpu->arch.open])
        return false;
    if ((live & FP_UNIT_SVE) && cpu->arch.vl != v->fp.arch.sve_vl)
        return false;
    if ((live & FP_UNIT_SVE) && sysreg_read(ZCR_EL2) != cpu->arch.vl / 16 - 1)
        return false;
    if (live == FP_UNIT_FPSIMD && features.sve)
        return registers_are(cpu, false); /* I6 */
    return true;
}

fp_units arch_fp_gate_state(const struct vcpu *v)
{
    u64 cptr = sysreg_read(cptr_el2);

    (void)v;
    if (features.e2h)
        return ((cptr & CPTR_VHE_FPEN) ? FP_UNIT_FPSIMD : 0u) |
               ((cptr & CPTR_VHE_ZEN) ? FP_UNIT_SVE : 0u);
    return ((cptr & CPTR_TFP) ? 0u : FP_UNIT_FPSIMD) | ((cptr & CPTR_TZ) ? 0u : FP_UNIT_SVE);
}
