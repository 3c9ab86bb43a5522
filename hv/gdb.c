/* The gdb stub's session: when all stops, when who goes on. See gdb.h. */
#include "hv/gdb.h"
#include "hv/console.h"
#include "hv/gdb_session.h"
#include "hv/pages.h"
#include "hv/sched.h"
#include "arch/arch.h"
#include "boot/boot_info.h"

#define SIGNAL_INTERRUPT 2
#define SIGNAL_TRAP      5
#define SIGNAL_SEGMENT   11

bool gdb_on;
struct gdb_session gdb;

/* ---- Threads ---- */

u32 gdb_thread(const struct vcpu *v)
{
    return v->vm->id * VM_MAX_VCPUS + v->id + 1;
}

static struct vm *running(u32 index)
{
    struct vm *vm = index < nvms ? vms[index] : NULL;

    return vm && vm->state == VM_RUNNING ? vm : NULL;
}

struct vcpu *gdb_vcpu(u32 thread)
{
    struct vm *vm = thread ? running((thread - 1) / VM_MAX_VCPUS) : NULL;

    return vm ? vm_vcpu(vm, (thread - 1) % VM_MAX_VCPUS) : NULL;
}

bool gdb_is_cpu(u32 thread)
{
    return thread >= GDB_CPU_THREAD && thread < GDB_CPU_THREAD + MAX_CPUS;
}

u32 gdb_next_thread(u32 thread)
{
    if (thread >= GDB_CPU_THREAD)
        return gdb_is_cpu(thread + 1) ? thread + 1 : 0;
    while (++thread <= nvms * VM_MAX_VCPUS) {
        if (gdb_vcpu(thread))
            return thread;
    }
    return GDB_CPU_THREAD;
}

/* Somebody to talk about: who ran last, or any vCPU, or the hypervisor. */
static u32 somebody(const struct pcpu *cpu)
{
    if (cpu->current && gdb_vcpu(gdb_thread(cpu->current)) == cpu->current)
        return gdb_thread(cpu->current);
    return gdb_next_thread(0);
}

void gdb_report_stop(struct gdb_out *out)
{
    u32 signal = gdb.why == GDB_STOP_INTERRUPT ? SIGNAL_INTERRUPT
                 : gdb.why == GDB_STOP_CRASH   ? SIGNAL_SEGMENT
                                               : SIGNAL_TRAP;

    gdb_begin(out);
    gdb_printf(out, "T%02x", signal);
    if (gdb.why == GDB_STOP_WATCH)
        gdb_printf(out, "watch:%lx;", gdb.address);
    gdb_printf(out, "thread:%x;", gdb.stopped);
}

/* ---- Talking ---- */

static void send(void)
{
    gdb_send(&gdb.out, gdb_port_put);
}

/* A reply that did not fit would be half a truth. */
static void answer(void)
{
    if (gdb.out.full) {
        gdb_begin(&gdb.out);
        gdb_text(&gdb.out, "E04");
    }
    send();
}

/* Takes packets until one lets somebody go. `byte` is the first of them, if `have`. */
static void talk(bool have, u8 byte)
{
    enum gdb_verdict verdict = GDB_STAY;

    while (verdict == GDB_STAY) {
        enum gdb_input input = gdb_take(&gdb.in, have ? byte : gdb_port_get());
        have = false;
        if (input == GDB_NACK && !gdb.no_ack)
            send();
        if (input == GDB_BAD && !gdb.no_ack)
            gdb_port_put('-');
        if (input != GDB_PACKET)
            continue; /* an interrupt finds us stopped already */
        if (!gdb.no_ack)
            gdb_port_put('+');
        gdb.seen = true;
        verdict = gdb_command();
        if (verdict != GDB_GO)
            answer();
    }
    if (verdict != GDB_DETACHED)
        return;
    gdb_remove_all(NULL);
    gdb.seen = gdb.no_ack = gdb.physical = false;
    for (u32 thread = gdb_next_thread(0); thread; thread = gdb_next_thread(thread)) {
        struct vcpu *v = gdb_vcpu(thread);
        if (v)
            v->gdb.held = v->gdb.step = false;
    }
    say_error("gdb: detached; the guests run on");
}

/* Those let go come back to the queue; those held leave it when they next stand at its head. */
static void unpark(void)
{
    for (u32 thread = gdb_next_thread(0); thread; thread = gdb_next_thread(thread)) {
        struct vcpu *v = gdb_vcpu(thread);
        if (!v)
            continue;
        arch_gdb_step(v, v->gdb.step);
        if (v->gdb.held || !v->gdb.parked)
            continue;
        v->gdb.parked = false;
        if (v->state == VCPU_RUNNABLE)
            sched_add(v);
    }
}

/* All stops. `byte` as in talk(). Time spent here is nobody's. */
static void stop(u32 thread, enum gdb_stop why, u64 address, bool have, u8 byte)
{
    gdb.stopped = gdb.thread = thread;
    gdb.why = why;
    gdb.address = address;
    if (gdb.seen && !have) { /* it waits for news */
        gdb_report_stop(&gdb.out);
        send();
    }
    talk(have, byte);
    unpark();
}

/* ---- From the rest of the hypervisor ---- */

bool gdb_init(const struct boot_uart *uart, bool wait)
{
    u8 *in = pages_alloc(GDB_PACKET_MAX / PAGE_SIZE, PAGE_SIZE, PAGES_HYPERVISOR);
    u8 *out = pages_alloc(GDB_PACKET_MAX / PAGE_SIZE, PAGE_SIZE, PAGES_HYPERVISOR);

    gdb.records = pages_alloc(GDB_RECORDS_MAX / PAGE_SIZE, PAGE_SIZE, PAGES_HYPERVISOR);
    if (!in || !out || !gdb.records)
        return false;
    gdb.in = (struct gdb_in){.data = in, .room = GDB_PACKET_MAX};
    gdb.out = (struct gdb_out){.data = out, .room = GDB_PACKET_MAX};
    gdb_port_init(uart);
    gdb_on = true;
    say_error("gdb: ON at the UART at 0x%lx: WHOEVER REACHES IT HAS FULL CONTROL OF THIS MACHINE",
              uart->base);
    if (wait)
        say_error("gdb: waiting for a debugger before the first guest runs");
    gdb.wait = wait;
    return true;
}

void gdb_poll(struct pcpu *cpu)
{
    if (!gdb_on)
        return;
    if (gdb.wait) {
        gdb.wait = false;
        stop(somebody(cpu), GDB_STOP_INTERRUPT, 0, true, gdb_port_get());
        return;
    }
    while (gdb_port_ready()) {
        u8 byte = gdb_port_get();
        enum gdb_input input;

        if (byte == '$') { /* a debugger has just connected, and expects us to stand still */
            stop(somebody(cpu), GDB_STOP_INTERRUPT, 0, true, byte);
            return;
        }
        input = gdb_take(&gdb.in, byte);
        if (input == GDB_INTERRUPT) {
            stop(somebody(cpu), GDB_STOP_INTERRUPT, 0, false, 0);
            return;
        }
    }
}

bool gdb_event(struct vcpu *v, enum gdb_stop why, u64 address)
{
    if (!gdb_on || !gdb.seen)
        return false;
    stop(gdb_thread(v), why, address, false, 0);
    return true;
}

void gdb_crash(struct vcpu *v)
{
    if (gdb_on && gdb.seen && v->vm->state == VM_RUNNING)
        stop(gdb_thread(v), GDB_STOP_CRASH, 0, false, 0);
}

bool gdb_park(struct vcpu *v)
{
    if (!gdb_on || !v->gdb.held)
        return false;
    v->gdb.parked = true;
    return true;
}

bool gdb_waits(struct pcpu *cpu)
{
    bool held = false;

    if (!gdb_on)
        return false;
    for (u32 thread = gdb_next_thread(0); thread; thread = gdb_next_thread(thread)) {
        const struct vcpu *v = gdb_vcpu(thread);
        held |= v && v->gdb.parked;
    }
    if (held) /* those let go have ended or blocked: nothing will run until gdb says more */
        stop(somebody(cpu), GDB_STOP_INTERRUPT, 0, false, 0);
    return held;
}

void gdb_forget(const struct vm *vm)
{
    if (gdb_on)
        gdb_remove_all(vm);
}
