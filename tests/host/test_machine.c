/*
 * hv_main() from boot to verdict on the fake machine: VMs made, refused, scheduled, ended; their
 * console; FP state of many guests under the real scheduler.
 *
 * links: tests/host/fake/no_gdb.c
 * links: hv/trace.c hv/main.c hv/vm.c hv/vm_ram.c hv/sched.c hv/hypercall.c hv/report.c
 * hv/console.c links: hv/format.c hv/uart.c hv/screen.c hv/font.c hv/fp_transfer.c links:
 * hv/pages.c hv/ranges.c hv/memmap.c hv/fp.c hv/fp_area.c tests/host/fake/transfer.c links:
 * tests/host/fake/fake.c tests/host/fake/guest.c tests/host/fake/world.c links:
 * tests/host/fake/machine.c tests/host/fake/programs.c tests/host/fake/support.c
 */
#include "fake/machine.h"
#include "hv/console.h"
#include "hv/pages.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* Unused here: fake_pages.c's, for the areas are on the real pages. */
u64 fake_pages_held;
u64 fake_pages_limit;
void fake_pages_reset(void)
{
}

static void said(const char *text)
{
    if (!machine_said(text))
        fail_msg("not said: %s\n%s", text, machine.console);
}

static int setup(void **state)
{
    (void)state;
    machine_info(16);
    fake_srand(fake_seed());
    return 0;
}

/* Whatever happened: every VM has ended and given back all it had. */
static int teardown(void **state)
{
    (void)state;
    assert_int_equal(pages_used(PAGES_GUEST), 0);
    assert_true(pages_reserve(pages_left())); /* no reservation is left over */
    for (u32 i = 0; i < nvms; i++) {
        assert_int_equal(vms[i]->fp_quota.used, 0);
        assert_int_not_equal(vms[i]->state, VM_RUNNING);
        assert_int_equal(vms[i]->arch.inited, 0);
    }
    assert_null(pcpus[0].current);
    assert_null(pcpus[0].fp_owner);
    assert_true(arch_fp_is_init(&pcpus[0]));
    return 0;
}

static void one_vm_passes(void **state)
{
    (void)state;
    machine_vm("alpha", "end 0");
    assert_true(machine_boot());
    said("fermata: vm alpha passed\n");
    said("fermata: PASS\n");
    assert_string_equal(machine.console + machine.used - 14, "fermata: PASS\n");
}

/* Eager and lazy, one and three vCPUs, with FP and without, under the real scheduler. */
static void many_guests(void **state)
{
    struct boot_vm *vm;

    (void)state;
    print_message("# SEED=%llu\n", (unsigned long long)fake_seed());
    for (u32 round = 0; round < 4; round++) {
        machine_info(16);
        fake.gate_in_vcpu = round & 1;
        fake.must_load = round & 2;
        machine_vm("alpha", "fp 4000");
        vm = machine_vm("beta", "share 2000");
        vm->vcpus = 3;
        vm = machine_vm("gamma", "fp 3000");
        vm->policy = BOOT_POLICY_EAGER;
        vm = machine_vm("delta", "fp 2000");
        snprintf(vm->fp, sizeof(vm->fp), "base");
        machine_vm("omega", "nofp 3000");
        bool passed = machine_boot();
        if (!passed)
            fail_msg("%s", machine.console);
        struct vcpu *omega = vms[4]->vcpus[0];
        if (!fake.must_load) {
            assert_int_equal(omega->fp.stats.bytes, 0);
            assert_int_equal(omega->stats.fp_bytes, 0);
            assert_int_equal(omega->fp.stats.traps, 0);
            assert_true(vms[0]->vcpus[0]->fp.stats.traps > 100);
        }
        assert_true(omega->stats.switches > 100);
        /* An eager one is loaded at each arrival, also back from an export or import, and traps
         * never. */
        const struct vcpu *gamma = vms[2]->vcpus[0];
        assert_int_equal(gamma->fp.stats.loads, gamma->stats.switches + gamma->arch.transfers);
        assert_int_equal(gamma->fp.stats.traps, 0);
    }
}

/* Round robin: of VMs that only yield, none runs twice before all others ran once. */
static void fair(void **state)
{
    (void)state;
    for (u32 i = 0; i < 5; i++) {
        char name[8];
        snprintf(name, sizeof(name), "v%u", i);
        machine_vm(name, "nofp 20000");
    }
    assert_true(machine_boot());
    u64 least = ~0ull, most = 0;
    for (u32 i = 0; i < 5; i++) {
        u64 n = vms[i]->vcpus[0]->stats.switches;
        least = n < least ? n : least;
        most = n > most ? n : most;
    }
    assert_true(most - least < most / 10);
}

static void status_decides(void **state)
{
    (void)state;
    machine_vm("alpha", "end 3");
    machine_vm("beta", "nofp 10");
    assert_false(machine_boot());
    said("vm alpha failed: powered off with status 3");
    said("vm beta passed");
    said("fermata: FAIL: 1 of 2 VMs: vm alpha failed\n");
}

static void crash_stops_one_vm(void **state)
{
    (void)state;
    machine_vm("alpha", "crash")->vcpus = 2;
    machine_vm("beta", "fp 500");
    assert_false(machine_boot());
    said("[alpha.0] p\n"); /* what it had printed comes out first */
    said("vm alpha failed: vCPU 0 at 0x1000: triple fault");
    said("vm beta passed");
}

/* A VM ends while its other vCPUs wait in the queue, first, last and in between. */
static void ends_under_its_vcpus(void **state)
{
    (void)state;
    for (u32 round = 0; round < 24; round++) {
        char program[16];
        machine_info(16);
        fake.gate_in_vcpu = round & 1;
        snprintf(program, sizeof(program), "mob %u", 4 + round);
        machine_vm("alpha", program)->vcpus = 2 + round % 7;
        machine_vm("beta", "share 100")->vcpus = 3;
        snprintf(program, sizeof(program), "mob %u", 9 + round / 2);
        machine_vm("gamma", program)->vcpus = 5;
        (void)machine_boot();
        assert_int_equal(vms[0]->state, round & 1 ? VM_FAILED : VM_PASSED);
        assert_int_equal(vms[1]->state, VM_PASSED);
        assert_null(pcpus[0].run_head);
        for (u32 i = 0; i < vms[0]->nvcpus; i++)
            assert_int_equal(vms[0]->vcpus[i]->state, VCPU_STOPPED);
    }
}

/* No area to be had, which only overcommit can bring about: that vCPU stops, with a line. */
static void no_memory_for_areas(void **state)
{
    (void)state;
    machine_vm("lazy", "starve")->vcpus = 2;
    machine_vm("eager", "nofp 10")->policy = BOOT_POLICY_EAGER;
    machine_vm("other", "nofp 300");
    machine.no_areas = true;
    assert_false(machine_boot());
    said("vm lazy failed: vCPU 0 at");
    said("vm eager failed: vCPU 0 at 0x0: no memory for its FP save area");
    said("vm other passed");
}

/* Memory that just does, or does not: what an overcommitted VM is made of is no one's promise. */
static void overcommit_takes_no_promise(void **state)
{
    (void)state;
    for (u32 pages = 4; pages < 256; pages += 2) {
        struct boot_info *info = machine_info(8);
        u64 ram = ALIGN_UP(info->regions[0].base + MiB(1), MiB(2));
        info->nregions = 1; /* a little, and both VMs' RAM */
        info->regions[0].base = ram - pages * PAGE_SIZE;
        info->regions[0].bytes = MiB(4) + pages * PAGE_SIZE;
        machine_vm("alpha", "end 0")->vcpus = VM_MAX_VCPUS;
        struct boot_vm *vm = machine_vm("beta", "end 0");
        vm->vcpus = VM_MAX_VCPUS;
        vm->overcommit = 1;
        machine.hog = true;
        (void)machine_boot();
        machine_unhog();
    }
}

static void halted_for_ever(void **state)
{
    (void)state;
    machine_vm("alpha", "halt");
    machine_vm("beta", "fp 200");
    assert_false(machine_boot());
    said("every vCPU is halted or off");
    said("vm beta passed");
}

/* A loop with interrupts off: others go on, the limit ends it, the line says so. */
static void endless_loop(void **state)
{
    (void)state;
    machine_vm("alpha", "spin")->limit_ms = 5000;
    machine_vm("beta", "fp 300");
    assert_false(machine_boot());
    said("has run for 2 s without leaving the guest");
    said("used 5000 ms of CPU time, all that limit allows, with interrupts off");
    said("vm beta passed");
}

static void hypercalls(void **state)
{
    (void)state;
    machine_vm("alpha", "badcall");
    assert_true(machine_boot());
    said("made hypercall 0x12345, which does not exist");
    assert_false(machine_said("0xffffffffffffffff")); /* said once */
}

/* Lines whole and prefixed; nothing a guest prints can pass for another's line. */
static void console_lines(void **state)
{
    (void)state;
    machine_vm("alpha", "print");
    assert_false(machine_boot());
    said("\n[alpha.0] TAP\n");
    said("\n[alpha.0] ?[2Jhidden\n");
    said("\n[alpha.0] no newline\n");
    said("failed: 1 line(s) \"not ok\" although it powered off with status 0");
    for (const char *line = machine.console; *line; line = strchr(line, '\n') + 1) {
        assert_true(!strncmp(line, "fermata: ", 9) || !strncmp(line, "[alpha.0] ", 10));
        assert_true(strchr(line, '\n') - line <= VM_LINE_BYTES + 256);
    }
}

/* Every VM that cannot be made is refused with one line, and costs the others nothing. */
static void refusals(void **state)
{
    struct boot_vm *vm;

    (void)state;
    vm = machine_vm("error", "end 0");
    snprintf(vm->error, sizeof(vm->error), "\\a.elf is not on the volume");
    vm->line = 12;
    machine_vm("none", "end 0")->vcpus = 0;
    machine_vm("crowd", "end 0")->vcpus = VM_MAX_VCPUS + 1;
    machine_vm("odd", "end 0")->memory = MiB(2) + 4096;
    machine_vm("empty", "end 0")->memory = 0;
    machine_vm("huge", "end 0")->memory = GiB(64);
    machine_vm("vast", "end 0")->memory = ~0ull & ~(MiB(2) - 1);
    machine_vm("away", "end 0")->cpus = 2;
    machine_vm("noimage", "end 0")->image = 0;
    machine_vm("badimage", "end 0")->image_bytes = 3;
    machine_vm("badfp", "end 0")->fp[0] = 'x';
    machine_vm("stage2", "impossible");
    machine_vm("good", "fp 500");
    assert_false(machine_boot());
    said("vm error refused (fermata.conf:12): \\a.elf is not on the volume");
    said("vm none refused (built in): vcpus = 0");
    said("vm crowd refused (built in): vcpus = 17");
    said("vm odd refused (built in): memory = 2101248");
    said("vm empty refused");
    said("vm huge refused (built in): memory = 65536M is not to be had");
    said("vm vast refused");
    said("vm away refused (built in): cpus names none");
    said("vm noimage refused (built in): kernel builtin: it was not read");
    said("vm badimage refused (built in): kernel builtin: it is no fake kernel");
    said("vm badfp refused (built in): 'x' is no component");
    said("vm stage2 refused (built in): no stage 2 for it");
    said("vm good passed");
    said("FAIL: 12 of 13 VMs: vm error refused, and others");
}

/* Memory runs out on the way, at every amount of it: refused, given back, the first VM goes on. */
static void memory_runs_out(void **state)
{
    (void)state;
    for (u32 mib = 4; mib <= 12; mib++) {
        machine_info(mib);
        machine_vm("first", "fp 200");
        for (u32 i = 0; i < 4; i++)
            machine_vm("big", "share 20")->vcpus = VM_MAX_VCPUS;
        (void)machine_boot();
        assert_int_equal(pages_used(PAGES_GUEST), 0);
        if (vms[0]->state != VM_REFUSED)
            assert_int_equal(vms[0]->state, VM_PASSED);
    }
}

/*
 * An admitted VM finds its areas whatever else has become of memory: all that is left is what was
 * reserved, and every vCPU grows through every size. Programs fail where they are refused.
 */
static void reservation_suffices(void **state)
{
    (void)state;
    for (u32 round = 0; round < 20; round++) {
        machine_info(16);
        machine_vm("alpha", "share 300")->vcpus = 1 + round % 8;
        machine_vm("beta", "fp 400")->policy = round & 1;
        struct boot_vm *vm = machine_vm("gamma", "share 200");
        vm->vcpus = 3;
        if (round & 2)
            snprintf(vm->fp, sizeof(vm->fp), "base");
        machine.hog = true;
        bool passed = machine_boot();
        machine_unhog();
        if (!passed)
            fail_msg("%s", machine.console);
    }
}

/* The same for areas that share pages: two sizes at once are two pages, however small they are. */
static void reservation_of_small_areas(void **state)
{
    (void)state;
    for (u32 vcpus = 1; vcpus <= 16; vcpus++) {
        machine_info(16);
        struct boot_vm *vm = machine_vm("alpha", "share 300");
        vm->vcpus = vcpus;
        snprintf(vm->fp, sizeof(vm->fp), "small");
        machine.hog = true;
        bool passed = machine_boot();
        machine_unhog();
        if (!passed)
            fail_msg("%s", machine.console);
    }
}

static void no_vms(void **state)
{
    (void)state;
    assert_false(machine_boot());
    said("FAIL: there is no VM to run");
}

static void selftest_stops(void **state)
{
    (void)state;
    machine_vm("alpha", "end 0");
    machine.broken = "the gate does not trap XSAVE";
    assert_false(machine_boot());
    said("fermata: FAIL: the gate does not trap XSAVE\n");
    assert_int_equal(nvms, 0);
}

/* A UART that never becomes ready costs a bounded time, and the run goes on. */
static void dead_uart(void **state)
{
    (void)state;
    machine_vm("alpha", "fp 100");
    machine.uart_dead = true;
    assert_true(machine_boot());
    assert_in_range(machine.reads, 1, 1000000);
}

static void log_levels(void **state)
{
    struct boot_info *info = machine_info(16);

    (void)state;
    machine_vm("alpha", "print todo");
    info->config.log = BOOT_LOG_ERROR;
    assert_false(machine_boot());
    assert_false(machine_said("memory: hypervisor"));
    said("[alpha.0] ok 1 - good");
    said("fermata: FAIL");
    info = machine_info(16);
    info->uart.kind = BOOT_UART_NONE;
    machine_vm("alpha", "end 0");
    assert_true(machine_boot());
    assert_int_equal(machine.used, 0);
}

static void vm_ram_bounds(void **state)
{
    u8 ram[16];
    struct vm vm = {.ram = ram, .ram_gpa = 0x1000, .ram_bytes = 16};

    (void)state;
    assert_ptr_equal(vm_ram(&vm, 0x1000, 16), ram);
    assert_ptr_equal(vm_ram(&vm, 0x100f, 1), ram + 15);
    assert_ptr_equal(vm_ram(&vm, 0x1010, 0), ram + 16);
    assert_null(vm_ram(&vm, 0x1010, 1));
    assert_null(vm_ram(&vm, 0xfff, 1));
    assert_null(vm_ram(&vm, 0x1000, 17));
    assert_null(vm_ram(&vm, 0x1008, ~0ull));
    assert_null(vm_ram(&vm, ~0ull, 1));
    assert_null(vm_ram(&vm, ~0ull, 0x1012));
    assert_null(vm_ram(&vm, 0, ~0ull));
    machine_vm("alpha", "end 0");
    assert_true(machine_boot());
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_vm_passes),
        TEST(many_guests),
        TEST(fair),
        TEST(status_decides),
        TEST(crash_stops_one_vm),
        TEST(halted_for_ever),
        TEST(ends_under_its_vcpus),
        TEST(no_memory_for_areas),
        TEST(overcommit_takes_no_promise),
        TEST(endless_loop),
        TEST(hypercalls),
        TEST(console_lines),
        TEST(refusals),
        TEST(memory_runs_out),
        TEST(no_vms),
        TEST(reservation_of_small_areas),
        TEST(reservation_suffices),
        TEST(selftest_stops),
        TEST(dead_uart),
        TEST(log_levels),
        TEST(vm_ram_bounds),
    };

    return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
