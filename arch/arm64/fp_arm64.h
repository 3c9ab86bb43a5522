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

/* fp_context.c: what fp_init() is to offer. */
fp_units fp_offered(const struct arch_fp_config *config);

/* The control state of a fresh context. */
void fp_init_context(struct arch_fp *arch, const struct arch_fp_config *config);

/* fp_sme.c: the control state that a VM with SME has, and any VM where FEAT_FGT does not trap it;
 * and what arch_fp_controls() found to be another's. */
void fp_storage_in(const struct vcpu *v);
void fp_storage_out(struct vcpu *v);
void fp_controls_change(struct vcpu *v);

/* What controls must be while the context runs in the mode its SVCR says. */
u32 fp_controls_for(const struct arch_fp *arch);

/* fp_sme.c: HCRX_EL2, HFGRTR_EL2 and HFGWTR_EL2, where VMs differ by CONTROL_SME and CONTROL_FPMR.
 */
void fp_traps(u32 controls);

/* fp_sme.c: arch_fp_load(), save and scrub where more than FPSIMD and SVE is live. The gate is open
 * and synchronised. */
size_t fp_load_more(struct fp_ctx *fp, fp_units units);
size_t fp_save_more(struct fp_ctx *fp);
void fp_scrub_more(fp_units units);

/* All units this CPU has gates for. */
fp_units fp_units_here(void);

/* Opens the gate for exactly `units` on this CPU and synchronises, so that EL2 itself may use them.
 */
void fp_open(struct pcpu *cpu, fp_units units);

/* ZCR_EL2.LEN for a vector length in bytes; the SVE gate must be open. */
void fp_set_vl(struct pcpu *cpu, u32 vl);

/* SMCR_EL2 for a streaming vector length in bytes, with FA64 and, if `zt0`, EZT0. */
u32 fp_smcr_for(u32 svl, bool zt0);

/* SMCR_EL2; the SME gate must be open, and streaming mode off or the value the one it has. */
void fp_set_smcr(struct pcpu *cpu, u32 smcr);

#endif
