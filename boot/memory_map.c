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

/* What descriptor i claims; no bytes if it cannot be true. */
static struct boot_region claim(void *map, size_t step, size_t i)
{
    const struct efi_memory *d = at(map, step, i);
    struct boot_region r = {.base = d->base, .bytes = 0};

    if (d->pages > PAGES_LIMIT || d->base % PAGE_SIZE || d->base >= ADDRESS_LIMIT ||
        d->base + (d->pages << PAGE_SHIFT) > ADDRESS_LIMIT)
        return r;
    if (d->base >= BOOT_ADDRESS_END)
        return r;
    r.bytes = d->pages << PAGE_SHIFT;
    if (r.bytes > BOOT_ADDRESS_END - r.base)
        r.bytes = BOOT_ADDRESS_END - r.base;
    r.type = d->type < ARRAY_SIZE(region_types) ? region_types[d->type] : REGION_NONE;
    return r;
}

/*
 * The lowest piece at or above `from` about which all descriptors say the same from its first to
 * its last page: its type is the largest claimed (boot_info.h orders them: free memory loses,
 * memory that must not be touched wins). `*low` skips descriptors that end below. No bytes: there
 * is nothing more.
 */
static struct boot_region piece(void *map, size_t step, size_t n, size_t *low, u64 from)
{
    struct boot_region r = {.bytes = 0};
    u64 end;

    for (; *low < n; (*low)++) {
        r = claim(map, step, *low);
        if (r.bytes && r.base + r.bytes > from)
            break;
    }
    if (*low == n)
        return (struct boot_region){.bytes = 0};
    end = r.base + r.bytes;
    if (r.base < from)
        r.base = from;
    for (size_t i = *low + 1; i < n; i++) {
        struct boot_region other = claim(map, step, i);
        u64 other_end = other.base + other.bytes;
        if (!other.bytes || other_end <= r.base)
            continue;
        if (other.base > r.base) {
            end = other.base < end ? other.base : end;
            break;
        }
        r.type = other.type > r.type ? other.type : r.type;
        end = other_end < end ? other_end : end;
    }
    r.bytes = end - r.base;
    return r;
}

u32 memory_map_regions(void *map, size_t bytes, size_t step, struct boot_region *regions, u32 max)
{
    struct boot_region last = {.bytes = 0}, next;
    size_t count = step < sizeof(struct efi_memory) ? 0 : bytes / step, low = 0;
    u32 n = 0;

    sort(map, count, step);
    for (u64 from = 0;; from = next.base + next.bytes) {
        next = piece(map, step, count, &low, from);
        if (next.bytes && next.type == REGION_NONE)
            continue;
        if (next.bytes && last.bytes && next.type == last.type &&
            next.base == last.base + last.bytes) {
            last.bytes += next.bytes;
            continue;
        }
        if (last.bytes) {
            if (n < max)
                regions[n] = last;
            n++;
        }
        if (!next.bytes)
            return n;
        last = next;
    }
}

u64 memory_map_bytes(const struct boot_region *regions, u32 n, u32 type)
{
    u64 bytes = 0;

    for (u32 i = 0; i < n; i++)
        bytes += regions[i].type == type ? regions[i].bytes : 0;
    return bytes;
}
