/*
 * The allocator of save areas, on pages that each stand alone under ASan.
 *
 * links: hv/fp_area.c tests/host/fake/fake_pages.c tests/host/fake/support.c
 */
#include "fake/fake.h"
#include "hv/fp_area.h"

#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static int setup(void **state)
{
    (void)state;
    fake_pages_reset();
    fake_srand(fake_seed());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(fake_pages_held, 0); /* everything went back to the pages */
    return 0;
}

/* Every size: aligned, large enough, zeroed, charged what fp_area_cost() says, given back whole. */
static void every_size(void **state)
{
    struct fp_quota quota = {.limit = MiB(1)};
    struct fp_area area;
    size_t last_cost = 0;

    (void)state;
    for (size_t bytes = 1; bytes <= FP_AREA_MAX; bytes += bytes < 2 * PAGE_SIZE ? 1 : 509) {
        assert_true(fp_area_alloc(&quota, bytes, &area));
        assert_int_equal((uintptr_t)area.base % FP_AREA_ALIGN, 0);
        assert_true(area.bytes >= bytes);
        assert_true(fake_zero(area.base, area.bytes));
        assert_int_equal(quota.used, fp_area_cost(bytes));
        assert_true(fp_area_cost(bytes) >= last_cost);
        last_cost = fp_area_cost(bytes);
        memset(area.base, 0xff, area.bytes);
        fp_area_free(&quota, &area);
        assert_null(area.base);
        assert_int_equal(area.bytes, 0);
        assert_int_equal(quota.used, 0);
    }
    assert_true(fp_area_alloc(&quota, FP_AREA_MAX, &area));
    fp_area_free(&quota, &area);
}

/* The waste of a class is bounded: a fifth, and a page for what is larger than half of one. */
static void waste_is_bounded(void **state)
{
    (void)state;
    for (size_t bytes = 256; bytes <= FP_AREA_MAX; bytes += 7) {
        size_t waste = fp_area_cost(bytes) - bytes;
        assert_true(fp_area_cost(bytes) > 1792 ? waste < PAGE_SIZE : waste * 4 < bytes);
    }
}

static void sizes_that_cannot_be(void **state)
{
    struct fp_quota quota = {.limit = MiB(1)};
    struct fp_area area = {NULL, 0};

    (void)state;
    expect_panic(fp_area_alloc(&quota, 0, &area));
    expect_panic(fp_area_alloc(&quota, FP_AREA_MAX + 1, &area));
    expect_panic(fp_area_alloc(&quota, ~(size_t)0, &area));
    fp_area_free(&quota, &area); /* an empty one is left alone */
    assert_int_equal(quota.used, 0);
}

/* Exactly what fits, and not one more; refusal leaves everything as it was. */
static void quota_is_exact(void **state)
{
    const size_t sizes[] = {1, 576, 832, 1792, 1793, 8192, 12000};

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
        size_t cost = fp_area_cost(sizes[i]);
        struct fp_quota quota = {.limit = 3 * cost - 1};
        struct fp_area a, b, c = {(void *)1, 7};
        assert_true(fp_area_alloc(&quota, sizes[i], &a));
        assert_true(fp_area_alloc(&quota, sizes[i], &b));
        assert_false(fp_area_alloc(&quota, sizes[i], &c));
        assert_ptr_equal(c.base, (void *)1);
        assert_int_equal(c.bytes, 7);
        assert_int_equal(quota.used, 2 * cost);
        quota.limit++;
        assert_true(fp_area_alloc(&quota, sizes[i], &c));
        fp_area_free(&quota, &a);
        fp_area_free(&quota, &c);
        fp_area_free(&quota, &b);
        assert_int_equal(quota.used, 0);
    }
}

/* Limits below what is used already, and limits near 2^64, do not wrap. */
static void quota_extremes(void **state)
{
    struct fp_quota quota = {.limit = 0};
    struct fp_area a, b;

    (void)state;
    assert_false(fp_area_alloc(&quota, 1, &a));
    quota.limit = ~0ull;
    assert_true(fp_area_alloc(&quota, 4096, &a));
    quota.limit = 100;
    assert_false(fp_area_alloc(&quota, 1, &b));
    quota.used = ~0ull - 10;
    quota.limit = ~0ull;
    assert_false(fp_area_alloc(&quota, 1, &b));
    quota.used = 4096;
    fp_area_free(&quota, &a);
    assert_int_equal(quota.used, 0);
}

/* No page to be had: refused, nothing charged, and fine again afterwards. */
static void memory_exhausted(void **state)
{
    struct fp_quota quota = {.limit = MiB(8)};
    struct fp_area areas[64], none;
    u32 n = 0;

    (void)state;
    fake_pages_limit = 4;
    while (n < ARRAY_SIZE(areas) && fp_area_alloc(&quota, 1000, &areas[n]))
        n++;
    assert_int_equal(n, 4 * 3); /* 1024 and its guard: three in a page */
    u64 used = quota.used;
    assert_false(fp_area_alloc(&quota, 1000, &none));
    assert_false(fp_area_alloc(&quota, 5000, &none));
    assert_int_equal(quota.used, used);
    fp_area_free(&quota, &areas[5]);
    assert_true(fp_area_alloc(&quota, 1000, &areas[5]));
    while (n-- > 0)
        fp_area_free(&quota, &areas[n]);
}

/* A byte beyond the usable ones is noticed when the area is freed. */
static void guard_is_checked(void **state)
{
    struct fp_quota quota = {.limit = MiB(1)};
    struct fp_area area;

    (void)state;
    for (u32 at = 0; at < 64; at += 63) {
        assert_true(fp_area_alloc(&quota, 640, &area));
        u8 *end = (u8 *)area.base + area.bytes;
        struct fp_quota copy = quota;
        u8 was = end[at];
        end[at] ^= 1;
        struct fp_area same = area;
        expect_panic(fp_area_free(&copy, &same));
        end[at] = was;
        fp_area_free(&quota, &area);
    }
}

/* A write to freed memory is noticed when it is handed out again. */
static void write_after_free_is_noticed(void **state)
{
    struct fp_quota quota = {.limit = MiB(1)};
    struct fp_area keep, area;

    (void)state;
    assert_true(fp_area_alloc(&quota, 448, &keep)); /* holds the slab */
    assert_true(fp_area_alloc(&quota, 448, &area));
    u8 *stale = area.base;
    fp_area_free(&quota, &area);
    stale[100] = 1;
    expect_panic(fp_area_alloc(&quota, 448, &area));
    stale[100] = 0;
    /* The panic came after the object had left its list: put it back the same way. */
    area = (struct fp_area){stale, 448};
    quota.used += 448;
    fp_area_free(&quota, &area);
    fp_area_free(&quota, &keep);
}

static void double_free_is_noticed(void **state)
{
    struct fp_quota quota = {.limit = MiB(1)};
    struct fp_area area, copy;

    (void)state;
    assert_true(fp_area_alloc(&quota, 9000, &area));
    copy = area;
    fp_area_free(&quota, &area);
    expect_panic(fp_area_free(&quota, &copy)); /* the quota does not add up */
}

/* Contents are gone when an area is freed: a new one at the same place is zero. */
static void nothing_outlives_a_free(void **state)
{
    struct fp_quota quota = {.limit = MiB(1)};
    struct fp_area keep, area;

    (void)state;
    for (size_t bytes = 256; bytes <= 1792; bytes += 64) {
        assert_true(fp_area_alloc(&quota, bytes, &keep));
        assert_true(fp_area_alloc(&quota, bytes, &area));
        u8 *was = area.base;
        memset(area.base, 0x5a, area.bytes);
        u32 n = area.bytes;
        fp_area_free(&quota, &area);
        assert_true(fake_zero(was + 8, n - 8)); /* its link aside */
        fp_area_free(&quota, &keep);
    }
    for (size_t bytes = 1793; bytes <= FP_AREA_MAX; bytes += PAGE_SIZE) {
        assert_true(fp_area_alloc(&quota, bytes, &area));
        memset(area.base, 0x5a, area.bytes);
        fp_area_free(&quota, &area);
        assert_true(fake_pages_freed_zero);
    }
}

#define LIVE 96

struct live {
    struct fp_area area;
    u32 vm;
    u8 mark;
};

static void check_live(const struct live *l)
{
    const u8 *b = l->area.base;

    for (u32 i = 0; i < l->area.bytes; i += 61)
        assert_int_equal(b[i], l->mark);
    assert_int_equal(b[l->area.bytes - 1], l->mark);
}

/* Random allocs and frees of three VMs: marks survive, so nothing overlaps; quotas add up. */
static void random_against_reference(void **state)
{
    struct fp_quota quota[3] = {{.limit = 40000}, {.limit = 100000}, {.limit = MiB(1)}};
    struct live live[LIVE] = {0};
    u64 used[3] = {0}, refused = 0;

    (void)state;
    print_message("# SEED=%llu\n", (unsigned long long)fake_seed());
    for (u32 step = 0; step < 60000; step++) {
        struct live *l = &live[fake_below(LIVE)];
        if (l->area.base) {
            check_live(l);
            used[l->vm] -= l->area.bytes;
            fp_area_free(&quota[l->vm], &l->area);
        } else {
            size_t bytes = 1 + fake_below(fake_below(8) ? 2200 : 20000);
            u32 vm = fake_below(3);
            fake_pages_limit = fake_below(50) ? ~0ull : fake_pages_held;
            bool fits = fp_area_cost(bytes) <= quota[vm].limit - quota[vm].used;
            if (fp_area_alloc(&quota[vm], bytes, &l->area)) {
                assert_true(fits);
                assert_true(fake_zero(l->area.base, l->area.bytes));
                l->vm = vm;
                l->mark = (u8)(1 + step % 255);
                memset(l->area.base, l->mark, l->area.bytes);
                used[vm] += l->area.bytes;
            } else {
                assert_true(!fits || fake_pages_limit != ~0ull);
                refused++;
            }
        }
        for (u32 vm = 0; vm < 3; vm++)
            assert_int_equal(quota[vm].used, used[vm]);
    }
    assert_true(refused > 100);
    for (u32 i = 0; i < LIVE; i++) {
        if (live[i].area.base) {
            check_live(&live[i]);
            fp_area_free(&quota[live[i].vm], &live[i].area);
        }
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* The tail of a large area goes back in place, zeroed, and the quota follows; small ones stay. */
static void trimmed(void **state)
{
    struct fp_quota quota = {.limit = MiB(1)};
    struct fp_area area;

    (void)state;
    assert_true(fp_area_alloc(&quota, 11008, &area));
    memset(area.base, 0x5a, area.bytes);
    u8 *base = area.base;
    fp_area_trim(&quota, &area, 2816);
    assert_ptr_equal(area.base, base);
    assert_int_equal(area.bytes, PAGE_SIZE);
    assert_int_equal(quota.used, PAGE_SIZE);
    assert_int_equal(fake_pages_held, 1);
    assert_true(fake_pages_freed_zero);
    assert_int_equal(base[0], 0x5a);
    assert_int_equal(base[4095], 0x5a);
    fp_area_trim(&quota, &area, 576); /* a page is the least there is of it */
    assert_int_equal(area.bytes, PAGE_SIZE);
    fp_area_trim(&quota, &area, 0);
    fp_area_trim(&quota, &area, 100000);
    assert_int_equal(area.bytes, PAGE_SIZE);
    fp_area_free(&quota, &area);
    assert_int_equal(quota.used, 0);
    assert_true(fp_area_alloc(&quota, 1700, &area));
    fp_area_trim(&quota, &area, 576);
    assert_int_equal(area.bytes, fp_area_cost(1700));
    fp_area_free(&quota, &area);
    fp_area_trim(&quota, &area, 576); /* an empty one is left alone */
    assert_int_equal(quota.used, 0);
}

/* Overcommitted, a VM gets what is left, and never what another was promised. */
static void overcommitted(void **state)
{
    struct fp_quota mine = {.limit = MiB(1), .overcommit = true}, theirs = {.limit = MiB(1)};
    struct fp_area area[4] = {{NULL, 0}}, small = {NULL, 0};

    (void)state;
    fake_pages_limit = 9;
    fake_pages_promised = 3;
    assert_true(fp_area_alloc(&mine, 11008, &area[0]));
    assert_true(fp_area_alloc(&mine, 11008, &area[1]));
    assert_false(fp_area_alloc(&mine, 11008, &area[2])); /* three pages are left: not for it */
    assert_false(fp_area_alloc(&mine, 1, &small));
    assert_int_equal(mine.used, 2 * 12288);
    assert_true(fp_area_alloc(&theirs, 11008, &area[3]));
    fake_pages_promised = 0; /* taken */
    fp_area_trim(&mine, &area[0], 2816);
    assert_true(fp_area_alloc(&mine, 600, &small)); /* a slab is begun */
    struct fp_area another;
    fake_pages_promised = 9;
    assert_true(fp_area_alloc(&mine, 600, &another)); /* and has room: it costs no page */
    fp_area_free(&mine, &another);
    fp_area_free(&mine, &small);
    fp_area_free(&mine, &area[0]);
    fp_area_free(&mine, &area[1]);
    fp_area_free(&theirs, &area[3]);
    assert_int_equal(mine.used + theirs.used, 0);
    fake_pages_promised = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(trimmed),
        TEST(overcommitted),
        TEST(every_size),
        TEST(waste_is_bounded),
        TEST(sizes_that_cannot_be),
        TEST(quota_is_exact),
        TEST(quota_extremes),
        TEST(memory_exhausted),
        TEST(guard_is_checked),
        TEST(write_after_free_is_noticed),
        TEST(double_free_is_noticed),
        TEST(nothing_outlives_a_free),
        TEST(random_against_reference),
    };

    return cmocka_run_group_tests_name("fp_area", tests, NULL, NULL);
}
