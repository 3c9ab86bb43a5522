/*
 * Why the guest left, and what is done about it. One switch, which the compiler makes a table; the
 * path that is measured (VMMCALL, the gate, the timer) touches nothing it does not need.
 */
#include "svm.h"
#include "cpu.h"
#include "cpuid_policy.h"
#include "exceptions.h"
#include "io.h"
#include "msr.h"
#include "virt.h"
#include "vcpu.h"
#include "arch/arch.h"
#include "hv/console.h"
#include "hv/hypercall.h"

#define APIC_PAGE 0xfee00000ull

bool svm_timer_held_back;

/* Out of line: what a measured exit does not run should not cost it saved registers either. */
#define COLD __attribute__((noinline))

static COLD enum vcpu_event fault(struct vcpu *v, u8 vector, bool has_error)
{
    virt->inject(v, vector, has_error, 0);
    return VCPU_RESUME;
}

static COLD enum vcpu_event gate_stays_closed(struct vcpu *v, u8 vector, enum fp_trap_result result)
{
    if (result == FP_TRAP_NO_MEMORY) {
        vcpu_crash(v, "no memory for its FP save area: give the VM a shorter fp list, or the "
                      "machine more memory");
        return VCPU_VM_ENDED;
    }
    /* With the gate open neither vector is intercepted: this cannot be ours, so it is his. */
    return fault(v, vector, vector == VECTOR_GP);
}

enum vcpu_event svm_exit_gate(struct vcpu *v, u8 vector)
{
    enum fp_trap_result result = fp_trap(v, FP_UNIT_BASE);

    if (likely(result == FP_TRAP_RETRY))
        return VCPU_RESUME;
    return gate_stays_closed(v, vector, result);
}

static COLD enum vcpu_event exit_vmmcall(struct vcpu *v)
{
    struct vmcb *c = v->arch.vmcb;
    struct hypercall_result result;

    if (unlikely(c->cpl != 0))
        return fault(v, VECTOR_UD, false);
    enum vcpu_event event = hypercall(v, (u32)c->rax, v->arch.regs[RDI], &result);
    c->rax = (u64)result.status;
    v->arch.regs[RDX] = result.value;
    svm_skip(v, 3);
    return event;
}

/* The interrupt is still pending in the APIC: let it in for one instruction, and see whose it was.
 */
static enum vcpu_event exit_intr(struct vcpu *v)
{
    struct pcpu *cpu = v->pcpu;

    __asm__ volatile("sti; nop; cli" ::: "memory");
    if (likely(cpu->arch.timer_fired)) {
        cpu->arch.timer_fired = false;
        return VCPU_PREEMPTED;
    }
    return VCPU_RESUME;
}

static COLD enum vcpu_event exit_cpuid(struct vcpu *v)
{
    struct vmcb *c = v->arch.vmcb;
    struct cpuid_regs r = vcpu_cpuid(v, (u32)c->rax, (u32)v->arch.regs[RCX]);

    c->rax = r.eax;
    v->arch.regs[RBX] = r.ebx;
    v->arch.regs[RCX] = r.ecx;
    v->arch.regs[RDX] = r.edx;
    svm_skip(v, svm_length(v, 2));
    return VCPU_RESUME;
}

static COLD enum vcpu_event exit_msr(struct vcpu *v)
{
    struct vmcb *c = v->arch.vmcb;
    u32 msr = (u32)v->arch.regs[RCX];
    enum msr_result result;
    u64 value = 0;

    if (c->exitinfo1 & 1) {
        result = msr_write(v, msr, v->arch.regs[RDX] << 32 | (u32)c->rax);
    } else {
        result = msr_read(v, msr, &value);
        if (result == MSR_DONE) {
            c->rax = (u32)value;
            v->arch.regs[RDX] = value >> 32;
        }
    }
    if (result == MSR_GP)
        return fault(v, VECTOR_GP, true);
    if (result == MSR_STOPPED)
        return VCPU_VM_ENDED;
    svm_skip(v, svm_length(v, 2));
    return VCPU_RESUME;
}

/* EXITINFO1: APM 2, 15.10.2. EXITINFO2 is the next RIP, decode assists or not. */
static COLD enum vcpu_event exit_io(struct vcpu *v)
{
    struct vmcb *c = v->arch.vmcb;
    u64 info = c->exitinfo1;
    unsigned bytes = (unsigned)(info >> 4 & 7);
    u16 port = (u16)(info >> 16);
    bool in = info & 1;
    u32 value = (u32)c->rax & (u32)BITS(8 * bytes - 1, 0);

    if (info & BIT(2)) {
        vcpu_crash(v, "string I/O to port 0x%x: not emulated, let the guest use IN and OUT", port);
        return VCPU_VM_ENDED;
    }
    enum vcpu_event event = io_access(v, port, bytes, in, &value);
    if (in) /* a 32-bit result clears the upper half, narrower ones leave it */
        c->rax = bytes == 4 ? value : (c->rax & ~BITS(8 * bytes - 1, 0)) | value;
    svm_skip(v, (u32)(c->exitinfo2 - c->rip));
    return event;
}

/* Nothing can wake a halted vCPU in this release, whatever its IF says. */
static COLD enum vcpu_event exit_hlt(struct vcpu *v)
{
    svm_skip(v, svm_length(v, 1));
    v->state = VCPU_HALTED;
    return VCPU_BLOCKED;
}

static COLD enum vcpu_event exit_npf(struct vcpu *v)
{
    struct vmcb *c = v->arch.vmcb;
    u64 error = c->exitinfo1;
    const char *what = error & BIT(4) ? "fetched from" : error & BIT(1) ? "wrote to" : "read";

    if ((c->exitinfo2 & PAGE_MASK) == APIC_PAGE) {
        vcpu_crash(v,
                   "it %s the page of the xAPIC (0x%lx), which it does not have: its APIC is an "
                   "x2APIC, reached by MSRs 0x800 and up; let the guest use those",
                   what, c->exitinfo2);
        return VCPU_VM_ENDED;
    }
    vcpu_crash(v,
               "it %s guest-physical 0x%lx, where it has no memory (its RAM ends at 0x%lx) and "
               "no device; give it more memory, or mend the guest",
               what, c->exitinfo2, v->vm->ram_gpa + v->vm->ram_bytes);
    return VCPU_VM_ENDED;
}

static enum vcpu_event stop(struct vcpu *v, const char *what)
{
    vcpu_crash(v, "%s", what);
    return VCPU_VM_ENDED;
}

static enum vcpu_event exit_nmi(void)
{
    static u32 said;

    if (nmi_count != said) {
        said = nmi_count;
        say_info("NMI %u on this CPU, for no one: ignored", said);
    }
    return VCPU_RESUME;
}

/*
 * The exit interrupted the delivery of an event: deliver it again, or it is lost. A software
 * interrupt or exception is executed again instead: RIP is still before its instruction.
 */
static COLD void deliver_again(struct vcpu *v)
{
    struct vmcb *c = v->arch.vmcb;
    u64 event = c->exitintinfo;
    u8 vector = (u8)(event & EVENT_VECTOR);
    bool software =
        (event & EVENT_TYPE) == EVENT_SOFTWARE ||
        ((event & EVENT_TYPE) == EVENT_EXCEPTION && (vector == VECTOR_BP || vector == VECTOR_OF));

    if (!software)
        c->eventinj = event;
}

static enum vcpu_event exit_debug(struct vcpu *v)
{
    /* DR6 and DR7 in the VMCB are as the exception left them; it only passes through here. */
    return fault(v, VECTOR_DB, false);
}

/*
 * VMRUN checks less than a real CPU does at each instruction, but it does check (APM 2, 15.5.1): a
 * guest that gets itself into a state no CPU runs in stops itself, not the machine.
 */
static enum vcpu_event refused_state(struct vcpu *v)
{
    const struct vmcb *c = v->arch.vmcb;

    vcpu_crash(
        v,
        "VMRUN refuses its state (CR0 %lx CR3 %lx CR4 %lx EFER %lx, CS attributes %x), which "
        "no CPU runs in: mend what the guest last wrote to these, or report it",
        c->cr0, c->cr3, c->cr4, c->efer, c->cs.attributes);
    return VCPU_VM_ENDED;
}

/* What is not on the measured path. */
static COLD enum vcpu_event exit_rare(struct vcpu *v, u64 code)
{
    switch (code) {
    case SVM_EXIT_READ_CR0 ... SVM_EXIT_WRITE_CR4:
        return svm_exit_cr(v, code);
    case SVM_EXIT_XSETBV:
        return svm_exit_xsetbv(v);
    case SVM_EXIT_READ_DR0 ... SVM_EXIT_READ_DR0 + 3:
    case SVM_EXIT_WRITE_DR0 ... SVM_EXIT_WRITE_DR0 + 3:
        vcpu_debug_regs_load(v);
        return VCPU_RESUME;
    case SVM_EXIT_EXCEPTION_DB:
        return exit_debug(v);
    case SVM_EXIT_EXCEPTION_AC:
        return fault(v, 17, true);
    case SVM_EXIT_EXCEPTION_MC:
        panic("machine check while a guest was running: the hardware is broken");
    case SVM_EXIT_NMI:
        return exit_nmi();
    case SVM_EXIT_INIT:
        return VCPU_RESUME;
    case SVM_EXIT_RDPMC: /* no PMU is shown: every counter number is invalid */
        return fault(v, VECTOR_GP, true);
    case SVM_EXIT_INVD:
    case SVM_EXIT_WBINVD:
        svm_skip(
            v, svm_length(v, 2)); /* caches are coherent and shared with everyone: nothing to do */
        return VCPU_RESUME;
    case SVM_EXIT_INVLPGA:
    case SVM_EXIT_VMRUN:
    case SVM_EXIT_VMLOAD ... SVM_EXIT_RDTSCP:
    case SVM_EXIT_MONITOR ... SVM_EXIT_MWAIT_ARMED:
    case SVM_EXIT_RDPRU:
        return fault(v, VECTOR_UD, false); /* hidden features: as a CPU without them */
    case SVM_EXIT_TASK_SWITCH:
        return stop(v, "a hardware task switch, which this release does not emulate: use software "
                       "switching in the guest");
    case SVM_EXIT_FERR_FREEZE:
        return stop(v, "an unmasked x87 exception with CR0.NE = 0, for an interrupt controller it "
                       "does not have: set CR0.NE in the guest");
    case SVM_EXIT_SHUTDOWN:
        return stop(v, "triple fault: an exception whose handlers fault too; look at the guest's "
                       "IDT and stack");
    default:
        break;
    }
    if (code == SVM_EXIT_INVALID)
        return refused_state(v);
    vcpu_crash(v, "SVM exit 0x%lx (info 0x%lx, 0x%lx), which Fermata never asked for; report it",
               code, v->arch.vmcb->exitinfo1, v->arch.vmcb->exitinfo2);
    return VCPU_VM_ENDED;
}

static enum vcpu_event exit_uncommon(struct vcpu *v, u64 code)
{
    switch (code) {
    case SVM_EXIT_CPUID:
        return exit_cpuid(v);
    case SVM_EXIT_MSR:
        return exit_msr(v);
    case SVM_EXIT_IO:
        return exit_io(v);
    case SVM_EXIT_HLT:
        return exit_hlt(v);
    case SVM_EXIT_NPF:
        return exit_npf(v);
    default:
        return exit_rare(v, code);
    }
}

static COLD enum vcpu_event exit_other(struct vcpu *v, u64 code)
{
    enum vcpu_event event = exit_uncommon(v, code);

    /* A guest whose IF keeps the timer out ("intr-if") can lose the CPU here at least. */
    return unlikely(svm_timer_held_back) && event == VCPU_RESUME ? exit_intr(v) : event;
}

/* The four that a busy guest leaves for, by compare; the others by table. */
static enum vcpu_event dispatch(struct vcpu *v, u64 code)
{
    if (code == SVM_EXIT_VMMCALL)
        return exit_vmmcall(v);
    if (code == SVM_EXIT_EXCEPTION_NM)
        return svm_exit_gate(v, VECTOR_NM);
    if (code == SVM_EXIT_EXCEPTION_UD)
        return svm_exit_gate(v, VECTOR_UD);
    if (code == SVM_EXIT_INTR)
        return exit_intr(v);
    return exit_other(v, code);
}

enum vcpu_event svm_exit(struct vcpu *v)
{
    struct vmcb *c = v->arch.vmcb;

    v->stats.exits++;
    c->clean = CLEAN_ALL;
    c->tlb_control = 0;
    c->eventinj = 0;
    if (unlikely(c->exitintinfo & EVENT_VALID))
        deliver_again(v);
    enum vcpu_event event = dispatch(v, c->exitcode);
    if (likely(event == VCPU_RESUME))
        fp_enter(v, &v->fp);
    return event;
}
