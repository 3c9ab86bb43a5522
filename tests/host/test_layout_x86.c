/*
 * The XSAVE layout, XCR0's rules and the `fp` list of x86-64: against the manuals' numbers, a
 * reference that spells the rules out, and the CPUID of the machine the test runs on.
 *
 * links: arch/x86_64/xstate_layout.c arch/x86_64/fp_components.c arch/x86_64/fp_config.c
 * links: hv/format.c tests/host/fake/support.c
 * machine: x86_64
 */
#include "fake/support.h"
#include "fp_config.h"
#include "xstate_layout.h"
#include "x86_64/sapphire_rapids.h"

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

static struct xstate_layout l;

/* Components 2 and up that `set` has, by a table of their own. */
static const struct {
    u32 n, bytes, offset;
    bool aligned;
} places[] = {{2, 256, 576, false},   {5, 64, 1088, false}, {6, 512, 1152, false},
              {7, 1024, 1664, false}, {9, 8, 2688, false},  {17, 64, 2752, true},
              {18, 8192, 2816, true}};

/* Both formats for every set, and where each component lies (SDM 1, 13.4.2 and 13.4.3). */
static void sizes(void **state)
{
    (void)state;
    xstate_learn(&l, &sapphire_rapids);
    assert_int_equal(l.components, 0x602e7);
    assert_int_equal(l.xfd, BIT(18));
    for (u64 set = 0; set < BIT(20); set = set + 1) {
        u32 standard = 576, compacted = 576;
        for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
            if (!(set >> places[i].n & 1))
                continue;
            if (places[i].aligned)
                compacted = (compacted + 63) / 64 * 64;
            assert_int_equal(xstate_offset(&l, 0, places[i].n), places[i].offset);
            assert_int_equal(xstate_offset(&l, XCOMP_COMPACTED | set, places[i].n), compacted);
            compacted += places[i].bytes;
            if (places[i].offset + places[i].bytes > standard)
                standard = places[i].offset + places[i].bytes;
        }
        assert_int_equal(xstate_bytes(&l, set, false), standard);
        assert_int_equal(xstate_bytes(&l, set, true), compacted);
    }
    struct xstate_cpuid amd = sapphire_rapids; /* PKRU below the end of AVX-512 */
    amd.xcr0 = 0x207;
    amd.leaf[9].offset = 832;
    xstate_learn(&l, &amd);
    assert_int_equal(xstate_bytes(&l, 0x207, false), 840);
}

/* What is moved is what is in use: by the table of the measured path, and by the sum. */
static void moved(void **state)
{
    (void)state;
    xstate_learn(&l, &sapphire_rapids);
    for (u64 bv = 0; bv < BIT(19); bv++) {
        u32 want = 64u + (bv & 1 ? 160u : 0u) + (bv & 2 ? 256u : 0u);
        for (u32 i = 0; i < ARRAY_SIZE(places); i++)
            want += bv >> places[i].n & 1 ? places[i].bytes : 0;
        assert_int_equal(xstate_moved_all(&l, bv), want);
        if (bv < 256)
            assert_int_equal(xstate_moved_bytes[bv], want);
    }
}

static struct xstate_cpuid lie(u32 n, u32 bytes, u32 offset, u32 flags)
{
    struct xstate_cpuid told = sapphire_rapids;

    told.leaf[n].bytes = bytes;
    told.leaf[n].offset = offset;
    told.leaf[n].flags = flags;
    return told;
}

/* Leaves that cannot be true take the component away, and all that cannot be without it. */
static void lies(void **state)
{
    const struct {
        struct xstate_cpuid told;
        u32 n;
        enum xstate_lie why;
        u64 left;
    } cases[] = {
        {lie(2, 255, 576, 0), 2, XSTATE_SMALL, 0x60203},
        {lie(2, 0, 576, 0), 2, XSTATE_SMALL, 0x60203},
        {lie(2, 256, 640, 0), 2, XSTATE_MOVED, 0x60203},
        {lie(2, 256, 575, 0), 2, XSTATE_MOVED, 0x60203},
        {lie(5, 63, 1088, 0), 5, XSTATE_SMALL, 0x60207},
        {lie(5, 64, 575, 0), 5, XSTATE_OVERLAP, 0x60207},
        {lie(5, 64, 0, 0), 5, XSTATE_OVERLAP, 0x60207},
        {lie(5, 64, 831, 0), 5, XSTATE_OVERLAP, 0x60207},
        {lie(6, 512, 1151, 0), 6, XSTATE_OVERLAP, 0x60207},
        {lie(7, 1024, 1152, 0), 7, XSTATE_OVERLAP, 0x60207},
        {lie(7, 1024, 9985, 0), 7, XSTATE_BEYOND, 0x60207},
        {lie(9, 3, 2688, 0), 9, XSTATE_SMALL, 0x600e7},
        {lie(9, 8, 2680, 0), 9, XSTATE_OVERLAP, 0x600e7},
        {lie(17, 64, 2752, 3), 17, XSTATE_KIND, 0x2e7},
        {lie(17, 64, 0xffffffc0, 2), 17, XSTATE_BEYOND, 0x2e7},
        {lie(18, 8191, 2816, 6), 18, XSTATE_SMALL, 0x2e7},
        {lie(18, 8193, 2816, 6), 18, XSTATE_BEYOND, 0x2e7},
        {lie(18, 8192, 2817, 6), 18, XSTATE_BEYOND, 0x2e7},
        {lie(18, 0xffffffff, 2816, 6), 18, XSTATE_BEYOND, 0x2e7},
        {lie(18, 8192, 2752, 6), 18, XSTATE_OVERLAP, 0x2e7},
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        xstate_learn(&l, &cases[i].told);
        assert_int_equal(l.lie[cases[i].n], cases[i].why);
        assert_int_equal(l.components, cases[i].left);
    }
    struct xstate_cpuid small = sapphire_rapids; /* the whole too small for what lies last in it */
    small.all_bytes = 11007;
    xstate_learn(&l, &small);
    assert_int_equal(l.components, 0x2e7);
    small.all_bytes = 832;
    xstate_learn(&l, &small);
    assert_int_equal(l.components, 7);
    small.all_bytes = 0;
    xstate_learn(&l, &small);
    assert_int_equal(l.components, 3);
}

/* Whatever CPUID says: what is believed lies apart, above the header and within the limit. */
static void lies_fuzz(void **state)
{
    (void)state;
    fake_srand(fake_seed());
    for (u32 round = 0; round < 200000; round++) {
        struct xstate_cpuid told = sapphire_rapids;
        for (u32 i = 0; i < 1 + fake_below(3); i++) {
            u32 n = places[fake_below(ARRAY_SIZE(places))].n;
            u32 *what = fake_below(2) ? &told.leaf[n].bytes : &told.leaf[n].offset;
            *what = fake_below(3) ? fake_below(12000) : (u32)-1 - fake_below(9000);
        }
        told.xcr0 = fake_below(4) ? told.xcr0 : fake_below(0x80000);
        xstate_learn(&l, &told);
        assert_true(fp_components_closed(l.components) == l.components);
        for (u32 n = 2; n < FP_COMPONENTS; n++) {
            if (!(l.components >> n & 1))
                continue;
            assert_true(l.offset[n] >= 576 && (u64)l.offset[n] + l.bytes[n] <= XSTATE_MAX_BYTES);
            for (u32 i = 2; i < n; i++)
                assert_true(!(l.components >> i & 1) || l.offset[n] >= l.offset[i] + l.bytes[i] ||
                            l.offset[i] >= l.offset[n] + l.bytes[n]);
        }
        assert_true(xstate_bytes(&l, l.components, false) <= XSTATE_MAX_BYTES);
        assert_true(xstate_bytes(&l, l.components, true) <= XSTATE_MAX_BYTES);
    }
}

/* The CPU this runs on agrees: with the sizes it tells for what Linux has enabled in XCR0. */
static void this_machine(void **state)
{
    struct xstate_cpuid told = {0};
    u32 a = 0, b = 0, c = 0, d = 0, now;

    (void)state;
    if (!__get_cpuid_count(0xd, 0, &a, &b, &c, &d) || !(a & 4))
        skip();
    told.xcr0 = (u64)d << 32 | a;
    told.all_bytes = c;
    now = b;
    for (u32 n = 2; n < FP_COMPONENTS; n++) {
        __get_cpuid_count(0xd, n, &a, &b, &c, &d);
        told.leaf[n].bytes = a;
        told.leaf[n].offset = b;
        told.leaf[n].flags = c;
    }
    xstate_learn(&l, &told);
    assert_int_equal(l.components, told.xcr0 & XSTATE_MANAGED);
    u32 low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if (((u64)high << 32 | low) & ~XSTATE_MANAGED)
        skip();
    assert_int_equal(xstate_bytes(&l, low, false), now);
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
    xstate_reset(&image, 0);
    for (u32 i = 0; i < sizeof(image); i++) {
        u8 want = (u8)(i == 0 ? 0x7f : i == 1 ? 0x03 : i == 24 ? 0x80 : i == 25 ? 0x1f : 0);
        assert_int_equal(bytes[i], want);
    }
    xstate_reset(&image, XCOMP_COMPACTED | 7);
    assert_int_equal(image.header.xcomp_bv, XCOMP_COMPACTED | 7);
    u8 *fxsave = calloc(1, 512); /* no header: ASan looks */
    xstate_reset(fxsave, 0);
    free(fxsave);
}

/* From any format to any other and back, growing: what is in use comes across, the rest is zero. */
static void formats(void **state)
{
    static const u64 sets[] = {0x3, 0x7, 0xe7, 0x200e7, 0x600e7, 0x60003};

    (void)state;
    xstate_learn(&l, &sapphire_rapids);
    fake_srand(fake_seed());
    for (u32 round = 0; round < 3000; round++) {
        u64 from_set = sets[fake_below(6)], to_set = from_set | sets[fake_below(6)];
        u64 from_x = fake_below(2) ? XCOMP_COMPACTED | from_set : 0;
        u64 to_x = fake_below(2) ? XCOMP_COMPACTED | to_set : 0;
        u32 from_n = xstate_bytes(&l, from_set, from_x), to_n = xstate_bytes(&l, to_set, to_x);
        struct xsave_image *from = aligned_alloc(64, (from_n + 63) / 64 * 64);
        struct xsave_image *to = aligned_alloc(64, (to_n + 63) / 64 * 64);
        u8 *in = (u8 *)from, *out = (u8 *)to;

        memset(to, 0, to_n);
        for (u32 i = 0; i < from_n; i++)
            in[i] = (u8)fake_below(256);
        memset(&from->header, 0, 64);
        from->header.xstate_bv = from_set & fake_below(0x80000);
        from->header.xcomp_bv = from_x;
        if (fake_below(3) == 0)
            from->legacy.mxcsr = MXCSR_RESET;
        xstate_convert(&l, to, to_x, from, to_set);
        /* MXCSR as XRSTOR would have loaded it from each (SDM 1, 13.8). */
        u32 mxcsr = from_x && !(from->header.xstate_bv & 2) ? 0x1f80 : from->legacy.mxcsr;
        assert_int_equal(to_x && !(to->header.xstate_bv & 2) ? 0x1f80 : to->legacy.mxcsr, mxcsr);
        u64 bv = from->header.xstate_bv;
        assert_int_equal(to->header.xstate_bv & ~2ull, bv & ~2ull);
        assert_true((to->header.xstate_bv & 2) ||
                    !(bv & 2)); /* MXCSR may have made it in use, with XMM zero */
        if (!(bv & 2))
            assert_true(fake_zero((const u8 *)to->legacy.xmm, 256));
        else
            assert_memory_equal(to->legacy.xmm, from->legacy.xmm, 256);
        assert_int_equal(to->header.xcomp_bv, to_x);
        for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
            u32 n = places[i].n;
            if (!(to_set >> n & 1))
                continue;
            const u8 *at = out + xstate_offset(&l, to_x, n);
            if (bv >> n & 1)
                assert_memory_equal(at, in + xstate_offset(&l, from_x, n), places[i].bytes);
            else
                assert_true(fake_zero(at, places[i].bytes));
        }
        free(from);
        free(to);
    }
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
        {"x87,sse,amx", 0x602e7, 0x60003, ""},
        {"x87,sse,avx,avx512,amx", 0x602e7, 0x600e7, ""},
        {"", 0x602e7, 0x602e7, ""},
        {"x87,sse,amx", 0x207, 0, "fp = amx: this CPU does not have it"},
        {"x87,sse,avx,avx512", 0x207, 0, "fp = avx512: this CPU does not have it"},
        {"x87,sse,avx512", 0x602e7, 0, "avx512 needs avx; add it"},
        {"x87,sse,avx512,pkru,amx", 0x602e7, 0, "avx512 needs avx"},
        {"x87,sse,mpx", 0x1f, 0, "fp = mpx: not managed"},
        {"x87,sse,cet", 0x602e7, 0, "fp = cet: not managed"},
        {"x87,sse,apx", 0xe02e7, 0, "fp = apx: not managed"},
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
    assert_true(strlen(why) < 140); /* what is wrong is shown cut short */
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
        u64 offered = fake_below(2) ? 0x207 : 0x602e7;
        if (fp_config_parse(exact, offered, &config, why, sizeof(why))) {
            assert_true((config.xcr0 & 3) == 3 && !(config.xcr0 & ~offered));
            assert_true(xcr0_valid(config.xcr0, offered));
        } else {
            assert_non_null(memchr(why, 0, sizeof(why)));
        }
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets),
        cmocka_unit_test(sizes),
        cmocka_unit_test(moved),
        cmocka_unit_test(lies),
        cmocka_unit_test(lies_fuzz),
        cmocka_unit_test(this_machine),
        cmocka_unit_test(xcr0_every_value),
        cmocka_unit_test(reset_image),
        cmocka_unit_test(formats),
        cmocka_unit_test(lists),
        cmocka_unit_test(lists_fuzz),
    };

    return cmocka_run_group_tests_name("layout x86", tests, NULL, NULL);
}
