/* What arch/arm64 shares of its FP code: fp.c, fp_debug.c, selftest.c, init. */
#ifndef FERMATA_FP_ARM64_H
#define FERMATA_FP_ARM64_H

#include "hv/fp.h"
#include "hv/pcpu.h"

/* The self-test found an instruction that a closed gate lets through: contexts are loaded eagerly.
 */
extern bool fp_gate_incomplete __attribute__((visibility("hidden")));

/* Finds the gate's values, and everything goes to INIT at the machine's longest vectors: what the
 * firmware left is no guest's. */
void fp_init_cpu(struct pcpu *cpu);

/* The control state of a fresh context. */
void fp_init_context(struct arch_fp *arch, const struct arch_fp_config *config);

/* The eager control state of SME machines without FEAT_FGT: features.sme_storage. */
void fp_storage_in(const struct vcpu *v);
void fp_storage_out(struct vcpu *v);

/* Opens the gate for exactly `units` on this CPU and synchronises, so that EL2 itself may use them.
 */
void fp_open(struct pcpu *cpu, fp_units units);

/* ZCR_EL2.LEN for a vector length in bytes; the SVE gate must be open. */
void fp_set_vl(struct pcpu *cpu, u32 vl);

#endif
