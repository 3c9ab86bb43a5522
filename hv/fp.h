/*
 * Who owns the FP registers: the state machine of Fermata, and its invariants.
 *
 *   EMPTY     never used: no area, registers elsewhere     area.base == NULL
 *   INACTIVE  the area holds the state                     cpu == FP_NOWHERE
 *   ACTIVE    the registers of `cpu` do, the area is stale cpu != FP_NOWHERE and not in_sync
 *   CACHED    both do                                      cpu != FP_NOWHERE and in_sync
 *
 * A *unit* is what one gate opens: bit 0 is the base unit of the architecture (x86-64: everything
 * behind CR0.TS + CR4.OSXSAVE; arm64: FPSIMD behind CPTR_EL2.TFP), further bits are arm64's SVE
 * (TZ) and SME (TSM).
 *
 * Invariants, checked by fp_check() at every guest entry of a debug build, by tests/host and by the
 * prover: I1 pcpu.fp_owner == v iff v->fp.cpu == pcpu.id. I2 a gate is open only for the current
 * vCPU, and only for units that are live. I3 area.bytes >= arch_fp_bytes(ctx, live) whenever state
 * is saved, or can be. I4 registers that no one owns are in INIT. I5 x86: XSTATE_BV within what was
 * ever enabled (xcr0_ever); nothing restored under XFD. I6 arm64: FPSIMD open alone only while Z
 * above bit 127, P and FFR are all zero. I7 a vCPU is destroyed, migrated, exported or grown only
 * after its state left the registers, or in place. I8 no vector instruction in the hypervisor
 * outside the listed routines (checked on the linked image). I9 what a guest can read without a
 * trap is always its own (arch_fp_controls).
 */
#ifndef FERMATA_FP_H
#define FERMATA_FP_H

#include "hv/base.h"
#include "hv/fp_area.h"
#include "arch_fp.h" /* struct arch_fp: the control state of one context; arch/<a>/arch_fp.h */

struct vcpu;
struct pcpu;

#define FP_NOWHERE (~0u)

typedef u32 fp_units;
#define FP_UNIT_BASE 1u

enum fp_policy { FP_LAZY, FP_EAGER };

struct fp_stats {
    u64 traps;  /* exits because a gate was closed */
    u64 loads;  /* memory to registers */
    u64 saves;  /* registers to memory */
    u64 scrubs; /* registers to INIT */
    u64 grows;  /* areas replaced by larger ones (the first allocation counts) */
    u64 bytes;  /* moved by loads and saves */
    u64 cycles; /* spent in loads, saves and scrubs, by arch_cycles() */
};

struct fp_ctx {
    struct fp_area area;
    u32 cpu;          /* whose registers hold the state, or FP_NOWHERE */
    fp_units offered; /* what the VM may use at all: the others are refused as on hardware without
                         them */
    fp_units live; /* units whose registers hold the state and whose gate may be open; 0 if cpu is
                      FP_NOWHERE */
    bool in_sync;  /* ACTIVE or CACHED */
    u8 policy;     /* enum fp_policy */
    u32 spare;     /* not 0: the area needs only as many bytes now (fp_spare) */
    struct vcpu *spare_next;
    struct fp_stats stats;
    struct arch_fp arch;
};

enum fp_trap_result {
    FP_TRAP_RETRY,     /* the gate is open now: run the same instruction again */
    FP_TRAP_REFUSED,   /* not offered to this VM: inject what hardware without the unit gives */
    FP_TRAP_NOT_OURS,  /* the gate was open for these units already: the fault is the guest's own */
    FP_TRAP_NO_MEMORY, /* no area to be had (overcommit): the vCPU must stop, its state is intact */
};

/* A fresh context: EMPTY, gate closed. The architectural reset values appear when it is first
 * loaded. */
void fp_init(struct vcpu *v, fp_units offered, enum fp_policy policy);

/* The guest touched `units` behind a closed gate. The vCPU must be current on its CPU. */
enum fp_trap_result fp_trap(struct vcpu *v, fp_units units);

/* Leaves the CPU: save what is live, scrub, close. Costs two loads and a compare if it does not own
 * the registers. */
void fp_switch_out(struct vcpu *v);

/*
 * Arrives on v->pcpu: installs its control state (changed values only), gate closed; an eager
 * context is loaded and opened. False: an eager context found no memory for its area; the vCPU must
 * stop.
 */
bool fp_switch_in(struct vcpu *v);

/*
 * arch_fp_bytes() may have grown (a guest's XSETBV): makes the area large enough, in place, whether
 * the state is in memory or in the registers. False: no memory; nothing has changed, the caller
 * must not enable the component.
 */
bool fp_grow(struct vcpu *v);

/*
 * The architecture found that the first `bytes` of the area are all that the state takes now. The
 * area stays as it is until memory is wanted; then what lies behind them goes, in place, whether
 * the context is in memory or in the registers. fp_grow() takes it back.
 */
void fp_spare(struct vcpu *v, size_t bytes);

/* fp_area_alloc() from the quota of v's VM; where it fails, once more after what contexts do not
 * need (fp_spare) has gone back. */
bool fp_take_area(struct vcpu *v, size_t bytes, struct fp_area *area);

/* Makes the area current without giving up the registers (for a debugger, export): ACTIVE becomes
 * CACHED. */
void fp_sync(struct vcpu *v);

/* The vCPU dies or is reset: its state leaves the registers and its area is freed, zeroed. EMPTY
 * again. */
void fp_release(struct vcpu *v);

/* Debug builds: panics when an invariant does not hold for the vCPU about to be entered. */
void fp_check(const struct vcpu *v);

/* Last thing before the guest runs. From here on its registers may differ from memory. */
static inline void fp_enter(const struct vcpu *v, struct fp_ctx *fp)
{
    fp->in_sync = false;
#ifdef FERMATA_DEBUG
    fp_check(v);
#else
    (void)v;
#endif
}

#endif
