/*
 * Machines of the model with VMs on them: the hypervisor's real C with SVM on CPUs of cpu.h, and
 * beside each vCPU a *reference*, a CPU without a hypervisor that has just what the VM was given
 * and is never preempted. Every instruction of a guest is executed on both, and must do the same on
 * both: the same exception, the same values read, the same bytes in memory.
 */
#ifndef MODEL_X86_WORLD_H
#define MODEL_X86_WORLD_H

#include "hv/pcpu.h"
#include "hv/vm.h"
#include "tests/model/x86_64/cpu.h"
#include "tests/model/x86_64/insn.h"

#define WORLD_VMS    3u
#define WORLD_GUESTS 6u

/* ---- machine.c: the CPUs under the hypervisor ---- */

extern struct x86_cpu model_cpus[MAX_CPUS];
extern u32 model_at;         /* the CPU that runs */
extern u64 model_tile_bytes; /* TILEDATA that the hypervisor moved */
extern u64 model_xcr0_writes;
struct x86_cpu *model_this(void);

/* ---- support.c ---- */

#define REQUIRE(cond, ...)                                                                         \
    do {                                                                                           \
        if (!(cond))                                                                               \
            model_fail(__FILE__, __LINE__, __VA_ARGS__);                                           \
    } while (0)
/* Says where and with which seed, and fails the test. */
NORETURN void model_fail(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);
extern bool model_crashed; /* vcpu_crash() was called */
extern u64 model_pages;    /* held */
extern bool model_scarce;  /* the next pages_alloc() for an area fails */

/* ---- world.c ---- */

struct guest {
    struct vcpu v;
    struct x86_cpu ref;
    struct x86_config config; /* the machine as its VM has it */
    u8 *memory; /* what its instructions work on: X86_AREA_BYTES, and the reference's */
    u8 *ref_memory;
    u64 rip;
};

struct world {
    struct x86_config machine;
    u32 cpus;
    struct vm vms[WORLD_VMS];
    struct guest guests[WORLD_GUESTS];
    u64 seed, step, switches, transfers, hostile;
};
extern struct world world;

/* A machine by the seed, with VMs and vCPUs; nothing runs yet. `errata` as in cpu.h. */
void world_start(u64 seed, u64 errata);
void world_end(void);
void world_create(u32 guest, u32 policy); /* enum fp_policy */

/* The vCPU is current on that CPU. */
void world_run(struct guest *g, u32 cpu);
void world_leave(u32 cpu);

/* The guest enters, executes one instruction on both, is interrupted. */
void world_execute(struct guest *g, const struct insn *insn);

/* Everything, by looking: I4, and that what a vCPU holds is what its reference holds. */
void world_check(void);

/* ---- transfer.c ---- */

/* The second gets the FP state of the first, if it may have it; they may be the same. */
void world_transfer(struct guest *from, struct guest *to);

/* It imports its own state with something changed, and then as it was. */
void world_hostile(struct guest *g);

/* The next area is not to be had before what was given back is taken (fp_spare). */
void world_want_memory(void);

/* ---- programs.c ---- */

void program_next(struct guest *g, struct insn *insn);

#endif
