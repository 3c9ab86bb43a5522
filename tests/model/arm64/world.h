/*
 * Machines of the model with VMs on them: the hypervisor's real C on CPUs of cpu.h, and beside each
 * vCPU a *reference*, a CPU of its own without EL2 that has just what the VM was given and is never
 * preempted. Every instruction of a guest is executed on both, and must do the same on both: the
 * same exception at the same level with the same syndrome, the same values read.
 */
#ifndef MODEL_ARM64_WORLD_H
#define MODEL_ARM64_WORLD_H

#include "hv/pcpu.h"
#include "hv/vm.h"
#include "tests/model/arm64/cpu.h"

#define WORLD_VMS    3u
#define WORLD_GUESTS 6u

/* ---- machine.c: the CPUs at EL2 ---- */

extern struct cpu model_cpus[MAX_CPUS];
extern u32 model_at;    /* the CPU that runs */
extern u64 model_moved; /* bytes between registers and memory, by the movers */
struct cpu *model_this(void);
void model_el2(struct insn *insn); /* must not trap, nor depend on an ISB that has not been */
u64 model_mrs(u32 reg);
void model_msr(u32 reg, u64 value);
void model_id_registers(struct cpu *cpu);

/* ---- support.c ---- */

/* Says where and with which seed, and fails the test. */
#define REQUIRE(cond, ...)                                                                         \
    do {                                                                                           \
        if (!(cond))                                                                               \
            model_fail(__FILE__, __LINE__, __VA_ARGS__);                                           \
    } while (0)
NORETURN void model_fail(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);

u64 model_random(void);
u32 model_below(u32 n);
bool model_zero(const void *p, size_t n);
u64 model_steps(u64 usual); /* STEPS=n in the environment */
u64 model_seed(void);       /* SEED=n */
void model_srand(u64 seed);
extern bool model_crashed; /* vcpu_crash() was called */

/* ---- vectors.c: in and out of a guest ---- */

enum exit_result {
    EXIT_RETRY,     /* the same instruction again */
    EXIT_UNDEFINED, /* the guest's EL1 got an Undefined Instruction exception */
    EXIT_EMULATED,  /* done, what it read is in X1 */
    EXIT_STOPPED,   /* no memory: the vCPU stays where it is */
};

/* The guest's instruction trapped to EL2, where this CPU is now. */
enum exit_result model_exit(struct vcpu *v, struct exc e, u64 x1);

/* ---- world.c ---- */

struct guest {
    struct vcpu v;
    struct cpu *ref;
    u8 el;
    u8 phase;
    u32 phase_left;
    fp_units used;    /* besides FPSIMD: what it has had opened, or been given */
    u64 zcr;          /* what it last wrote to ZCR_EL1 */
    bool fpsimd_only; /* it arrived clean, and has used no more since */
};

struct world {
    struct cpu_has has;
    bool e2h;
    u32 cpus;
    struct vm vms[WORLD_VMS];
    struct guest guests[WORLD_GUESTS];
    u64 seed, step, traps, switches, refused, no_memory, transfers, hostile_accepted;
};
extern struct world world;

/* What `fp =` says for the n-th VM; NULL (or no text): a random list. */
extern const char *world_fp[WORLD_VMS];

/* A machine by the seed, with VMs and vCPUs; nothing runs yet. `has` NULL: a random one. */
void world_start(u64 seed, const struct cpu_has *has, bool e2h);
/* VM n is given `fp` (as in fermata.conf) and its vCPUs are made; policy: enum fp_policy. */
void world_create(u32 guest, u32 policy);
void world_end(void);

/* The vCPU is current on that CPU. */
void world_run(struct guest *g, u32 cpu);
void world_leave(u32 cpu);

/* fp_switch_in(), and again with memory if it found none. */
void world_fp_in(struct guest *g);
/* The reference becomes what an ended and restarted vCPU is; the vCPU too. */
void world_forget(struct guest *g);

/* n instructions: the guest enters, executes, is interrupted. */
void world_execute(struct guest *g, struct insn *insns, u32 n);
/* What all the guest's registers hold, by instructions. */
void world_read_all(struct guest *g);

/* ---- invariants.c ---- */

/* I1 to I9, by looking at the CPUs. */
void world_check(void);
/* The FPSIMD form holds all of it; what a save may move. */
bool world_is_clean(const struct cpu *cpu);
u64 world_allowed_bytes(const struct guest *g);

/* ---- transfer.c ---- */

void world_transfer(struct guest *from, struct guest *to);
void world_hostile(struct guest *g);

/* ---- programs.c ---- */

/* The next instruction of a random guest. */
void program_next(struct guest *g, struct insn *insn);

#endif
