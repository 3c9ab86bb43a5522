/* The parts of the boot self-test. Each says what deviates, and false means Fermata cannot run. */
#ifndef FERMATA_SELFTEST_H
#define FERMATA_SELFTEST_H

#include "hv/base.h"

struct pcpu;

/* selftest_gate.c: does each gate trap each instruction class, and nothing else? */
bool selftest_gates(struct pcpu *cpu, char *why, size_t n);

/* selftest_moves.c: does what is saved come back, at every vector length? Does scrub leave zero? */
bool selftest_moves(struct pcpu *cpu, char *why, size_t n);

/* selftest_sme.c: the same of streaming mode, ZA and ZT0; and does a change of mode do what the
 * switch of SVCR.SM relies on? */
bool selftest_sme(struct pcpu *cpu, char *why, size_t n);

/* selftest.S */
u64 selftest_el1(const void *code, u64 x0, u64 *x0_after);

#endif
