/*
 * hv/fp.c and arch/x86_64's movers with a machine around them, in a program without a C library:
 * vCPUs, an allocator, a gate that is a flag, and the real registers.
 */
#ifndef TESTS_USER_MACHINE_H
#define TESTS_USER_MACHINE_H

#include "tests/host/x86_64/user.h"
#include "cr.h"
#include "fp_hw.h"
#include "xstate_layout.h"
#include "arch/arch.h"

extern struct vm vm;
extern u32 taken;           /* pages */
extern u64 user_components; /* XCR0 bits to use, if the CPU has them; 7 unless set before all */
extern bool x87_pointers;   /* FIP, FDP, FOP are what they were set to: not so in QEMU */
extern bool undisturbed;    /* no signal comes between guest and mover */

u64 user_random(void);

/* The guests run 64-bit code, or 32-bit code. */
void code64(bool is);

/* Everything this way of moving has. */
u64 all_xcr0(void);

/* A fresh vCPU; what sched.c does with it; its end. */
void start(struct vcpu *v, enum fp_policy policy);
void start_with(struct vcpu *v, enum fp_policy policy, u64 xcr0);
bool run(struct vcpu *v);
void stop(struct vcpu *v);

/* The guest's first FP instruction, as far as the hypervisor sees it. */
void touch(struct vcpu *v);

/* What the current vCPU's guest writes to its registers and finds in them. */
void randomise(struct regs *r);
void put(const struct regs *r);
struct regs *get(void);

/* Everything but what FNSTENV cannot tell reliably: reserved words, and pointers unless asked. */
bool same(const struct regs *x, const struct regs *y, bool pointers);

/* INIT, by value, in every register and in the pointers too. */
bool is_init(void);

/* Every test in every way of moving, first with faults and then without; how many failed. */
u32 run_everything(const struct user_test *tests, u32 count);

#endif
