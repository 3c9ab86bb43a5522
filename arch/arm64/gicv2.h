/* GICv2 (IHI 0048B); gic.c alone calls this. */
#ifndef FERMATA_GICV2_H
#define FERMATA_GICV2_H

#include "hv/base.h"

/* Addresses of the distributor and of the CPU interface, which is the same for every CPU. */
void gicv2_map(u64 distributor, u64 interface);

/* All off but CNTHP of this CPU. */
void gicv2_init(void);

/* The interrupt that is pending, now active, or GIC_SPURIOUS and up. */
u32 gicv2_take(void);
void gicv2_end(u32 intid);

#endif
