/* GICv3 (IHI 0069) or GICv2 (IHI 0048): just enough for this CPU's own timer interrupt. */
#ifndef FERMATA_GIC_H
#define FERMATA_GIC_H

#include "hv/base.h"

struct boot_info;
struct pcpu;

#define GIC_SPURIOUS    1020u /* to 1023: no interrupt */
#define GIC_FIRST_LPI   8192u
#define GIC_CNTHP_INTID 26u /* PPI of the EL2 physical timer (BSA, and QEMU virt) */

/* Finds the GIC in the MADT or the device tree, and maps it. */
void gic_find(const struct boot_info *info);

/* 2 or 3, once it is found. */
u32 gic_version(void);

/* Distributor, this CPU's part of it and its CPU interface: all off but CNTHP. */
void gic_init(struct pcpu *cpu);

/* The interrupt that is pending, now active; gic_end() ends it. */
u32 gic_take(void);
void gic_end(u32 intid);

#endif
