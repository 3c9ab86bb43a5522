/* RDMSR and WRMSR of a guest. */
#ifndef FERMATA_X86_MSR_H
#define FERMATA_X86_MSR_H

#include "hv/vm.h"

/* What becomes of an access. */
enum msr_result {
    MSR_DONE,
    MSR_GP,      /* as hardware without the MSR, or with that value: #GP(0) */
    MSR_STOPPED, /* the vCPU cannot go on: vcpu_crash() was called */
};

enum msr_result msr_read(struct vcpu *v, u32 msr, u64 *value);
enum msr_result msr_write(struct vcpu *v, u32 msr, u64 value);

/* Would hardware with these CPUID bits accept the value? Pure. `pg`: paging is on. */
bool efer_valid(u64 value, u64 old, bool pg);
bool pat_valid(u64 value);

/* The emulated x2APIC's MSRs, 0x800 to 0x8ff (vapic.c). */
enum msr_result vapic_read(struct vcpu *v, u32 msr, u64 *value);
enum msr_result vapic_write(struct vcpu *v, u32 msr, u64 value);

#endif
