/*
 * The console's formatter against the C library's, for everything the hypervisor may write.
 *
 * links: hv/format.c tests/host/fake/support.c
 */
#include "fake/support.h"
#include "hv/console.h"

#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* Formats that are made at run time, on purpose: the compiler's check is not wanted here. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

/* The same arguments through both, for every size of buffer from 0 to too large. */
__attribute__((format(printf, 1, 2))) static void same(const char *fmt, ...)
{
    char want[600], got[600];
    va_list args, copy;

    va_start(args, fmt);
    va_copy(copy, args);
    int n = vsnprintf(want, sizeof(want), fmt, copy);
    va_end(copy);
    assert_in_range(n, 0, 500);
    for (size_t room = 0; room <= (size_t)n + 2; room++) {
        memset(got, 0x7f, sizeof(got));
        va_copy(copy, args);
        int m = format_text_v(got, room, fmt, copy);
        va_end(copy);
        if (m != n || (room > (size_t)n && strcmp(got, want)))
            fail_msg("%s: '%s' (%d), want '%s' (%d)", fmt, room ? got : "", m, want, n);
        if (room && room <= (size_t)n) {
            assert_memory_equal(got, want, room - 1);
            assert_int_equal(got[room - 1], 0);
        }
        assert_int_equal(got[room], 0x7f); /* nothing behind the end */
    }
    va_end(args);
}

static void plain(void **state)
{
    (void)state;
    same("%s", "");
    same("nothing to convert");
    same("%%");
    same("100%% of %s", "it");
    same("%c%c%c", 'a', 'b', 'c');
    same("[%5c|%-5c]", 'x', 'y');
}

static void strings(void **state)
{
    static const char unterminated[4] = {'a', 'b', 'c', 'd'};

    (void)state;
    same("[%s|%10s|%-10s|%2s]", "text", "text", "text", "text");
    same("[%.2s|%.0s|%10.2s|%-10.3s]", "text", "text", "text", "text");
    same("[%.*s|%*s|%-*s|%*.*s]", 3, "text", 7, "text", 7, "text", -8, 2, "text");
    same("[%.*s]", -1, "text");
    same("[%.4s]", unterminated); /* never read past the precision: ASan watches */
}

static void integers(void **state)
{
    static const long long values[] = {0,
                                       1,
                                       -1,
                                       9,
                                       10,
                                       -10,
                                       127,
                                       128,
                                       -128,
                                       255,
                                       256,
                                       32767,
                                       -32768,
                                       65535,
                                       0x7fffffff,
                                       -0x7fffffff - 1ll,
                                       0xffffffff,
                                       0x7fffffffffffffff,
                                       -0x7fffffffffffffff - 1};

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(values); i++) {
        long long v = values[i];
        same("%d %i %u %x %X", (int)v, (int)v, (unsigned)v, (unsigned)v, (unsigned)v);
        same("%hd %hu %hx %hhd %hhu %hhX", (short)v, (unsigned short)v, (unsigned short)v,
             (signed char)v, (unsigned char)v, (unsigned char)v);
        same("%ld %lu %lx %lld %llu %llX", (long)v, (unsigned long)v, (unsigned long)v, v,
             (unsigned long long)v, (unsigned long long)v);
        same("%zu %zx %zd", (size_t)v, (size_t)v, (ssize_t)v);
        same("[%8d|%-8d|%08d|%.3d|%8.5d]", (int)v, (int)v, (int)v, (int)v, (int)v);
        same("[%16lx|%-16lx|%016lx|%.16lx|%20.17lx]", (long)v, (long)v, (long)v, (long)v, (long)v);
        same("[%*d|%-*u]", 12, (int)v, 12, (unsigned)v);
    }
    same("[%.0d|%.0u|%5.0x]", 0, 0u, 0u);
    same("%p %p", (void *)&values, (void *)0x1000);
}

/* Numbers wider than the type the length names are cut, as C says. */
static void lengths_cut(void **state)
{
    char got[64];

    (void)state;
    format_text(got, sizeof(got), "%hhx %hx", (unsigned char)0x1234, (unsigned short)0x123456);
    assert_string_equal(got, "34 3456");
}

/* What C leaves open: no crash, and something a reader can see. */
static void unusual(void **state)
{
    char got[64];
    const char *fmt = "%q|%";

    (void)state;
    const char *volatile null = NULL;
    format_text(got, sizeof(got), "%s", null);
    assert_string_equal(got, "(null)");
    assert_int_equal(format_text(got, sizeof(got), fmt), 2);
    assert_string_equal(got, "q|");
    assert_int_equal(format_text(NULL, 0, "abc"), 3);
}

static size_t flags_width(char *fmt, size_t at)
{
    static const char *const flags[] = {"", "", "-", "0", "-0", "0-"};

    at += (size_t)sprintf(fmt + at, "%%%s", flags[fake_below(ARRAY_SIZE(flags))]);
    if (fake_below(2))
        at += (size_t)sprintf(fmt + at, "%u", 1 + fake_below(30));
    return at;
}

/* Random conversions of random values, three to a format. */
static void random_formats(void **state)
{
    static const char lengths[][3] = {"hh", "h", "", "l", "ll", "z"};
    static const char conversions[] = "diuxX";

    (void)state;
    fake_srand(fake_seed());
    print_message("# SEED=%llu\n", (unsigned long long)fake_seed());
    for (u32 round = 0; round < 20000; round++) {
        char fmt[128], text[32];
        u64 number = fake_rand() >> fake_below(64);
        size_t at = (size_t)sprintf(fmt, "<");
        u32 l = fake_below(6);
        at = flags_width(fmt, at);
        if (fake_below(3) == 0)
            at += (size_t)sprintf(fmt + at, ".%u", fake_below(25));
        sprintf(fmt + at, "%s%c>", lengths[l], conversions[fake_below(5)]);
        if (l >= 3)
            same(fmt, number);
        else
            same(fmt, (unsigned)number);
        for (u32 i = 0; i < 31; i++)
            text[i] = (char)('a' + fake_below(26));
        text[fake_below(32)] = 0;
        text[31] = 0;
        at = (size_t)sprintf(fmt, "%%-%u.%us|", 1 + fake_below(40), fake_below(40));
        same(fmt, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),       cmocka_unit_test(strings), cmocka_unit_test(integers),
        cmocka_unit_test(lengths_cut), cmocka_unit_test(unusual), cmocka_unit_test(random_formats),
    };

    return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
