/*
 * The XSAVE layout, XCR0's rules and the `fp` list of x86-64: against the manuals' numbers, a
 * reference that spells the rules out, and the CPUID of the machine the test runs on.
 *
 * links: arch/x86_64/xstate_layout.c arch/x86_64/fp_config.c hv/format.c tests/host/fake/support.c
 * machine: x86_64
 */
#include "fake/support.h"
#include "fp_config.h"
#include "xstate_layout.h"

#include <cpuid.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* SDM 1, 10.5.1 (FXSAVE, 64-bit) and 13.4 (header). */
static void offsets(void **state)
{
    (void)state;
    assert_int_equal(offsetof(struct fxsave_image, fcw), 0);
    assert_int_equal(offsetof(struct fxsave_image, fsw), 2);
    assert_int_equal(offsetof(struct fxsave_image, ftw), 4);
    assert_int_equal(offsetof(struct fxsave_image, fop), 6);
    assert_int_equal(offsetof(struct fxsave_image, fip), 8);
    assert_int_equal(offsetof(struct fxsave_image, fdp), 16);
    assert_int_equal(offsetof(struct fxsave_image, mxcsr), 24);
    assert_int_equal(offsetof(struct fxsave_image, st), 32);
    assert_int_equal(offsetof(struct fxsave_image, xmm), 160);
    assert_int_equal(offsetof(struct xsave_image, header), 512);
    assert_int_equal(offsetof(struct xsave_header, xcomp_bv), 8);
    assert_int_equal(XSTATE_AVX_OFFSET, 576);
}

static void sizes(void **state)
{
    (void)state;
    for (u64 components = 0; components < BIT(20); components++) {
        u32 want = 576 + (components & 4 ? 256 : 0);
        assert_int_equal(xstate_bytes(components), want);
        assert_int_equal(xstate_cpuid_bytes(components, 2688, 8),
                         components & BIT(9) ? 2696 : want);
    }
    assert_int_equal(xstate_cpuid_bytes(0x207, 600, 8), 832); /* PKRU below AVX's end (AMD) */
}

/* The CPU this runs on agrees with what is fixed in the code. */
static void this_machine(void **state)
{
    u32 a = 0, b = 0, c = 0, d = 0;

    (void)state;
    if (!__get_cpuid_count(0xd, 0, &a, &b, &c, &d) || !(a & 4))
        skip();
    u32 pkru_offset = 0, pkru_bytes = 0;
    u64 supported = (u64)d << 32 | a;
    assert_true(__get_cpuid_count(0xd, 2, &a, &b, &c, &d));
    assert_int_equal(a, XSTATE_AVX_BYTES);
    assert_int_equal(b, XSTATE_AVX_OFFSET);
    if (supported & BIT(9)) {
        __get_cpuid_count(0xd, 9, &pkru_bytes, &pkru_offset, &c, &d);
        assert_true(xstate_cpuid_bytes(0x207, pkru_offset, pkru_bytes) >= 832);
    }
}

/* SDM 1, 13.3, said the long way. */
static bool reference_valid(u64 v, u64 permitted)
{
    for (u32 bit = 0; bit < 64; bit++) {
        if ((v >> bit & 1) && !(permitted >> bit & 1))
            return false;
    }
    bool x87 = v & BIT(0), sse = v & BIT(1), avx = v & BIT(2);
    u32 mpx = (v >> 3) & 3, avx512 = (v >> 5) & 7, amx = (v >> 17) & 3;
    if (!x87)
        return false;
    if (avx && !sse)
        return false;
    if (avx512 != 0 && (avx512 != 7 || !avx || !sse))
        return false;
    if (mpx == 1 || mpx == 2)
        return false;
    return amx != 1 && amx != 2;
}

static void xcr0_every_value(void **state)
{
    static const u64 permitted[] = {0x3, 0x7, 0x207, 0x21f, 0x2e7, 0x602e7, 0x7ffff, 0};

    (void)state;
    for (u32 p = 0; p < ARRAY_SIZE(permitted); p++) {
        for (u64 v = 0; v < BIT(19); v++)
            assert_int_equal(xcr0_valid(v, permitted[p]), reference_valid(v, permitted[p]));
        for (u32 bit = 19; bit < 64; bit++)
            assert_false(xcr0_valid(BIT(bit) | 3, permitted[p]));
    }
}

static void reset_image(void **state)
{
    struct xsave_image image;
    const u8 *bytes = (const u8 *)&image;

    (void)state;
    memset(&image, 0, sizeof(image));
    xstate_reset(&image);
    for (u32 i = 0; i < sizeof(image); i++) {
        u8 want = (u8)(i == 0 ? 0x7f : i == 1 ? 0x03 : i == 24 ? 0x80 : i == 25 ? 0x1f : 0);
        assert_int_equal(bytes[i], want);
    }
}

static void relayout(void **state)
{
    u8 *from = malloc(576), *to = calloc(1, 896);

    (void)state;
    for (u32 i = 0; i < 576; i++)
        from[i] = (u8)(i * 13 + 1);
    xstate_relayout(to, 896, from, 576);
    assert_memory_equal(to, from, 576);
    assert_true(fake_zero(to + 576, 896 - 576));
    xstate_relayout(from, 576, to, 896); /* never beyond the smaller of the two */
    free(from);
    free(to);
}

static void lists(void **state)
{
    static const struct {
        const char *list;
        u64 offered, want; /* 0: refused, and `why` has: */
        const char *why;
    } cases[] = {
        {"", 0x207, 0x207, ""},
        {" , ", 0x207, 0x207, ""},
        {"x87,sse", 0x207, 0x3, ""},
        {"x87, sse ,avx", 0x207, 0x7, ""},
        {"x87 sse\tavx,pku", 0x207, 0x207, ""},
        {"pkru,sse,x87", 0x207, 0x203, ""},
        {"x87,sse,x87", 0x3, 0x3, ""},
        {"avx", 0x207, 0, "x87 and sse cannot be left out"},
        {"x87", 0x207, 0, "cannot be left out"},
        {"sse,avx", 0x207, 0, "cannot be left out"},
        {"x87,sse,avx", 0x3, 0, "fp = avx: this CPU does not have it"},
        {"x87,sse,pku", 0x7, 0, "fp = pku: this CPU does not have it"},
        {"x87,sse,amx", 0x607, 0, "fp = amx: not managed"},
        {"x87,sse,avx512", 0xe7, 0, "fp = avx512: not managed"},
        {"x87,sse,mpx", 0x1f, 0, "fp = mpx: not managed"},
        {"x87,sse,AVX", 0x207, 0, "fp = AVX: no such component"},
        {"x87,sse,av", 0x207, 0, "fp = av: no such"},
        {"x87,sse,avxx", 0x207, 0, "fp = avxx: no such"},
        {"fpsimd,sve:256", 0x207, 0, "fp = fpsimd: no such component; known are"},
    };
    struct arch_fp_config config;
    char why[200], list[600];

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        why[0] = 0;
        config.xcr0 = 42;
        bool good = fp_config_parse(cases[i].list, cases[i].offered, &config, why, sizeof(why));
        assert_int_equal(good, cases[i].want != 0);
        if (good)
            assert_int_equal(config.xcr0, cases[i].want);
        else if (!strstr(why, cases[i].why))
            fail_msg("%s: says %s", cases[i].list, why);
    }
    memset(list, 'z', sizeof(list) - 1);
    list[sizeof(list) - 1] = 0;
    assert_false(fp_config_parse(list, 7, &config, why, sizeof(why)));
    assert_true(strlen(why) < 120); /* what is wrong is shown cut short */
}

static void lists_fuzz(void **state)
{
    static const char *const words[] = {"x87", "sse", "avx", "pku",  ",", " ", "amx",
                                        "\t",  ",,",  "s",   "pkru", "9", "e", "avx512"};

    (void)state;
    fake_srand(fake_seed());
    for (u32 round = 0; round < 20000; round++) {
        struct arch_fp_config config = {0};
        char text[128] = "", why[64];
        for (u32 i = fake_below(12); i > 0; i--)
            strcat(text, words[fake_below(ARRAY_SIZE(words))]);
        char *exact = strdup(text);
        if (fp_config_parse(exact, 0x207, &config, why, sizeof(why))) {
            assert_true((config.xcr0 & 3) == 3 && !(config.xcr0 & ~0x207ull));
            assert_true(xcr0_valid(config.xcr0, 0x207));
        } else {
            assert_non_null(memchr(why, 0, sizeof(why)));
        }
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets),      cmocka_unit_test(sizes),
        cmocka_unit_test(this_machine), cmocka_unit_test(xcr0_every_value),
        cmocka_unit_test(reset_image),  cmocka_unit_test(relayout),
        cmocka_unit_test(lists),        cmocka_unit_test(lists_fuzz),
    };

    return cmocka_run_group_tests_name("layout x86", tests, NULL, NULL);
}
