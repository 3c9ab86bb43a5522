/*
 * SVM's half of selftest_gate.c: a guest for one instruction, and the intercepts. The guest is the
 * hypervisor's own address space without nested paging, and every exception is intercepted, so
 * whatever happens comes back as an exit code.
 */
#include "selftest.h"
#include "cpu.h"
#include "fp_hw.h"
#include "svm.h"
#include "xstate_layout.h"
#include "arch/arch.h"
#include "hv/console.h"
#include "hv/pages.h"

#define NM          PROBE_EXCEPTION(VECTOR_NM)
#define UD          PROBE_EXCEPTION(VECTOR_UD)
#define GP          PROBE_EXCEPTION(VECTOR_GP)
#define DONE        PROBE_DONE
#define TIMER_US    20u
#define SPINS       1000000u    /* by far more than TIMER_US */
#define UNKNOWN_MSR 0x4b564dffu /* in no vendor's range */

SELFTEST_CODE(xsave);
SELFTEST_CODE(xsetbv);
SELFTEST_CODE(read_cr0);
SELFTEST_CODE(smsw);
SELFTEST_CODE(read_cr4);
SELFTEST_CODE(write_cr0);
SELFTEST_CODE(clts);
SELFTEST_CODE(lmsw);
SELFTEST_CODE(write_cr4);
SELFTEST_CODE(cpuid);
SELFTEST_CODE(rdmsr);
SELFTEST_CODE(wrmsr);
SELFTEST_CODE(spin);
SELFTEST_CODE(task);
SELFTEST_CODE(task_target);
SELFTEST_CODE(rdtscp);
SELFTEST_CODE(io);

static const struct gate_class intercepts[] = {
    {"read-cr0", selftest_read_cr0, SVM_EXIT_READ_CR0, 0, DONE, 0, NEED_NOTHING, ESCAPE_READ},
    {"smsw", selftest_smsw, SVM_EXIT_READ_CR0, 0, DONE, 0, NEED_NOTHING, ESCAPE_READ},
    {"read-cr4", selftest_read_cr4, SVM_EXIT_READ_CR4, 0, DONE, 0, NEED_NOTHING, ESCAPE_READ},
    {"write-cr0", selftest_write_cr0, SVM_EXIT_WRITE_CR0, 0, DONE, 0, NEED_NOTHING, ESCAPE_STOP},
    {"clts", selftest_clts, SVM_EXIT_WRITE_CR0, 0, DONE, 0, NEED_NOTHING, ESCAPE_STOP},
    {"lmsw", selftest_lmsw, SVM_EXIT_WRITE_CR0, 0, DONE, 0, NEED_NOTHING, ESCAPE_STOP},
    {"write-cr4", selftest_write_cr4, SVM_EXIT_WRITE_CR4, 0, SVM_EXIT_WRITE_CR4, 0, NEED_NOTHING,
     ESCAPE_STOP},
    {"cpuid", selftest_cpuid, SVM_EXIT_CPUID, 0, SVM_EXIT_CPUID, 0, NEED_NOTHING, ESCAPE_STOP},
    {"rdmsr", selftest_rdmsr, SVM_EXIT_MSR, 0, SVM_EXIT_MSR, UNKNOWN_MSR, NEED_NOTHING,
     ESCAPE_STOP},
    {"wrmsr", selftest_wrmsr, SVM_EXIT_MSR, 0, SVM_EXIT_MSR, UNKNOWN_MSR, NEED_NOTHING,
     ESCAPE_STOP},
    {"io", selftest_io, SVM_EXIT_IO, 0, SVM_EXIT_IO, 0, NEED_NOTHING, ESCAPE_STOP},
};

static struct arch_vcpu guest;
static u64 probe_rflags = RFLAGS_FIXED;

static struct vmcb *vmcb_make(struct pcpu *cpu)
{
    struct vmcb *c = pages_alloc(1, PAGE_SIZE, PAGES_HYPERVISOR);

    if (!c)
        return NULL;
    guest.vmcb = c;
    guest.vmcb_pa = (u64)(uintptr_t)c;
    c->intercept_exceptions = 0xffffffff;
    c->intercept_misc1 = (u32)(INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_CPUID | INTERCEPT_IO |
                               INTERCEPT_MSR | INTERCEPT_SHUTDOWN);
    c->intercept_misc2 = (u32)(INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_XSETBV);
    c->iopm_pa = svm_iopm_pa;
    c->msrpm_pa = svm_msrpm_pa;
    c->asid = cpu->arch.asid_max;
    c->tlb_control = TLB_FLUSH_ALL;
    c->v_intr = V_INTR_MASKING;
    c->cs = (struct vmcb_segment){SELECTOR_CODE, 0xa9b, 0xffffffff, 0};
    c->ss = c->ds = c->es = (struct vmcb_segment){SELECTOR_DATA, 0xc93, 0xffffffff, 0};
    c->tr = (struct vmcb_segment){SELECTOR_TSS, 0x08b, 0x67, 0};
    c->efer = rdmsr(MSR_EFER);
    c->cr3 = read_cr3();
    c->dr6 = DR6_RESET;
    c->dr7 = DR7_RESET;
    c->pat = rdmsr(MSR_PAT);
    return c;
}

/* VMMCALL ends every class; the exits of exceptions are numbered from 0x40. */
static u32 outcome(u64 code)
{
    if (code == SVM_EXIT_VMMCALL)
        return PROBE_DONE;
    if (code == SVM_EXIT_INVALID)
        return PROBE_REFUSED;
    if (code >= SVM_EXIT_EXCEPTION && code < SVM_EXIT_EXCEPTION + 32)
        return PROBE_EXCEPTION((u32)code - SVM_EXIT_EXCEPTION);
    return (u32)code;
}

u32 svm_probe(struct pcpu *cpu, const struct gate_class *class, enum probe_gate gate,
              bool *at_itself)
{
    struct vmcb *c = guest.vmcb;
    u64 open_cr0 = HOST_CR0 & ~(u64)CR0_TS;

    selftest_fresh_buffer();
    memset(guest.regs, 0, sizeof(guest.regs));
    guest.regs[RDI] = (u64)(uintptr_t)selftest_buffer;
    guest.regs[RCX] = class->rcx;
    c->rax = 0;
    if (class->code == selftest_write_cr0 || class->code == selftest_lmsw)
        c->rax = open_cr0;
    if (class->code == selftest_write_cr4) /* a value the CPU itself accepts: Bochs checks first */
        c->rax = read_cr4();
    if (class->code == selftest_xsetbv)
        c->rax = cpu->arch.xcr0;
    c->rip = (u64)(uintptr_t) class->code;
    c->rsp = (u64)(uintptr_t)(selftest_buffer + SELFTEST_BUFFER);
    c->rflags = probe_rflags;
    c->cr0 = gate == GATE_OPEN ? open_cr0 : open_cr0 | CR0_TS;
    c->cr4 = read_cr4() & ~(gate == GATE_CLOSED ? (u64)CR4_OSXSAVE : 0);
    if (class->code == selftest_write_cr4)
        c->rax = c->cr4; /* some check the value before the intercept */
    c->intercept_cr = gate == GATE_CLOSED ? SVM_CR_ALWAYS | SVM_CR_GATE : SVM_CR_ALWAYS;
    c->clean = 0;
    c->eventinj = 0;
    svm_enter(&guest, cpu->arch.host_vmcb_pa);
    /* An exit at the instruction itself: whatever is wrong, the guest cannot have run past it. */
    *at_itself = c->rip == (u64)(uintptr_t) class->code;
    return outcome(c->exitcode);
}

static u32 probe(struct pcpu *cpu, const struct gate_class *class, enum probe_gate gate)
{
    bool at_itself;

    return svm_probe(cpu, class, gate, &at_itself);
}

/* XSETBV has to exit whenever it would not fault: nothing else keeps a guest's XCR0 in bounds. */
static bool check_xsetbv(struct pcpu *cpu, char *why, size_t n)
{
    static const struct gate_class xsetbv = {"xsetbv",        selftest_xsetbv, UD,
                                             SVM_EXIT_XSETBV, SVM_EXIT_XSETBV, 0,
                                             NEED_XSAVE,      ESCAPE_STOP};

    if (!cpu_has.xsave)
        return true;
    u32 closed = probe(cpu, &xsetbv, GATE_CLOSED);
    u32 open = probe(cpu, &xsetbv, GATE_OPEN);
    if (open == SVM_EXIT_XSETBV && (closed == UD || closed == SVM_EXIT_XSETBV))
        return true;
    format_text(why, n,
                "XSETBV of a guest cannot be intercepted here (expected exit 0x8d, got 0x%x), so "
                "its XCR0 cannot be held; under QEMU use version 10 or later",
                open);
    return false;
}

/* Runs a guest that spins with this RFLAGS, with the timer set: did the timer end it? */
static u32 spin_until_timer(struct pcpu *cpu, u64 rflags)
{
    static const struct gate_class spin = {"spin", selftest_spin, SVM_EXIT_INTR, 0, SVM_EXIT_INTR,
                                           SPINS,  NEED_NOTHING,  ESCAPE_STOP};

    probe_rflags = rflags;
    arch_timer_set(cpu, tsc_hz * TIMER_US / 1000000);
    u32 got = probe(cpu, &spin, GATE_OPEN);
    probe_rflags = RFLAGS_FIXED;
    __asm__ volatile("sti; nop; cli" ::: "memory");
    return got;
}

/*
 * The timer interrupts us, and ends the run of a guest, whose own IF has no say in it: without that
 * the first endless loop of a guest would be the last thing this machine does.
 */
static bool check_timer(struct pcpu *cpu, char *why, size_t n)
{
    char had[24];
    u32 got = spin_until_timer(cpu, RFLAGS_FIXED);

    if (got != SVM_EXIT_INTR) {
        selftest_erratum("intr-if",
                         "expected exit 0x60 from a guest with RFLAGS.IF = 0 when the timer fires, "
                         "got %s; a guest with interrupts off is preempted only when it exits "
                         "for something else",
                         selftest_outcome(got, had, sizeof(had)));
        svm_timer_held_back = true;
        got = spin_until_timer(cpu, RFLAGS_FIXED | RFLAGS_IF);
    }
    if (got != SVM_EXIT_INTR || !cpu->arch.timer_fired) {
        format_text(why, n,
                    "the timer does not end the run of a guest (expected exit 0x60, got 0x%x); "
                    "without preemption guests cannot share this CPU",
                    got);
        return false;
    }
    cpu->arch.timer_fired = false;
    return true;
}

/* Known weaknesses the gate does not lean on: said, so that nobody leans on them later. */
static void note_errata(struct pcpu *cpu)
{
    static const struct gate_class xsave = {"xsave-ts", selftest_xsave, NM,         0, DONE,
                                            0,          NEED_XSAVE,     ESCAPE_NOTE};
    static const struct gate_class rdmsr = {"unknown-msr", selftest_rdmsr, GP,         0, DONE,
                                            UNKNOWN_MSR,   NEED_NOTHING,   ESCAPE_NOTE};
    char had[24];
    u32 got;

    if (cpu_has.xsave && (got = probe(cpu, &xsave, GATE_TS_ONLY)) != NM)
        selftest_erratum(xsave.name,
                         "expected #NM for XSAVE with CR0.TS = 1, got %s; CR4.OSXSAVE closes it",
                         selftest_outcome(got, had, sizeof(had)));
    guest.vmcb->intercept_misc1 &= ~(u32)INTERCEPT_MSR;
    got = probe(cpu, &rdmsr, GATE_OPEN);
    guest.vmcb->intercept_misc1 |= (u32)INTERCEPT_MSR;
    if (got != GP)
        selftest_erratum(rdmsr.name,
                         "expected #GP for an MSR that does not exist, got %s; guests get their "
                         "#GP from Fermata",
                         selftest_outcome(got, had, sizeof(had)));
}

struct task_state {
    u32 link, esp0, ss0, esp1, ss1, esp2, ss2;
    u32 cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
    u32 es, cs, ss, ds, fs, gs, ldt, io_map;
};
_Static_assert(sizeof(struct task_state) == 104, "32-bit TSS, APM 2, 12.2.4");

/* What a 32-bit guest needs for one task switch: two tasks and a GDT that names them. */
static struct {
    u64 gdt[5];
    struct task_state from, to;
} task ALIGNED(64);

static u64 task_descriptor(const struct task_state *tss, u64 type)
{
    u64 base = (u64)(uintptr_t)tss;

    return (sizeof(*tss) - 1) | (base & 0xffffff) << 16 | (0x80 | type) << 40 |
           (base >> 24 & 0xff) << 56;
}

/*
 * A hardware task switch sets CR0.TS, over the one the gate hides, so its intercept stops the VM.
 * The probe wants 32-bit addresses, as all of them are where firmware puts small images low.
 */
static void note_task_switch(struct pcpu *cpu)
{
    struct vmcb *c = guest.vmcb;
    const struct vmcb_segment data = {0x10, 0xc93, 0xffffffff, 0};

    if ((u64)(uintptr_t)&task >> 32)
        return;
    task.gdt[1] = 0x00cf9b000000ffff;
    task.gdt[2] = 0x00cf93000000ffff;
    task.gdt[3] = task_descriptor(&task.to, 0x9);
    task.gdt[4] = task_descriptor(&task.from, 0xb);
    task.to = (struct task_state){.eip = (u32)(uintptr_t)selftest_task_target,
                                  .eflags = RFLAGS_FIXED,
                                  .esp = (u32)(uintptr_t)(selftest_buffer + SELFTEST_BUFFER),
                                  .cs = 0x08,
                                  .es = 0x10,
                                  .ss = 0x10,
                                  .ds = 0x10,
                                  .io_map = sizeof(struct task_state) << 16};
    c->intercept_misc1 |= (u32)INTERCEPT_TASK_SWITCH;
    c->cs = (struct vmcb_segment){0x08, 0xc9b, 0xffffffff, 0};
    c->ss = c->ds = c->es = data;
    c->gdtr = (struct vmcb_segment){0, 0, sizeof(task.gdt) - 1, (u64)(uintptr_t)task.gdt};
    c->tr = (struct vmcb_segment){0x20, 0x08b, sizeof(task.from) - 1, (u64)(uintptr_t)&task.from};
    c->efer = EFER_SVME;
    c->cr0 = CR0_PE | CR0_ET;
    c->cr4 = 0;
    c->rip = (u64)(uintptr_t)selftest_task;
    c->clean = 0;
    c->tlb_control = TLB_FLUSH_ALL;
    svm_enter(&guest, cpu->arch.host_vmcb_pa);
    if (c->exitcode != SVM_EXIT_TASK_SWITCH)
        selftest_erratum("task-switch",
                         "expected exit 0x7d for a hardware task switch, got 0x%lx; a guest that "
                         "uses one may miss the CR0.TS it sets",
                         c->exitcode);
}

static bool check_all(struct pcpu *cpu, u32 *ran, char *why, size_t n)
{
    return selftest_gate(cpu, ran, why, n) &&
           selftest_classes(cpu, intercepts, ARRAY_SIZE(intercepts), ran, why, n) &&
           check_xsetbv(cpu, why, n) && check_timer(cpu, why, n);
}

bool svm_selftest(struct pcpu *cpu, char *why, size_t n)
{
    u32 ran = 1; /* XSETBV */

    if (!vmcb_make(cpu)) {
        format_text(why, n, "no memory for the self-test; give the machine more");
        return false;
    }
    bool good = check_all(cpu, &ran, why, n);
    if (good) {
        note_errata(cpu);
        note_task_switch(cpu);
        say_info("selftest: %u instruction classes against the closed and the open gate", ran);
    }
    pages_free(guest.vmcb, 1, PAGES_HYPERVISOR);
    guest.vmcb = NULL;
    return good;
}
