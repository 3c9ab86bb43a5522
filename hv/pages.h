/* Physical pages, from the firmware's memory map. Memory is identity mapped: a page's address is a
 * pointer. */
#ifndef FERMATA_PAGES_H
#define FERMATA_PAGES_H

#include "hv/base.h"

struct boot_info;

enum page_use { PAGES_HYPERVISOR, PAGES_GUEST, PAGE_USES };

/* Takes over the BOOT_MEMORY_FREE regions (never the first MiB, never page 0). */
void pages_init(const struct boot_info *info);

/*
 * n pages in a row, aligned to `align` bytes (a power of two, at least PAGE_SIZE), zeroed for
 * PAGES_HYPERVISOR and left as they are for PAGES_GUEST (vm_create clears RAM). NULL: not to be
 * had.
 */
void *pages_alloc(size_t n, u64 align, enum page_use use);
void pages_free(void *pages, size_t n, enum page_use use);

/* Bytes in use now, per use; and free. */
u64 pages_used(enum page_use use);
u64 pages_left(void);

#endif
