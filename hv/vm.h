/* Virtual machines and their vCPUs. */
#ifndef FERMATA_VM_H
#define FERMATA_VM_H

#include "hv/base.h"
#include "hv/fp.h"
#include "hv/pcpu.h"
#include "arch_vm.h" /* struct arch_vm, struct arch_vcpu; arch/<a>/arch_vm.h */

struct boot_vm;

#define VM_MAX_VCPUS  16u
#define VM_LINE_BYTES 256

enum vcpu_state {
    VCPU_OFF,      /* not started, or PSCI CPU_OFF: waits for CPU_ON / SIPI */
    VCPU_RUNNABLE, /* current, or on its CPU's run queue */
    VCPU_HALTED,   /* waits for an event that can no longer come */
    VCPU_STOPPED,  /* its VM ended, or it crashed */
};

/* Why arch_vcpu_run() came back: what the scheduler has to do. */
enum vcpu_event {
    VCPU_RESUME,    /* nothing: enter again (never leaves arch_vcpu_run) */
    VCPU_PREEMPTED, /* the quantum ended */
    VCPU_YIELDED,   /* the guest gave the rest of it away */
    VCPU_BLOCKED,   /* state is OFF or HALTED now */
    VCPU_VM_ENDED,  /* vm_end() or vm_crash() was called for its VM */
};

struct vcpu_stats {
    u64 exits;
    u64 preemptions;
    u64 switches;
    u64 fp_bytes; /* of its FP save area when its VM ended */
};

/* What the debugger wants of a vCPU (gdb.h). */
struct vcpu_gdb {
    bool held;   /* not let go by the last resumption */
    bool paused; /* `monitor pause`: not let go by any */
    bool parked; /* off its queue because of that */
    bool step;   /* one instruction, then stop */
};

struct vcpu {
    struct arch_vcpu arch; /* first: assembly addresses registers by offset */
    struct vm *vm;
    struct pcpu *pcpu;
    struct vcpu *run_next;
    u32 id; /* index in its VM */
    enum vcpu_state state;
    u64 since;       /* arch_ticks() up to which its time is accounted */
    u64 stall_exits; /* exits of its own making when last preempted, and the CPU time spent */
    u64 stall_ticks; /* since that number last changed */
    bool stall_said;
    struct fp_ctx fp;
    struct vcpu_stats stats;
    struct vcpu_gdb gdb;
    u32 line_used; /* console line under construction: printed whole, prefixed by VM and vCPU */
    char line[VM_LINE_BYTES];
};

enum vm_state { VM_REFUSED, VM_RUNNING, VM_PASSED, VM_FAILED };

struct vm {
    u32 id;
    enum vm_state state;
    const struct boot_vm *config;
    u64 ram_gpa; /* guest-physical base of its RAM */
    u64 ram_bytes;
    u8 *ram; /* the same RAM, host */
    u32 nvcpus;
    u32 tap_failed; /* lines "not ok" seen on its console */
    bool undefined_hypercall_said;
    u64 reserved; /* bytes of hypervisor pages kept back for its FP areas */
    struct fp_quota fp_quota;
    u64 ticks;         /* CPU time of all its vCPUs */
    u64 ticks_limit;   /* above it the VM is stopped as failed; all ones: none */
    u64 cleared_ticks; /* spent clearing its RAM */
    struct vcpu *vcpus[VM_MAX_VCPUS];
    struct arch_vm arch;
};

extern struct vm *vms[];
extern u32 nvms;

/* Its name in the config. */
const char *vm_name(const struct vm *vm);

/*
 * Makes the VM its config describes: memory (zeroed), stage-2 tables, image loaded, vCPU 0 runnable
 * on `cpu`. Never fails the machine: what is wrong is said in one line and the VM is VM_REFUSED.
 */
void vm_create(const struct boot_vm *config, struct pcpu *cpu);

/* A vCPU whose entry state arch/ has set becomes runnable at the end of its CPU's queue. */
void vcpu_start(struct vcpu *v);

/* Not the current one: it stops where it is and is OFF, to be started anew (x86-64's INIT). */
void vcpu_off(struct vcpu *v);

/* The guest powered itself off with `status` (0: passed). Every vCPU stops; FP state is released.
 */
void vm_end(struct vm *vm, u64 status);

/* A vCPU did what cannot be carried on: one line saying what, where, what to do; its VM stops, the
 * others go on. */
void vcpu_crash(struct vcpu *v, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* vCPU of `vm` with this index, or NULL. */
static inline struct vcpu *vm_vcpu(struct vm *vm, u64 index)
{
    return index < vm->nvcpus ? vm->vcpus[index] : NULL;
}

/* Host pointer to [gpa, gpa + bytes) if all of it is the VM's RAM, else NULL. No overflow for any
 * input. */
void *vm_ram(struct vm *vm, u64 gpa, u64 bytes);

/*
 * A vCPU went OFF or HALTED: if that leaves none of its VM that could run, the VM ends as failed
 * (no interrupt will ever wake one). True if it ended.
 */
bool vm_blocked(struct vcpu *v);

/* The VM used more CPU time than its limit_ms: ends it as failed, saying where it was. */
void vm_time_out(struct vcpu *v);

/* Gives back RAM, stage 2 and what arch/ made, once no CPU has one of its vCPUs installed. */
void vm_free(struct vm *vm);

/* One character the guest wrote to its console. Lines come out whole: "[alpha.0] text". */
void vm_console_putc(struct vcpu *v, char c);

#endif
