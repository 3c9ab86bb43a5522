/*
 * What an arm64 guest asks by HVC: SMCCC 1.1, PSCI 1.1, Fermata's calls. Results as Arm's documents
 * say, X4 to X30 never touched, and any function with any arguments is only ever answered.
 *
 * links: arch/arm64/psci.c hv/hypercall.c hv/format.c tests/host/fake/support.c
 * machine: arm64
 */
#include "fake/support.h"
#include "fp_arm64.h"
#include "guest.h"
#include "arch/arch.h"
#include "hv/abi.h"
#include "hv/console.h"
#include "hv/fp_transfer.h"

#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define VCPUS    4u
#define RAM_BASE 0x40000000u
#define RAM      MiB(16)

#define NOT_SUPPORTED   (~0ull)
#define INVALID         ((u64)-2)
#define ALREADY_ON      ((u64)-4)
#define INVALID_ADDRESS ((u64)-9)

struct arm64_features features;
struct pcpu pcpus[MAX_CPUS];

/* hv/fp_transfer.c has a test of its own. */
s64 fp_transfer_call(struct vcpu *caller, bool import, u64 gpa, u64 *value)
{
    (void)caller;
    (void)gpa;
    *value = import;
    return FERMATA_INVALID;
}

static struct vm vm;
static struct vcpu vcpus[VCPUS];
static u32 started, inited, released, stored, crashed, ended, said;
static u64 end_status;

const char *vm_name(const struct vm *which)
{
    (void)which;
    return "alpha";
}

void vcpu_start(struct vcpu *v)
{
    v->state = VCPU_RUNNABLE;
    started |= 1u << v->id;
}

void arch_vcpu_init(struct vcpu *v)
{
    assert_int_equal(v->state, VCPU_OFF);
    memset(v->arch.x, 0, sizeof(v->arch.x));
    inited++;
}

void fp_release(struct vcpu *v)
{
    (void)v;
    released++;
}

/* What a fresh context's controls are written with. */
void fp_storage_in(const struct vcpu *v)
{
    assert_int_equal(v->fp.arch.tpidr2_el0, 0);
    stored++;
}

void fp_controls_change(struct vcpu *v)
{
    v->pcpu->arch.controls = v->fp.arch.controls;
}

void fp_init_context(struct arch_fp *arch, const struct arch_fp_config *config)
{
    (void)config;
    memset(arch, 0, sizeof(*arch));
    arch->storage = true;
}

void vm_end(struct vm *which, u64 status)
{
    assert_ptr_equal(which, &vm);
    ended++;
    end_status = status;
}

void vcpu_crash(struct vcpu *v, const char *fmt, ...)
{
    (void)v;
    (void)fmt;
    crashed++;
}

void *vm_ram(struct vm *which, u64 gpa, u64 bytes)
{
    (void)which;
    return gpa >= RAM_BASE && gpa - RAM_BASE <= RAM - bytes ? (void *)1 : NULL;
}

void say(enum log_level level, const char *fmt, ...)
{
    (void)level;
    (void)fmt;
    said++;
}

static int setup(void **state)
{
    (void)state;
    memset(&vm, 0, sizeof(vm));
    memset(vcpus, 0, sizeof(vcpus));
    vm.nvcpus = VCPUS;
    for (u32 i = 0; i < VCPUS; i++) {
        vcpus[i].vm = &vm;
        vcpus[i].id = i;
        vcpus[i].pcpu = &pcpus[0];
        vcpus[i].state = i ? VCPU_OFF : VCPU_RUNNABLE;
        vm.vcpus[i] = &vcpus[i];
    }
    started = inited = released = stored = crashed = ended = said = 0;
    return 0;
}

static enum vcpu_event event;

/* HVC #0 of vCPU 0; the answer in X0. Registers no call may change are checked at every call. */
static u64 hvc(u64 function, u64 a1, u64 a2, u64 a3)
{
    u64 *x = vcpus[0].arch.x;

    for (u32 i = 0; i < 31; i++)
        x[i] = 0x1000 + i;
    x[0] = function;
    x[1] = a1;
    x[2] = a2;
    x[3] = a3;
    event = smccc_call(&vcpus[0], 0);
    for (u32 i = 4; i < 31; i++)
        assert_int_equal(x[i], 0x1000 + i);
    return x[0];
}

static void versions(void **state)
{
    (void)state;
    assert_int_equal(hvc(0x84000000, 0, 0, 0), 0x10001); /* PSCI 1.1 */
    assert_int_equal(hvc(0x80000000, 0, 0, 0), 0x10001); /* SMCCC 1.1 */
    assert_int_equal(hvc(0x80000001, 0x80000000, 0, 0), 0);
    assert_int_equal(hvc(0x80000001, 0x80008000, 0, 0), NOT_SUPPORTED); /* WORKAROUND_1 */
    assert_int_equal(hvc(0x84000006, 0, 0, 0), 2);
    assert_int_equal(hvc(0x8600ff01, 0, 0, 0), FERMATA_UID_0);
    assert_int_equal(vcpus[0].arch.x[3], FERMATA_UID_3);
    assert_int_equal(hvc(FERMATA_HC_VERSION, 0, 0, 0), 0);
    assert_int_equal(vcpus[0].arch.x[1], FERMATA_ABI_VERSION);
    assert_int_equal(vcpus[0].arch.x[2] | vcpus[0].arch.x[3], 0);
}

static void cpu_on(void **state)
{
    (void)state;
    assert_int_equal(hvc(0xc4000003, 2, RAM_BASE + 0x80, 0x1234567890), 0);
    assert_int_equal(started, 4);
    assert_int_equal(vcpus[2].arch.pc, RAM_BASE + 0x80);
    assert_int_equal(vcpus[2].arch.x[0], 0x1234567890); /* the context */
    assert_int_equal(hvc(0xc4000003, 2, RAM_BASE, 0), ALREADY_ON);
    assert_int_equal(hvc(0xc4000003, 0, RAM_BASE, 0), ALREADY_ON);
    assert_int_equal(hvc(0xc4000003, VCPUS, RAM_BASE, 0), INVALID);
    assert_int_equal(hvc(0xc4000003, 0x100, RAM_BASE, 0), INVALID);       /* Aff1 */
    assert_int_equal(hvc(0xc4000003, BIT(32) | 1, RAM_BASE, 0), INVALID); /* Aff3 */
    assert_int_equal(hvc(0xc4000003, BIT(31) | 1, RAM_BASE, 0), INVALID);
    assert_int_equal(hvc(0xc4000003, ~0ull, RAM_BASE, 0), INVALID);
    assert_int_equal(hvc(0xc4000003, 1, 0, 0), INVALID_ADDRESS);
    assert_int_equal(hvc(0xc4000003, 1, RAM_BASE + RAM, 0), INVALID_ADDRESS);
    assert_int_equal(hvc(0xc4000003, 1, RAM_BASE + RAM - 3, 0), INVALID_ADDRESS);
    assert_int_equal(hvc(0xc4000003, 1, RAM_BASE + 2, 0), INVALID_ADDRESS);
    assert_int_equal(hvc(0xc4000003, 1, ~0ull, 0), INVALID_ADDRESS);
    assert_int_equal(started, 4);
    assert_int_equal(inited, 1);
    /* The 32-bit form looks at low halves only. */
    assert_int_equal(hvc(0x84000003, BIT(40) | 1, BIT(40) | RAM_BASE, ~0ull), 0);
    assert_int_equal(vcpus[1].arch.pc, RAM_BASE);
    assert_int_equal(vcpus[1].arch.x[0], 0xffffffff);
}

static void cpu_off(void **state)
{
    (void)state;
    assert_int_equal(hvc(0xc4000004, 1, 0, 0), 1); /* AFFINITY_INFO: off */
    hvc(0xc4000003, 1, RAM_BASE, 0);
    assert_int_equal(hvc(0xc4000004, 1, 0, 0), 0);
    assert_int_equal(hvc(0xc4000004, 1, 1, 0), INVALID);
    assert_int_equal(hvc(0xc4000004, 7, 0, 0), INVALID);
    released = 0;
    vcpus[0].fp.arch.svcr = 3;
    vcpus[0].fp.arch.tpidr2_el0 = 7;
    pcpus[0].arch.controls = CONTROL_SM;
    hvc(0x84000002, 0, 0, 0);
    assert_int_equal(event, VCPU_BLOCKED);
    assert_int_equal(vcpus[0].state, VCPU_OFF);
    assert_int_equal(released, 1); /* its FP state dies with it */
    assert_int_equal(vcpus[0].fp.arch.svcr, 0);
    assert_int_equal(stored, 1);
    assert_int_equal(pcpus[0].arch.controls, 0);
}

static void power(void **state)
{
    (void)state;
    hvc(0x84000008, 7, 7, 7);
    assert_int_equal(event, VCPU_VM_ENDED);
    assert_int_equal(ended, 1);
    assert_int_equal(end_status, 0);
    hvc(0x84000009, 0, 0, 0);
    assert_int_equal(event, VCPU_VM_ENDED);
    assert_int_equal(crashed, 1); /* a reset is no success */
    hvc(FERMATA_HC_POWER_OFF, 9, 0, 0);
    assert_int_equal(ended, 2);
    assert_int_equal(end_status, 9);
    hvc(FERMATA_HC_YIELD, 0, 0, 0);
    assert_int_equal(event, VCPU_YIELDED);
}

/* FEATURES is true to what is answered, for every PSCI function. */
static void features_are_true(void **state)
{
    for (u32 n = 0; n < 0x20; n++) {
        for (u32 wide = 0; wide < 2; wide++) {
            u32 function = 0x84000000 + n + wide * 0x40000000;
            setup(state);
            u64 says = hvc(0x8400000a, function, 0, 0);
            assert_int_equal(event, VCPU_RESUME);
            u64 answer = hvc(function, function == 0x8400000a ? 0x84000000 : 1, RAM_BASE, 0);
            bool acts = event != VCPU_RESUME || answer != NOT_SUPPORTED;
            assert_int_equal(says == 0, acts);
        }
    }
}

/* Unknown functions, HVC with another immediate, anything at all: answered, and nothing happens. */
static void fuzz(void **state)
{
    static const u32 bases[] = {0x84000000,      0xc4000000, 0x80000000, 0x86000000,
                                FERMATA_HC_BASE, 0xc5000000, 0x95000000, 0};

    fake_srand(fake_seed());
    print_message("# SEED=%llu\n", (unsigned long long)fake_seed());
    for (u32 round = 0; round < 100000; round++) {
        setup(state);
        u64 function = bases[fake_below(8)] | (fake_rand() & fake_rand() & 0xff);
        u64 a1 = fake_below(2) ? fake_below(8) : fake_rand();
        u64 a2 = fake_below(2) ? RAM_BASE + fake_below(64) : fake_rand();
        hvc(function, a1, a2, fake_rand());
        assert_true(event <= VCPU_VM_ENDED);
        assert_int_equal(event == VCPU_VM_ENDED, ended + crashed);
        assert_true(started == 0 || (u32)function << 2 == 0x84000003u << 2);
        u64 before[4] = {function, 1, 2, 3};
        memcpy(vcpus[0].arch.x, before, sizeof(before));
        assert_int_equal(smccc_call(&vcpus[0], 1 + fake_below(0xffff)), VCPU_RESUME);
        assert_int_equal(vcpus[0].arch.x[0], NOT_SUPPORTED);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, NULL)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(versions),          TEST(cpu_on), TEST(cpu_off), TEST(power),
        TEST(features_are_true), TEST(fuzz),
    };

    return cmocka_run_group_tests_name("psci", tests, NULL, NULL);
}
