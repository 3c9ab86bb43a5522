/*
 * One state of hv/fp.c, of its vCPUs and of the CPUs' registers, for test_fp_states.c; and arch's
 * hooks on it (hooks.c). The registers are of the fake machine's three units.
 */
#ifndef MODEL_FAKE_STATES_H
#define MODEL_FAKE_STATES_H

#include "arch/arch.h"

#define VCPUS 2u
#define CPUS  2u
#define UNITS 3u
#define BASE  FAKE_UNIT_BASE
#define VEC   FAKE_UNIT_VEC
#define MAT   FAKE_UNIT_MAT
#define NONE  0xff

/* A state, in bytes only, so that it can be hashed and compared. */
struct state {
    struct {
        u8 live, in_sync, bytes, cpu, on; /* of struct fp_ctx; `on`: v->pcpu */
        u8 spare, listed;                 /* likewise; the place in its list, from 1 */
        u8 grown;                         /* the guest enabled a larger base unit */
        u8 mem;                           /* units whose image is what the guest last wrote */
        u8 dirty, noted;                  /* Z above V is not zero; what the last save found */
    } v[VCPUS];
    struct {
        u8 owner, current, gate;
        u8 controls;     /* whose control state is installed */
        u8 whose[UNITS]; /* NONE: INIT */
        u8 right;        /* units whose registers are what the guest last wrote */
    } c[CPUS];
};

/* One way of giving units and disciplines to the vCPUs. */
struct given {
    fp_units offered[VCPUS];
    enum fp_policy policy[VCPUS];
    bool must_load;
};

extern struct given given;
extern struct vcpu vcpus[VCPUS];
extern struct state now;
enum memory { NO_MEMORY, MEMORY, AFTER_RECLAIM, MEMORIES };
extern enum memory memory; /* whether allocations succeed; AFTER_RECLAIM: from the second on */
extern bool area_filled;   /* the last area allocated was given its contents */
extern u32 areas;          /* that are allocated */

#define MUST(cond, what)                                                                           \
    do {                                                                                           \
        if (!(cond))                                                                               \
            panic("%s", what);                                                                     \
    } while (0)

u32 id(const struct vcpu *v);

#endif
