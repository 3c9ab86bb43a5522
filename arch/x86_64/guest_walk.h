/*
 * Reads guest memory through the guest's own page tables. Pure: a block of RAM and five register
 * values in, bytes out. Rights are not checked: it serves to fetch an instruction the CPU has just
 * fetched itself.
 */
#ifndef FERMATA_X86_GUEST_WALK_H
#define FERMATA_X86_GUEST_WALK_H

#include "hv/base.h"

struct guest_memory {
    const u8 *ram; /* host pointer to guest-physical `base` */
    u64 base;
    u64 bytes;
    u64 cr0, cr3, cr4, efer;
};

/* Guest-linear to guest-physical. False: not mapped, or a table lies outside RAM. */
bool guest_translate(const struct guest_memory *m, u64 linear, u64 *physical);

/* Copies up to n bytes from guest-linear memory; returns how many came before the first fault. */
size_t guest_read(const struct guest_memory *m, u64 linear, u8 *to, size_t n);

#endif
