/*
 * The MSRs a guest can reach by a trap. The rest are its own (svm_maps.c) or do not exist: #GP, as
 * on hardware, which is what keeps BNDCFGS, SPEC_CTRL and everything newer out of reach.
 */
#include "msr.h"
#include "cpu.h"
#include "fp_hw.h"
#include "virt.h"
#include "hv/console.h"

#define EFER_OFFERED (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
#define MTRR_CAP_WC  BIT(10)
#define MTRR_ENABLED BIT(11)
#define MEMORY_WB    6u

bool efer_valid(u64 value, u64 old, bool pg)
{
    if (value & ~(u64)EFER_OFFERED)
        return false;
    if (pg && ((value ^ old) & EFER_LME))
        return false;
    /* LMA mirrors LME & PG: writing back what was read is fine, inventing it is not. */
    return !((value ^ old) & EFER_LMA);
}

bool pat_valid(u64 value)
{
    for (unsigned i = 0; i < 64; i += 8) {
        u8 type = (u8)(value >> i);
        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}

static bool is_x2apic(u32 msr)
{
    return msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST;
}

/* One line per VM: a driver that probes for MSRs must not flood the console. */
static enum msr_result unknown(struct vcpu *v, const char *access, u32 msr)
{
    if (!v->vm->arch.msr_said) {
        v->vm->arch.msr_said = true;
        say_debug("vm %s: vCPU %u at 0x%lx: %s of MSR 0x%x, which it does not have: #GP (further "
                  "ones are not reported)",
                  vm_name(v->vm), v->id, virt->get(v, GUEST_RIP), access, msr);
    }
    return MSR_GP;
}

enum msr_result msr_read(struct vcpu *v, u32 msr, u64 *value)
{
    if (is_x2apic(msr))
        return vapic_read(v, msr, value);
    switch (msr) {
    case MSR_EFER:
        *value = virt->get(v, GUEST_EFER);
        return MSR_DONE;
    case MSR_PAT:
        *value = virt->get(v, GUEST_PAT);
        return MSR_DONE;
    case MSR_APIC_BASE:
        *value = v->arch.apic_base;
        return MSR_DONE;
    case MSR_TSC:
        *value = rdtsc() + virt->get(v, GUEST_TSC_OFFSET);
        return MSR_DONE;
    case MSR_MTRR_CAP: /* fixed ranges none, variable ranges none: all memory is write-back */
        *value = MTRR_CAP_WC;
        return MSR_DONE;
    case MSR_MTRR_DEF_TYPE:
        *value = MTRR_ENABLED | MEMORY_WB;
        return MSR_DONE;
    case MSR_XSS:
        *value = 0;
        return fp_xsaves_offered() ? MSR_DONE : unknown(v, "read", msr);
    case MSR_XFD:
    case MSR_XFD_ERR:
        if (!fp_xfd_offered(v))
            return unknown(v, "read", msr);
        *value = msr == MSR_XFD ? v->fp.arch.xfd : v->fp.arch.xfd_err;
        return MSR_DONE;
    default:
        return unknown(v, "read", msr);
    }
}

/*
 * The APIC can be neither moved nor switched off nor taken out of x2APIC mode, which are the only
 * things this register does; what is written back unchanged is accepted.
 */
static enum msr_result write_apic_base(struct vcpu *v, u64 value)
{
    return value == v->arch.apic_base ? MSR_DONE : MSR_GP;
}

static enum msr_result write_efer(struct vcpu *v, u64 value)
{
    u64 old = virt->get(v, GUEST_EFER);

    if (!efer_valid(value, old, virt->get(v, GUEST_CR0) & CR0_PG))
        return MSR_GP;
    virt->set(v, GUEST_EFER, value);
    if ((value ^ old) & EFER_NXE)
        virt->flush_tlb(v);
    return MSR_DONE;
}

enum msr_result msr_write(struct vcpu *v, u32 msr, u64 value)
{
    if (is_x2apic(msr))
        return vapic_write(v, msr, value);
    switch (msr) {
    case MSR_EFER:
        return write_efer(v, value);
    case MSR_PAT:
        if (!pat_valid(value))
            return MSR_GP;
        virt->set(v, GUEST_PAT, value);
        return MSR_DONE;
    case MSR_APIC_BASE:
        return write_apic_base(v, value);
    case MSR_TSC:
        virt->set(v, GUEST_TSC_OFFSET, value - rdtsc());
        return MSR_DONE;
    case MSR_MTRR_DEF_TYPE: /* read-only in effect: the one value it can have */
        return value == (MTRR_ENABLED | MEMORY_WB) ? MSR_DONE : MSR_GP;
    case MSR_XSS: /* no supervisor component is offered */
        return fp_xsaves_offered() && !value ? MSR_DONE : unknown(v, "write", msr);
    case MSR_XFD:
    case MSR_XFD_ERR:
        if (!fp_xfd_offered(v))
            return unknown(v, "write", msr);
        return fp_xfd_write(v, msr, value) ? MSR_DONE : MSR_GP;
    default:
        return unknown(v, "write", msr);
    }
}
