/*
 * The walk of a guest's page tables: every paging mode and page size against tables built by hand,
 * and tables of random words, which must neither leave the guest's RAM nor loop.
 *
 * links: arch/x86_64/guest_walk.c tests/host/fake/support.c
 * machine: x86_64
 */
#include "fake/support.h"
#include "guest_walk.h"
#include "x86.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define RAM 0x40000u

static u8 *ram;
static struct guest_memory m;

static int setup(void **state)
{
    (void)state;
    ram = calloc(1, RAM); /* exactly the guest's RAM: ASan guards what lies behind */
    m = (struct guest_memory){.ram = ram, .base = 0, .bytes = RAM, .cr0 = CR0_PG | CR0_PE};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(ram);
    return 0;
}

static void entry(u64 table, u64 index, u32 bytes, u64 value)
{
    memcpy(ram + table + index * bytes, &value, bytes);
}

static void maps(u64 linear, u64 want)
{
    u64 physical = 0;

    assert_true(guest_translate(&m, linear, &physical));
    assert_int_equal(physical, want);
}

static void unmapped(u64 linear)
{
    u64 physical;

    assert_false(guest_translate(&m, linear, &physical));
}

static void no_paging(void **state)
{
    (void)state;
    m.cr0 = CR0_PE;
    maps(0x12345678, 0x12345678);
    maps(0x912345678, 0x12345678); /* 32 bits wrap */
}

static void long_mode(void **state)
{
    const u64 linear = 0xffff812345678abcull; /* 4K, 2M, 1G by the same indices */
    const u64 nx = BIT(63);

    (void)state;
    m.efer = EFER_LMA | EFER_LME;
    m.cr4 = CR4_PAE;
    m.cr3 = 0x1000 | 0x18; /* PWT and PCD, or a PCID, are no address */
    entry(0x1000, linear >> 39 & 511, 8, 0x2000 | 3);
    entry(0x2000, linear >> 30 & 511, 8, 0x3000 | 3);
    entry(0x3000, linear >> 21 & 511, 8, 0x4000 | 3);
    entry(0x4000, linear >> 12 & 511, 8, 0x123456789000 | nx | 0x7f);
    maps(linear, 0x123456789abc);
    unmapped(linear + PAGE_SIZE);
    entry(0x3000, linear >> 21 & 511, 8, 0x123456600000 | 0x1000 | 0x83); /* PAT is bit 12 */
    maps(linear, 0x123456600000 | (linear & 0x1fffff));
    entry(0x2000, linear >> 30 & 511, 8, 0x40000000 | 0x83);
    maps(linear, 0x40000000 | (linear & 0x3fffffff));
    entry(0x2000, linear >> 30 & 511, 8, 0x40000000 | 0x82);
    unmapped(linear); /* P=0 */
    entry(0x1000, linear >> 39 & 511, 8, 0x2000 | 0x83);
    entry(0x2000, linear >> 30 & 511, 8, 0x40000000 | 0x83);
    maps(linear, 0x40000000 | (linear & 0x3fffffff)); /* PS means nothing at level 4 */
}

static void five_levels(void **state)
{
    const u64 linear = 0x00ab812345678abcull;

    (void)state;
    m.efer = EFER_LMA;
    m.cr4 = CR4_PAE | CR4_LA57;
    m.cr3 = 0x1000;
    entry(0x1000, linear >> 48 & 511, 8, 0x2000 | 1);
    entry(0x2000, linear >> 39 & 511, 8, 0x3000 | 1);
    entry(0x3000, linear >> 30 & 511, 8, 0x5000000 | 0x81);
    maps(linear, (linear & 0x3fffffff));
    entry(0x3000, linear >> 30 & 511, 8, 0x80000000 | 0x81);
    maps(linear, 0x80000000 | (linear & 0x3fffffff));
}

static void pae(void **state)
{
    const u64 linear = 0xc1234567;

    (void)state;
    m.cr4 = CR4_PAE;
    m.cr3 = 0x1020; /* 32-byte aligned */
    entry(0x1020, 3, 8, 0x2000 | 1);
    entry(0x2000, linear >> 21 & 511, 8, 0x3000 | 1);
    entry(0x3000, linear >> 12 & 511, 8, 0xabcdef000 | 1);
    maps(linear, 0xabcdef567);
    maps(linear | BIT(40), 0xabcdef567);
    entry(0x2000, linear >> 21 & 511, 8, 0xabce00000 | 0x81);
    maps(linear, 0xabce00000 | (linear & 0x1fffff));
    unmapped(0x01234567);
}

static void legacy(void **state)
{
    const u64 linear = 0x80c45678;

    (void)state;
    m.cr3 = 0x1000;
    entry(0x1000, linear >> 22, 4, 0x2000 | 1);
    entry(0x2000, linear >> 12 & 1023, 4, 0xfedcb000 | 1);
    maps(linear, 0xfedcb678);
    entry(0x1000, linear >> 22, 4, 0x2000 | 0x81);
    maps(linear, 0xfedcb678); /* no CR4.PSE: PS is ignored */
    m.cr4 = CR4_PSE;
    entry(0x1000, linear >> 22, 4, 0x7fc00000 | 0x81);
    maps(linear, 0x7fc00000 | (linear & 0x3fffff));
    entry(0x1000, linear >> 22, 4, 0x7fc00000 | 0xa5 << 13 | 0x81); /* PSE-36 */
    maps(linear, 0xa57fc00000 | (linear & 0x3fffff));
}

/* Tables outside RAM, or across its end: not mapped, nothing read. */
static void tables_outside(void **state)
{
    static const u64 places[] = {RAM, RAM - PAGE_SIZE + 8, ~0ull, BIT(51), RAM + PAGE_SIZE};

    (void)state;
    m.efer = EFER_LMA;
    for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
        m.cr3 = places[i];
        for (u64 linear = 0; linear < BIT(48); linear += BIT(39))
            unmapped(linear);
    }
    m.base = 0x1000; /* RAM that does not begin at 0 */
    m.cr3 = 0;
    unmapped(0);
    m.cr3 = RAM + 0x1000;
    unmapped(0);
}

/* Bytes across pages, up to the first that is not there. */
static void reading(void **state)
{
    u8 to[32];

    (void)state;
    m.efer = EFER_LMA;
    m.cr3 = 0x1000;
    entry(0x1000, 0, 8, 0x2001);
    entry(0x2000, 0, 8, 0x3001);
    entry(0x3000, 0, 8, 0x4001);
    entry(0x4000, 0, 8, 0x10001);
    entry(0x4000, 1, 8, 0x20001); /* not next to it in physical memory */
    entry(0x4000, 3, 8, RAM - 1); /* its last page */
    entry(0x4000, 4, 8, RAM | 1); /* outside */
    entry(0x4000, 3, 8, (RAM - PAGE_SIZE) | 1);
    for (u32 i = 0; i < 8; i++) {
        ram[0x10ff8 + i] = (u8)i;
        ram[0x20000 + i] = (u8)(8 + i);
    }
    assert_int_equal(guest_read(&m, 0xff8, to, 16), 16);
    for (u32 i = 0; i < 16; i++)
        assert_int_equal(to[i], i);
    assert_int_equal(guest_read(&m, 0x1ff1, to, 32), 15);
    assert_int_equal(guest_read(&m, 0x2000, to, 32), 0);
    assert_int_equal(guest_read(&m, 0x3ff0, to, 32), 16);
    assert_int_equal(guest_read(&m, 0x4000, to, 32), 0);
    assert_int_equal(guest_read(&m, 0, to, 0), 0);
    assert_int_equal(guest_read(&m, ~0ull - 3, to, 32), 0);
}

static void fuzz(void **state)
{
    u32 mapped = 0;

    (void)state;
    fake_srand(fake_seed());
    print_message("# SEED=%llu\n", (unsigned long long)fake_seed());
    for (u32 i = 0; i < RAM / 8; i++) {
        /* Mostly addresses near RAM, mostly present. */
        u64 value = (fake_rand() & (2 * RAM - 1)) | (fake_below(8) ? 1 : 0);
        value = fake_below(10) ? value : fake_rand();
        memcpy(ram + i * 8, &value, 8);
    }
    for (u32 round = 0; round < 200000; round++) {
        u8 to[15];
        m.cr0 = fake_below(20) ? CR0_PG : 0;
        m.efer = fake_below(2) ? EFER_LMA : 0;
        m.cr4 = fake_rand() & (CR4_PAE | CR4_PSE | CR4_LA57);
        m.cr3 = fake_below(10) ? fake_rand() & (RAM - 1) : fake_rand();
        m.base = fake_below(4) ? 0 : 0x1000;
        m.bytes = RAM - (fake_below(4) ? 0 : fake_below(64));
        u64 linear = fake_below(4) ? fake_rand() : fake_rand() >> 40;
        mapped += guest_read(&m, linear, to, sizeof(to)) > 0;
    }
    assert_true(mapped > 100);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_paging), TEST(long_mode),      TEST(five_levels), TEST(pae),
        TEST(legacy),    TEST(tables_outside), TEST(reading),     TEST(fuzz),
    };

    return cmocka_run_group_tests_name("guest_walk", tests, NULL, NULL);
}
