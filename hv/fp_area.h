/*
 * The allocator of FP save areas: 64-byte aligned size classes over pages, per-VM quotas, zero on
 * free. It knows no layout. An area exists only from a context's first use to its release.
 */
#ifndef FERMATA_FP_AREA_H
#define FERMATA_FP_AREA_H

#include "hv/base.h"

#define FP_AREA_ALIGN 64u /* XSAVE's requirement (Intel SDM 1, 13.4), and a cache line */

/* Memory for one context's registers. base is NULL and bytes 0 until first use; the contents start
 * zeroed. */
struct fp_area {
    void *base;
    u32 bytes; /* usable; at least what was asked for */
};

/* What one VM may hold in areas. An admitted VM's limit covers every vCPU's largest area and one
 * growth. */
struct fp_quota {
    u64 limit; /* bytes */
    u64 used;  /* bytes, by size class */
    /* Nothing was set aside for it: it takes only what no other VM was promised, while there is. */
    bool overcommit;
};

/*
 * Takes an area of at least `bytes` (1 to FP_AREA_MAX) from the quota into *area, zeroed.
 * False, with *area untouched: the quota or the memory does not allow it.
 */
#define FP_AREA_MAX KiB(128)
bool fp_area_alloc(struct fp_quota *quota, size_t bytes, struct fp_area *area);

/* Zeroes the area, gives it back, and empties *area. An empty area is left alone. */
void fp_area_free(struct fp_quota *quota, struct fp_area *area);

/* Keeps the first `bytes` of an area, in place, and gives back, zeroed, the whole pages behind
 * them. */
void fp_area_trim(struct fp_quota *quota, struct fp_area *area, size_t bytes);

/* Bytes of quota that an area for `bytes` costs: the size of its class. */
size_t fp_area_cost(size_t bytes);

#endif
