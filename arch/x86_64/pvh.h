/*
 * Starting an ELF kernel by PVH (Xen's docs/misc/pvh.pandoc: entry note, hvm_start_info). Pure: a
 * file and a block of memory in, a loaded kernel or one sentence out.
 */
#ifndef FERMATA_X86_PVH_H
#define FERMATA_X86_PVH_H

#include "hv/base.h"

struct pvh_image {
    u32 entry;      /* physical address, 32-bit protected mode */
    u32 start_info; /* free page below 640 KiB where pvh_load() puts what the kernel is told */
};

/*
 * Can the file be started in `memory` bytes of RAM from 0? On false `why` says what is wrong:
 * not ELF, truncated, wrong machine, no PVH note, a segment outside memory.
 */
bool pvh_check(const void *file, size_t bytes, u64 memory, struct pvh_image *out, char *why,
               size_t n);

/*
 * Copies the segments of a checked file into zeroed RAM and writes hvm_start_info, memory map and
 * command line (at most 2047 bytes). Returns the guest-physical address for EBX.
 */
u64 pvh_load(const struct pvh_image *image, const void *file, u8 *ram, u64 memory,
             const char *cmdline);

#endif
