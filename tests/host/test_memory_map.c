/*
 * The firmware's memory map into regions: lying firmware must not make us take what is somebody's.
 * SEED=n repeats the random part.
 *
 * links: boot/memory_map.c tests/host/fake/support.c
 */
#include "fake/support.h"
#include "boot/memory_map.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define PAGES   64u /* of the little address space in which the random maps live */
#define NOTHING 0xff

enum { CONVENTIONAL = 7, LOADER_DATA = 2, BOOT_DATA = 4, RUNTIME_CODE = 5, UNUSABLE = 8, ACPI = 9 };

static struct boot_region regions[BOOT_MAX_REGIONS];

static void describe(u8 *map, size_t step, size_t i, u32 type, u64 base, u64 pages)
{
    struct efi_memory d = {.type = type, .base = base, .pages = pages};

    memcpy(map + i * step, &d, sizeof(d));
}

/* Sorted, whole pages, not overlapping, never wrapping, neighbours of one type merged. */
static void well_formed(u32 n)
{
    for (u32 i = 0; i < n; i++) {
        assert_true(regions[i].bytes != 0 && regions[i].bytes % PAGE_SIZE == 0);
        assert_true(regions[i].base % PAGE_SIZE == 0);
        assert_true(regions[i].base + regions[i].bytes > regions[i].base);
        if (i == 0)
            continue;
        u64 end = regions[i - 1].base + regions[i - 1].bytes;
        assert_true(end <= regions[i].base);
        assert_true(end < regions[i].base || regions[i - 1].type != regions[i].type);
    }
}

static void ordinary_map(void **state)
{
    /* Firmware's descriptors are longer than the structure (QEMU: 48) and come in any order. */
    u8 map[5 * 48];

    (void)state;
    describe(map, 48, 0, CONVENTIONAL, MiB(2), 16);
    describe(map, 48, 1, CONVENTIONAL, 0, 16);
    describe(map, 48, 2, LOADER_DATA, MiB(1), 4);
    describe(map, 48, 3, BOOT_DATA, MiB(1) + 4 * PAGE_SIZE, 4);
    describe(map, 48, 4, CONVENTIONAL, 16 * PAGE_SIZE, 16);
    u32 n = memory_map_regions(map, sizeof(map), 48, regions, BOOT_MAX_REGIONS);
    assert_int_equal(n, 4);
    well_formed(n);
    assert_int_equal(regions[0].bytes, 32 * PAGE_SIZE);
    assert_int_equal(regions[1].type, BOOT_MEMORY_LOADER);
    assert_int_equal(regions[2].type, BOOT_MEMORY_RECLAIM);
    assert_int_equal(memory_map_bytes(regions, n, BOOT_MEMORY_FREE), 48 * PAGE_SIZE);
}

/* What cannot be true is left out and disturbs nothing else. */
static void impossible_descriptors(void **state)
{
    struct efi_memory map[] = {
        {.type = CONVENTIONAL, .base = 0x1000, .pages = 0},
        {.type = CONVENTIONAL, .base = 0x1001, .pages = 1},
        {.type = CONVENTIONAL, .base = ~0ull & PAGE_MASK, .pages = 2},
        {.type = CONVENTIONAL, .base = 0x2000, .pages = ~0ull},
        {.type = CONVENTIONAL, .base = 0x2000, .pages = ~0ull >> 12},
        {.type = CONVENTIONAL, .base = BIT(52), .pages = 1},
        {.type = UNUSABLE, .base = 0x3000, .pages = 1},
        {.type = 15, .base = 0x4000, .pages = 1},
        {.type = 0x70000000, .base = 0x5000, .pages = 1},
        {.type = CONVENTIONAL, .base = 0x9000, .pages = 1},
    };

    (void)state;
    u32 n = memory_map_regions(map, sizeof(map), sizeof(map[0]), regions, BOOT_MAX_REGIONS);
    assert_int_equal(n, 1);
    assert_int_equal(regions[0].base, 0x9000);
    assert_int_equal(memory_map_regions(map, sizeof(map), 39, regions, 1), 0);
    assert_int_equal(memory_map_regions(map, 0, 40, regions, 1), 0);
    assert_int_equal(memory_map_regions(map, 39, 40, regions, 1), 0);
}

/*
 * A machine of 8 sockets: memory far above 512 GiB, holes between, a last region beyond what page
 * tables of 4 levels reach, which is cut off there, and one that is beyond it altogether.
 */
static void sockets_and_holes(void **state)
{
    static const u64 bases[] = {MiB(1), GiB(4), GiB(1024), GiB(2048), GiB(12 * 1024), BIT(46)};
    struct efi_memory map[10] = {{0}};
    u32 n = 0;

    (void)state;
    for (; n < ARRAY_SIZE(bases); n++)
        map[n] = (struct efi_memory){
            .type = CONVENTIONAL, .base = bases[n], .pages = GiB(2) >> PAGE_SHIFT};
    map[n++] = (struct efi_memory){
        .type = CONVENTIONAL, .base = BIT(47) - GiB(1), .pages = GiB(4) >> PAGE_SHIFT};
    map[n++] = (struct efi_memory){.type = 11, .base = BIT(51), .pages = GiB(4) >> PAGE_SHIFT};
    n = memory_map_regions(map, n * sizeof(map[0]), sizeof(map[0]), regions, BOOT_MAX_REGIONS);
    assert_int_equal(n, ARRAY_SIZE(bases) + 1);
    well_formed(n);
    for (u32 i = 0; i < ARRAY_SIZE(bases); i++) {
        assert_int_equal(regions[i].base, bases[i]);
        assert_int_equal(regions[i].bytes, GiB(2));
    }
    assert_int_equal(regions[n - 1].base, BIT(47) - GiB(1));
    assert_int_equal(regions[n - 1].bytes, GiB(1));
    assert_int_equal(memory_map_bytes(regions, n, BOOT_MEMORY_FREE), GiB(13));
}

/* More regions than fit: counted, and the highest are the ones missing. */
static void too_many(void **state)
{
    struct efi_memory map[8];

    (void)state;
    for (u32 i = 0; i < 8; i++)
        map[i] = (struct efi_memory){.type = CONVENTIONAL, .base = i * 0x2000, .pages = 1};
    regions[5].base = 42;
    assert_int_equal(memory_map_regions(map, sizeof(map), sizeof(map[0]), regions, 5), 8);
    well_formed(5);
    assert_int_equal(regions[4].base, 4 * 0x2000);
    assert_int_equal(regions[5].base, 42);
}

/* EFI type to region type, spelled out a second time. */
static u8 region_type(u32 efi)
{
    static const u8 types[16] = {4, 1, 1, 5, 5, 2, 3, 0, NOTHING, 4, 4, 0, 0, 4, 4, NOTHING};
    static const u8 names[6] = {BOOT_MEMORY_FREE,         BOOT_MEMORY_LOADER,
                                BOOT_MEMORY_RUNTIME_CODE, BOOT_MEMORY_RUNTIME_DATA,
                                BOOT_MEMORY_FIRMWARE,     BOOT_MEMORY_RECLAIM};

    if (efi == 11 || efi == 12)
        return BOOT_MEMORY_MMIO;
    return efi > 15 || types[efi] == NOTHING ? NOTHING : names[types[efi]];
}

/* What the regions say of page p: a type, or NOTHING. */
static u32 said_of(u64 p, u32 n)
{
    for (u32 i = 0; i < n; i++) {
        if (p * PAGE_SIZE >= regions[i].base && p * PAGE_SIZE < regions[i].base + regions[i].bytes)
            return regions[i].type;
    }
    return NOTHING;
}

/*
 * Random maps, overlaps and lies included, page by page: where claims differ the most careful one
 * counts, memory that must not be touched before all.
 */
static void random_maps(void **state)
{
    (void)state;
    fake_srand(fake_seed());
    print_message("# SEED=%llu\n", (unsigned long long)fake_seed());
    for (u32 round = 0; round < 20000; round++) {
        struct efi_memory map[12];
        u32 count = fake_below(13), n;
        u8 careful[PAGES] = {0};
        bool claimed[PAGES] = {false};
        for (u32 i = 0; i < count; i++) {
            u32 base = fake_below(PAGES), pages = 1 + fake_below(fake_below(3) ? 8 : PAGES - base);
            if (base + pages > PAGES)
                pages = PAGES - base;
            map[i] = (struct efi_memory){
                .type = fake_below(17), .base = (u64)base * PAGE_SIZE, .pages = pages};
            for (u32 p = base; p < base + pages; p++) {
                claimed[p] = true;
                if (region_type(map[i].type) > careful[p])
                    careful[p] = region_type(map[i].type);
            }
        }
        n = memory_map_regions(map, count * sizeof(map[0]), sizeof(map[0]), regions,
                               BOOT_MAX_REGIONS);
        well_formed(n);
        for (u32 p = 0; p < PAGES; p++)
            assert_int_equal(said_of(p, n), claimed[p] ? careful[p] : NOTHING);
    }
}

/* A map without overlaps is converted without loss. */
static void truthful_maps_lose_nothing(void **state)
{
    (void)state;
    for (u32 round = 0; round < 5000; round++) {
        struct efi_memory map[16];
        u64 at = fake_below(4), want[BOOT_MEMORY_MMIO + 2] = {0};
        u32 count = 1 + fake_below(16);
        for (u32 i = 0; i < count; i++) {
            u64 pages = 1 + fake_below(5);
            map[i] =
                (struct efi_memory){.type = fake_below(15), .base = at * PAGE_SIZE, .pages = pages};
            if (region_type(map[i].type) != NOTHING)
                want[region_type(map[i].type)] += pages * PAGE_SIZE;
            at += pages + fake_below(2);
        }
        for (u32 i = count - 1; i > 0; i--) { /* shuffled */
            u32 j = fake_below(i + 1);
            struct efi_memory t = map[i];
            map[i] = map[j];
            map[j] = t;
        }
        u32 n = memory_map_regions(map, count * sizeof(map[0]), sizeof(map[0]), regions,
                                   BOOT_MAX_REGIONS);
        well_formed(n);
        for (u32 type = 0; type <= BOOT_MEMORY_MMIO; type++)
            assert_int_equal(memory_map_bytes(regions, n, type), want[type]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_map),      cmocka_unit_test(impossible_descriptors),
        cmocka_unit_test(sockets_and_holes), cmocka_unit_test(too_many),
        cmocka_unit_test(random_maps),       cmocka_unit_test(truthful_maps_lose_nothing),
    };

    return cmocka_run_group_tests_name("memory_map", tests, NULL, NULL);
}
