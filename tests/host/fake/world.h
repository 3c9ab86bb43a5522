/*
 * A little world on the fake machine: VMs with quotas, vCPU slots that are used again at the same
 * address, a scheduler's moves, and beside every vCPU the oracle: what its guest must see.
 */
#ifndef FAKE_WORLD_H
#define FAKE_WORLD_H

#include "fake.h"

#define WORLD_VMS   3u
#define WORLD_SLOTS 6u

struct oracle {
    struct fake_regs regs;
    u64 xcr;
    u64 ctrl;
};

/* The architectural reset state. */
void oracle_reset(struct oracle *o);

struct world {
    struct vm vms[WORLD_VMS];
    struct vcpu slots[WORLD_SLOTS];
    struct oracle oracles[WORLD_SLOTS];
    bool exists[WORLD_SLOTS];
};

extern struct world world;

/* Fresh machine, three VMs that may use everything, no vCPUs. */
void world_reset(bool gate_in_vcpu);

/* Checks that everything was given back. Every test ends with it. */
void world_end(void);

struct vcpu *world_create(u32 slot, u32 vm, u32 cpu, fp_units offered, enum fp_policy policy);
void world_destroy(struct vcpu *v);
void world_reset_vcpu(struct vcpu *v); /* INIT: FP state gone, the vCPU and its CPU stay */
struct oracle *world_oracle(const struct vcpu *v);

/* What sched.c does: the current vCPU of v's CPU leaves, v arrives. False: no memory for an eager
 * one. */
bool world_run(struct vcpu *v);
void world_leave(struct pcpu *cpu);

/* A vCPU that is current nowhere goes to another CPU. */
void world_migrate(struct vcpu *v, u32 cpu);

/* One access of the current vCPU of its CPU, compared with the oracle, which then learns of it. */
enum fake_result world_read(struct vcpu *v, u32 reg);
enum fake_result world_write(struct vcpu *v, u32 reg, u64 value);
enum fake_result world_smstart(struct vcpu *v);
void world_control(struct vcpu *v, u64 value);
enum fake_result world_xsetbv(struct vcpu *v, u64 xcr);

/* Every register the guest can read, against the oracle. */
void world_read_all(struct vcpu *v);

/* A value no other write ever used: vCPU, register and time are in it. */
u64 world_value(const struct vcpu *v, u32 reg);
void world_write_all(struct vcpu *v);

/* I1 to I7 and I9 over all CPUs and vCPUs, by looking, not by asking fp.c. */
void world_check(void);

/* Each test runs twice: with the gate in the CPU and with the gate in the vCPU. */
int world_setup(void **state);
int world_teardown(void **state);
#define WORLD_TEST(f)                                                                              \
    {#f, f, world_setup, world_teardown, NULL},                                                    \
    {                                                                                              \
#f " (gate in the vCPU)", f, world_setup, world_teardown, &world                           \
    }

#endif
