/* What the exit handlers ask of the debugger's half of a vCPU: gdb_points.c. */
#ifndef FERMATA_X86_GDB_X86_H
#define FERMATA_X86_GDB_X86_H

#include "hv/vm.h"

/*
 * #BP and #DB of the current vCPU (`dr6`: B0 to B3 and BS as they came). True: they were the
 * debugger's, everything stopped, and goes on now: return VCPU_PREEMPTED. False: the guest's.
 */
bool gdb_breakpoint_exit(struct vcpu *v);
bool gdb_debug_exit(struct vcpu *v, u64 dr6);

/* An instruction was carried out for a vCPU that is being stepped: as gdb_debug_exit(). */
bool gdb_step_done(struct vcpu *v);

/* The guest touched DR0 to DR3: they are its own, and points of the debugger's end. */
void gdb_points_yield(struct vcpu *v);

/* One of the hypervisor's own registers, as gdb numbers them. */
bool gdb_own_register(u32 n, void *to);

#endif
