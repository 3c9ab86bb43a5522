/*
 * The arm64 Image check: truncated at every length, arithmetic at its edges, random headers.
 *
 * links: arch/arm64/image.c hv/format.c tests/host/fake/support.c
 * machine: arm64
 */
#include "fake/support.h"
#include "image.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MEMORY MiB(16)

static u8 header[64];
static struct image_place place;
static char why[256];

static void put(u32 at, u64 value, u32 bytes)
{
    for (u32 i = 0; i < bytes; i++)
        header[at + i] = (u8)(value >> (8 * i));
}

/* Documentation/arch/arm64/booting.rst: text_offset at 8, image_size at 16, flags at 24. */
static void good(u64 text_offset, u64 image_size)
{
    memset(header, 0, sizeof(header));
    put(0, 0x91005a4d, 4);
    put(8, text_offset, 8);
    put(16, image_size, 8);
    put(24, 0xa, 8);
    memcpy(header + 56, "ARM\x64", 4);
}

/* An image of n bytes that begins with the header and ends where its memory ends. */
static bool check(size_t n, u64 memory)
{
    u8 *image = calloc(1, n ? n : 1);

    memcpy(image, header, n < sizeof(header) ? n : sizeof(header));
    memset(why, 0, sizeof(why));
    memset(&place, 0xee, sizeof(place));
    bool ok = image_place(image, n, memory, &place, why, sizeof(why));
    free(image);
    if (!ok) {
        assert_true(why[0] != 0);
        return false;
    }
    /* Wherever it goes, image and device tree are in memory and apart. */
    assert_int_equal(place.offset % PAGE_SIZE, 0);
    assert_int_equal(place.dtb_offset % PAGE_SIZE, 0);
    assert_true(place.dtb_offset < memory);
    assert_true(place.offset < place.dtb_offset && n <= place.dtb_offset - place.offset);
    return true;
}

static void says(const char *what)
{
    if (!strstr(why, what))
        fail_msg("says: %s; expected: %s", why, what);
}

static void good_images(void **state)
{
    (void)state;
    good(0, 0x20000);
    assert_true(check(0x10000, MEMORY));
    assert_int_equal(place.offset, 0);
    good(0x80000, 0x20000);
    assert_true(check(0x20000, MEMORY));
    assert_int_equal(place.offset, 0x80000);
    good(0, 0); /* an old one: without image_size there is no text_offset either */
    assert_true(check(4096, MEMORY));
    assert_int_equal(place.offset, 0x80000);
}

static void truncated(void **state)
{
    (void)state;
    good(0, 0x20000);
    for (size_t n = 0; n < 64; n++) {
        assert_false(check(n, MEMORY));
        says("truncated");
    }
    assert_true(check(64, MEMORY));
}

static void not_an_image(void **state)
{
    (void)state;
    for (u32 bit = 0; bit < 32; bit++) {
        good(0, 0x20000);
        header[56 + bit / 8] ^= (u8)(1u << (bit % 8));
        assert_false(check(4096, MEMORY));
        says("not an arm64 Image");
    }
    good(0, 0x20000);
    header[24] |= 1;
    assert_false(check(4096, MEMORY));
    says("big-endian");
    good(0, 1000);
    assert_false(check(1001, MEMORY));
    says("damaged");
}

/* Sums that could wrap. */
static void arithmetic(void **state)
{
    static const u64 sizes[] = {MEMORY,          MEMORY - 1, ~0ull,
                                ~0ull - 0x80000, BIT(63),    MEMORY - 0x1fff};
    static const u64 offsets[] = {1, 0xfff, MiB(2), ~0ull, ~0ull & PAGE_MASK, BIT(63)};

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
        good(0, sizes[i]);
        assert_false(check(4096, MEMORY));
        says("give the VM more");
    }
    for (u32 i = 0; i < ARRAY_SIZE(offsets); i++) {
        good(offsets[i], 0x1000);
        assert_false(check(4096, MEMORY));
        says("text_offset");
    }
    good(0, MEMORY - 0x2000);
    assert_true(check(4096, MEMORY)); /* exactly what fits */
    good(0x1000, MEMORY - 0x2000);
    assert_false(check(4096, MEMORY));
    for (u64 memory = 0; memory < 0x4000; memory += 0x1000) { /* too small for the device tree */
        good(0, 0x1000);
        assert_int_equal(check(4096, memory), memory >= 0x3000);
    }
}

static void fuzz(void **state)
{
    u32 accepted = 0;

    (void)state;
    fake_srand(fake_seed());
    print_message("# SEED=%llu\n", (unsigned long long)fake_seed());
    for (u32 round = 0; round < 100000; round++) {
        good((u64)fake_below(600) << 12, fake_rand() >> (32 + fake_below(32)));
        for (u32 i = fake_below(3); i > 0; i--)
            header[fake_below(64)] = (u8)fake_rand();
        accepted += check(fake_below(3000), MiB(2) * fake_below(4));
    }
    assert_true(accepted > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_images), cmocka_unit_test(truncated), cmocka_unit_test(not_an_image),
        cmocka_unit_test(arithmetic),  cmocka_unit_test(fuzz),
    };

    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
