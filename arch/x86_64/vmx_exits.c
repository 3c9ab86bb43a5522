/*
 * Why the guest left, and what is done about it, as svm_exits.c for SVM: what an exit means is in
 * exits.c and the files behind it (CPUID, MSRs, I/O, control registers), here is how VMX says it.
 */
#include "vmx.h"
#include "exits.h"
#include "gdb_x86.h"
#include "hv/hypercall.h"

/* It comes to us blocked: taken as an interrupt of our own, whose IRETQ unblocks it. */
static COLD enum vcpu_event exit_nmi(void)
{
    __asm__ volatile("int $2" ::: "memory");
    return exit_nmi_said();
}

/* A trap, a breakpoint, or INT1, which says nothing in DR6 and is gone past (SDM 2, INT n). */
static COLD enum vcpu_event exit_debug(struct vcpu *v, u32 event)
{
    vmx_unblock();
    if ((event & VMX_EVENT_TYPE) == VMX_EVENT_INT1) {
        vmwrite(ENTRY_EVENT, event & ~VMX_EVENT_RESERVED);
        vmwrite(ENTRY_INSTRUCTION_LENGTH, vmread(EXIT_INSTRUCTION_LENGTH));
        return VCPU_RESUME;
    }
    u64 what = vmread(EXIT_QUALIFICATION);
    if (gdb_debug_exit(v, what))
        return VCPU_PREEMPTED;
    vmx_debug_exception(v, what);
    return exit_fault(v, VECTOR_DB, false);
}

/* INT3: the debugger's, or delivered as the instruction would. */
static COLD enum vcpu_event exit_breakpoint(struct vcpu *v, u32 event)
{
    if (gdb_breakpoint_exit(v))
        return VCPU_PREEMPTED;
    vmwrite(ENTRY_EVENT, event & ~VMX_EVENT_RESERVED);
    vmwrite(ENTRY_INSTRUCTION_LENGTH, vmread(EXIT_INSTRUCTION_LENGTH));
    return VCPU_RESUME;
}

static enum vcpu_event exit_exception(struct vcpu *v)
{
    u32 event = (u32)vmread(EXIT_EVENT);
    u8 vector = (u8)(event & VMX_EVENT_VECTOR);

    if ((event & VMX_EVENT_TYPE) == VMX_EVENT_NMI)
        return exit_nmi();
    if (likely(vector == VECTOR_NM || vector == VECTOR_UD))
        return exit_gate(v, vector);
    if (vector == VECTOR_DB)
        return exit_debug(v, event);
    if (vector == VECTOR_BP)
        return exit_breakpoint(v, event);
    if (vector == VECTOR_MC)
        panic("machine check while a guest was running: the hardware is broken");
    return exit_fault(v, vector, event & VMX_EVENT_ERROR);
}

/* The quantum ended by the VMX-preemption timer. The APIC's own may have rung meanwhile. */
static COLD enum vcpu_event exit_timer(struct vcpu *v)
{
    timer_forget(v->pcpu);
    return VCPU_PREEMPTED;
}

static enum vcpu_event exit_vmcall(struct vcpu *v)
{
    struct hypercall_result result;

    if (unlikely(virt->cpl(v) != 0))
        return exit_fault(v, VECTOR_UD, false);
    enum vcpu_event event = hypercall(v, (u32)v->arch.regs[RAX], v->arch.regs[RDI], &result);
    if (event == VCPU_VM_ENDED)
        return event;
    v->arch.regs[RAX] = (u64)result.status;
    v->arch.regs[RDX] = result.value;
    vmx_skip(v);
    return event == VCPU_RESUME && gdb_step_done(v) ? VCPU_PREEMPTED : event;
}

static COLD enum vcpu_event exit_msr(struct vcpu *v, bool write)
{
    u64 *rax = &v->arch.regs[RAX], value = v->arch.regs[RDX] << 32 | (u32)*rax;
    u32 msr = (u32)v->arch.regs[RCX];
    enum vcpu_event event = VCPU_RESUME;
    bool done;

    if (write && vmx_is_syscall_msr(msr)) {
        done = vmx_syscall_msr_write(v, msr, value);
        if (!done)
            inject_gp(v);
    } else {
        done = write ? exit_wrmsr(v, *rax, &event) : exit_rdmsr(v, rax, &event);
    }
    if (done)
        vmx_skip(v);
    return event;
}

/* Qualification: SDM 3, table 28-5. */
static COLD enum vcpu_event exit_port(struct vcpu *v)
{
    u64 what = vmread(EXIT_QUALIFICATION);
    struct port_access io = {(u16)(what >> 16), (u8)((what & 7) + 1), what & BIT(3), what & BIT(4)};
    enum vcpu_event event;

    if (exit_io(v, io, &v->arch.regs[RAX], &event))
        vmx_skip(v);
    return event;
}

/*
 * The exit interrupted the delivery of an event: deliver it again, or it is lost. VMX can enter
 * with any kind; one that came from an instruction is told how long that was.
 */
static COLD void deliver_again(u32 event)
{
    vmwrite(ENTRY_EVENT, event & ~VMX_EVENT_RESERVED);
    if (event & VMX_EVENT_ERROR)
        vmwrite(ENTRY_EVENT_ERROR, vmread(IDT_VECTORING_ERROR));
    if ((event & VMX_EVENT_TYPE) >= VMX_EVENT_SOFTWARE)
        vmwrite(ENTRY_INSTRUCTION_LENGTH, vmread(EXIT_INSTRUCTION_LENGTH));
}

static COLD enum vcpu_event exit_rare(struct vcpu *v, u32 reason)
{
    switch (reason) {
    case REASON_DR:
        vcpu_debug_regs_load(v);
        return VCPU_RESUME;
    case REASON_INIT:
        return VCPU_RESUME;
    case REASON_RDPMC: /* no PMU is shown: every counter number is invalid */
        return exit_fault(v, VECTOR_GP, true);
    case REASON_INVD:
    case REASON_WBINVD:
        vmx_skip(v); /* caches are coherent and shared with everyone: nothing to do */
        return VCPU_RESUME;
    case REASON_GETSEC:
    case REASON_VMCLEAR ... REASON_VMXON:
    case REASON_MWAIT:
    case REASON_MONITOR:
    case REASON_INVEPT:
    case REASON_INVVPID:
    case REASON_VMFUNC:
    case REASON_SEAMCALL:
    case REASON_TDCALL:
        return exit_fault(v, VECTOR_UD, false); /* hidden features: as a CPU without them */
    case REASON_TASK_SWITCH:
        return exit_task_switch(v);
    case REASON_TRIPLE_FAULT:
        return exit_triple_fault(v);
    case REASON_EPT_MISCONFIGURED:
        panic("the EPT of vm %s is misconfigured for guest-physical 0x%lx: a bug of Fermata",
              vm_name(v->vm), vmread(GUEST_PHYSICAL_ADDRESS));
    default:
        break;
    }
    vcpu_crash(v, "VMX exit %u (qualification 0x%lx), which Fermata never asked for; report it",
               reason, vmread(EXIT_QUALIFICATION));
    return VCPU_VM_ENDED;
}

static enum vcpu_event exit_uncommon(struct vcpu *v, u32 reason)
{
    enum vcpu_event event;
    u64 how;

    switch (reason) {
    case REASON_CPUID:
        exit_cpuid(v, &v->arch.regs[RAX]);
        vmx_skip(v);
        return VCPU_RESUME;
    case REASON_RDMSR:
    case REASON_WRMSR:
        return exit_msr(v, reason == REASON_WRMSR);
    case REASON_IO:
        return exit_port(v);
    case REASON_HLT:
        vmx_skip(v);
        return exit_halted(v);
    case REASON_CR:
        return vmx_exit_cr(v);
    case REASON_XSETBV:
        if (exit_xsetbv(v, v->arch.regs[RAX], &event))
            vmx_skip(v);
        return event;
    case REASON_EPT_VIOLATION: /* SDM 3, table 28-7 */
        how = vmread(EXIT_QUALIFICATION);
        return exit_stage2(v, vmread(GUEST_PHYSICAL_ADDRESS), how & BIT(1), how & BIT(2));
    case REASON_PREEMPTION_TIMER:
        return exit_timer(v);
    default:
        return exit_rare(v, reason);
    }
}

static COLD enum vcpu_event exit_other(struct vcpu *v, u32 reason)
{
    enum vcpu_event event = exit_uncommon(v, reason);

    if (unlikely(v->arch.step_done) && event == VCPU_RESUME && gdb_step_done(v))
        return VCPU_PREEMPTED;
    /* Neither timer ends the run of a guest whose IF is 0: it can lose the CPU here at least. */
    return unlikely(vmx_preemption == VMX_BY_EXITS) && event == VCPU_RESUME ? exit_interrupt(v)
                                                                            : event;
}

/*
 * VMLAUNCH or VMRESUME did not enter (SDM 3, 27.2 and 31.4), or entered and found the guest's state
 * invalid (27.3, 27.8): one line, the VM stops. Only the second can be the guest's doing.
 */
static COLD enum vcpu_event refused_state(struct vcpu *v, u32 reason)
{
    if (reason == REASON_MACHINE_CHECK)
        panic("machine check while entering a guest: the hardware is broken");
    vcpu_crash(v,
               "VM entry refused its state (exit reason %u, qualification %lu): CR0 %lx CR3 %lx "
               "CR4 %lx EFER %lx RFLAGS %lx CS rights %lx interruptibility %lx; report it",
               reason, vmread(EXIT_QUALIFICATION), vmread(VMCS_GUEST_CR0), vmread(VMCS_GUEST_CR3),
               vmread(VMCS_GUEST_CR4), vmread(VMCS_GUEST_EFER), vmread(VMCS_GUEST_RFLAGS),
               vmread(GUEST_CS_RIGHTS), vmread(GUEST_INTERRUPTIBILITY));
    return VCPU_VM_ENDED;
}

enum vcpu_event vmx_entry_failed(struct vcpu *v)
{
    panic("VM entry of vm %s vCPU %u failed with VM-instruction error %lu (SDM 3, 31.4): a bug of "
          "Fermata or of this CPU",
          vm_name(v->vm), v->id, vmread(INSTRUCTION_ERROR));
}

/* The three that a busy guest leaves for, by compare; the others by table. */
static enum vcpu_event dispatch(struct vcpu *v, u32 reason)
{
    if (reason == REASON_VMCALL)
        return exit_vmcall(v);
    if (reason == REASON_EXCEPTION)
        return exit_exception(v);
    if (reason == REASON_INTERRUPT)
        return exit_interrupt(v);
    if (unlikely(reason & REASON_ENTRY_FAILED))
        return refused_state(v, (u32)(reason & ~REASON_ENTRY_FAILED));
    return exit_other(v, reason);
}

enum vcpu_event vmx_exit(struct vcpu *v)
{
    u32 reason = (u32)vmread(EXIT_REASON);
    u32 vectoring = (u32)vmread(IDT_VECTORING);

    v->stats.exits++;
    v->arch.vmx.launched = true;
    if (unlikely(vectoring & VMX_EVENT_VALID))
        deliver_again(vectoring);
    enum vcpu_event event = dispatch(v, reason);
    if (likely(event == VCPU_RESUME)) {
        vmx_select(v); /* SIPI: another vCPU was set up meanwhile */
        fp_enter(v, &v->fp);
    }
    return event;
}
