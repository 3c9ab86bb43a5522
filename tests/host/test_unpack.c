/*
 * The packed guest: what tools/pack.py packs comes out again, and a damaged block is refused
 * without a byte read or written outside (ASan watches; every buffer is exactly as large as it may
 * be).
 *
 * links: boot/unpack.c tests/host/fake/support.c
 */
#include "fake/support.h"
#include "boot/unpack.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

/* Unpacks in buffers of the exact sizes. NULL: refused. */
static u8 *take(const u8 *packed, size_t n, u64 *bytes)
{
    u8 *in = malloc(n ? n : 1);

    memcpy(in, packed, n);
    *bytes = unpack_bytes(in, n);
    if (*bytes > MiB(1)) { /* damaged, and no test needs more */
        free(in);
        return NULL;
    }
    u8 *out = calloc(1, *bytes ? *bytes : 1);
    bool good = unpack(in, n, out);
    free(in);
    if (good)
        return out;
    free(out);
    return NULL;
}

static void by_hand(void **state)
{
    static const struct {
        const char *packed;
        size_t n;
        const char *text; /* NULL: refused */
    } cases[] = {
        {"\4\0\0\0\x40"
         "four",
         9, "four"},
        {"\0\0\0\0\0", 5, ""},
        {"\x10\0\0\0\x26"
         "ab\2\0"
         "\x40"
         "last",
         14, "abababababablast"},
        {"\x12\0\0\0\x18"
         "a\1\0\x50"
         "-last",
         14, "aaaaaaaaaaaaa-last"}, /* overlapping by one: a run */
        {"\4\0\0\0\x40"
         "fou",
         8, NULL},
        {"\5\0\0\0\x40"
         "four",
         9, NULL},
        {"\3\0\0\0\x40"
         "four",
         9, NULL},
        {"\x10\0\0\0\x26"
         "ab\3\0\x40last",
         14, NULL}, /* from before the start */
        {"\x10\0\0\0\x26"
         "ab\0\0\x40last",
         14, NULL},
        {"\x10\0\0\0\x26"
         "ab\2",
         8, NULL},
        {"\x10\0\0\0\xf0\xff\xff", 7, NULL}, /* a length that goes on for ever */
        {"\4\0\0\0", 4, NULL},
        {"\4\0", 2, NULL},
        {"", 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        u64 bytes;
        u8 *out = take((const u8 *)cases[i].packed, cases[i].n, &bytes);
        if (!cases[i].text) {
            assert_null(out);
            continue;
        }
        assert_non_null(out);
        assert_int_equal(bytes, strlen(cases[i].text));
        assert_memory_equal(out, cases[i].text, bytes);
        free(out);
    }
}

/* Random text with repetitions near and far, packed by the real packer into `packed`. */
static size_t pack_random(u8 *text, size_t n, u8 *packed, size_t room)
{
    char in[] = "/tmp/fermata-pack-XXXXXX", command[128];
    int file = mkstemp(in);

    for (size_t i = 0; i < n; i++)
        text[i] = i > 8 && fake_below(4) ? text[i - 1 - fake_below(i > 300 ? 300 : (u32)i)]
                                         : (u8)fake_below(fake_below(2) ? 4 : 256);
    if (n > 2000)
        memset(text + n / 2, 0, n / 4); /* lengths of many bytes */
    assert_true(file >= 0);
    assert_int_equal(write(file, text, n), (ssize_t)n);
    close(file);
    snprintf(command, sizeof(command), "python3 tools/pack.py %s /dev/stdout", in);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t got = fread(packed, 1, room, pipe);
    assert_int_equal(pclose(pipe), 0);
    unlink(in);
    return got;
}

#define TEXT  20000u
#define FUZZ  20000u
#define SIZES 6u

static void packed_by_the_packer(void **state)
{
    static const size_t sizes[SIZES] = {1, 4, 13, 300, 5000, TEXT};
    static u8 text[TEXT], packed[TEXT + 400];

    (void)state;
    fake_srand(fake_seed());
    print_message("# SEED=%llu\n", (unsigned long long)fake_seed());
    for (size_t i = 0; i < SIZES; i++) {
        u64 bytes;
        size_t n = pack_random(text, sizes[i], packed, sizeof(packed));
        u8 *out = take(packed, n, &bytes);
        assert_non_null(out);
        assert_int_equal(bytes, sizes[i]);
        assert_memory_equal(out, text, bytes);
        free(out);
    }
}

/* Damaged anywhere, cut anywhere: refused, or taken for another text; never a step outside. */
static void damaged(void **state)
{
    static u8 text[300], packed[800], broken[800];
    u32 refused = 0;

    (void)state;
    size_t n = pack_random(text, sizeof(text), packed, sizeof(packed));
    for (u32 i = 0; i < FUZZ; i++) {
        u64 bytes;
        memcpy(broken, packed, n);
        for (u32 k = fake_below(3); k < 3; k++)
            broken[fake_below((u32)n)] = (u8)fake_rand();
        u8 *out = take(broken, fake_below(2) ? n : fake_below((u32)n), &bytes);
        refused += !out;
        free(out);
    }
    assert_true(refused > FUZZ / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(packed_by_the_packer),
        cmocka_unit_test(damaged),
    };

    return cmocka_run_group_tests_name("unpack", tests, NULL, NULL);
}
