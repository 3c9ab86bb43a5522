/*
 * Free memory: hv/ranges.c and hv/memmap.c against one byte per page, hv/pages.c on real memory.
 *
 * links: hv/ranges.c hv/memmap.c hv/pages.c hv/fp_area.c tests/host/fake/support.c
 */
#include "fake/support.h"
#include "boot/boot_info.h"
#include "hv/console.h"
#include "hv/fp_area.h"
#include "hv/memmap.h"
#include "hv/pages.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <cmocka.h>

#define PAGES 96u

static struct boot_info info;
static struct ranges set;
static u32 said;

void say(enum log_level level, const char *fmt, ...)
{
    (void)level;
    (void)fmt;
    said++;
}

static void set_well_formed(const struct ranges *s)
{
    for (u32 i = 0; i < s->n; i++) {
        assert_true(s->r[i].bytes != 0 && s->r[i].base + s->r[i].bytes > s->r[i].base);
        if (i > 0) /* a gap between neighbours: else they would be one */
            assert_true(s->r[i - 1].base + s->r[i - 1].bytes < s->r[i].base);
    }
}

static void agrees(const struct ranges *s, const bool *map)
{
    u64 total = 0;

    set_well_formed(s);
    for (u32 p = 0; p < PAGES; p++) {
        bool in = false;
        for (u32 i = 0; i < s->n; i++)
            in |= p >= s->r[i].base && p < s->r[i].base + s->r[i].bytes;
        assert_int_equal(in, map[p]);
        total += map[p];
    }
    assert_int_equal(ranges_total(s), total);
}

static bool all_are(const bool *map, u32 base, u32 n, bool value)
{
    for (u32 p = base; p < base + n; p++) {
        if (p >= PAGES || map[p] != value)
            return false;
    }
    return true;
}

/* The lowest or highest place for n at this alignment, found the slow way; PAGES: none. */
static u32 place(const bool *map, u32 n, u32 align, bool highest)
{
    u32 found = PAGES;

    for (u32 p = 0; p + n <= PAGES; p += align) {
        if (all_are(map, p, n, true) && (highest || found == PAGES))
            found = p;
    }
    return found;
}

static void ranges_random(void **state)
{
    bool map[PAGES] = {false};

    (void)state;
    set.n = 0;
    fake_srand(fake_seed());
    print_message("# SEED=%llu\n", (unsigned long long)fake_seed());
    for (u32 step = 0; step < 60000; step++) {
        u32 base = fake_below(PAGES), n = 1 + fake_below(12);
        if (base + n > PAGES)
            n = PAGES - base;
        switch (fake_below(3)) {
        case 0: {
            bool free = all_are(map, base, n, false);
            assert_int_equal(ranges_add(&set, base, n), free);
            for (u32 p = base; free && p < base + n; p++)
                map[p] = true;
            break;
        }
        case 1:
            assert_true(ranges_remove(&set, base, n));
            for (u32 p = base; p < base + n; p++)
                map[p] = false;
            break;
        default: {
            u32 align = 1u << fake_below(4);
            bool highest = fake_below(2);
            u32 want = place(map, n, align, highest);
            u64 at = 0;
            assert_int_equal(ranges_take(&set, n, align, highest, &at), want != PAGES);
            if (want != PAGES) {
                assert_int_equal(at, want);
                for (u32 p = want; p < want + n; p++)
                    map[p] = false;
            }
        }
        }
        agrees(&set, map);
    }
}

static void ranges_edges(void **state)
{
    u64 at;

    (void)state;
    set.n = 0;
    assert_false(ranges_add(&set, 0, 0));
    assert_false(ranges_add(&set, ~0ull, 2));
    assert_true(ranges_add(&set, ~0ull - 10, 10));
    assert_false(ranges_add(&set, ~0ull - 5, 2));
    assert_true(ranges_remove(&set, 5, 0));
    assert_false(ranges_take(&set, 0, 1, false, &at));
    assert_false(ranges_take(&set, 1, BIT(63), false, &at)); /* aligning up wraps */
    assert_false(ranges_take(&set, 11, 1, true, &at));
    assert_true(ranges_remove(&set, 1, ~0ull)); /* the end wraps: to the end of everything */
    assert_int_equal(set.n, 0);
}

/* A full set loses memory, never gives out what is not free. */
static void ranges_full(void **state)
{
    (void)state;
    set.n = 0;
    for (u64 i = 0; i < RANGES_MAX; i++)
        assert_true(ranges_add(&set, i * 8, 4));
    assert_false(ranges_add(&set, MiB(1), 1));
    assert_true(ranges_add(&set, 4, 1)); /* joining needs no entry */
    assert_false(ranges_remove(&set, 17, 1));
    set_well_formed(&set);
    assert_int_equal(set.r[2].bytes, 1);
    assert_int_equal(ranges_total(&set), RANGES_MAX * 4 + 1 - 3);
}

/* memmap: nothing of anyone else's, however the map lies. */
static void memmap_random(void **state)
{
    (void)state;
    for (u32 round = 0; round < 4000; round++) {
        bool free[PAGES] = {false}, claimed[PAGES] = {false};
        memset(&info, 0, sizeof(info));
        info.nregions = fake_below(14);
        for (u32 i = 0; i < info.nregions; i++) {
            u32 base = fake_below(PAGES), n = fake_below(9);
            u32 type = fake_below(3) ? BOOT_MEMORY_FREE : fake_below(7);
            u32 cut = fake_below(4) ? 0 : 1 + fake_below(4095); /* not whole pages */
            if (base + n > PAGES)
                n = PAGES - base;
            info.regions[i] = (struct boot_region){MiB(1) + (u64)base * PAGE_SIZE + (n ? cut : 0),
                                                   n ? (u64)n * PAGE_SIZE - cut : 0, type, 0};
            for (u32 p = base; p < base + n; p++) {
                if (type == BOOT_MEMORY_FREE)
                    free[p] |= p > base || !cut;
                else
                    claimed[p] = true;
            }
        }
        info.image_base = MiB(1) + fake_below(PAGES) * PAGE_SIZE + fake_below(2);
        info.image_bytes = 5 * PAGE_SIZE;
        (void)memmap_usable(&info, BOOT_MEMORY_FREE, &set);
        set_well_formed(&set);
        for (u32 p = 0; p < PAGES; p++) {
            u64 at = MiB(1) + (u64)p * PAGE_SIZE;
            bool image =
                at + PAGE_SIZE > info.image_base && at < info.image_base + info.image_bytes;
            bool in = false;
            for (u32 i = 0; i < set.n; i++)
                in |= at >= set.r[i].base && at < set.r[i].base + set.r[i].bytes;
            assert_int_equal(in, free[p] && !claimed[p] && !image);
        }
    }
}

static void memmap_extremes(void **state)
{
    (void)state;
    memset(&info, 0, sizeof(info));
    info.nregions = BOOT_MAX_REGIONS + 7; /* a count that lies */
    info.regions[0] = (struct boot_region){0, ~0ull & PAGE_MASK, BOOT_MEMORY_FREE, 0};
    info.regions[1] = (struct boot_region){~0ull - 5, 100, BOOT_MEMORY_FREE, 0};
    info.regions[2] = (struct boot_region){GiB(4), ~0ull, BOOT_MEMORY_MMIO, 0}; /* wraps */
    info.regions[3] = (struct boot_region){MiB(1), 1, BOOT_MEMORY_FIRMWARE, 0};
    u32 bad = memmap_usable(&info, BOOT_MEMORY_FREE, &set);
    assert_true(bad >= 7 + 1);
    assert_int_equal(set.n, 1);
    assert_int_equal(set.r[0].base, MiB(1) + PAGE_SIZE);
    assert_true(set.r[0].base + set.r[0].bytes <= GiB(4));
    info.nregions = 1;
    assert_int_equal(memmap_usable(&info, BOOT_MEMORY_FREE, &set), 0);
    assert_int_equal(set.r[0].base, MEMMAP_LOWEST); /* never the first MiB */
    assert_true(set.r[set.n - 1].base + set.r[set.n - 1].bytes <= MEMMAP_END);
}

#define ARENA MiB(8)

static u8 *arena;

/* pages.c on memory that is really there: addresses are pointers. */
static int arena_setup(void **state)
{
    (void)state;
    arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(arena != MAP_FAILED);
    memset(arena, 0xcc, ARENA);
    memset(&info, 0, sizeof(info));
    info.nregions = 2;
    info.regions[0] = (struct boot_region){(u64)(uintptr_t)arena, ARENA / 2, BOOT_MEMORY_FREE, 0};
    info.regions[1] =
        (struct boot_region){(u64)(uintptr_t)arena + ARENA / 2, ARENA / 2, BOOT_MEMORY_RECLAIM, 0};
    pages_init(&info);
    return 0;
}

static int arena_teardown(void **state)
{
    (void)state;
    return munmap(arena, ARENA);
}

static void pages_basic(void **state)
{
    (void)state;
    assert_int_equal(pages_left(), ARENA / 2);
    pages_reclaim();
    pages_reclaim(); /* a second time adds nothing */
    assert_int_equal(pages_left(), ARENA);
    u8 *a = pages_alloc(3, PAGE_SIZE, PAGES_HYPERVISOR);
    u8 *g = pages_alloc(16, 65536, PAGES_GUEST);
    assert_true(fake_zero(a, 3 * PAGE_SIZE));
    assert_int_equal((uintptr_t)g % 65536, 0);
    assert_true(a < g); /* from the two ends */
    assert_int_equal(pages_used(PAGES_HYPERVISOR), 3 * PAGE_SIZE);
    assert_int_equal(pages_used(PAGES_GUEST), 16 * PAGE_SIZE);
    assert_int_equal(pages_left(), ARENA - 19 * PAGE_SIZE);
    memset(a, 0x5a, 3 * PAGE_SIZE);
    pages_free(a, 3, PAGES_HYPERVISOR);
    pages_free(NULL, 3, PAGES_HYPERVISOR);
    a = pages_alloc(3, PAGE_SIZE, PAGES_HYPERVISOR);
    assert_true(fake_zero(a, 3 * PAGE_SIZE)); /* used before, zeroed again */
    pages_free(a, 3, PAGES_HYPERVISOR);
    pages_free(g, 16, PAGES_GUEST);
    assert_int_equal(pages_left(), ARENA);
    assert_int_equal(pages_peak(PAGES_HYPERVISOR), 3 * PAGE_SIZE);
    assert_int_equal(pages_used(PAGES_HYPERVISOR), 0);
}

static void pages_refusals(void **state)
{
    (void)state;
    assert_null(pages_alloc(0, PAGE_SIZE, PAGES_HYPERVISOR));
    assert_null(pages_alloc(ARENA / 2 / PAGE_SIZE + 1, PAGE_SIZE, PAGES_HYPERVISOR));
    assert_null(pages_alloc(BIT(52), PAGE_SIZE, PAGES_HYPERVISOR));
    assert_null(pages_alloc(BIT(63), PAGE_SIZE, PAGES_GUEST));
    assert_null(pages_alloc(1, BIT(47), PAGES_GUEST));
    expect_panic(pages_alloc(1, 3000, PAGES_GUEST));
    expect_panic(pages_alloc(1, 64, PAGES_GUEST));
    u8 *a = pages_alloc(1, PAGE_SIZE, PAGES_HYPERVISOR);
    pages_free(a, 1, PAGES_HYPERVISOR);
    expect_panic(pages_free(a, 1, PAGES_HYPERVISOR)); /* twice */
    a = pages_alloc(2, PAGE_SIZE, PAGES_HYPERVISOR);
    expect_panic(pages_free(a + 1, 1, PAGES_HYPERVISOR));
    expect_panic(pages_free(a, 3, PAGES_HYPERVISOR)); /* more than there is in use */
    pages_free(a, 2, PAGES_HYPERVISOR);
}

/* What is kept back for an admitted VM's areas, no guest's RAM can take. */
static void pages_reserved(void **state)
{
    (void)state;
    assert_true(pages_reserve(ARENA / 2 - PAGE_SIZE + 1)); /* rounds up to everything */
    assert_false(pages_reserve(1));
    assert_false(pages_reserve(~0ull));
    assert_null(pages_alloc(1, PAGE_SIZE, PAGES_GUEST));
    u8 *a = pages_alloc(1, PAGE_SIZE, PAGES_HYPERVISOR);
    assert_non_null(a);
    assert_false(pages_reserve(1));
    pages_free(a, 1, PAGES_HYPERVISOR);
    pages_unreserve(ARENA / 2 - PAGE_SIZE + 1);
    expect_panic(pages_unreserve(1));
    a = pages_alloc(1, PAGE_SIZE, PAGES_GUEST);
    assert_non_null(a);
    pages_free(a, 1, PAGES_GUEST);
}

/* Areas on the real pages: random use, and every page comes back. */
static void areas_on_pages(void **state)
{
    struct fp_quota quota = {.limit = MiB(3)};
    struct fp_area areas[64] = {{NULL, 0}};

    (void)state;
    for (u32 step = 0; step < 20000; step++) {
        struct fp_area *area = &areas[fake_below(64)];
        if (area->base)
            fp_area_free(&quota, area);
        else if (fp_area_alloc(&quota, 1 + fake_below(9000), area))
            memset(area->base, 0xee, area->bytes);
    }
    for (u32 i = 0; i < 64; i++)
        fp_area_free(&quota, &areas[i]);
    assert_int_equal(quota.used, 0);
    assert_int_equal(pages_used(PAGES_HYPERVISOR), 0);
    assert_int_equal(pages_left(), ARENA / 2);
}

#define ARENA_TEST(f) cmocka_unit_test_setup_teardown(f, arena_setup, arena_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_random),   cmocka_unit_test(ranges_edges),
        cmocka_unit_test(ranges_full),     cmocka_unit_test(memmap_random),
        cmocka_unit_test(memmap_extremes), ARENA_TEST(pages_basic),
        ARENA_TEST(pages_refusals),        ARENA_TEST(pages_reserved),
        ARENA_TEST(areas_on_pages),
    };

    return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
