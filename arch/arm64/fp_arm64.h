/* What arch/arm64 shares of its FP code: fp.c, fp_debug.c, selftest.c, init. */
#ifndef FERMATA_FP_ARM64_H
#define FERMATA_FP_ARM64_H

#include "hv/fp.h"
#include "hv/pcpu.h"

/* The self-test found an instruction that a closed gate lets through: contexts are loaded eagerly.
 */
extern bool fp_gate_incomplete;

/* Finds the gate's values, and everything goes to INIT at the machine's longest vectors: what the
 * firmware left is no guest's. */
void fp_init_cpu(struct pcpu *cpu);

/* Opens the gate for exactly `units` on this CPU and synchronises, so that EL2 itself may use them.
 */
void fp_open(struct pcpu *cpu, fp_units units);

/* ZCR_EL2.LEN for a vector length in bytes; the SVE gate must be open. */
void fp_set_vl(struct pcpu *cpu, u32 vl);

#endif
