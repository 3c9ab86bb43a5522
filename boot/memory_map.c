/* The firmware's memory map into boot_regions (UEFI 2.10, 7.2.3 and table 7.10). */
#include "boot/memory_map.h"

#define REGION_NONE   (~0u) /* nothing of it may be touched */
#define PAGES_LIMIT   BIT(52 - PAGE_SHIFT)
#define ADDRESS_LIMIT BIT(52)

/* By EFI_MEMORY_TYPE. Unusable (8), unaccepted (15) and every type made after 2.10 are left alone.
 */
static const u32 region_types[] = {
    BOOT_MEMORY_FIRMWARE,     /* EfiReservedMemoryType */
    BOOT_MEMORY_LOADER,       /* EfiLoaderCode */
    BOOT_MEMORY_LOADER,       /* EfiLoaderData */
    BOOT_MEMORY_RECLAIM,      /* EfiBootServicesCode */
    BOOT_MEMORY_RECLAIM,      /* EfiBootServicesData */
    BOOT_MEMORY_RUNTIME_CODE, /* EfiRuntimeServicesCode */
    BOOT_MEMORY_RUNTIME_DATA, /* EfiRuntimeServicesData */
    BOOT_MEMORY_FREE,         /* EfiConventionalMemory */
    REGION_NONE,              /* EfiUnusableMemory */
    BOOT_MEMORY_FIRMWARE,     /* EfiACPIReclaimMemory */
    BOOT_MEMORY_FIRMWARE,     /* EfiACPIMemoryNVS */
    BOOT_MEMORY_MMIO,         /* EfiMemoryMappedIO */
    BOOT_MEMORY_MMIO,         /* EfiMemoryMappedIOPortSpace */
    BOOT_MEMORY_FIRMWARE,     /* EfiPalCode */
    BOOT_MEMORY_FIRMWARE,     /* EfiPersistentMemory: somebody's files */
};

static struct efi_memory *at(void *map, size_t step, size_t i)
{
    return (struct efi_memory *)(void *)((u8 *)map + i * step);
}

/* Insertion sort by base: the map is short, nearly sorted, and there is nothing to allocate from.
 */
static void sort(void *map, size_t n, size_t step)
{
    for (size_t i = 1; i < n; i++) {
        struct efi_memory moving = *at(map, step, i);
        size_t j = i;
        for (; j && at(map, step, j - 1)->base > moving.base; j--)
            *at(map, step, j) = *at(map, step, j - 1);
        *at(map, step, j) = moving;
    }
}

static bool convert(const struct efi_memory *from, struct boot_region *to)
{
    u32 type = from->type < ARRAY_SIZE(region_types) ? region_types[from->type] : REGION_NONE;

    if (type == REGION_NONE || !from->pages || from->pages > PAGES_LIMIT ||
        from->base % PAGE_SIZE || from->base >= ADDRESS_LIMIT ||
        from->base + (from->pages << PAGE_SHIFT) > ADDRESS_LIMIT)
        return false;
    *to =
        (struct boot_region){.base = from->base, .bytes = from->pages << PAGE_SHIFT, .type = type};
    return true;
}

static bool reusable(u32 type)
{
    return type == BOOT_MEMORY_FREE || type == BOOT_MEMORY_RECLAIM;
}

/*
 * Makes `next` start behind `last` (never before it: the map is sorted). What both claim goes to
 * the one that must not be reused; when that is `next`, what `last` has behind it is given up.
 */
static void separate(struct boot_region *last, struct boot_region *next)
{
    u64 end = last->base + last->bytes;

    if (next->base >= end)
        return;
    if (reusable(last->type) && !reusable(next->type)) {
        last->bytes = next->base - last->base;
    } else {
        u64 next_end = next->base + next->bytes;
        next->base = end < next_end ? end : next_end;
        next->bytes = next_end - next->base;
    }
}

u32 memory_map_regions(void *map, size_t bytes, size_t step, struct boot_region *regions, u32 max)
{
    struct boot_region last = {.bytes = 0}, next;
    size_t count = step < sizeof(struct efi_memory) ? 0 : bytes / step;
    u32 n = 0;

    sort(map, count, step);
    for (size_t i = 0; i < count; i++) {
        if (!convert(at(map, step, i), &next))
            continue;
        separate(&last, &next);
        if (!next.bytes)
            continue;
        if (last.bytes && next.type == last.type && next.base == last.base + last.bytes) {
            last.bytes += next.bytes;
            continue;
        }
        if (last.bytes) {
            if (n < max)
                regions[n] = last;
            n++;
        }
        last = next;
    }
    if (last.bytes) {
        if (n < max)
            regions[n] = last;
        n++;
    }
    return n;
}

u64 memory_map_bytes(const struct boot_region *regions, u32 n, u32 type)
{
    u64 bytes = 0;

    for (u32 i = 0; i < n; i++)
        bytes += regions[i].type == type ? regions[i].bytes : 0;
    return bytes;
}
