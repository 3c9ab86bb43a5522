/* One physical CPU. */
#ifndef FERMATA_PCPU_H
#define FERMATA_PCPU_H

#include "hv/base.h"
#include "arch_cpu.h" /* struct arch_pcpu, arch_this_cpu(); arch/<a>/arch_cpu.h */

struct vcpu;

#ifndef MAX_CPUS
#define MAX_CPUS 1 /* this release runs on the boot CPU; the structures are per CPU already */
#endif

struct pcpu {
    u32 id;
    struct vcpu *current; /* the vCPU whose control state is installed; NULL: none */
    struct vcpu
        *fp_owner; /* the vCPU whose state the FP registers hold; NULL: they are in INIT (I4) */
    struct vcpu *run_head; /* runnable vCPUs that are not current, first to run first */
    struct vcpu *run_tail;
    u64 quantum; /* time slice in arch_ticks() */
    struct arch_pcpu arch;
};

extern struct pcpu pcpus[MAX_CPUS];

#endif
