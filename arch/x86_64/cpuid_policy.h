/*
 * What a VM sees of the CPU: an allow-list over what CPUID itself answers. Pure: the same code runs
 * in the host tests, on any table of raw answers.
 */
#ifndef FERMATA_X86_CPUID_POLICY_H
#define FERMATA_X86_CPUID_POLICY_H

#include "cpu.h"
#include "xstate_layout.h"

/* Everything the answer depends on besides the CPU. */
struct cpuid_view {
    u64 permitted;              /* XCR0 bits of the VM's fp list; 0 where the CPU has no XSAVE */
    bool avx, avx512, amx, pku; /* permitted, spelt out */
    bool xfd;                   /* IA32_XFD is offered */
    bool xsaves;                /* so is XSAVES, and IA32_XSS with no bit that can be set */
    u64 cr4;                    /* the guest's own: OSXSAVE and OSPKE mirror it */
    u64 xcr0;                   /* the guest's own */
    u32 vcpu;                   /* index = x2APIC ID */
    u32 vcpus;
    const struct xstate_layout *layout; /* of the machine */
};

/* Highest leaves a VM may ask for; hypervisor leaves aside. */
#define CPUID_MAX_BASIC    0xdu
#define CPUID_MAX_AMX      0x1eu /* with AMX */
#define CPUID_MAX_EXTENDED 0x80000008u

/* `raw` is what CPUID answers for leaf and subleaf; returns what the VM is told. */
struct cpuid_regs cpuid_policy(const struct cpuid_view *view, u32 leaf, u32 subleaf,
                               struct cpuid_regs raw);

/*
 * Leaf the CPU would answer when asked for a leaf beyond the highest: Intel repeats the highest
 * basic one, AMD answers zero. Here: zero, always.
 */
bool cpuid_in_range(const struct cpuid_view *view, u32 leaf, u32 highest, u32 max_extended);

/* CR4 bits that go with what the policy shows: raw leaves 1, 7.0 and 8000_0001. */
u64 cpuid_cr4_offered(const struct cpuid_view *view, struct cpuid_regs leaf1,
                      struct cpuid_regs leaf7);

#endif
