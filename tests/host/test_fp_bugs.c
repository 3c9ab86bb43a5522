/*
 * The ownership machine and the bug museum: each name carries BUGS.md's row, what went wrong
 * elsewhere.
 *
 * links: hv/fp.c hv/fp_area.c tests/host/fake/fake.c tests/host/fake/guest.c
 * links: tests/host/fake/world.c tests/host/fake/fake_pages.c tests/host/fake/support.c
 */
#include "fake/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define BASE FAKE_UNIT_BASE
#define VEC  FAKE_UNIT_VEC

/* BUGS 1: behind a closed gate there is INIT, by value, however the gate was closed. */
static void bugs1_closed_gate_hides_init(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, FAKE_UNITS, FP_LAZY);
    struct vcpu *b = world_create(1, 1, 0, FAKE_UNITS, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    world_xsetbv(a, 7);
    world_write_all(a);
    assert_true(world_run(b));
    assert_true(arch_fp_is_init(&pcpus[0]));
    fake_guest_nothing(b); /* checks every register behind the gate */
    world_read_all(b);
    assert_true(world_run(a));
    world_read_all(a);
}

/* BUGS 4: a fresh vCPU finds reset values in every register, whoever was there before. */
static void bugs4_fresh_vcpu_has_reset_values(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, FAKE_UNITS, FP_EAGER);

    (void)state;
    assert_true(world_run(a));
    assert_int_equal(world_xsetbv(a, 7), FAKE_OK);
    world_write_all(a);
    world_destroy(a);
    for (u32 policy = FP_LAZY; policy <= FP_EAGER; policy++) {
        struct vcpu *b = world_create(1 + policy, 1, 0, FAKE_UNITS, (enum fp_policy)policy);
        u64 fcw = 0;
        assert_true(world_run(b));
        assert_int_equal(fake_guest_read(b, FAKE_REG_FCW, &fcw), FAKE_OK);
        assert_int_equal(fcw, FAKE_FCW_INIT);
        assert_int_equal(world_xsetbv(b, 7), FAKE_OK);
        world_read_all(b);
    }
}

/* BUGS 6: partial saves over an older image must not bring the older one back. */
static void bugs6_alternate_components(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, BASE, FP_LAZY);
    struct vcpu *b = world_create(1, 1, 0, BASE, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    assert_int_equal(world_xsetbv(a, 7), FAKE_OK);
    for (int round = 0; round < 8; round++) {
        assert_true(world_run(a));
        for (u32 i = 0; i < FAKE_E0; i++)
            world_write(a, FAKE_REG_E0 + i, round & 1 ? world_value(a, i) : 0);
        for (u32 i = 0; i < FAKE_E1; i++)
            world_write(a, FAKE_REG_E1 + i, round & 2 ? world_value(a, i) : 0);
        assert_true(world_run(b));
        world_write(b, FAKE_REG_V, world_value(b, 0));
        assert_true(world_run(a));
        world_read_all(a);
    }
}

/* BUGS 7 and 8: a cached control value that is not the register's is noticed at the next entry. */
static void bugs7_stale_control_value(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, BASE, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    assert_int_equal(world_xsetbv(a, 3), FAKE_OK);
    pcpus[0].arch.xcr = 1; /* the CPU was off and on */
    expect_panic(fp_enter(a, &a->fp));
    pcpus[0].arch.xcr = 3;
    world_read_all(a);
}

/* BUGS 21: CPU 0, 1, 0: registers left on the first CPU are never taken for current. */
static void bugs21_cpu_0_1_0(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, FAKE_UNITS, FP_LAZY);

    (void)state;
    for (u32 round = 0; round < 4; round++) {
        for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
            world_migrate(a, cpu);
            assert_true(world_run(a));
            if (round & 1)
                world_read(a, FAKE_REG_V);
            world_write(a, FAKE_REG_V, world_value(a, 0));
            world_write(a, FAKE_REG_ZA, world_value(a, 1));
            world_check();
        }
        world_migrate(a, 0);
        assert_true(world_run(a));
        world_read_all(a);
    }
}

/* BUGS 21: between the switch-in and the trap it goes elsewhere and back; the trap loads the
 * newest. */
static void bugs21_moved_before_the_trap(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, BASE, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    world_write(a, FAKE_REG_V, 1);
    world_migrate(a, 1);
    assert_true(world_run(a));
    world_write(a, FAKE_REG_V, 2);
    world_migrate(a, 0);
    assert_true(world_run(a)); /* no access here: the gate is closed, nothing was loaded */
    world_migrate(a, 1);
    assert_true(world_run(a));
    world_write(a, FAKE_REG_V, 3);
    world_migrate(a, 0);
    assert_true(world_run(a));
    world_read(a, FAKE_REG_V);
    world_check();
}

/* BUGS 24: a destroyed owner is no owner, and a new vCPU at its address inherits nothing. */
static void bugs24_destroyed_owner(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, FAKE_UNITS, FP_LAZY);
    struct vcpu *b = world_create(1, 1, 0, FAKE_UNITS, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    world_xsetbv(a, 7);
    world_write_all(a);
    assert_ptr_equal(pcpus[0].fp_owner, a);
    world_destroy(a);
    assert_null(pcpus[0].fp_owner);
    assert_true(arch_fp_is_init(&pcpus[0]));

    struct vcpu *c = world_create(0, 2, 0, FAKE_UNITS, FP_LAZY);
    assert_ptr_equal(a, c);
    assert_true(world_run(c));
    assert_int_equal(fake_gate(c), 0);
    world_xsetbv(c, 7);
    world_read_all(c);
    assert_true(world_run(b));
    world_read_all(b);
}

/* BUGS 25: A, hypervisor, B, A: each finds its own, and the hypervisor's visit moves nothing. */
static void bugs25_a_hv_b_a(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, BASE | VEC, FP_LAZY);
    struct vcpu *b = world_create(1, 1, 0, BASE | VEC, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    world_write_all(a);
    struct fake_counts before = fake.count;
    assert_true(world_run(a)); /* to the hypervisor and back */
    world_read_all(a);
    assert_int_equal(fake.count.loads, before.loads);
    assert_int_equal(fake.count.gates, before.gates);
    assert_true(world_run(b));
    world_write_all(b);
    assert_true(world_run(a));
    world_read_all(a);
    assert_true(world_run(b));
    world_read_all(b);
}

/* BUGS 26: the small registers whose INIT is not zero travel with the rest. */
static void bugs26_control_word_travels(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, BASE, FP_LAZY);
    struct vcpu *b = world_create(1, 1, 0, BASE, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    world_write(a, FAKE_REG_FCW, 0xc7f);
    assert_true(world_run(b));
    world_read(b, FAKE_REG_FCW);
    assert_true(world_run(a));
    world_read(a, FAKE_REG_FCW);
}

/* BUGS 28: there is no way off a CPU that does not save: each in turn, over the same pattern. */
static void bugs28_every_way_out(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, FAKE_UNITS, FP_LAZY);
    struct vcpu *b = world_create(1, 1, 0, FAKE_UNITS, FP_EAGER);

    (void)state;
    assert_true(world_run(a));
    world_xsetbv(a, 7);
    for (u32 way = 0; way < 12; way++) {
        assert_true(world_run(a));
        world_write_all(a);
        switch (way % 6) {
        case 0: /* to another */
            assert_true(world_run(b));
            break;
        case 1: /* to nobody */
            world_leave(a->pcpu);
            break;
        case 2: /* to another CPU */
            world_migrate(a, 1);
            world_migrate(b, 1);
            break;
        case 3: /* CACHED first, then on in the registers, then out */
            fp_sync(a);
            world_write(a, FAKE_REG_V, world_value(a, 0));
            world_leave(a->pcpu);
            break;
        case 4: /* after an access that was refused, and one that faulted */
            world.vms[0].fp_quota.limit = world.vms[0].fp_quota.used;
            world_smstart(a);
            world.vms[0].fp_quota.limit = MiB(1);
            assert_true(world_run(b));
            break;
        default: /* after growth */
            world_xsetbv(a, 1);
            world_xsetbv(a, 7);
            assert_true(world_run(b));
        }
        assert_true(world_run(a));
        world_read_all(a);
        world_check();
    }
}

/* BUGS 35: a guest that lowers XCR0 with state live has not lost it, and nobody else finds it. */
static void bugs35_lowered_xcr0(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, BASE, FP_LAZY);
    struct vcpu *b = world_create(1, 1, 0, BASE, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    assert_int_equal(world_xsetbv(a, 7), FAKE_OK);
    world_write_all(a);
    assert_int_equal(world_xsetbv(a, 1), FAKE_OK);
    assert_true(world_run(b));
    assert_int_equal(world_xsetbv(b, 7), FAKE_OK);
    world_read_all(b);
    assert_true(world_run(a));
    assert_int_equal(world_read(a, FAKE_REG_E1), FAKE_OWN_FAULT);
    assert_int_equal(world_xsetbv(a, 7), FAKE_OK);
    world_read_all(a);
}

/* BUGS 39: SMSTART is gated by the matrix unit alone, and clears what is behind the others. */
static void bugs39_smstart_first(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, FAKE_UNITS, FP_LAZY);
    struct vcpu *b = world_create(1, 1, 0, FAKE_UNITS, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    world_write_all(a);
    assert_true(world_run(b));
    world_write_all(b);
    assert_true(world_run(a));
    assert_int_equal(world_smstart(a), FAKE_OK);
    world_read_all(a);
    assert_true(world_run(b));
    assert_true(world_run(a));
    world_read_all(a);
}

/* BUGS 40: with live uppers in memory, a write to V must not bring the old uppers back. */
static void bugs40_v_write_zeroes_uppers(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, BASE | VEC, FP_LAZY);
    struct vcpu *b = world_create(1, 1, 0, BASE | VEC, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    world_write_all(a);
    for (u32 i = 0; i < FAKE_V * FAKE_ZHI; i++)
        world_write(a, FAKE_REG_Z + i, world_value(a, i));
    assert_true(world_run(b));
    assert_true(world_run(a));
    world_write(a, FAKE_REG_V, world_value(a, 0));
    world_read_all(a);
    assert_true(world_run(b));
    assert_true(world_run(a));
    world_read_all(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(bugs1_closed_gate_hides_init),
        WORLD_TEST(bugs4_fresh_vcpu_has_reset_values),
        WORLD_TEST(bugs6_alternate_components),
        WORLD_TEST(bugs7_stale_control_value),
        WORLD_TEST(bugs28_every_way_out),
        WORLD_TEST(bugs21_cpu_0_1_0),
        WORLD_TEST(bugs21_moved_before_the_trap),
        WORLD_TEST(bugs24_destroyed_owner),
        WORLD_TEST(bugs25_a_hv_b_a),
        WORLD_TEST(bugs26_control_word_travels),
        WORLD_TEST(bugs35_lowered_xcr0),
        WORLD_TEST(bugs39_smstart_first),
        WORLD_TEST(bugs40_v_write_zeroes_uppers),
    };

    return cmocka_run_group_tests_name("fp bugs", tests, NULL, NULL);
}
