/* What one arm64 CPU keeps for itself. */
#ifndef FERMATA_ARCH_CPU_H
#define FERMATA_ARCH_CPU_H

#include "hv/base.h"

struct pcpu;
struct vcpu;

/* For functions declared elsewhere without static, and what they use: never out of line. */
#define ARCH_INLINE extern inline __attribute__((gnu_inline, always_inline))

struct arch_pcpu {
    u64 cptr[16]; /* CPTR_EL2 by the units (FP_UNIT_*) that are open */
    u32 open;     /* which of them CPTR_EL2 holds */
    u32 vl;       /* what ZCR_EL2.LEN says, in bytes: written only when it changes */
    u32 smcr;     /* what SMCR_EL2 holds; likewise */
    u32 controls; /* CONTROL_* (arch_fp.h) as they are */
    u64 mpidr;    /* physical, MPIDR_EL1 */
    u64 gicr;     /* this CPU's redistributor frame */
};

/* The struct pcpu of the CPU that asks: TPIDR_EL2, set by arch_init(). */
#ifdef FERMATA_MODEL
struct pcpu *arch_this_cpu(void); /* tests/model/arm64 */
#else
ARCH_INLINE struct pcpu *arch_this_cpu(void)
{
    struct pcpu *cpu;
    __asm__ volatile("mrs %0, tpidr_el2" : "=r"(cpu));
    return cpu;
}
#endif

#endif
