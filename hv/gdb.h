/*
 * Fermata's own gdb stub: the remote serial protocol on a second UART, for guests and for the
 * hypervisor itself. Off unless fermata.conf says `gdb =`: whoever reaches that UART owns the
 * machine.
 *
 * One thread per vCPU, of all VMs (number: VM * 16 + vCPU + 1), and one per CPU for the hypervisor
 * (0x1000 + CPU). All-stop: while the stub talks, no guest runs. FP registers are read and written
 * through fp_export() and fp_import(), so it does not matter where they are.
 */
#ifndef FERMATA_GDB_H
#define FERMATA_GDB_H

#include "hv/vm.h"

struct boot_uart;

/* Why all stopped. */
enum gdb_stop {
    GDB_STOP_INTERRUPT, /* gdb asked, or has just connected */
    GDB_STOP_BREAK,     /* a breakpoint of the debugger's, software or hardware, or a step */
    GDB_STOP_WATCH,     /* a watchpoint; `address` is the data's */
    GDB_STOP_CRASH,     /* vcpu_crash() */
};

enum gdb_point {
    GDB_POINT_SOFTWARE,
    GDB_POINT_HARDWARE,
    GDB_POINT_WRITE,
    GDB_POINT_READ,
    GDB_POINT_ACCESS
};

extern bool gdb_on;

/* Takes the UART and the memory for packets, and says loudly what that means. False: no memory. */
bool gdb_init(const struct boot_uart *uart, bool wait);

/* In the scheduler, whenever a quantum ends: has gdb anything to say? Then all stops here until it
 * resumes. */
void gdb_poll(struct pcpu *cpu);

/*
 * The exit handler saw a debug event of the current vCPU. False: it is none of the debugger's, and
 * goes to the guest. True: it was, the machine stopped, and goes on now: return VCPU_PREEMPTED.
 */
bool gdb_event(struct vcpu *v, enum gdb_stop why, u64 address);

/* A vCPU is about to crash its VM: a last look, if a debugger has been here. */
void gdb_crash(struct vcpu *v);

/* The vCPU's quantum is over. True: the debugger holds it, it must not be queued again; it comes
 * back to its queue when it is let go. */
bool gdb_park(struct vcpu *v);

/* The queue is empty, but the debugger holds vCPUs: true after it let one go. */
bool gdb_waits(struct pcpu *cpu);

/* A VM goes away: its breakpoints with it. */
void gdb_forget(const struct vm *vm);

#endif
