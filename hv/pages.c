/*
 * Physical pages. Two sets of free ranges: what is ours now, and what becomes ours once the
 * firmware's stack and page tables are no longer in use. The hypervisor takes from the bottom and
 * guests from the top, so that a guest's large aligned RAM does not get torn by single pages.
 */
#include "hv/pages.h"
#include "hv/console.h"
#include "hv/memmap.h"
#include "hv/ranges.h"
#include "boot/boot_info.h"

static struct ranges unused;
static struct ranges later;
static u64 reserved;
static u64 used[PAGE_USES];
static u64 peak[PAGE_USES];

void pages_init(const struct boot_info *info)
{
    const u32 bad = memmap_usable(info, BOOT_MEMORY_FREE, &unused) +
                    memmap_usable(info, BOOT_MEMORY_RECLAIM, &later);

    if (bad != 0)
        say_error("memory: %u region(s) of the firmware's map make no sense (empty, wrapping, or "
                  "too many) and are not used",
                  bad);
    reserved = 0;
    for (u32 use = 0; use < PAGE_USES; use++)
        used[use] = peak[use] = 0;
}

void pages_reclaim(void)
{
    for (u32 i = 0; i < later.n; i++) {
        if (!ranges_add(&unused, later.r[i].base, later.r[i].bytes))
            say_error("memory: %lu KiB at 0x%lx are not used: the list of free ranges is full",
                      later.r[i].bytes >> 10, later.r[i].base);
    }
    later.n = 0;
    say_info("memory: %lu MiB free in %u pieces, the highest ends at 0x%lx", pages_left() >> 20,
             unused.n,
             unused.n != 0 ? unused.r[unused.n - 1].base + unused.r[unused.n - 1].bytes : 0);
}

void *pages_alloc(size_t n, u64 align, enum page_use use)
{
    u64 base;
    const u64 bytes = (u64)n << PAGE_SHIFT;

    CHECK(align >= PAGE_SIZE && (align & (align - 1)) == 0);
    if (n == 0 || bytes >> PAGE_SHIFT != n)
        return NULL;
    if (use == PAGES_GUEST && (pages_left() < reserved || pages_left() - reserved < bytes))
        return NULL;
    if (!ranges_take(&unused, bytes, align, use == PAGES_GUEST, &base))
        return NULL;
    used[use] += bytes;
    if (used[use] > peak[use])
        peak[use] = used[use];
    if (use == PAGES_HYPERVISOR)
        memset((void *)(uintptr_t)base, 0, bytes);
    return (void *)(uintptr_t)base;
}

void pages_free(void *pages, size_t n, enum page_use use)
{
    const u64 base = (u64)(uintptr_t)pages;
    const u64 bytes = (u64)n << PAGE_SHIFT;

    if (pages == NULL)
        return;
    CHECK((base & ~PAGE_MASK) == 0 && n != 0 && used[use] >= bytes);
    used[use] -= bytes;
    /* False is a double free, unless the list is full: then the pages are lost, and it is said. */
    if (!ranges_add(&unused, base, bytes)) {
        CHECK(unused.n == RANGES_MAX);
        say_error("memory: %lu KiB are lost: the list of free ranges is full", bytes >> 10);
    }
}

bool pages_reserve(u64 bytes)
{
    const u64 whole = ALIGN_UP(bytes, (u64)PAGE_SIZE);

    if (whole < bytes || pages_left() < reserved || pages_left() - reserved < whole)
        return false;
    reserved += whole;
    return true;
}

bool pages_spare(u64 bytes)
{
    return pages_left() >= reserved && pages_left() - reserved >= bytes;
}

void pages_unreserve(u64 bytes)
{
    const u64 whole = ALIGN_UP(bytes, (u64)PAGE_SIZE);

    CHECK(reserved >= whole);
    reserved -= whole;
}

u64 pages_used(enum page_use use)
{
    return used[use];
}

u64 pages_peak(enum page_use use)
{
    return peak[use];
}

u64 pages_left(void)
{
    return ranges_total(&unused);
}
