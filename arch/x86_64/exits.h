/*
 * What becomes of an exit, whichever technique reported it: svm_exits.c and vmx_exits.c find out
 * why the guest left, and come here with it.
 *
 * A function that returns bool carries out an instruction: true, go on behind it; false, `*event`
 * says what becomes of the vCPU (a fault is injected, or its VM has ended). `rax` is where the
 * technique keeps the guest's.
 */
#ifndef FERMATA_X86_EXITS_H
#define FERMATA_X86_EXITS_H

#include "cpu.h"
#include "vcpu.h"
#include "virt.h"
#include "arch/arch.h"
#include "hv/console.h"

/* Out of line: what a measured exit does not run should not cost it saved registers either. */
#define COLD __attribute__((noinline))

/* An exception with error code 0, if it has one. */
enum vcpu_event exit_fault(struct vcpu *v, u8 vector, bool has_error);

/* The VM ends with this sentence. */
enum vcpu_event exit_stop(struct vcpu *v, const char *what);
enum vcpu_event exit_triple_fault(struct vcpu *v);
enum vcpu_event exit_task_switch(struct vcpu *v);

/* It touched guest-physical `gpa`, where it has nothing. */
enum vcpu_event exit_stage2(struct vcpu *v, u64 gpa, bool write, bool fetch);

/* #NM or #UD behind the gate that is not ours to retry, or has no memory. */
enum vcpu_event exit_gate_closed(struct vcpu *v, u8 vector, enum fp_trap_result result);

/* An NMI has been taken: said, once for each. */
enum vcpu_event exit_nmi_said(void);

/* Nothing can wake a halted vCPU in this release, whatever its IF says. */
enum vcpu_event exit_halted(struct vcpu *v);

void exit_cpuid(struct vcpu *v, u64 *rax);
bool exit_rdmsr(struct vcpu *v, u64 *rax, enum vcpu_event *event);
bool exit_wrmsr(struct vcpu *v, u64 rax, enum vcpu_event *event);
bool exit_xsetbv(struct vcpu *v, u64 rax, enum vcpu_event *event);

/* An IN or OUT of `bytes` (1, 2 or 4), or a string instruction. */
struct port_access {
    u16 port;
    u8 bytes;
    bool in, string;
};
bool exit_io(struct vcpu *v, struct port_access io, u64 *rax, enum vcpu_event *event);

/* A trap of the gate. Inline, like what follows: it is measured. */
static inline enum vcpu_event exit_gate(struct vcpu *v, u8 vector)
{
    enum fp_trap_result result = fp_trap(v, FP_UNIT_BASE);

    if (likely(result == FP_TRAP_RETRY))
        return VCPU_RESUME;
    return exit_gate_closed(v, vector, result);
}

/*
 * Where a guest's IF holds the timer back ("intr-if"): what rang in another vCPU's time must not
 * end this one's before its first instruction.
 */
static inline void timer_forget(struct pcpu *cpu)
{
    __asm__ volatile("sti; nop; cli" ::: "memory");
    cpu->arch.timer_fired = false;
}

/* The interrupt is still pending in the APIC: let it in for one instruction, and see whose it was.
 */
static inline enum vcpu_event exit_interrupt(struct vcpu *v)
{
    struct pcpu *cpu = v->pcpu;

    __asm__ volatile("sti; nop; cli" ::: "memory");
    if (likely(cpu->arch.timer_fired)) {
        cpu->arch.timer_fired = false;
        return VCPU_PREEMPTED;
    }
    return VCPU_RESUME;
}

#endif
