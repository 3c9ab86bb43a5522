/*
 * The arch half of fp_check() (hv/fp.c): is what the registers hold what the invariants say? Called
 * at every guest entry of a debug build; it opens gates to look, and puts them back.
 */
#include "arch/arch.h"
#include "fp_arm64.h"
#include "fp_moves.h"
#include "sysreg.h"

static u64 scratch[(VEC_P_OFFSET + 35 * VEC_VL_MAX) / 8] ALIGNED(64);

/* In streaming mode: what a save of everything holds but for its header's first words. */
static bool streaming_is_zero(void)
{
    u32 svl = (u32)fp_move_rdsvl();
    u64 bits = 0;

    fp_move_save_streaming(scratch, VEC_HEADER(VEC_STREAMING, svl), features.fa64);
    for (u32 i = 1; i < vec_bytes(VEC_STREAMING, svl) / 8; i++)
        bits |= scratch[i];
    memset(scratch, 0, sizeof(scratch));
    return bits == 0;
}

/* Everything zero at the machine's longest vectors? Leaves gate and length as they were. */
static bool registers_are(struct pcpu *cpu, bool v_too)
{
    u32 open = cpu->arch.open, vl = cpu->arch.vl;
    bool streaming = false, good = true;
    u64 bits = 0;

    fp_open(cpu, fp_units_here());
    if (features.sme) {
        u64 svcr = fp_move_svcr();
        streaming = svcr & SVCR_SM;
        good = v_too ? svcr == (cpu->arch.controls & CONTROL_SM ? SVCR_SM : 0) : !streaming;
    }
    if (streaming) {
        good = good && streaming_is_zero();
    } else if (features.sve) {
        fp_set_vl(cpu, features.sve_vl);
        bits |= fp_move_uppers(scratch);
        fp_set_vl(cpu, vl);
    }
    if (v_too && !streaming)
        bits |= fp_move_any_v(scratch) | fp_move_status();
    if (v_too && features.fpmr)
        bits |= fp_move_fpmr();
    fp_open(cpu, open);
    return good && bits == 0;
}

bool arch_fp_is_init(struct pcpu *cpu)
{
    return registers_are(cpu, true);
}

/* With the SME gate closed SVCR is what the controls say; open, the guest's own. */
static bool sme_current(struct pcpu *cpu, const struct vcpu *v, bool live)
{
    u32 open = cpu->arch.open;

    fp_open(cpu, fp_units_here());
    u64 svcr = fp_move_svcr(), smcr = sysreg_read(SMCR_EL2);
    fp_open(cpu, open);
    if (smcr != cpu->arch.smcr)
        return false;
    if (live)
        return smcr == v->fp.arch.smcr_el2;
    return svcr == (v->fp.arch.svcr & SVCR_SM) && (!svcr || smcr == v->fp.arch.smcr_el2);
}

bool arch_fp_controls_current(const struct vcpu *v)
{
    struct pcpu *cpu = v->pcpu;
    u32 live = v->fp.live;

    /* What a guest may write itself cannot be compared: what EL2 keeps a copy of can. */
    if (cpu->arch.open >= FP_UNITS || sysreg_read(cptr_el2) != cpu->arch.cptr[cpu->arch.open])
        return false;
    if (features.sme && !sme_current(cpu, v, live & FP_UNIT_SME))
        return false;
    if ((live & FP_UNIT_SVE) && cpu->arch.vl != v->fp.arch.sve_vl)
        return false;
    if ((live & FP_UNIT_SVE) && sysreg_read(ZCR_EL2) != cpu->arch.vl / 16 - 1)
        return false;
    if ((live & ~FP_UNIT_MORE) == FP_UNIT_FPSIMD && features.sve)
        return registers_are(cpu, false); /* I6 */
    return true;
}

fp_units arch_fp_gate_state(const struct vcpu *v)
{
    u64 cptr = sysreg_read(cptr_el2);

    (void)v;
    if (features.e2h)
        return ((cptr & CPTR_VHE_FPEN) ? FP_UNIT_FPSIMD : 0u) |
               ((cptr & CPTR_VHE_ZEN) ? FP_UNIT_SVE : 0u) |
               ((cptr & CPTR_VHE_SMEN) ? FP_UNIT_SME : 0u);
    return ((cptr & CPTR_TFP) ? 0u : FP_UNIT_FPSIMD) | ((cptr & CPTR_TZ) ? 0u : FP_UNIT_SVE) |
           ((cptr & CPTR_TSM) ? 0u : FP_UNIT_SME);
}
