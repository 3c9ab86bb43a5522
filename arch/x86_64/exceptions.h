/* The hypervisor's own descriptor tables and exceptions. */
#ifndef FERMATA_X86_EXCEPTIONS_H
#define FERMATA_X86_EXCEPTIONS_H

#include "hv/base.h"

/* GDT, IDT, TSS with a stack of its own for #DF, NMI and #MC. Interrupts stay off. */
void exceptions_init(void);

/* NMIs seen so far: nothing here raises one, so each is reported by the run loop and ignored. */
extern volatile u32 nmi_count;

/*
 * The instruction at `at`, the first of a function that calls no one and returns a bool, may fault
 * with any vector from now on: the function then returns true. NULL: none may any more.
 */
void exceptions_expect(const void *at);

/* Writes a byte. True: that was #PF, which for this one instruction is not the end (vectors.S). */
bool exceptions_probe_store(void *to);

#endif
