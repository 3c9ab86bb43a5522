/* Parts of a vCPU that no virtualisation technique owns. */
#ifndef FERMATA_X86_VCPU_H
#define FERMATA_X86_VCPU_H

#include "cpu.h"
#include "hv/vm.h"

/* What this vCPU's CPUID instruction answers. */
struct cpuid_regs vcpu_cpuid(struct vcpu *v, u32 leaf, u32 subleaf);

/* The guest touched DR0 to DR3 for the first time: from now on they are switched with it. */
void vcpu_debug_regs_load(struct vcpu *v);

#endif
