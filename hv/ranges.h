/*
 * A set of address ranges, sorted, not overlapping, neighbours merged: free memory. Pure. Its size
 * does not depend on the amount of memory, only on how torn it is.
 */
#ifndef FERMATA_RANGES_H
#define FERMATA_RANGES_H

#include "hv/base.h"

#define RANGES_MAX 768u

struct range {
    u64 base;
    u64 bytes; /* never 0; base + bytes never wraps */
};

struct ranges {
    u32 n;
    struct range r[RANGES_MAX];
};

/*
 * Adds [base, base + bytes). False, with nothing changed: it is empty, wraps, overlaps a range that
 * is there, or the set is full.
 */
bool ranges_add(struct ranges *set, u64 base, u64 bytes);

/*
 * Removes whatever of [base, base + bytes) is there; an end that wraps counts as the end of the
 * address space. False: cutting a range in two found the set full, and the part above the hole is
 * lost too (never too much is left).
 */
bool ranges_remove(struct ranges *set, u64 base, u64 bytes);

/*
 * Takes `bytes` at an `align`ed address (a power of two): the lowest there is, or the highest.
 * False: none is large enough.
 */
bool ranges_take(struct ranges *set, u64 bytes, u64 align, bool highest, u64 *base);

u64 ranges_total(const struct ranges *set);

#endif
