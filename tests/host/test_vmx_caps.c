/*
 * What follows from the capability MSRs of VMX: on the CPU models there are, on each with one
 * control less, and on made-up ones. The values are written as the manual's numbers.
 *
 * links: arch/x86_64/vmx_caps.c hv/format.c tests/host/fake/support.c
 * machine: x86_64
 */
#include "fake/support.h"
#include "vmx.h"
#include "hv/console.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct cpu_features cpu_has;
static char said[2048], why[512];

void say(enum log_level level, const char *fmt, ...)
{
    size_t have = strlen(said);
    va_list args;

    (void)level;
    va_start(args, fmt);
    vsnprintf(said + have, sizeof(said) - have, fmt, args);
    va_end(args);
}

/* As Bochs 3.0's sapphire_rapids says it: everything there is, with the TRUE MSRs. */
static const struct vmx_msrs full = {
    .feature_control = 5,
    .basic = 0x00d8100000000001 | 6ull << 50 | 1ull << 55,
    .misc = 0x20000000 | 5,
    .cr0_fixed0 = 0x80000021,
    .cr4_fixed0 = 0x2000,
    .cr4_fixed1 = 0x17727ff,
    .ept_vpid = 1ull << 0 | 1 << 6 | 1 << 14 | 1 << 16 | 1 << 17 | 1 << 20 | 1 << 25 | 1 << 26 |
                1ull << 32 | 15ull << 40,
    .controls = {0x000000ff00000016, 0xfff9fffe04006172 & ~0x18000ull, 0x00173fff00000000,
                 0x01ffffff00036dfb, 0x0003ffff000011fb},
};

static bool decide(const struct vmx_msrs *m, struct vmx_controls *c)
{
    why[0] = 0;
    return vmx_decide(m, c, why, sizeof(why));
}

/* Every control as the manual numbers it, and none that nobody asked for. */
static void everything(void **state)
{
    struct vmx_controls c;

    (void)state;
    assert_true(decide(&full, &c));
    assert_int_equal(c.pin, 0x00000016 | 1 << 0 | 1 << 3);
    assert_int_equal(c.primary, 0x04006172 | 1 << 3 | 1 << 7 | 1 << 10 | 1 << 11 | 1 << 19 |
                                    1 << 20 | 1 << 23 | 1 << 24 | 1 << 28 | 1 << 29 | 1u << 31);
    assert_int_equal(c.secondary, 1 << 1 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 12 | 1 << 20);
    assert_int_equal(c.exit, 0x00036dfb | 1 << 2 | 1 << 9 | 1 << 18 | 1 << 19 | 1 << 20 | 1 << 21);
    assert_int_equal(c.entry, 0x000011fb | 1 << 2 | 1 << 14 | 1 << 15);
    assert_int_equal(c.revision, 1);
    assert_int_equal(c.invept, 1);
    assert_int_equal(c.invvpid, 1);
    assert_true(c.timer);
    assert_int_equal(c.timer_shift, 5);
}

/* Take away each control in turn: named, with its group's MSR, or replaced and said. */
static void one_missing(void **state)
{
    static const struct {
        u8 group, bit;
        const char *name;
        bool fatal;
    } cases[] = {
        {0, 0, "external-interrupt exiting", true},
        {0, 3, "NMI exiting", true},
        {1, 3, "use TSC offsetting", true},
        {1, 7, "HLT exiting", true},
        {1, 10, "MWAIT exiting", true},
        {1, 11, "RDPMC exiting", true},
        {1, 19, "CR8-load exiting", true},
        {1, 20, "CR8-store exiting", true},
        {1, 23, "MOV-DR exiting", true},
        {1, 24, "unconditional I/O exiting", true},
        {1, 28, "use MSR bitmaps", true},
        {1, 29, "MONITOR exiting", true},
        {1, 31, "activate secondary controls", true},
        {2, 1, "enable EPT", true},
        {2, 5, "enable VPID", false},
        {2, 6, "WBINVD exiting", false},
        {2, 7, "unrestricted guest", true},
        {2, 12, "enable INVPCID", false},
        {2, 20, "enable XSAVES/XRSTORS", false},
        {3, 2, "save debug controls", true},
        {3, 9, "host address-space size", true},
        {3, 18, "save IA32_PAT", true},
        {3, 19, "load IA32_PAT", true},
        {3, 20, "save IA32_EFER", true},
        {3, 21, "load IA32_EFER", true},
        {4, 2, "load debug controls", true},
        {4, 14, "load IA32_PAT", true},
        {4, 15, "load IA32_EFER", true},
    };
    static const char *const msrs[2][5] = {{"0x481", "0x482", "0x48b", "0x483", "0x484"},
                                           {"0x48d", "0x48e", "0x48b", "0x48f", "0x490"}};

    (void)state;
    for (u32 i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
        bool exact = i % 2;
        struct vmx_msrs m = full;
        m.basic = exact ? m.basic : m.basic & ~(1ull << 55);
        m.controls[cases[i / 2].group] &= ~(1ull << (32 + cases[i / 2].bit));
        said[0] = 0;
        bool good = decide(&m, &vmx_controls);
        assert_int_equal(good, !cases[i / 2].fatal);
        if (good)
            vmx_report_missing();
        assert_non_null(strstr(good ? said : why, cases[i / 2].name));
        if (!good)
            assert_non_null(strstr(why, msrs[exact][cases[i / 2].group]));
    }
    said[0] = 0;
    assert_true(decide(&full, &vmx_controls));
    vmx_report_missing();
    assert_string_equal(said, "");
}

/* A control that must be 1 and that nobody here handles: each bit of each group. */
static void insisted(void **state)
{
    static const u32 known[] = {0x1f, 0xb5986dfa, 0x1010e2, 0x3f6fff, 0xd1ff};

    (void)state;
    for (u32 group = 0; group < 5; group++) {
        for (u32 bit = 0; bit < 32; bit++) {
            struct vmx_msrs m = full;
            struct vmx_controls c;
            m.controls[group] |= 1ull << bit | 1ull << (32 + bit);
            bool good = decide(&m, &c);
            if (good != (known[group] >> bit & 1))
                fail_msg("group %u bit %u: %d, %s", group, bit, good, why);
            if (!good)
                assert_non_null(strstr(why, "insists"));
        }
    }
}

static void stage2(void **state)
{
    static const struct {
        u32 bit;
        const char *name;
    } needs[] = {{6, "4 levels"}, {14, "write-back"}, {16, "2 MiB"}, {20, "INVEPT"}};
    struct vmx_controls c;

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(needs); i++) {
        struct vmx_msrs m = full;
        m.ept_vpid &= ~(1ull << needs[i].bit);
        assert_false(decide(&m, &c));
        assert_non_null(strstr(why, needs[i].name));
        assert_non_null(strstr(why, "0x48c"));
    }
    struct vmx_msrs m = full;
    m.ept_vpid &= ~(1ull << 25);
    assert_true(decide(&m, &c));
    assert_int_equal(c.invept, 2); /* of one context is not there: of all */
    m.ept_vpid &= ~(1ull << 26);
    assert_false(decide(&m, &c));
    assert_non_null(strstr(why, "INVEPT of one context"));
    m = full;
    m.ept_vpid &= ~(1ull << 41);
    assert_true(decide(&m, &c));
    assert_int_equal(c.invvpid, 2);
    m.ept_vpid &= ~(1ull << 42); /* nothing to flush a VPID with: none is used */
    assert_true(decide(&m, &c));
    assert_int_equal(c.invvpid, 0);
    assert_int_equal(c.secondary & 1 << 5, 0);
    m = full;
    m.ept_vpid &= ~(1ull << 32);
    assert_true(decide(&m, &c));
    assert_int_equal(c.invvpid | (c.secondary & 1 << 5), 0);
}

static void operation(void **state)
{
    struct vmx_msrs m = full;
    struct vmx_controls c;

    (void)state;
    for (u32 i = 0; i < 4; i++) { /* outside SMX is bit 2; inside SMX alone is not enough */
        m.feature_control = i;
        assert_false(decide(&m, &c));
        assert_non_null(strstr(why, "IA32_FEATURE_CONTROL"));
    }
    m = full;
    m.cr0_fixed0 |= 0x10000; /* WP */
    assert_false(decide(&m, &c));
    assert_non_null(strstr(why, "CR0 bits 0x10000"));
    m = full;
    m.cr4_fixed0 |= 0x20;
    assert_false(decide(&m, &c));
    assert_non_null(strstr(why, "CR4 bits 0x20"));
    m = full;
    m.basic &= ~(15ull << 50); /* VMCS memory uncacheable */
    assert_false(decide(&m, &c));
    assert_non_null(strstr(why, "write-back"));
    m = full;
    m.basic |= 0x1001ull << 32;
    assert_false(decide(&m, &c));
}

/* The timer is used only if both of its controls are there. */
static void timer(void **state)
{
    struct vmx_msrs m = full;
    struct vmx_controls c;

    (void)state;
    m.controls[0] &= ~(1ull << 38);
    assert_true(decide(&m, &c));
    assert_false(c.timer);
    m = full;
    m.controls[3] &= ~(1ull << 54);
    assert_true(decide(&m, &c));
    assert_false(c.timer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything), cmocka_unit_test(one_missing), cmocka_unit_test(insisted),
        cmocka_unit_test(stage2),     cmocka_unit_test(operation),   cmocka_unit_test(timer),
    };

    return cmocka_run_group_tests_name("vmx capabilities", tests, NULL, NULL);
}
