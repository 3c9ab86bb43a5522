/*
 * Why the guest left, and what is done about it. One switch, which the compiler makes a table; the
 * path that is measured (VMMCALL, the gate, the timer) touches nothing it does not need.
 */
#include "svm.h"
#include "exits.h"
#include "gdb_x86.h"
#include "hv/hypercall.h"

bool svm_timer_held_back;

static COLD enum vcpu_event exit_vmmcall(struct vcpu *v)
{
    struct vmcb *c = v->arch.vmcb;
    struct hypercall_result result;

    if (unlikely(c->cpl != 0))
        return exit_fault(v, VECTOR_UD, false);
    enum vcpu_event event = hypercall(v, (u32)c->rax, v->arch.regs[RDI], &result);
    c->rax = (u64)result.status;
    v->arch.regs[RDX] = result.value;
    svm_skip(v, 3);
    return event == VCPU_RESUME && gdb_step_done(v) ? VCPU_PREEMPTED : event;
}

enum vcpu_event svm_exit_gate(struct vcpu *v, u8 vector)
{
    return exit_gate(v, vector);
}

static COLD enum vcpu_event exit_msr(struct vcpu *v)
{
    struct vmcb *c = v->arch.vmcb;
    enum vcpu_event event;

    if (c->exitinfo1 & 1 ? exit_wrmsr(v, c->rax, &event) : exit_rdmsr(v, &c->rax, &event))
        svm_skip(v, svm_length(v, 2));
    return event;
}

/* EXITINFO1: APM 2, 15.10.2. EXITINFO2 is the next RIP, decode assists or not. */
static COLD enum vcpu_event exit_port(struct vcpu *v)
{
    struct vmcb *c = v->arch.vmcb;
    u64 info = c->exitinfo1;
    struct port_access io = {(u16)(info >> 16), (u8)(info >> 4 & 7), info & 1, info & BIT(2)};
    enum vcpu_event event;

    if (exit_io(v, io, &c->rax, &event))
        svm_skip(v, (u32)(c->exitinfo2 - c->rip));
    return event;
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

/* INT3, whose RIP is still before it: the debugger's, or delivered as the instruction would. */
static COLD enum vcpu_event exit_breakpoint(struct vcpu *v)
{
    struct vmcb *c = v->arch.vmcb;

    if (gdb_breakpoint_exit(v))
        return VCPU_PREEMPTED;
    c->rip = cpu_has.nrip && c->nrip ? c->nrip : c->rip + 1;
    c->eventinj = VECTOR_BP | EVENT_EXCEPTION | EVENT_VALID;
    return VCPU_RESUME;
}

/* INT n, which exits only where the debugger has breakpoints; and INT3 on QEMU. Delivered as the
 * instruction would (APM 2, 15.20: RIP is where the handler returns to). */
static COLD enum vcpu_event exit_intn(struct vcpu *v)
{
    u8 code[2] = {0, 0};
    struct vmcb *c = v->arch.vmcb;
    size_t n = svm_fetch(v, code, sizeof(code));

    if (n >= 1 && code[0] == 0xcc)
        return exit_breakpoint(v);
    if (n < 2 || code[0] != 0xcd)
        return exit_stop(v, "INT n that cannot be read back while the debugger has breakpoints");
    c->rip += 2;
    c->eventinj = code[1] | EVENT_SOFTWARE | EVENT_VALID;
    return VCPU_RESUME;
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
    case SVM_EXIT_EXCEPTION_BP:
        return exit_breakpoint(v);
    case SVM_EXIT_INTN:
        return exit_intn(v);
    case SVM_EXIT_EXCEPTION_DB:
        if (gdb_debug_exit(v, v->arch.vmcb->dr6))
            return VCPU_PREEMPTED;
        /* DR6 and DR7 in the VMCB are as the exception left them; it only passes through. */
        return exit_fault(v, VECTOR_DB, false);
    case SVM_EXIT_EXCEPTION_AC:
        return exit_fault(v, 17, true);
    case SVM_EXIT_EXCEPTION_MC:
        panic("machine check while a guest was running: the hardware is broken");
    case SVM_EXIT_NMI:
        return exit_nmi_said();
    case SVM_EXIT_INIT:
        return VCPU_RESUME;
    case SVM_EXIT_RDPMC: /* no PMU is shown: every counter number is invalid */
        return exit_fault(v, VECTOR_GP, true);
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
        return exit_fault(v, VECTOR_UD, false); /* hidden features: as a CPU without them */
    case SVM_EXIT_TASK_SWITCH:
        return exit_task_switch(v);
    case SVM_EXIT_FERR_FREEZE:
        return exit_stop(
            v, "an unmasked x87 exception with CR0.NE = 0, for an interrupt controller it "
               "does not have: set CR0.NE in the guest");
    case SVM_EXIT_SHUTDOWN:
        return exit_triple_fault(v);
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
    const struct vmcb *c = v->arch.vmcb;

    switch (code) {
    case SVM_EXIT_CPUID:
        exit_cpuid(v, &v->arch.vmcb->rax);
        svm_skip(v, svm_length(v, 2));
        return VCPU_RESUME;
    case SVM_EXIT_MSR:
        return exit_msr(v);
    case SVM_EXIT_IO:
        return exit_port(v);
    case SVM_EXIT_HLT:
        svm_skip(v, svm_length(v, 1));
        return exit_halted(v);
    case SVM_EXIT_NPF:
        return exit_stage2(v, c->exitinfo2, c->exitinfo1 & BIT(1), c->exitinfo1 & BIT(4));
    default:
        return exit_rare(v, code);
    }
}

static COLD enum vcpu_event exit_other(struct vcpu *v, u64 code)
{
    enum vcpu_event event = exit_uncommon(v, code);

    if (unlikely(v->arch.step_done) && event == VCPU_RESUME && gdb_step_done(v))
        return VCPU_PREEMPTED;
    /* A guest whose IF keeps the timer out ("intr-if") can lose the CPU here at least. */
    return unlikely(svm_timer_held_back) && event == VCPU_RESUME ? exit_interrupt(v) : event;
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
        return exit_interrupt(v);
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
