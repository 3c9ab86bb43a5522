/* The firmware's memory map into boot_regions. Pure: host tested and fuzzed. */
#ifndef FERMATA_MEMORY_MAP_H
#define FERMATA_MEMORY_MAP_H

#include "boot/boot_info.h"

/* EFI_MEMORY_DESCRIPTOR (UEFI 2.10, 7.2.3), version 1. Firmware's descriptors may be longer. */
struct efi_memory {
    u32 type;
    u32 pad;
    u64 base; /* physical */
    u64 virtual_base;
    u64 pages; /* of 4 KiB */
    u64 attribute;
};

/*
 * Converts `bytes` of descriptors, each `step` bytes apart (what GetMemoryMap said, not sizeof),
 * into at most `max` regions: sorted by base, not overlapping, neighbours of one type merged. `map`
 * is sorted in place. Descriptors that cannot be true (empty, not page aligned, past the end of the
 * address space) are ignored, memory that must not be touched is left out, so is what lies above
 * BOOT_ADDRESS_END, and where two contradict
 * each other the later type of enum boot_memory_type wins, so that free memory loses. Returns the
 * number of regions that are needed; when it is more than `max`, the highest are missing.
 */
u32 memory_map_regions(void *map, size_t bytes, size_t step, struct boot_region *regions, u32 max);

/* Bytes of all regions of one enum boot_memory_type. */
u64 memory_map_bytes(const struct boot_region *regions, u32 n, u32 type);

#endif
