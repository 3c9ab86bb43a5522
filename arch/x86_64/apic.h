/* The local APIC of the hypervisor's own CPU: its timer ends quanta. */
#ifndef FERMATA_X86_APIC_H
#define FERMATA_X86_APIC_H

#include "hv/base.h"

struct pcpu;
struct boot_info;

/* Enables the APIC, parks the other CPUs and finds the rates of TSC and timer. */
void apic_init(struct pcpu *cpu, const struct boot_info *info);

/* "xAPIC" or "x2APIC", as the firmware left it. */
const char *apic_mode(void);

/* Called by vectors.S. */
void apic_timer_interrupt(void);
void apic_stray_interrupt(void);

#endif
