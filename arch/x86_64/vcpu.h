/* Parts of a vCPU that no virtualisation technique owns. */
#ifndef FERMATA_X86_VCPU_H
#define FERMATA_X86_VCPU_H

#include "cpu.h"
#include "hv/vm.h"

/* What this vCPU's CPUID instruction answers. */
struct cpuid_regs vcpu_cpuid(struct vcpu *v, u32 leaf, u32 subleaf);

/* The guest touched DR0 to DR3 for the first time: from now on they are switched with it. */
void vcpu_debug_regs_load(struct vcpu *v);

/* DR0 to DR3 hold the debugger's addresses from now on (on: or no longer), unseen by the guest. */
void vcpu_debug_regs_borrow(struct vcpu *v, const u64 *dr, bool on);

#endif
