/* EL2's own stage-1 translation: identity, W^X, guard pages. */
#ifndef FERMATA_MMU_H
#define FERMATA_MMU_H

#include "hv/base.h"

struct boot_info;

enum mmu_kind {
    MMU_NONE,   /* not mapped: guards, and what nobody should touch */
    MMU_READ,   /* memory */
    MMU_WRITE,  /* memory, readable too */
    MMU_EXEC,   /* memory, readable too */
    MMU_DEVICE, /* Device-nGnRE, read and write */
};

/* Builds the tables from the memory map and the image's own sections. Uses pages_alloc(). */
void mmu_build(const struct boot_info *info);

/* Maps [base, base + bytes), rounded out to pages, as `kind`. Before mmu_enable() only. */
void mmu_map(u64 base, u64 bytes, enum mmu_kind kind);

/* Leaves the firmware's translation for ours, and sets HCR_EL2 to `hcr` on the way (E2H may change
 * only while the MMU is off). */
void mmu_enable(u64 hcr);

#endif
