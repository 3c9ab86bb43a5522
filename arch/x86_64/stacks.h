/* The hypervisor's stacks, each with a page below it that paging.c does not map. */
#ifndef FERMATA_X86_STACKS_H
#define FERMATA_X86_STACKS_H

#include "hv/base.h"

#define STACK_BYTES 16384u

/* One for running, and one for each exception that must not trust the stack it finds (IST). */
enum { STACK_MAIN, STACK_DF, STACK_NMI, STACK_MC, STACKS };

struct stack {
    u8 guard[PAGE_SIZE];
    u8 bytes[STACK_BYTES];
} ALIGNED(4096);

extern struct stack stacks[STACKS];

static inline u64 stack_top(unsigned i)
{
    return (u64)(uintptr_t)(stacks[i].bytes + STACK_BYTES);
}

#endif
