/*
 * Why the guest left, and what is done about it, as svm_exits.c for SVM: what an exit means is in
 * the files both share (hypercall, CPUID, MSRs, I/O, control registers), here is how VMX says it.
 */
#include "vmx.h"
#include "cr.h"
#include "exceptions.h"
#include "io.h"
#include "msr.h"
#include "vcpu.h"
#include "virt.h"
#include "arch/arch.h"
#include "hv/console.h"
#include "hv/hypercall.h"

/* Out of line: what a measured exit does not run should not cost it saved registers either. */
#define COLD __attribute__((noinline))

static COLD enum vcpu_event fault(struct vcpu *v, u8 vector, bool has_error)
{
    virt->inject(v, vector, has_error, 0);
    return VCPU_RESUME;
}

static COLD enum vcpu_event stop(struct vcpu *v, const char *what)
{
    vcpu_crash(v, "%s", what);
    return VCPU_VM_ENDED;
}

static enum vcpu_event exit_gate(struct vcpu *v, u8 vector)
{
    enum fp_trap_result result = fp_trap(v, FP_UNIT_BASE);

    if (likely(result == FP_TRAP_RETRY))
        return VCPU_RESUME;
    if (result == FP_TRAP_NO_MEMORY)
        return stop(v, "no memory for its FP save area: give the VM a shorter fp list, or the "
                       "machine more memory");
    return fault(v, vector, false);
}

/* It comes to us blocked: taken as an interrupt of our own, whose IRETQ unblocks it. */
static COLD enum vcpu_event exit_nmi(void)
{
    __asm__ volatile("int $2" ::: "memory");
    say_info("NMI %u on this CPU, for no one: ignored", nmi_count);
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
    if (vector == VECTOR_DB) {
        vmx_debug_exception(v, vmread(EXIT_QUALIFICATION));
        return fault(v, VECTOR_DB, false);
    }
    if (vector == VECTOR_MC)
        panic("machine check while a guest was running: the hardware is broken");
    return fault(v, vector, event & VMX_EVENT_ERROR);
}

/* The interrupt is still pending in the APIC: let it in for one instruction, and see whose it was.
 */
static enum vcpu_event exit_interrupt(struct vcpu *v)
{
    struct pcpu *cpu = v->pcpu;

    __asm__ volatile("sti; nop; cli" ::: "memory");
    if (likely(cpu->arch.timer_fired)) {
        cpu->arch.timer_fired = false;
        return VCPU_PREEMPTED;
    }
    return VCPU_RESUME;
}

/* The quantum ended by the VMX-preemption timer. The APIC's own may have rung meanwhile. */
static COLD enum vcpu_event exit_timer(struct vcpu *v)
{
    __asm__ volatile("sti; nop; cli" ::: "memory");
    v->pcpu->arch.timer_fired = false;
    return VCPU_PREEMPTED;
}

static enum vcpu_event exit_vmcall(struct vcpu *v)
{
    struct hypercall_result result;

    if (unlikely(virt->cpl(v) != 0))
        return fault(v, VECTOR_UD, false);
    enum vcpu_event event = hypercall(v, (u32)v->arch.regs[RAX], v->arch.regs[RDI], &result);
    if (event == VCPU_VM_ENDED)
        return event;
    v->arch.regs[RAX] = (u64)result.status;
    v->arch.regs[RDX] = result.value;
    vmx_skip(v);
    return event;
}

static COLD enum vcpu_event exit_cpuid(struct vcpu *v)
{
    struct cpuid_regs r = vcpu_cpuid(v, (u32)v->arch.regs[RAX], (u32)v->arch.regs[RCX]);

    v->arch.regs[RAX] = r.eax;
    v->arch.regs[RBX] = r.ebx;
    v->arch.regs[RCX] = r.ecx;
    v->arch.regs[RDX] = r.edx;
    vmx_skip(v);
    return VCPU_RESUME;
}

static COLD enum vcpu_event exit_rdmsr(struct vcpu *v)
{
    u64 value = 0;
    enum msr_result result = msr_read(v, (u32)v->arch.regs[RCX], &value);

    if (result == MSR_GP)
        return fault(v, VECTOR_GP, true);
    if (result == MSR_STOPPED)
        return VCPU_VM_ENDED;
    v->arch.regs[RAX] = (u32)value;
    v->arch.regs[RDX] = value >> 32;
    vmx_skip(v);
    return VCPU_RESUME;
}

static COLD enum vcpu_event exit_wrmsr(struct vcpu *v)
{
    u32 msr = (u32)v->arch.regs[RCX];
    u64 value = v->arch.regs[RDX] << 32 | (u32)v->arch.regs[RAX];
    enum msr_result result;

    if (vmx_is_syscall_msr(msr))
        result = vmx_syscall_msr_write(v, msr, value) ? MSR_DONE : MSR_GP;
    else
        result = msr_write(v, msr, value);
    if (result == MSR_GP)
        return fault(v, VECTOR_GP, true);
    if (result == MSR_STOPPED)
        return VCPU_VM_ENDED;
    vmx_skip(v);
    return VCPU_RESUME;
}

/* Qualification: SDM 3, table 28-5. */
static COLD enum vcpu_event exit_io(struct vcpu *v)
{
    u64 what = vmread(EXIT_QUALIFICATION);
    unsigned bytes = (unsigned)(what & 7) + 1;
    u16 port = (u16)(what >> 16);
    bool in = what & BIT(3);
    u64 mask = BITS(8 * bytes - 1, 0);
    u64 *rax = &v->arch.regs[RAX];
    u32 value = (u32)(*rax & mask);

    if (what & BIT(4)) {
        vcpu_crash(v, "string I/O to port 0x%x: not emulated, let the guest use IN and OUT", port);
        return VCPU_VM_ENDED;
    }
    enum vcpu_event event = io_access(v, port, bytes, in, &value);
    if (event == VCPU_VM_ENDED)
        return event;
    if (in) /* a 32-bit result clears the upper half, narrower ones leave it */
        *rax = bytes == 4 ? value : (*rax & ~mask) | value;
    vmx_skip(v);
    return event;
}

/* Nothing can wake a halted vCPU in this release, whatever its IF says. */
static COLD enum vcpu_event exit_hlt(struct vcpu *v)
{
    vmx_skip(v);
    v->state = VCPU_HALTED;
    return VCPU_BLOCKED;
}

static COLD enum vcpu_event exit_xsetbv(struct vcpu *v)
{
    u64 value = v->arch.regs[RDX] << 32 | (u32)v->arch.regs[RAX];

    switch (xsetbv_write(v, (u32)v->arch.regs[RCX], value)) {
    case XSETBV_DONE:
        vmx_skip(v);
        return VCPU_RESUME;
    case XSETBV_UD:
        return fault(v, VECTOR_UD, false);
    case XSETBV_STOP:
        vcpu_crash(v,
                   "XSETBV 0x%lx: no memory for a larger FP save area: give the VM a shorter fp "
                   "list, or the machine more memory",
                   value);
        return VCPU_VM_ENDED;
    default:
        return fault(v, VECTOR_GP, true);
    }
}

static COLD enum vcpu_event exit_ept(struct vcpu *v)
{
    u64 how = vmread(EXIT_QUALIFICATION);
    const char *what = how & BIT(2) ? "fetched from" : how & BIT(1) ? "wrote to" : "read";

    vcpu_crash(v,
               "it %s guest-physical 0x%lx, where it has no memory (its RAM ends at 0x%lx) and "
               "no device; give it more memory, or mend the guest",
               what, vmread(GUEST_PHYSICAL_ADDRESS), v->vm->ram_gpa + v->vm->ram_bytes);
    return VCPU_VM_ENDED;
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
        return fault(v, VECTOR_GP, true);
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
        return fault(v, VECTOR_UD, false); /* hidden features: as a CPU without them */
    case REASON_TASK_SWITCH:
        return stop(v, "a hardware task switch, which this release does not emulate: use software "
                       "switching in the guest");
    case REASON_TRIPLE_FAULT:
        return stop(v, "triple fault: an exception whose handlers fault too; look at the guest's "
                       "IDT and stack");
    case REASON_MACHINE_CHECK:
        panic("machine check while entering a guest: the hardware is broken");
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
    switch (reason) {
    case REASON_CPUID:
        return exit_cpuid(v);
    case REASON_RDMSR:
        return exit_rdmsr(v);
    case REASON_WRMSR:
        return exit_wrmsr(v);
    case REASON_IO:
        return exit_io(v);
    case REASON_HLT:
        return exit_hlt(v);
    case REASON_CR:
        return vmx_exit_cr(v);
    case REASON_XSETBV:
        return exit_xsetbv(v);
    case REASON_EPT_VIOLATION:
        return exit_ept(v);
    case REASON_PREEMPTION_TIMER:
        return exit_timer(v);
    default:
        return exit_rare(v, reason);
    }
}

static COLD enum vcpu_event exit_other(struct vcpu *v, u32 reason)
{
    enum vcpu_event event = exit_uncommon(v, reason);

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
