/* The hypervisor's own descriptor tables and exceptions. */
#ifndef FERMATA_X86_EXCEPTIONS_H
#define FERMATA_X86_EXCEPTIONS_H

#include "hv/base.h"

/* GDT, IDT, TSS with a stack of its own for #DF, NMI and #MC. Interrupts stay off. */
void exceptions_init(void);

/* NMIs seen so far: nothing here raises one, so each is reported by the run loop and ignored. */
extern volatile u32 nmi_count;
/* Writes a byte. True: that was #PF, which for this one instruction is not the end (vectors.S). */
bool exceptions_probe_store(void *to);

#endif
