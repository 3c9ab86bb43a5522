/*
 * The gate of VMX, and CR0 and CR4 around it: what the guest reads, what the CPU runs with, and
 * which writes exit.
 */
#include "vmx.h"

/* Exceptions that would let a guest keep the CPU for ever (an endless #AC or #DB: CVE-2015-5307,
 * CVE-2015-8104), and the machine's own; behind the closed gate also #UD and #NM. */
#define EXCEPTIONS_ALWAYS ((u32)(BIT(1) | BIT(17) | BIT(18)))
#define EXCEPTIONS_GATE   ((u32)(BIT(6) | BIT(7)))

/*
 * Bits of CR0 and CR4 the guest never owns. NE: VMX demands 1, and a guest starts with 0. CD, NW:
 * entries and exits leave them as they are, so a guest's would stay for everyone. CR4: all that is
 * not offered; there VMXE has to be 1, and MCE, for the machine's own sake.
 */
#define CR0_OURS  ((u64)(CR0_NE | CR0_CD | CR0_NW))
#define CR0_GATE  ((u64)(CR0_TS | CR0_MP))
#define CR4_GATE  ((u64)CR4_OSXSAVE)
#define CR4_FORCE ((u64)(CR4_VMXE | CR4_MCE))

/* What the guest sees of a register of which it owns the bits outside `mask` only. */
static u64 guest_sees(enum vmcs_field reg, enum vmcs_field mask, enum vmcs_field shadow)
{
    u64 ours = vmread(mask);

    return (vmread(reg) & ~ours) | (vmread(shadow) & ours);
}

static u64 cr4_ours(const struct vcpu *v)
{
    return ~v->vm->arch.cr4_offered;
}

u64 vmx_cr0(const struct vcpu *v)
{
    vmx_select(v);
    return guest_sees(VMCS_GUEST_CR0, CR0_MASK, CR0_SHADOW);
}

u64 vmx_cr4(const struct vcpu *v)
{
    vmx_select(v);
    return guest_sees(VMCS_GUEST_CR4, CR4_MASK, CR4_SHADOW);
}

/* CR0 and CR4 as the guest's `cr0` and `cr4` and the gate ask for. */
void vmx_cr_install(const struct vcpu *v, u64 cr0, u64 cr4)
{
    u64 cr0_mask = CR0_OURS, cr4_mask = cr4_ours(v);
    u64 real0 = (cr0 & ~CR0_OURS) | CR0_NE, real4 = (cr4 & ~cr4_mask) | CR4_FORCE;

    if (!v->arch.gate_open) {
        cr0_mask |= CR0_GATE;
        cr4_mask |= CR4_GATE;
        real0 |= CR0_GATE;
        real4 &= ~CR4_GATE;
    }
    vmwrite(CR0_MASK, cr0_mask);
    vmwrite(CR4_MASK, cr4_mask);
    vmwrite(CR0_SHADOW, cr0);
    vmwrite(CR4_SHADOW, cr4);
    vmwrite(VMCS_GUEST_CR0, real0);
    vmwrite(VMCS_GUEST_CR4, real4);
}

/*
 * THE GATE. Closed: TS and MP set, OSXSAVE clear, #NM and #UD ours; the guest reads its own values
 * from the shadows, and a write that would change one of the three bits exits. Open: all of it is
 * the guest's own again.
 */
void vmx_gate(struct vcpu *v, fp_units open)
{
    u64 cr0_mask = CR0_OURS, cr4_mask = cr4_ours(v);

    vmx_select(v);
    if ((open != 0) == v->arch.gate_open)
        return;
    u64 cr0 = vmread(VMCS_GUEST_CR0), cr0_shadow = vmread(CR0_SHADOW);
    u64 cr4 = vmread(VMCS_GUEST_CR4), cr4_shadow = vmread(CR4_SHADOW);
    v->arch.gate_open = open != 0;
    if (open) {
        cr0 = (cr0 & ~CR0_GATE) | (cr0_shadow & CR0_GATE);
        cr4 = (cr4 & ~CR4_GATE) | (cr4_shadow & CR4_GATE);
    } else {
        vmwrite(CR0_SHADOW, (cr0_shadow & ~CR0_GATE) | (cr0 & CR0_GATE));
        vmwrite(CR4_SHADOW, (cr4_shadow & ~CR4_GATE) | (cr4 & CR4_GATE));
        cr0 |= CR0_GATE;
        cr4 &= ~CR4_GATE;
        cr0_mask |= CR0_GATE;
        cr4_mask |= CR4_GATE;
    }
    vmwrite(CR0_MASK, cr0_mask);
    vmwrite(CR4_MASK, cr4_mask);
    vmwrite(VMCS_GUEST_CR0, cr0);
    vmwrite(VMCS_GUEST_CR4, cr4);
    vmwrite(EXCEPTION_BITMAP, open ? v->arch.open_exceptions
                                   : EXCEPTIONS_ALWAYS | EXCEPTIONS_GATE | v->arch.bp_exception);
}

void vmx_trap_nm(struct vcpu *v, bool trap)
{
    v->arch.open_exceptions =
        EXCEPTIONS_ALWAYS | (trap ? (u32)BIT(VECTOR_NM) : 0) | v->arch.bp_exception;
    if (!v->arch.gate_open)
        return;
    vmx_select(v);
    vmwrite(EXCEPTION_BITMAP, v->arch.open_exceptions);
}

void vmx_trap_bp(struct vcpu *v)
{
    vmx_select(v);
    v->arch.bp_exception = BIT(VECTOR_BP);
    v->arch.open_exceptions |= BIT(VECTOR_BP);
    vmwrite(EXCEPTION_BITMAP, vmread(EXCEPTION_BITMAP) | BIT(VECTOR_BP));
}

/* Not from our own flag: from what the entry will load. */
bool vmx_gate_open(const struct vcpu *v)
{
    vmx_select(v);
    bool closed = (vmread(VMCS_GUEST_CR0) & CR0_GATE) == CR0_GATE &&
                  (vmread(CR0_MASK) & CR0_GATE) == CR0_GATE &&
                  !(vmread(VMCS_GUEST_CR4) & CR4_GATE) && (vmread(CR4_MASK) & CR4_GATE) &&
                  (vmread(EXCEPTION_BITMAP) & EXCEPTIONS_GATE) == EXCEPTIONS_GATE;

    return !closed;
}

void vmx_gate_reset(struct vcpu *v, u64 cr0)
{
    vmx_select(v);
    v->arch.gate_open = false;
    vmx_cr_install(v, cr0, 0);
    vmwrite(EXCEPTION_BITMAP, EXCEPTIONS_ALWAYS | EXCEPTIONS_GATE | v->arch.bp_exception);
}
