/*
 * The ownership machine, case by case.
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

/* A vCPU that does not touch FP costs nothing: no load, no save, no scrub, no byte of area. */
static void untouched_costs_nothing(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, FAKE_UNITS, FP_LAZY);
    struct vcpu *b = world_create(1, 1, 0, FAKE_UNITS, FP_LAZY);
    struct fake_counts before = fake.count;

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_true(world_run(a));
        world_control(a, world_value(a, 0));
        assert_true(world_run(b));
        world_control(b, world_value(b, 0));
        world_check();
    }
    assert_int_equal(fake.count.loads, before.loads);
    assert_int_equal(fake.count.saves, before.saves);
    assert_int_equal(fake.count.scrubs, before.scrubs);
    assert_int_equal(fake.count.gates, before.gates);
    assert_null(a->fp.area.base);
    assert_int_equal(world.vms[0].fp_quota.used, 0);
    assert_int_equal(a->fp.stats.bytes, 0);
}

/* One trap, one load; at the switch one save and one scrub; nothing while it stays. */
static void one_use_one_load_one_save(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, BASE, FP_LAZY);
    struct vcpu *b = world_create(1, 1, 0, BASE, FP_LAZY);

    (void)state;
    for (u64 round = 1; round <= 5; round++) {
        assert_true(world_run(a));
        for (u32 i = 0; i < FAKE_V; i++) {
            world_read(a, FAKE_REG_V + i);
            world_write(a, FAKE_REG_V + i, world_value(a, i));
        }
        assert_true(world_run(b));
        assert_int_equal(a->fp.stats.traps, round);
        assert_int_equal(a->fp.stats.loads, round);
        assert_int_equal(a->fp.stats.saves, round);
        assert_int_equal(a->fp.stats.scrubs, round);
        assert_int_equal(a->fp.stats.grows, 1);
        assert_int_equal(b->fp.stats.traps, 0);
        world_check();
    }
    assert_true(a->fp.stats.bytes > 0);
}

/* A clean vector unit stays in memory, gate closed, while the base unit alone is opened. */
static void clean_uppers_are_not_moved(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, BASE | VEC, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    world_write(a, FAKE_REG_V, 5);
    assert_int_equal(fake_gate(a), BASE);
    assert_true(a->fp.area.bytes < 720);
    world_read(a, FAKE_REG_Z); /* now it traps a second time, and the area grows */
    assert_int_equal(fake_gate(a), BASE | VEC);
    assert_int_equal(a->fp.stats.grows, 2);
    world_read_all(a);
}

/* I9: what is read without a trap is always the guest's own. */
static void control_state_is_its_own(void **state)
{
    struct vcpu *v[3];

    (void)state;
    for (u32 i = 0; i < 3; i++)
        v[i] = world_create(i, i, 0, BASE, i == 1 ? FP_EAGER : FP_LAZY);
    for (u32 round = 0; round < 9; round++) {
        struct vcpu *a = v[round % 3];
        assert_true(world_run(a));
        world_control(a, world_value(a, round));
        if (round > 4)
            assert_int_equal(world_xsetbv(a, round & 1 ? 3 : 1), FAKE_OK);
        world_check();
    }
}

/* BUGS 28, the growth path: a guest's XSETBV while its registers are live loses nothing. */
static void growth_while_active(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, FAKE_UNITS, FP_LAZY);
    struct vcpu *b = world_create(1, 1, 0, BASE, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    world_write(a, FAKE_REG_V, world_value(a, 0));
    world_write(a, FAKE_REG_Z, world_value(a, 1));
    for (u64 xcr = 3; xcr <= 7; xcr += 4) {
        assert_int_equal(world_xsetbv(a, xcr), FAKE_OK);
        world_read_all(a);
        world_write_all(a);
        world_check();
    }
    assert_true(world_run(b));
    assert_true(world_run(a));
    world_read_all(a);
}

/* The same while the state is in memory: relayout takes everything over. */
static void growth_while_inactive(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, FAKE_UNITS, FP_LAZY);
    struct vcpu *b = world_create(1, 1, 0, BASE, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    world_write(a, FAKE_REG_V + 1, world_value(a, 0));
    world_write(a, FAKE_REG_FCW, world_value(a, 1));
    assert_true(world_run(b));
    assert_true(world_run(a));
    assert_int_equal(a->fp.live, 0);
    assert_int_equal(world_xsetbv(a, 7), FAKE_OK);
    assert_int_equal(fake.count.relayouts, 1);
    assert_int_equal(a->fp.live, 0);
    world_read_all(a);
}

/* A context that was never used stays EMPTY when the guest enables more. */
static void growth_of_an_empty_context(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, BASE, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    assert_int_equal(world_xsetbv(a, 7), FAKE_OK);
    assert_null(a->fp.area.base);
    world_read_all(a);
    assert_int_equal(a->fp.stats.grows, 1);
}

/* fp_sync: ACTIVE becomes CACHED; the next switch saves nothing if the guest did not run between.
 */
static void sync_makes_memory_current(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, FAKE_UNITS, FP_LAZY);
    struct vcpu *b = world_create(1, 1, 0, BASE, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    world_write_all(a);
    fp_sync(a);
    assert_true(a->fp.in_sync);
    assert_ptr_equal(pcpus[0].fp_owner, a);
    u64 saves = fake.count.saves;
    fp_sync(a);
    assert_true(world_run(b));
    assert_int_equal(fake.count.saves, saves);
    assert_true(world_run(a));
    world_read_all(a);
    fp_sync(a);
    world_write_all(a); /* it ran: memory is stale again */
    assert_true(world_run(b));
    assert_true(world_run(a));
    world_read_all(a);
    fp_sync(b); /* owns nothing: nothing happens */
    assert_int_equal(b->fp.stats.saves, 0);
}

/* Loading a second unit while the first is CACHED keeps both right. */
static void second_unit_while_cached(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, BASE | VEC, FP_LAZY);
    struct vcpu *b = world_create(1, 1, 0, BASE, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    world_write(a, FAKE_REG_V, world_value(a, 0));
    fp_sync(a);
    assert_int_equal(fp_trap(a, VEC), FP_TRAP_RETRY);
    assert_true(a->fp.in_sync);
    world_write(a, FAKE_REG_Z, world_value(a, 1));
    assert_true(world_run(b));
    assert_true(world_run(a));
    world_read_all(a);
}

/* Loading a second unit while the first is ACTIVE must not call memory current. */
static void second_unit_while_active(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, BASE | VEC, FP_LAZY);
    struct vcpu *b = world_create(1, 1, 0, BASE, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    world_write(a, FAKE_REG_V, world_value(a, 0));
    assert_int_equal(fp_trap(a, VEC), FP_TRAP_RETRY);
    assert_false(a->fp.in_sync);
    assert_true(world_run(b));
    assert_true(world_run(a));
    world_read_all(a);
}

/* What a VM was not offered is refused, and an open gate means that the fault is the guest's own.
 */
static void refused_and_not_ours(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, BASE, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    assert_int_equal(world_read(a, FAKE_REG_ZA), FAKE_REFUSED);
    assert_null(a->fp.area.base);
    assert_int_equal(fp_trap(a, BASE | VEC), FP_TRAP_REFUSED);
    assert_int_equal(fp_trap(a, BASE), FP_TRAP_RETRY);
    assert_int_equal(fp_trap(a, BASE), FP_TRAP_NOT_OURS);
    assert_int_equal(world_read(a, FAKE_REG_Z), FAKE_REFUSED);
    assert_int_equal(fake_gate(a), BASE);
    assert_int_equal(a->fp.stats.traps, 5);
}

/* An exhausted quota stops the vCPU with its state intact; with room again it goes on. */
static void out_of_quota_keeps_the_state(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, FAKE_UNITS, FP_LAZY);
    struct vcpu *b = world_create(1, 0, 0, BASE, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    world_write(a, FAKE_REG_V, world_value(a, 0));
    world_write(a, FAKE_REG_Z, world_value(a, 1));
    world.vms[0].fp_quota.limit = world.vms[0].fp_quota.used;
    assert_int_equal(world_write(a, FAKE_REG_ZA, 1), FAKE_NO_MEMORY);
    assert_int_equal(world_xsetbv(a, 7), FAKE_NO_MEMORY);
    world_check();
    world_read(a, FAKE_REG_V);
    world_read(a, FAKE_REG_Z);
    assert_true(world_run(b));
    assert_int_equal(world_write(b, FAKE_REG_V, 1), FAKE_NO_MEMORY);
    assert_null(pcpus[0].fp_owner);
    world.vms[0].fp_quota.limit = MiB(1);
    assert_int_equal(world_write(b, FAKE_REG_V, 1), FAKE_OK);
    assert_true(world_run(a));
    assert_int_equal(world_xsetbv(a, 7), FAKE_OK);
    world_read_all(a);
}

/* An eager context without memory does not arrive; the CPU stays clean for the next. */
static void eager_without_memory(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, FAKE_UNITS, FP_EAGER);
    struct vcpu *b = world_create(1, 1, 0, BASE, FP_LAZY);

    (void)state;
    fake_pages_limit = 0;
    assert_false(world_run(a));
    assert_int_equal(world.vms[0].fp_quota.used, 0);
    world_check();
    fake_pages_limit = ~0ull;
    assert_true(world_run(b));
    world_read_all(b);
    assert_true(world_run(a));
    world_read_all(a);
    assert_int_equal(a->fp.stats.traps, 0); /* that is what eager is */
}

/* The erratum's fallback: lazy by policy, loaded at switch-in all the same. */
static void must_load_is_obeyed(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, BASE | VEC, FP_LAZY);

    (void)state;
    fake.must_load = true;
    assert_true(world_run(a));
    assert_int_equal(fake_gate(a), BASE | VEC);
    for (u32 reg = 0; reg < FAKE_REG_E0; reg++)
        world_write(a, reg, world_value(a, reg));
    world_leave(&pcpus[0]);
    assert_true(world_run(a));
    for (u32 reg = 0; reg < FAKE_REG_E0; reg++)
        world_read(a, reg);
    assert_int_equal(a->fp.stats.traps, 0);
}

/* fp_check() itself: each invariant, broken by hand, is noticed. */
static void fp_check_notices(void **state)
{
    struct vcpu *a = world_create(0, 0, 0, BASE, FP_LAZY);

    (void)state;
    assert_true(world_run(a));
    pcpus[0].arch.regs.v[2] = 1;
    expect_panic(fp_check(a)); /* I4 */
    pcpus[0].arch.regs.v[2] = 0;
    arch_fp_gate(a, BASE);
    expect_panic(fp_check(a)); /* I2 */
    arch_fp_gate(a, 0);
    pcpus[0].arch.xcr = 7;
    expect_panic(fp_check(a)); /* I9 */
    pcpus[0].arch.xcr = 1;
    world_write(a, FAKE_REG_V, 1);
    a->fp.cpu = FP_NOWHERE;
    expect_panic(fp_check(a)); /* I1 */
    a->fp.cpu = 0;
    arch_fp_gate(a, BASE | VEC);
    expect_panic(fp_check(a)); /* I2 */
    arch_fp_gate(a, BASE);
    a->fp.arch.xcr_ever = 7;
    expect_panic(fp_check(a)); /* I3 */
    a->fp.arch.xcr_ever = 1;
    pcpus[0].current = NULL;
    expect_panic(fp_check(a));
    pcpus[0].current = a;
    fp_check(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(untouched_costs_nothing),    WORLD_TEST(one_use_one_load_one_save),
        WORLD_TEST(clean_uppers_are_not_moved), WORLD_TEST(control_state_is_its_own),
        WORLD_TEST(growth_while_active),        WORLD_TEST(growth_while_inactive),
        WORLD_TEST(growth_of_an_empty_context), WORLD_TEST(sync_makes_memory_current),
        WORLD_TEST(second_unit_while_cached),   WORLD_TEST(second_unit_while_active),
        WORLD_TEST(refused_and_not_ours),       WORLD_TEST(out_of_quota_keeps_the_state),
        WORLD_TEST(eager_without_memory),       WORLD_TEST(must_load_is_obeyed),
        WORLD_TEST(fp_check_notices),
    };

    return cmocka_run_group_tests_name("fp", tests, NULL, NULL);
}
