/* Exceptions taken at EL2 from EL2: always fatal. */
#ifndef FERMATA_EXCEPTIONS_H
#define FERMATA_EXCEPTIONS_H

#include "hv/base.h"

/* Built by vectors.S on the crash stack. */
struct crash_frame {
    u64 x[31];
    u64 sp;
    u64 pc;     /* ELR_EL2 */
    u64 pstate; /* SPSR_EL2 */
    u64 esr;
    u64 far;
};

/* `slot`: 0 to 15, which of the 16 vectors was taken. */
NORETURN void exception_fatal(const struct crash_frame *frame, u64 slot);

/* What ESR_ELx.EC says, in words. */
const char *esr_text(u64 esr);

extern char vectors_el2[];

/* stacks.c: the end of a CPU's stack, and the guard page of the n-th stack (0: there is none). */
u64 stack_top(u32 cpu);
u64 stack_guard(u32 n);

/* If `address` lies in one of the hypervisor's stacks: its bounds and true. */
bool stack_bounds(u64 address, u64 *low, u64 *high);

#endif
