/*
 * FP state out of and into a vCPU (hv/fp_transfer.c), whatever state the context is in, and the
 * hypercalls that carry it: nothing lost, nothing of another's shown, a refusal changes nothing.
 *
 * links: hv/fp_transfer.c hv/vm_ram.c hv/fp.c hv/fp_area.c tests/host/fake/fake.c
 * tests/host/fake/transfer.c links: tests/host/fake/guest.c tests/host/fake/world.c
 * tests/host/fake/fake_pages.c links: tests/host/fake/support.c
 */
#include "fake/fake_transfer.h"
#include "fake/world.h"
#include "hv/console.h"
#include "hv/fp_transfer.h"

#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define RAM_GPA  0x10000u
#define RAM      0x40000u
#define RECORDS  (RAM_GPA + 0x1000u)
#define TRANSFER (RAM_GPA + 0x100u)

static _Alignas(4096) u8 ram[RAM];
static u8 other_ram[RAM];
static bool crashed;

/* What hv/vm.c and hv/console.c are for it. */
const char *vm_name(const struct vm *vm)
{
    (void)vm;
    return "test";
}

void say(enum log_level level, const char *fmt, ...)
{
    (void)level;
    (void)fmt;
}

void vcpu_crash(struct vcpu *v, const char *fmt, ...)
{
    (void)fmt;
    crashed = true;
    v->state = VCPU_STOPPED;
}

/* Two vCPUs of VM 0, one of VM 1, all on CPU 0; VM 0 has RAM. */
static struct vcpu *v[3];

static void people(enum fp_policy policy)
{
    for (u32 i = 0; i < 3; i++) {
        v[i] = world_create(i, i / 2, 0, FAKE_UNITS, policy);
        v[i]->id = i % 2;
        v[i]->vm->vcpus[i % 2] = v[i];
    }
    for (u32 i = 0; i < 2; i++) {
        world.vms[i].nvcpus = 2 - i;
        world.vms[i].ram = i ? other_ram : ram;
        world.vms[i].ram_gpa = RAM_GPA;
        world.vms[i].ram_bytes = RAM;
    }
    memset(ram, 0, sizeof(ram));
    crashed = false;
}

static s64 call(struct vcpu *caller, bool import, u32 vcpu, u64 bytes, u64 *value)
{
    struct fermata_fp_transfer t = {vcpu, 0, RECORDS, bytes};

    memcpy(ram + (TRANSFER - RAM_GPA), &t, sizeof(t));
    return fp_transfer_call(caller, import, TRANSFER, value);
}

static u64 export_all(struct vcpu *caller, u32 vcpu)
{
    u64 need = 0, bytes = 0;

    assert_int_equal(call(caller, false, vcpu, 0, &need), FERMATA_OK);
    assert_true(need > 0);
    assert_int_equal(call(caller, false, vcpu, need, &bytes), FERMATA_OK);
    assert_int_equal(need, bytes);
    return bytes;
}

/* Bytes of the records of v[0] when every component is in use: the machine begins with that. */
static u64 export_everything(void)
{
    people(FP_LAZY);
    assert_true(world_run(v[0]));
    assert_int_equal(world_xsetbv(v[0], 7), FAKE_OK);
    world_write_all(v[0]);
    return export_all(v[0], 0);
}

/* Out while the state is in the registers, gone, back in: every register is what it was. */
static void round_trip(enum fp_policy policy)
{
    u64 value;

    people(policy);
    assert_true(world_run(v[0]));
    assert_int_equal(world_xsetbv(v[0], 7), FAKE_OK);
    world_write_all(v[0]);
    world_control(v[0], world_value(v[0], 0));
    struct oracle saved = *world_oracle(v[0]);
    u64 bytes = export_all(v[0], 0);
    world_read_all(v[0]); /* exporting changed nothing */
    world_check();

    world_write_all(v[0]);
    assert_int_equal(call(v[0], true, 0, bytes, &value), FERMATA_OK);
    *world_oracle(v[0]) = saved;
    world_check();
    world_read_all(v[0]);

    /* To the other vCPU, which is off the CPU, and back across a switch. */
    assert_int_equal(call(v[0], true, 1, bytes, &value), FERMATA_OK);
    *world_oracle(v[1]) = saved;
    assert_true(world_run(v[1]));
    world_read_all(v[1]);
    assert_true(world_run(v[2])); /* the neighbour finds INIT */
    world_read_all(v[2]);
    world_check();
    assert_false(crashed);
}

static void round_trip_lazy(void **state)
{
    (void)state;
    round_trip(FP_LAZY);
}

static void round_trip_eager(void **state)
{
    (void)state;
    round_trip(FP_EAGER);
}

/* What was never used exports as reset state without an area, and imports so. */
static void empty_stays_empty(void **state)
{
    u64 value;

    (void)state;
    people(FP_LAZY);
    assert_true(world_run(v[0]));
    u64 bytes = export_all(v[0], 1);
    assert_null(v[1]->fp.area.base);
    world_write_all(v[0]);
    assert_non_null(v[0]->fp.area.base);
    assert_int_equal(call(v[0], true, 0, bytes, &value), FERMATA_OK);
    assert_null(v[0]->fp.area.base);
    oracle_reset(world_oracle(v[0]));
    world_read_all(v[0]);
    world_check();
}

/* BUGS 14: what is refused has changed nothing, in the registers or in memory; BUGS 15, 16:
 * whatever the records say of themselves. One byte after the other is made wrong, and every length
 * is tried. */
static void bugs14_refused_changes_nothing(void **state)
{
    u64 value;

    (void)state;
    u64 bytes = export_everything();
    u8 *at = ram + (RECORDS - RAM_GPA);

    for (u64 n = 0; n < bytes; n++) {
        s64 got = call(v[0], true, n & 1, n, &value);
        if (n == sizeof(struct fake_control)) {
            assert_int_equal(got, FERMATA_OK); /* a control record alone is a whole state */
            oracle_reset(world_oracle(v[0]));
            world_oracle(v[0])->xcr = 7;
            continue;
        }
        assert_int_equal(got, FERMATA_INVALID);
    }
    world_write_all(v[0]);
    world_check();
    for (u32 i = 0; i < 16; i++) { /* both words of the first header, and XCR */
        at[i] ^= 0x80;
        assert_int_not_equal(call(v[0], true, 0, bytes, &value), FERMATA_OK);
        at[i] ^= 0x80;
        world_read_all(v[0]);
    }
    world_check();
}

static void denied_is_not_malformed(void **state)
{
    u64 value;

    (void)state;
    u64 bytes = export_everything();
    world.vms[0].arch.fp.xcr = FAKE_XCR_V;
    assert_int_equal(call(v[0], true, 1, bytes, &value), FERMATA_DENIED);
    assert_null(v[1]->fp.area.base);
    world.vms[0].arch.fp.xcr = 7;
}

/* An exhausted quota or pool: NO_MEMORY, and the old state is still there. */
static void no_memory_changes_nothing(void **state)
{
    u64 value;

    (void)state;
    people(FP_LAZY);
    assert_true(world_run(v[0]));
    world_write_all(v[0]);
    u64 bytes = export_all(v[0], 0);
    u64 limit = world.vms[0].fp_quota.limit;
    world.vms[0].fp_quota.limit = world.vms[0].fp_quota.used;
    assert_int_equal(call(v[0], true, 0, bytes, &value), FERMATA_NO_MEMORY);
    world.vms[0].fp_quota.limit = limit;
    world_read_all(v[0]);
    fake_pages_limit = fake_pages_held;
    assert_int_equal(call(v[0], true, 0, bytes, &value), FERMATA_NO_MEMORY);
    fake_pages_limit = ~0ull;
    world_read_all(v[0]);
    world_check();
    assert_false(crashed);
}

/* Addresses, sizes and numbers a guest may pass: nothing outside its RAM is ever touched. */
static void bad_arguments(void **state)
{
    static const u64 addresses[] = {0,         RAM_GPA - 8, RAM_GPA + RAM - 8, RAM_GPA + RAM,
                                    ~0ull - 7, RAM_GPA + 1, 1ull << 63,        TRANSFER + 4};
    u64 value;

    (void)state;
    people(FP_LAZY);
    assert_true(world_run(v[0]));
    world_write_all(v[0]);
    u64 bytes = export_all(v[0], 0);
    for (u32 import = 0; import < 2; import++) {
        for (u32 i = 0; i < ARRAY_SIZE(addresses); i++) {
            struct fermata_fp_transfer t = {0, 0, addresses[i], bytes};
            assert_int_equal(fp_transfer_call(v[0], import, addresses[i], &value), FERMATA_INVALID);
            memcpy(ram + (TRANSFER - RAM_GPA), &t, sizeof(t));
            assert_int_equal(fp_transfer_call(v[0], import, TRANSFER, &value), FERMATA_INVALID);
        }
        assert_int_equal(call(v[0], import, 2, bytes, &value), FERMATA_INVALID);
        assert_int_equal(call(v[0], import, ~0u, bytes, &value), FERMATA_INVALID);
        assert_int_equal(call(v[0], import, 0, bytes - 1, &value), FERMATA_INVALID);
        assert_int_equal(call(v[0], import, 0, FP_RECORDS_MAX + 8, &value), FERMATA_INVALID);
        assert_int_equal(call(v[0], import, 0, ~0ull, &value), FERMATA_INVALID);
        struct fermata_fp_transfer t = {0, 1, RECORDS, bytes};
        memcpy(ram + (TRANSFER - RAM_GPA), &t, sizeof(t));
        assert_int_equal(fp_transfer_call(v[0], import, TRANSFER, &value), FERMATA_INVALID);
    }
    world_read_all(v[0]);
    world_check();
}

/* What was to spare of the old area is needed of the new one: the next to want memory must not have
 * it. */
static void nothing_to_spare(void **state)
{
    u64 value;

    (void)state;
    u64 bytes = export_everything();
    struct oracle saved = *world_oracle(v[0]);
    fp_spare(v[0], 8);
    assert_int_equal(call(v[0], true, 0, bytes, &value), FERMATA_OK);
    assert_int_equal(v[0]->fp.spare, 0);
    fake_pages_limit = fake_pages_held;
    assert_int_equal(call(v[0], true, 1, bytes, &value), FERMATA_NO_MEMORY); /* it asked for all */
    fake_pages_limit = ~0ull;
    *world_oracle(v[0]) = saved;
    world_read_all(v[0]);
    world_check();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(round_trip_lazy),         WORLD_TEST(round_trip_eager),
        WORLD_TEST(empty_stays_empty),       WORLD_TEST(bugs14_refused_changes_nothing),
        WORLD_TEST(denied_is_not_malformed), WORLD_TEST(no_memory_changes_nothing),
        WORLD_TEST(bad_arguments),           WORLD_TEST(nothing_to_spare),
    };

    return cmocka_run_group_tests_name("fp_transfer", tests, NULL, NULL);
}
