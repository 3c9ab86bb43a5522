/*
 * The fake machine: CPUs whose FP registers are words, gates that really trap, and guests that
 * execute one register access at a time. A guest's read returns what the register holds, so state
 * lost or leaked shows as a wrong value, not as a flag someone remembered to set.
 */
#ifndef FAKE_H
#define FAKE_H

#include "support.h"
#include "arch/arch.h"

/* Registers by number, in the order of struct fake_regs. */
enum {
    FAKE_REG_V = 0,
    FAKE_REG_FCW = FAKE_REG_V + FAKE_V,
    FAKE_REG_E0,
    FAKE_REG_E1 = FAKE_REG_E0 + FAKE_E0,
    FAKE_REG_Z = FAKE_REG_E1 + FAKE_E1,
    FAKE_REG_P = FAKE_REG_Z + FAKE_V * FAKE_ZHI,
    FAKE_REG_ZA = FAKE_REG_P + FAKE_P,
    FAKE_REGS = FAKE_REG_ZA + FAKE_ZA,
};

enum fake_result {
    FAKE_OK,
    FAKE_REFUSED,   /* the hypervisor injects what hardware without the unit gives */
    FAKE_OWN_FAULT, /* the guest's own: a component its XCR0 does not enable */
    FAKE_NO_MEMORY, /* the vCPU stops, its state intact */
};

struct fake_counts {
    u64 entries;
    u64 loads, saves, scrubs, resets, relayouts, gates;
};

struct fake {
    bool gate_in_vcpu; /* x86's fashion (VMCB); else the gate is the CPU's (CPTR_EL2) */
    bool must_load;    /* the erratum: lazy contexts are loaded at switch-in all the same */
    u32 this_cpu;
    struct fake_counts count;
};

extern struct fake fake;

/* All CPUs in reset: registers INIT, gates closed, nobody current. */
void fake_machine_reset(void);

/* INIT values of every register. */
void fake_regs_init(struct fake_regs *regs);

/* The words of `regs` by number, and the architecture's rule of what a write changes besides. */
u64 fake_reg_get(const struct fake_regs *regs, u32 reg);
void fake_reg_set(struct fake_regs *regs, u32 reg, u64 value);

/* SMSTART's like: behind the matrix gate alone, and V, Z and P become zero. */
void fake_smstart(struct fake_regs *regs);

/* Units without which an access to `reg` traps, and the XCR0 bits without which it faults. */
fp_units fake_reg_units(u32 reg);
u64 fake_reg_xcr(u32 reg);

/*
 * One guest entry of the current vCPU and one access to `reg`, with traps handled as arch/ does:
 * fp_trap(), then the same instruction again.
 */
enum fake_result fake_guest_read(struct vcpu *v, u32 reg, u64 *value);
enum fake_result fake_guest_write(struct vcpu *v, u32 reg, u64 value);
enum fake_result fake_guest_smstart(struct vcpu *v);
void fake_guest_nothing(struct vcpu *v);

/* Never trap: the control state of I9. */
u64 fake_guest_read_ctrl(struct vcpu *v);
void fake_guest_write_ctrl(struct vcpu *v, u64 value);
u64 fake_guest_read_xcr(struct vcpu *v);

/* The guest's XSETBV as arch/x86_64 handles it. */
enum fake_result fake_guest_xsetbv(struct vcpu *v, u64 xcr);

/* Units whose gate the hardware would find open if `v` were entered now. */
fp_units fake_gate(const struct vcpu *v);

/* Pages behind fp_area.c: each allocation stands alone, so that ASan sees a step outside. */
extern u64 fake_pages_held;
extern u64 fake_pages_limit;
extern u64 fake_pages_promised;
/* to others: an overcommitted quota must leave them */ /* pages that may be held at once */
extern bool fake_pages_freed_zero;                      /* what was freed last was all zero */
void fake_pages_reset(void);

#endif
