/* What the files of the debugger's half of arm64 share, and what the exit handlers ask of it. */
#ifndef FERMATA_ARM64_GDB_ARM64_H
#define FERMATA_ARM64_GDB_ARM64_H

#include "hv/vm.h"

/*
 * A debug exception of the current vCPU (EC 0x30, 0x32, 0x34, 0x3c), which MDCR_EL2.TDE brings here
 * while the debugger has an interest in its VM. True: it was the debugger's, everything stopped,
 * and goes on now: return VCPU_PREEMPTED. False: the guest's.
 */
bool gdb_debug_exit(struct vcpu *v, u64 esr);

/* What the debugger wants of v and its VM into the CPU's debug registers. */
void gdb_points_install(const struct vcpu *v);

/* The guest's own EL1 registers into v->arch.el1, from the CPU if v is current; and back. */
void gdb_el1_take(struct vcpu *v);
void gdb_el1_put(struct vcpu *v);

/* One of the hypervisor's own registers, as gdb numbers them. */
bool gdb_own_register(u32 n, void *to);

/* ---- gdb_walk.c: pure ---- */

/* Stage 1 of a guest, as its registers are (DDI 0487, D8.2). */
struct walk {
    const u8 *ram; /* host pointer to guest-physical `base` */
    u64 base, bytes;
    u64 sctlr, tcr, ttbr0, ttbr1;
};

/* Virtual to intermediate physical, whatever the permissions. False: not mapped, or a table lies
 * outside RAM. */
bool walk_stage1(const struct walk *w, u64 address, u64 *ipa);

#endif
