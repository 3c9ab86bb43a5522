/*
 * FPSIMD and SVE of arm64 for hv/fp.c: the gate (CPTR_EL2), the moves, and what they cost.
 *
 * Closed = TFP, TZ and TSM together. SME is not offered, so TSM never opens. SVE never opens
 * without FPSIMD. FPSIMD may be open alone only while the context's Z above bit 127, P and FFR are
 * all zero (I6): a write to Vn then has nothing above it to zero, and what is found in V at save
 * is all there is. Whether that is so is found out when SVE state is saved, and the image in
 * memory says it by its form (vec_layout.h).
 *
 * State is moved at the VM's maximum vector length (ZCR_EL2.LEN), never at the guest's own: the
 * length of an image must not depend on what a guest does with ZCR_EL1 (BUGS 19).
 */
#include "arch/arch.h"
#include "fp_arm64.h"
#include "fp_moves.h"
#include "sysreg.h"
#include "vec_layout.h"

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

/* Sets the gate without the ISB that EL2's own use needs: ERET synchronises for the guest. */
static inline bool set_gate(struct arch_pcpu *cpu, fp_units units)
{
    if (cpu->open == units)
        return false;
    cpu->open = units;
    sysreg_write(cptr_el2, cpu->cptr[units]);
    return true;
}

static inline void open_gate(struct arch_pcpu *cpu, fp_units units)
{
    if (set_gate(cpu, units))
        isb();
}

void fp_open(struct pcpu *cpu, fp_units units)
{
    open_gate(&cpu->arch, units);
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
    fp_open(cpu, FP_UNIT_FPSIMD | (features.sve ? FP_UNIT_SVE : 0u));
    if (features.sve) {
        cpu->arch.vl = 0;
        fp_set_vl(cpu, features.sve_vl);
        fp_move_scrub_p();
    }
    fp_move_scrub_v();
    fp_open(cpu, 0);
}

static struct vec_header *header(const struct fp_ctx *fp)
{
    return fp->area.base;
}

/* ---- What hv/fp.c asks ---- */

fp_units arch_fp_closure(const struct fp_ctx *fp, fp_units units)
{
    if (units & FP_UNIT_SVE)
        return units | FP_UNIT_FPSIMD;
    if (!fp->live && fp->area.base && header(fp)->form == VEC_SVE)
        return units | FP_UNIT_SVE;
    return units;
}

size_t arch_fp_bytes(const struct fp_ctx *fp, fp_units units)
{
    return vec_bytes(units & FP_UNIT_SVE ? VEC_SVE : VEC_FPSIMD, fp->arch.sve_vl);
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

bool arch_fp_must_load(const struct fp_ctx *fp)
{
    (void)fp;
    return fp_gate_incomplete;
}

u64 arch_fp_quota(const struct vm *vm)
{
    u64 small = fp_area_cost(vec_bytes(VEC_FPSIMD, 0));

    if (!(vm->arch.fp.units & FP_UNIT_SVE))
        return 2 * small;
    return small + 2 * fp_area_cost(vec_bytes(VEC_SVE, vm->arch.fp.sve_vl));
}

/* ---- Moves ---- */

/* SVE alone or with FPSIMD. TZ gates ZCR_EL1 too, so nothing can have missed it until now. */
static size_t load_sve(struct fp_ctx *fp, struct pcpu *cpu)
{
    fp_set_vl(cpu, fp->arch.sve_vl);
    guest_zcr_set(fp->arch.zcr_el1);
    /* SVE joins a live FPSIMD: by I6 the rest of Z, P and FFR are zero, in the registers too. */
    if (fp->live)
        return 0;
    if (header(fp)->form == VEC_SVE) {
        fp_move_load_z(fp->area.base);
        return vec_moved(VEC_SVE, fp->arch.sve_vl);
    }
    fp_move_load_v(fp->area.base); /* zeroes the rest of Z; P and FFR are in INIT */
    return vec_moved(VEC_FPSIMD, 0);
}

size_t arch_fp_load(struct fp_ctx *fp, fp_units units)
{
    struct pcpu *cpu = arch_this_cpu();

    open_gate(&cpu->arch, fp->live | units);
    if (units & FP_UNIT_SVE)
        return load_sve(fp, cpu);
    fp_move_load_v(fp->area.base);
    return vec_moved(VEC_FPSIMD, 0);
}

/* The gate of what is live is open: fp_trap() opened it, and nothing has closed it since. */
size_t arch_fp_save(struct fp_ctx *fp)
{
    DEBUG_CHECK(arch_this_cpu()->arch.open == fp->live);
    if (fp->live & FP_UNIT_SVE) {
        fp->arch.zcr_el1 = guest_zcr();
        if (fp_move_uppers((u8 *)fp->area.base + VEC_Z_OFFSET)) {
            fp_move_save_z(fp->area.base);
            return vec_moved(VEC_SVE, fp->arch.sve_vl);
        }
    }
    fp_move_save_v(fp->area.base);
    return vec_moved(VEC_FPSIMD, 0);
}

/*
 * FPSIMD alone was open: Z above bit 127, P and FFR were zero and could not be changed. With SVE
 * open the zeroes written to V reach to the end of Z.
 */
void arch_fp_scrub(const struct fp_ctx *fp, fp_units units)
{
    (void)fp;
    DEBUG_CHECK(arch_this_cpu()->arch.open == units);
    fp_move_scrub_v();
    if (units & FP_UNIT_SVE)
        fp_move_scrub_p();
}

void arch_fp_gate(struct vcpu *v, fp_units units)
{
    set_gate(&v->pcpu->arch, units);
}

/* ---- Control state that no gate covers ---- */

/*
 * TPIDR2_EL0 and SMPRI_EL1 are reachable by a VM denied SME where FEAT_FGT does not trap them.
 * CPACR_EL1, which decides about the guest's own traps before CPTR_EL2 is asked, moves with the EL1
 * registers (vectors.S): as eagerly as these.
 */
void arch_fp_controls(struct vcpu *v)
{
    if (likely(!features.sme_storage))
        return;
    sysreg_write(TPIDR2_EL0, v->fp.arch.tpidr2_el0);
    sysreg_write(SMPRI_EL1, v->fp.arch.smpri_el1);
}

void arch_fp_controls_out(struct vcpu *v)
{
    if (likely(!features.sme_storage))
        return;
    v->fp.arch.tpidr2_el0 = sysreg_read(TPIDR2_EL0);
    v->fp.arch.smpri_el1 = sysreg_read(SMPRI_EL1);
}
