/* What a context is made of: sizes, forms, control values. Pure, so it runs in the host tests too.
 */
#include "arch/arch.h"
#include "sysreg.h"

u32 fp_smcr_for(u32 svl, bool zt0)
{
    return (svl / 16 - 1) | (features.fa64 ? (u32)SMCR_FA64 : 0) | (zt0 ? (u32)SMCR_EZT0 : 0);
}

u32 fp_controls_for(const struct arch_fp *arch)
{
    return arch->vm_controls | (arch->svcr & SVCR_SM ? (u32)CONTROL_SM | arch->smcr_el2 : 0);
}

fp_units fp_offered(const struct arch_fp_config *config)
{
    return config->units | (config->fpmr || features.e2h ? FP_UNIT_MORE : 0u);
}

void fp_init_context(struct arch_fp *arch, const struct arch_fp_config *config)
{
    bool sme = config->units & FP_UNIT_SME;
    u32 vl = config->sve_vl, svl = config->sme_vl;
    u32 controls = (sme ? (u32)CONTROL_SME : 0) | (config->fpmr ? (u32)CONTROL_FPMR : 0);

    *arch = (struct arch_fp){
        .sve_vl = vl,
        .sve_header = VEC_HEADER(VEC_SVE, vl),
        .sve_moved = (u32)vec_moved(VEC_SVE, vl, true),
        .sme_vl = svl,
        .sme_header = VEC_HEADER(VEC_STREAMING, svl),
        .sme_moved = (u32)vec_moved(VEC_STREAMING, svl, features.fa64),
        .za_offset = (u32)vec_za_offset(vl, svl),
        .smcr_el2 = sme ? fp_smcr_for(svl, config->zt0) : 0,
        .controls = controls,
        .vm_controls = controls,
        .storage = sme || features.sme_storage,
        .fpmr_offered = config->fpmr,
        .needs = fp_offered(config) & (FP_UNIT_FPSIMD | FP_UNIT_MORE),
    };
    for (u32 units = 0; units < FP_UNITS; units++)
        arch->bytes[units] = units & FP_UNIT_SME   ? (u32)vec_sme_bytes(vl, svl)
                             : units & FP_UNIT_SVE ? (u32)vec_bytes(VEC_SVE, vl)
                                                   : VEC_V_IMAGE_BYTES;
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
    const struct arch_fp_config *fp = &vm->arch.fp;
    u64 small = fp_area_cost(vec_bytes(VEC_FPSIMD, 0));
    u64 sve = fp->units & FP_UNIT_SVE ? fp_area_cost(vec_bytes(VEC_SVE, fp->sve_vl)) : 0;
    u64 sme = fp->units & FP_UNIT_SME ? fp_area_cost(vec_sme_bytes(fp->sve_vl, fp->sme_vl)) : 0;

    if (sme) /* an import replaces one by another */
        return 2 * sme;
    return sve ? small + 2 * sve : 2 * small;
}
