/* From the firmware's memory map to the sets of pages that may be used. */
#include "hv/memmap.h"
#include "boot/boot_info.h"

/* Removes every page that [base, base + bytes) touches. */
static bool remove_pages(struct ranges *set, u64 base, u64 bytes)
{
    const u64 first = base & PAGE_MASK;

    if (bytes == 0)
        return true;
    if (base + bytes < base || base + bytes > ~0ull - PAGE_SIZE)
        return ranges_remove(set, first, ~0ull);
    return ranges_remove(set, first, ALIGN_UP(base + bytes, (u64)PAGE_SIZE) - first);
}

/* Adds the whole pages of a region, clipped; what is there already is not added twice. */
static bool add_region(struct ranges *set, const struct boot_region *r)
{
    if (r->bytes == 0 || r->base + r->bytes < r->base)
        return false;
    u64 base = r->base < MEMMAP_LOWEST ? MEMMAP_LOWEST : r->base;
    u64 end = r->base + r->bytes > MEMMAP_END ? MEMMAP_END : r->base + r->bytes;

    base = ALIGN_UP(base, (u64)PAGE_SIZE);
    end &= PAGE_MASK;
    if (base >= end)
        return true; /* nothing of it is usable, which is no fault of the map */
    /* Two regions of one type may overlap: cut the old out, then the new one always fits. */
    return ranges_remove(set, base, end - base) && ranges_add(set, base, end - base);
}

u32 memmap_usable(const struct boot_info *info, u32 type, struct ranges *set)
{
    const struct boot_config *config = &info->config;
    const u32 n = info->nregions < BOOT_MAX_REGIONS ? info->nregions : BOOT_MAX_REGIONS;
    u32 bad = info->nregions - n;

    set->n = 0;
    for (u32 i = 0; i < n; i++) {
        if (info->regions[i].type == type && !add_region(set, &info->regions[i]))
            bad++;
    }
    for (u32 i = 0; i < n; i++) {
        if (info->regions[i].type != type &&
            !remove_pages(set, info->regions[i].base, info->regions[i].bytes))
            bad++;
    }
    (void)remove_pages(set, info->image_base, info->image_bytes);
    (void)remove_pages(set, (u64)(uintptr_t)info, sizeof(*info));
    for (u32 i = 0; i < config->nvms && i < BOOT_MAX_VMS; i++)
        (void)remove_pages(set, config->vms[i].image, config->vms[i].image_bytes);
    return bad;
}
