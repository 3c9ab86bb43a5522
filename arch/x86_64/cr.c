/*
 * CR4 and XCR0. A guest can set what CPUID hides from it, so every write of CR4 comes here: a bit
 * that is not offered would make state live that nobody switches (BUGS 38).
 */
#include "cr.h"
#include "cpu.h"
#include "cpuid_policy.h"
#include "fp_hw.h"
#include "virt.h"
#include "xstate_layout.h"
#include "arch/arch.h"

/* What changes translations: the TLB holds entries made under the old value. */
#define CR4_TRANSLATION (CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE)

#define CR0_TRANSLATION (CR0_PG | CR0_WP | CR0_PE)
#define CR0_DEFINED                                                                                \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)

bool cr0_valid(u64 value, u64 old, u64 efer, u64 cr4, bool code64)
{
    bool sets_pg = (value & CR0_PG) && !(old & CR0_PG);
    bool clears_pg = !(value & CR0_PG) && (old & CR0_PG);

    if (value >> 32)
        return false;
    if ((value & CR0_PG) && !(value & CR0_PE))
        return false;
    if ((value & CR0_NW) && !(value & CR0_CD))
        return false;
    if (sets_pg && (efer & EFER_LME) && (!(cr4 & CR4_PAE) || code64))
        return false;
    return !(clears_pg && (code64 || (cr4 & CR4_PCIDE)));
}

u64 cr0_value(u64 written)
{
    return (written & CR0_DEFINED) | CR0_ET;
}

bool cr0_write(struct vcpu *v, u64 value)
{
    u64 old = virt->get(v, GUEST_CR0), efer = virt->get(v, GUEST_EFER);

    if (!cr0_valid(value, old, efer, virt->get(v, GUEST_CR4), vcpu_in_64bit_mode(v)))
        return false;
    virt->set(v, GUEST_CR0, cr0_value(value));
    /* Long mode becomes active, or stops being so, with paging: APM 2, 14.6.1. */
    if (efer & EFER_LME)
        virt->set(v, GUEST_EFER, value & CR0_PG ? efer | EFER_LMA : efer & ~(u64)EFER_LMA);
    if ((value ^ old) & CR0_TRANSLATION)
        virt->flush_tlb(v);
    return true;
}

u64 cr4_offered(const struct vm *vm)
{
    return vm->arch.cr4_offered;
}

bool cr4_valid(u64 value, u64 old, u64 offered, u64 efer, u64 cr3)
{
    bool long_mode = (efer & EFER_LMA) != 0;

    if (value & ~offered)
        return false;
    if (long_mode && !(value & CR4_PAE))
        return false;
    if ((value & CR4_PCIDE) && !(old & CR4_PCIDE) && (!long_mode || (cr3 & 0xfff)))
        return false;
    return true;
}

bool cr4_write(struct vcpu *v, u64 value)
{
    u64 old = virt->get(v, GUEST_CR4);

    if (!cr4_valid(value, old, cr4_offered(v->vm), virt->get(v, GUEST_EFER),
                   virt->get(v, GUEST_CR3)))
        return false;
    virt->set(v, GUEST_CR4, value);
    if ((value ^ old) & CR4_TRANSLATION)
        virt->flush_tlb(v);
    return true;
}

/*
 * What hardware would refuse is refused, in hardware's order: run here with a wrong value it would
 * be our own #GP. Growth comes before the component can become live.
 */
enum xsetbv_result xsetbv_write(struct vcpu *v, u32 index, u64 value)
{
    struct arch_fp *fp = &v->fp.arch;
    u64 ever = fp->enabled;

    if (!(virt->get(v, GUEST_CR4) & CR4_OSXSAVE))
        return XSETBV_UD;
    if (virt->cpl(v) != 0 || index != 0 || !xcr0_valid(value, fp->perm))
        return XSETBV_GP;
    fp->enabled |= value;
    fp_plan(&v->fp);
    if (fp->enabled != ever && !fp_grow(v)) {
        fp->enabled = ever;
        fp_plan(&v->fp);
        return XSETBV_STOP;
    }
    fp->xcr0 = value;
    fp_plan(&v->fp);
    arch_fp_controls(v);
    fp_xfd_apply(v);
    return XSETBV_DONE;
}
