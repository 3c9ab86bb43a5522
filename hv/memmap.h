/* Which memory of the firmware's map may be used: pure, and trusting nothing. */
#ifndef FERMATA_MEMMAP_H
#define FERMATA_MEMMAP_H

#include "hv/base.h"
#include "hv/ranges.h"

struct boot_info;

/* Below is where firmware keeps its low-memory secrets; above, addresses that are not canonical. */
#define MEMMAP_LOWEST MiB(1)
#define MEMMAP_END    BIT(47)

/*
 * Makes *set the whole pages of all regions of `type`, less what any region of another type claims
 * too, and less the image and what boot/ handed over, whatever the map says they are. The regions
 * may come in any order, overlap, and be wrong: the return value is the number that were ignored or
 * cut short (empty, wrapping, or too many).
 */
u32 memmap_usable(const struct boot_info *info, u32 type, struct ranges *set);

#endif
