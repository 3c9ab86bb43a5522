/*
 * PVH kernels: a good ELF is placed where it says, and no file whatsoever makes the check or the
 * load leave the file or the VM's memory (both end where their memory ends, under ASan).
 *
 * links: arch/x86_64/pvh.c hv/format.c tests/host/fake/support.c
 * machine: x86_64
 */
#include "fake/support.h"
#include "pvh.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MEMORY MiB(4)
#define BYTES  2048u

static u8 file[BYTES];
static bool elf64;
static char why[256];
static struct pvh_image image;

static void put(u32 at, u64 value, u32 bytes)
{
    for (u32 i = 0; i < bytes; i++)
        file[at + i] = (u8)(value >> (8 * i));
}

/* Program header i: 4 or 8 byte fields by class. */
static void segment(u32 i, u32 type, u64 offset, u64 paddr, u64 filesz, u64 memsz)
{
    u32 at = elf64 ? 64 + 56 * i : 52 + 32 * i;

    put(at, type, 4);
    if (elf64) {
        put(at + 8, offset, 8);
        put(at + 24, paddr, 8);
        put(at + 32, filesz, 8);
        put(at + 40, memsz, 8);
    } else {
        put(at + 4, offset, 4);
        put(at + 12, paddr, 4);
        put(at + 16, filesz, 4);
        put(at + 20, memsz, 4);
    }
}

enum { LOAD = 1, NOTE = 4, NOTE_AT = 512, TEXT_AT = 1024 };

static void note(u32 name_bytes, u32 desc_bytes, u32 type, u64 entry)
{
    put(NOTE_AT, name_bytes, 4);
    put(NOTE_AT + 4, desc_bytes, 4);
    put(NOTE_AT + 8, type, 4);
    memcpy(file + NOTE_AT + 12, "Xen", 4);
    put(NOTE_AT + 16, entry, 8);
}

/* Two segments, the second with .bss, and the note. */
static void good(bool wide)
{
    elf64 = wide;
    memset(file, 0, sizeof(file));
    memcpy(file, "\177ELF", 4);
    file[4] = wide ? 2 : 1;
    file[5] = 1;
    put(16, 2, 2);
    put(18, wide ? 62 : 3, 2);
    put(wide ? 32 : 28, wide ? 64 : 52, wide ? 8 : 4);
    put(wide ? 54 : 42, wide ? 56 : 32, 2);
    put(wide ? 56 : 44, 3, 2);
    segment(0, LOAD, TEXT_AT, 0x100000, 512, 512);
    segment(1, LOAD, TEXT_AT + 512, 0x200000, 256, 0x10000);
    segment(2, NOTE, NOTE_AT, 0, 20, 20);
    note(4, 4, 18, 0x100010);
    for (u32 i = TEXT_AT; i < BYTES; i++)
        file[i] = (u8)(i * 7);
}

static bool check(size_t n, u64 memory)
{
    u8 *copy = malloc(n ? n : 1);

    memcpy(copy, file, n);
    memset(why, 0, sizeof(why));
    memset(&image, 0xee, sizeof(image));
    bool ok = pvh_check(copy, n, memory, &image, why, sizeof(why));
    if (!ok && !why[0])
        fail_msg("refused without a word");
    if (ok) {
        /* What was accepted loads within its memory. */
        u8 *ram = calloc(1, memory);
        assert_true(image.start_info >= PAGE_SIZE && image.start_info < 0xa0000);
        assert_int_equal(image.start_info % PAGE_SIZE, 0);
        assert_int_equal(pvh_load(&image, copy, ram, memory, "run=all"), image.start_info);
        free(ram);
    }
    free(copy);
    return ok;
}

static void refused(const char *what)
{
    if (check(BYTES, MEMORY))
        fail_msg("accepted; expected: %s", what);
    if (!strstr(why, what))
        fail_msg("says: %s; expected: %s", why, what);
}

static u64 get(const u8 *at, u32 bytes)
{
    u64 value = 0;

    for (u32 i = bytes; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

static void good_kernels(void **state)
{
    (void)state;
    for (u32 wide = 0; wide < 2; wide++) {
        good(wide);
        if (!pvh_check(file, BYTES, MEMORY, &image, why, sizeof(why)))
            fail_msg("%s", why);
        assert_int_equal(image.entry, 0x100010);
        u8 *ram = calloc(1, MEMORY);
        u64 at = pvh_load(&image, file, ram, MEMORY, "run=hold seed=3");
        assert_memory_equal(ram + 0x100000, file + TEXT_AT, 512);
        assert_memory_equal(ram + 0x200000, file + TEXT_AT + 512, 256);
        assert_true(fake_zero(ram + 0x200100, 0xff00));
        /* hvm_start_info, version 1 (Xen, arch-x86/hvm/start_info.h). */
        assert_int_equal(get(ram + at, 4), 0x336ec578);
        assert_int_equal(get(ram + at + 4, 4), 1);
        assert_string_equal((char *)ram + get(ram + at + 24, 8), "run=hold seed=3");
        u64 memmap = get(ram + at + 40, 8), covered = 0;
        u32 entries = (u32)get(ram + at + 48, 4);
        for (u32 i = 0; i < entries; i++) {
            assert_int_equal(get(ram + memmap + 24 * i, 8), covered); /* without a gap */
            covered += get(ram + memmap + 24 * i + 8, 8);
        }
        assert_int_equal(covered, MEMORY);
        free(ram);
    }
}

/* A long command line is cut, not written over anything. */
static void long_cmdline(void **state)
{
    char text[5000];

    (void)state;
    good(true);
    memset(text, 'c', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    assert_true(check(BYTES, MEMORY));
    u8 *ram = calloc(1, MEMORY);
    u64 at = pvh_load(&image, file, ram, MEMORY, text);
    assert_int_equal(strlen((char *)ram + get(ram + at + 24, 8)), 2047);
    assert_true(fake_zero(ram + at + PAGE_SIZE, PAGE_SIZE));
    free(ram);
}

/* Every length: truncated, or enough. */
static void truncated(void **state)
{
    (void)state;
    for (u32 wide = 0; wide < 2; wide++) {
        good(wide);
        for (size_t n = 0; n < TEXT_AT + 512 + 256; n++)
            assert_false(check(n, MEMORY));
        assert_true(check(TEXT_AT + 512 + 256, MEMORY));
        (void)check(40, MEMORY);
        assert_non_null(strstr(why, "truncated"));
        (void)check(TEXT_AT, MEMORY);
        assert_non_null(strstr(why, "truncated"));
    }
}

static void wrong_headers(void **state)
{
    (void)state;
    good(true);
    file[0] = 0;
    refused("not an ELF file");
    good(true);
    put(18, 183, 2);
    refused("another machine (ELF machine 183)");
    good(true);
    file[5] = 2;
    refused("another machine");
    good(true);
    put(56, 0, 2);
    refused("no program headers");
    good(true);
    put(54, 55, 2);
    refused("no program headers");
    good(true);
    put(32, BYTES - 100, 8);
    refused("truncated");
    good(true);
    put(32, ~0ull - 10, 8);
    refused("truncated");
    good(true);
    put(56, 65535, 2);
    refused("65535 program headers");
    good(true);
    put(56, 65, 2);
    refused("more than 64");
    good(true);
    put(56, 40, 2);
    refused("truncated"); /* the table would end behind the file */
}

static void wrong_notes(void **state)
{
    (void)state;
    good(true);
    segment(2, 0, 0, 0, 0, 0);
    refused("no PVH entry note");
    good(true);
    note(4, 4, 17, 0x100010);
    refused("no PVH entry note");
    good(true);
    file[NOTE_AT + 12] = 'Y';
    refused("no PVH entry note");
    good(true);
    note(0xffffffff, 4, 18, 0x100010);
    refused("no PVH entry note");
    good(true);
    note(4, 0xffffffff, 18, 0x100010);
    refused("no PVH entry note");
    good(true);
    note(4, 4, 18, 0x300000);
    refused("entry 0x300000 is in none");
    good(true);
    segment(2, NOTE, NOTE_AT, 0, 24, 24);
    note(4, 8, 18, 0x100000100010);
    refused("is in none");
    note(4, 8, 18, 0x100010);
    assert_true(check(BYTES, MEMORY));
    good(true);
    segment(2, NOTE, BYTES - 4, 0, 8, 8);
    refused("truncated");
}

/* Segments outside memory, wrapping: every sum that could overflow. */
static void wrong_segments(void **state)
{
    static const struct {
        u64 offset, paddr, filesz, memsz;
        const char *what;
    } cases[] = {
        {0, MEMORY - 16, 8, 17, "outside the VM's memory"},
        {0, MEMORY, 8, 8, "outside"},
        {0, ~0ull, 8, 8, "outside"},
        {0, ~0ull - 8, 8, 9, "outside"},
        {0, 0x200000, 8, ~0ull, "outside"},
        {0, 0x200000, 8, ~0ull - 0x1fffff, "outside"},
        {0, 0x200000, 9, 8, "larger in the file"},
        {BYTES - 8, 0x200000, 9, 9, "truncated"},
        {BYTES, 0x200000, 1, 1, "truncated"},
        {~0ull, 0x200000, 2, 2, "truncated"},
        {2, 0x200000, ~0ull, ~0ull, "truncated"},
        {~0ull - 1, 0x200000, 2, 2, "truncated"},
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        good(true);
        segment(1, LOAD, cases[i].offset, cases[i].paddr, cases[i].filesz, cases[i].memsz);
        refused(cases[i].what);
    }
    good(true);
    assert_false(check(BYTES, 0x200000 + 0xffff)); /* a byte of memory short */
    assert_true(check(BYTES, 0x210000));
    segment(1, LOAD, 0, 0x200000, 0, 0); /* empty ones may say anything */
    segment(1, LOAD, 0, ~0ull, 0, 0);
    assert_true(check(BYTES, MEMORY));
    good(true);
    segment(1, LOAD, 0, 0xff000, 8, 0x1000); /* ELF headers below a kernel at 1 MiB */
    assert_true(check(BYTES, MEMORY));
    good(true);
    segment(1, LOAD, TEXT_AT, PAGE_SIZE, 16, 0xa0000 - PAGE_SIZE); /* no page left for start info */
    refused("no page below 640 KiB");
}

static void fuzz(void **state)
{
    static const u64 numbers[] = {0,          1,          8,     0x100000,   MEMORY,
                                  MEMORY - 1, 0xffffffff, ~0ull, 0x80000000, 0x9ffff,
                                  BIT(63),    NOTE_AT,    BYTES, TEXT_AT};
    u32 accepted = 0;

    (void)state;
    fake_srand(fake_seed());
    print_message("# SEED=%llu\n", (unsigned long long)fake_seed());
    for (u32 round = 0; round < 6000; round++) {
        good(fake_below(2));
        for (u32 i = 1 + fake_below(5); i > 0; i--) {
            u32 at = fake_below(8) ? fake_below(240) : NOTE_AT + fake_below(24);
            if (fake_below(2))
                put(at & ~3u, numbers[fake_below(ARRAY_SIZE(numbers))], fake_below(2) ? 4 : 8);
            else
                file[at] = (u8)fake_rand();
        }
        accepted += check(fake_below(8) ? BYTES : fake_below(BYTES), MEMORY);
    }
    print_message("# %u of 6000 are still kernels\n", accepted);
    assert_in_range(accepted, 50, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_kernels), cmocka_unit_test(long_cmdline),
        cmocka_unit_test(truncated),    cmocka_unit_test(wrong_headers),
        cmocka_unit_test(wrong_notes),  cmocka_unit_test(wrong_segments),
        cmocka_unit_test(fuzz),
    };

    return cmocka_run_group_tests_name("pvh", tests, NULL, NULL);
}
