/*
 * Round robin, one queue per CPU. The path of a switch is short on purpose: it is measured from
 * inside the guests (README, numbers). What is rare (limits, stalls, ends) is kept out of line.
 */
#include "hv/sched.h"
#include "hv/console.h"
#include "hv/gdb.h"
#include "hv/trace.h"
#include "arch/arch.h"

#define STALL_SECONDS 2u

struct pcpu pcpus[MAX_CPUS];

static inline void append(struct pcpu *cpu, struct vcpu *v)
{
    v->run_next = NULL;
    if (cpu->run_head == NULL)
        cpu->run_head = v;
    else
        cpu->run_tail->run_next = v;
    cpu->run_tail = v;
}

void sched_add(struct vcpu *v)
{
    append(v->pcpu, v);
}

void sched_remove(struct vcpu *v)
{
    struct pcpu *cpu = v->pcpu;
    struct vcpu *before = NULL;

    for (struct vcpu *at = cpu->run_head; at != NULL; before = at, at = at->run_next) {
        if (at != v)
            continue;
        if (before == NULL)
            cpu->run_head = v->run_next;
        else
            before->run_next = v->run_next;
        if (cpu->run_tail == v)
            cpu->run_tail = before;
        v->run_next = NULL;
        return;
    }
}

/* The CPU keeps nothing of its current vCPU. */
static void leave(struct pcpu *cpu)
{
    struct vcpu *v = cpu->current;

    fp_switch_out(v);
    arch_vcpu_switch_out(v);
    trace(v, TRACE_OUT, 0, 0);
    cpu->current = NULL;
}

/* False: it could not be installed and its VM has ended. */
static bool arrive(struct pcpu *cpu, struct vcpu *v)
{
    cpu->current = v;
    v->stats.switches++;
    trace(v, TRACE_IN, v->fp.live, 0);
    arch_vcpu_switch_in(v);
    if (likely(fp_switch_in(v)))
        return true;
    vcpu_crash(v, "no memory for its FP save area: give the VMs less memory");
    leave(cpu);
    vm_free(v->vm);
    return false;
}

/*
 * A guest that computes for seconds and never leaves but for preemption may be stuck: said once,
 * for only limit_ms decides. Exits that preemption itself causes (the timer, and the FP trap after
 * being switched back in) do not count as leaving.
 */
static void watch_for_stall(struct vcpu *v, u64 spent)
{
    const u64 exits = v->stats.exits - v->stats.preemptions - v->fp.stats.traps;

    if (exits != v->stall_exits) {
        v->stall_exits = exits;
        v->stall_ticks = 0;
        return;
    }
    v->stall_ticks += spent;
    if (v->stall_said || v->stall_ticks < STALL_SECONDS * arch_ticks_per_second())
        return;
    v->stall_said = true;
    say_info("vm %s: vCPU %u has run for %u s without leaving the guest but for preemption "
             "(at 0x%lx, interrupts %s): a loop? limit in fermata.conf would end it",
             vm_name(v->vm), v->id, STALL_SECONDS, arch_vcpu_pc(v),
             arch_vcpu_interrupts_off(v) ? "off" : "on");
}

/* A quantum is over: the debugger's turn, if there is one. True: it keeps this vCPU. */
static bool debugged(struct pcpu *cpu, struct vcpu *v)
{
    if (likely(!gdb_on))
        return false;
    gdb_poll(cpu);
    return gdb_park(v);
}

/*
 * What does not happen on every switch: the quantum ended, the vCPU blocked, its VM ended or is out
 * of time. True if the vCPU can go on.
 */
static __attribute__((noinline)) bool settle(struct pcpu *cpu, struct vcpu *v,
                                             enum vcpu_event event, u64 spent)
{
    if (event == VCPU_PREEMPTED) {
        v->stats.preemptions++;
        watch_for_stall(v, spent);
    }
    if (event == VCPU_PREEMPTED || event == VCPU_YIELDED) {
        if (v->vm->ticks <= v->vm->ticks_limit)
            return !debugged(cpu, v);
        vm_time_out(v);
    } else if (event == VCPU_BLOCKED && !vm_blocked(v)) {
        return false; /* stays installed until another one runs */
    }
    CHECK(v->state == VCPU_STOPPED);
    leave(cpu);
    vm_free(v->vm);
    return false;
}

/*
 * The current vCPU came back with `event` at `now`: it goes to the end of the queue, or nowhere.
 * Returns when the next one's time begins.
 */
static u64 requeue(struct pcpu *cpu, struct vcpu *v, enum vcpu_event event, u64 now)
{
    struct vm *vm = v->vm;
    const u64 spent = now - v->since;

    vm->ticks += spent;
    if (unlikely(event != VCPU_YIELDED || vm->ticks > vm->ticks_limit) &&
        !settle(cpu, v, event, spent))
        return arch_ticks(); /* what was printed and freed is nobody's time */
    append(cpu, v);
    return now;
}

/* One clock reading serves as the end of one vCPU's time and the beginning of the next one's. */
void sched_run(struct pcpu *cpu)
{
    struct vcpu *v;
    u64 now = arch_ticks();

    while ((v = cpu->run_head) != NULL || gdb_waits(cpu)) {
        if (v == NULL)
            continue;
        cpu->run_head = v->run_next;
        if (v != cpu->current) {
            if (cpu->current != NULL)
                leave(cpu);
            if (unlikely(!arrive(cpu, v)))
                continue;
        }
        v->since = now;
        arch_timer_set(cpu, cpu->quantum);
        const enum vcpu_event event = arch_vcpu_run(v);
        now = requeue(cpu, v, event, arch_ticks());
    }
}
