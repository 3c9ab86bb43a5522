/* What one arm64 CPU keeps for itself. */
#ifndef FERMATA_ARCH_CPU_H
#define FERMATA_ARCH_CPU_H

#include "hv/base.h"

struct pcpu;
struct vcpu;

struct arch_pcpu {
    u64 cptr_closed; /* CPTR_EL2 with every gate closed, in this CPU's format (E2H) */
    u64 cptr_now;    /* what CPTR_EL2 holds */
    u64 zcr_el2;     /* what ZCR_EL2 holds: only written when it changes */
    u64 mpidr;       /* physical, MPIDR_EL1 */
    u64 gicr;        /* this CPU's redistributor frame */
};

/* The struct pcpu of the CPU that asks: TPIDR_EL2, set by arch_init(). */
static inline struct pcpu *arch_this_cpu(void)
{
    struct pcpu *cpu;
    __asm__ volatile("mrs %0, tpidr_el2" : "=r"(cpu));
    return cpu;
}

#endif
