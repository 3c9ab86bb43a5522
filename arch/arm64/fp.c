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

/* CPTR_EL2 with `units` open, for a CPU whose closed value is `closed`. */
static u64 cptr_for(u64 closed, fp_units units)
{
    if (features.e2h)
        return closed | (units & FP_UNIT_FPSIMD ? CPTR_VHE_FPEN : 0) |
               (units & FP_UNIT_SVE ? CPTR_VHE_ZEN : 0);
    return closed &
           ~((units & FP_UNIT_FPSIMD ? CPTR_TFP : 0) | (units & FP_UNIT_SVE ? CPTR_TZ : 0));
}

u64 fp_cptr_closed(void)
{
    if (features.e2h)
        return CPTR_VHE_TTA | CPTR_TAM;
    return CPTR_RES1 | CPTR_TZ | CPTR_TSM | CPTR_TFP | CPTR_TTA | CPTR_TAM;
}

/* Sets the gate without the ISB that EL2's own use needs: ERET synchronises for the guest. */
static bool set_cptr(struct arch_pcpu *cpu, u64 cptr)
{
    if (cpu->cptr_now == cptr)
        return false;
    cpu->cptr_now = cptr;
    sysreg_write(cptr_el2, cptr);
    return true;
}

void fp_open(struct pcpu *cpu, fp_units units)
{
    if (set_cptr(&cpu->arch, cptr_for(cpu->arch.cptr_closed, units)))
        isb();
}

/* Needs the SVE gate open and synchronised. The moves behind it see the new length. */
void fp_set_vl(struct pcpu *cpu, u32 vl)
{
    u64 zcr = vl / 16 - 1;

    if (cpu->arch.zcr_el2 == zcr)
        return;
    cpu->arch.zcr_el2 = zcr;
    sysreg_write(ZCR_EL2, zcr);
    isb();
}

void fp_init_cpu(struct pcpu *cpu)
{
    fp_open(cpu, FP_UNIT_FPSIMD | (features.sve ? FP_UNIT_SVE : 0u));
    if (features.sve) {
        cpu->arch.zcr_el2 = ~0ull; /* unknown: what fp_set_vl() compares with */
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

static u8 *image(const struct fp_ctx *fp)
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

size_t arch_fp_load(struct fp_ctx *fp, fp_units units)
{
    struct pcpu *cpu = arch_this_cpu();

    fp_open(cpu, fp->live | units);
    if (units & FP_UNIT_SVE) {
        /* TZ gates ZCR_EL1 too, so nothing can have missed it until now. */
        fp_set_vl(cpu, fp->arch.sve_vl);
        guest_zcr_set(fp->arch.zcr_el1);
    }
    /* SVE joins a live FPSIMD: by I6 the rest of Z, P and FFR are zero, in the registers too. */
    if (fp->live)
        return 0;
    enum vec_form form = (enum vec_form)header(fp)->form;
    if (form == VEC_SVE)
        fp_move_load_z(image(fp) + VEC_Z_OFFSET, image(fp) + vec_p_offset(header(fp)->vl));
    else
        fp_move_load_v(image(fp) + VEC_V_OFFSET); /* where SVE is open this zeroes the rest of Z */
    fp_move_status_set(header(fp)->fpsr_fpcr);
    return vec_moved(form, header(fp)->vl);
}

size_t arch_fp_save(struct fp_ctx *fp)
{
    u32 vl = fp->arch.sve_vl;
    enum vec_form form = VEC_FPSIMD;

    fp_open(arch_this_cpu(), fp->live);
    if (fp->live & FP_UNIT_SVE) {
        fp->arch.zcr_el1 = guest_zcr();
        if (fp_move_uppers(image(fp) + VEC_Z_OFFSET))
            form = VEC_SVE;
    }
    if (form == VEC_SVE)
        fp_move_save_z(image(fp) + VEC_Z_OFFSET, image(fp) + vec_p_offset(vl));
    else
        fp_move_save_v(image(fp) + VEC_V_OFFSET);
    *header(fp) = (struct vec_header){form, form == VEC_SVE ? vl : 0, fp_move_status()};
    return vec_moved(form, vl);
}

/*
 * FPSIMD alone was open: Z above bit 127, P and FFR were zero and could not be changed. With SVE
 * open the zeroes written to V reach to the end of Z.
 */
void arch_fp_scrub(const struct fp_ctx *fp, fp_units units)
{
    (void)fp;
    fp_open(arch_this_cpu(), units);
    fp_move_scrub_v();
    if (units & FP_UNIT_SVE)
        fp_move_scrub_p();
}

void arch_fp_gate(struct vcpu *v, fp_units units)
{
    set_cptr(&v->pcpu->arch, cptr_for(v->pcpu->arch.cptr_closed, units));
}

/* ---- Control state that no gate covers ---- */

/*
 * CPACR_EL1 decides which of the guest's own FP accesses trap to its EL1, before CPTR_EL2 is asked.
 * TPIDR2_EL0 and SMPRI_EL1 are reachable by a VM denied SME where FEAT_FGT does not trap them.
 */
void arch_fp_controls(struct vcpu *v)
{
    const struct arch_fp *a = &v->fp.arch;

    guest_cpacr_set(a->cpacr_el1);
    if (unlikely(features.sme && !features.fgt)) {
        sysreg_write(TPIDR2_EL0, a->tpidr2_el0);
        sysreg_write(SMPRI_EL1, a->smpri_el1);
    }
}

void arch_fp_controls_out(struct vcpu *v)
{
    struct arch_fp *a = &v->fp.arch;

    a->cpacr_el1 = guest_cpacr();
    if (unlikely(features.sme && !features.fgt)) {
        a->tpidr2_el0 = sysreg_read(TPIDR2_EL0);
        a->smpri_el1 = sysreg_read(SMPRI_EL1);
    }
}
