/* Physical pages, from the firmware's memory map. Memory is identity mapped: a page's address is a
 * pointer. */
#ifndef FERMATA_PAGES_H
#define FERMATA_PAGES_H

#include "hv/base.h"

struct boot_info;

enum page_use { PAGES_HYPERVISOR, PAGES_GUEST, PAGE_USES };

/*
 * Takes over the BOOT_MEMORY_FREE regions: never the first MiB, never what another region claims
 * too, never our image or what boot/ handed over, however the firmware labels it.
 */
void pages_init(const struct boot_info *info);

/* Adds the BOOT_MEMORY_RECLAIM regions: the firmware's stack and page tables are no longer in use.
 */
void pages_reclaim(void);

/*
 * n pages in a row, aligned to `align` bytes (a power of two, at least PAGE_SIZE), zeroed for
 * PAGES_HYPERVISOR and left as they are for PAGES_GUEST (vm_create clears RAM). NULL: not to be
 * had.
 */
void *pages_alloc(size_t n, u64 align, enum page_use use);
void pages_free(void *pages, size_t n, enum page_use use);

/*
 * Keeps `bytes` (rounded up to pages) back for PAGES_HYPERVISOR: later PAGES_GUEST allocations
 * cannot take them. So what a VM was promised at its creation is there when it needs it. False, and
 * nothing reserved: not that much is left.
 */
bool pages_reserve(u64 bytes);

/* Are `bytes` left that nobody was promised? */
bool pages_spare(u64 bytes);

void pages_unreserve(u64 bytes);

/* Bytes in use now, per use; the most there ever were; and free. */
u64 pages_used(enum page_use use);
u64 pages_peak(enum page_use use);
u64 pages_left(void);

#endif
