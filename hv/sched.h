/* Round robin, one queue per CPU, preempted by the CPU's own timer. */
#ifndef FERMATA_SCHED_H
#define FERMATA_SCHED_H

#include "hv/vm.h"

/* Puts a runnable vCPU at the end of v->pcpu's queue. */
void sched_add(struct vcpu *v);

/* Takes it off the queue if it is on it. */
void sched_remove(struct vcpu *v);

/* Runs vCPUs on this CPU until none is left that could ever run again. */
void sched_run(struct pcpu *cpu);

#endif
