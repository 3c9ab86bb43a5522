/* The guests' programs: what arch_vcpu_run() runs. See machine.h. */
#include "machine.h"
#include "hv/abi.h"
#include "hv/hypercall.h"
#include "hv/pages.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void print(struct vcpu *v, const char *text)
{
    for (; *text; text++)
        vm_console_putc(v, *text);
}

static enum vcpu_event call(struct vcpu *v, u64 function, u64 argument, s64 *status, u64 *value)
{
    struct hypercall_result result;
    enum vcpu_event event = hypercall(v, function, argument, &result);

    v->stats.exits++;
    *status = result.status;
    *value = result.value;
    return event;
}

static enum vcpu_event power_off(struct vcpu *v, u64 status)
{
    s64 answer;
    u64 value;

    return call(v, FERMATA_HC_POWER_OFF, status, &answer, &value);
}

/* The guest takes its own FP state out and puts it back: nothing must have changed. */
static void there_and_back(struct vcpu *v)
{
    struct fermata_fp_transfer t = {v->id, 0, v->vm->ram_gpa + PAGE_SIZE, KiB(64)};
    s64 status;
    u64 bytes, value;

    memcpy(v->vm->ram, &t, sizeof(t));
    call(v, FERMATA_HC_FP_EXPORT, v->vm->ram_gpa, &status, &bytes);
    assert_int_equal(status, FERMATA_OK);
    t.bytes = bytes;
    memcpy(v->vm->ram, &t, sizeof(t));
    call(v, FERMATA_HC_FP_IMPORT, v->vm->ram_gpa, &status, &value);
    assert_int_equal(status, FERMATA_OK);
    v->arch.transfers += 2;
}

static void fp_step(struct vcpu *v)
{
    u32 reg = fake_below(FAKE_REGS);
    enum fake_result result = FAKE_OK;

    switch (fake_below(16)) {
    case 0:
        world_control(v, fake_rand());
        return;
    case 1:
        result = world_xsetbv(v, FAKE_XCR_V | (fake_rand() & v->vm->arch.fp.xcr));
        break;
    case 2:
        result = world_smstart(v);
        break;
    case 3:
        there_and_back(v);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        result = world_write(v, reg, world_value(v, reg));
        break;
    default:
        result = world_read(v, reg);
    }
    assert_int_not_equal(result, FAKE_NO_MEMORY); /* an admitted VM's quota was reserved */
}

/* The counters a guest can ask for are those of its own vCPU. */
static void ask(struct vcpu *v)
{
    s64 status;
    u64 value;

    assert_int_equal(call(v, FERMATA_HC_VERSION, 0, &status, &value), VCPU_RESUME);
    assert_int_equal(value, FERMATA_ABI_VERSION);
    call(v, FERMATA_HC_STAT, FERMATA_STAT_FP_LOADS, &status, &value);
    assert_int_equal(status, FERMATA_OK);
    assert_int_equal(value, v->fp.stats.loads);
    call(v, FERMATA_HC_STAT, FERMATA_STAT_EXITS, &status, &value);
    assert_int_equal(value, v->stats.exits - 1);
    call(v, FERMATA_HC_STAT, FERMATA_STATS, &status, &value);
    assert_int_equal(status, FERMATA_INVALID);
    call(v, FERMATA_HC_STAT, ~0ull, &status, &value);
    assert_int_equal(status, FERMATA_INVALID);
}

static bool others_done(const struct vcpu *v)
{
    for (u32 i = 1; i < v->vm->nvcpus; i++) {
        if (v->vm->vcpus[i]->state == VCPU_RUNNABLE)
            return false;
    }
    return true;
}

/*
 * Every vCPU runs for ever, until one of them, the last or the first, ends the VM under the others:
 * they leave the queue from wherever they stand in it.
 */
static enum vcpu_event mob(struct vcpu *v, u64 n)
{
    const u32 last = v->vm->nvcpus - 1;
    const bool crashes = n & 1;

    if (v->id == 0 && v->arch.steps == 0) {
        for (u32 i = 1; i <= last; i++)
            vcpu_start(v->vm->vcpus[i]);
    }
    for (u32 i = fake_below(6); i > 0; i--)
        fp_step(v);
    v->arch.steps++;
    if (v->arch.steps < n || v->id != (n & 2 ? last : 0))
        return fake_below(2) ? VCPU_PREEMPTED : VCPU_YIELDED;
    if (!crashes)
        return power_off(v, 0);
    vcpu_crash(v, "mobbed");
    return VCPU_VM_ENDED;
}

/* Uses FP although there is no memory for it: what arch/ does with FP_TRAP_NO_MEMORY. */
static enum vcpu_event starve(struct vcpu *v)
{
    u64 value;

    assert_int_equal(fake_guest_read(v, FAKE_REG_V, &value), FAKE_NO_MEMORY);
    vcpu_crash(v, "no memory for its FP save area");
    return VCPU_VM_ENDED;
}

/* A quantum of the counting programs. */
static enum vcpu_event count(struct vcpu *v, bool fp, bool share, u64 n)
{
    s64 status;
    u64 value;

    if (share && v->id == 0 && v->arch.steps == 0) {
        for (u32 i = 1; i < v->vm->nvcpus; i++)
            vcpu_start(v->vm->vcpus[i]);
    }
    for (u32 i = fake_below(12); i > 0 && v->arch.steps < n; i--, v->arch.steps++) {
        if (fp)
            fp_step(v);
        else
            fake_guest_nothing(v);
    }
    if (v->arch.steps < n) {
        if (fake_below(4))
            return VCPU_PREEMPTED;
        ask(v);
        return call(v, FERMATA_HC_YIELD, 0, &status, &value);
    }
    if (share && v->id != 0) {
        v->state = VCPU_OFF;
        return VCPU_BLOCKED;
    }
    return others_done(v) ? power_off(v, 0) : VCPU_YIELDED;
}

static enum vcpu_event chatter(struct vcpu *v)
{
    print(v, "TAP\r\n\033[2Jhidden\n");
    for (u32 i = 0; i < 3 * VM_LINE_BYTES; i++)
        print(v, "x");
    print(v, "\nok 1 - good\nnot ok 2 - bad\n");
    print(v, strstr(v->vm->config->cmdline, "todo") ? "" : "not ok 3 - later # TODO\n");
    print(v, "no newline");
    return power_off(v, 0);
}

/* From now on there is exactly what admitted VMs were promised. */
static void hog(void)
{
    u64 promised = 0;

    for (u32 i = 0; i < nvms; i++)
        promised += vms[i]->reserved;
    assert_true(pages_left() >= promised);
    while (pages_left() > promised) {
        assert_true(machine.hogged < ARRAY_SIZE(machine.hoard));
        machine.hoard[machine.hogged++] = pages_alloc(1, PAGE_SIZE, PAGES_HYPERVISOR);
    }
    machine.hog = false;
}

void machine_unhog(void)
{
    while (machine.hogged > 0)
        pages_free(machine.hoard[--machine.hogged], 1, PAGES_HYPERVISOR);
}

enum vcpu_event arch_vcpu_run(struct vcpu *v)
{
    const char *program = v->vm->config->cmdline;
    const char *space = strchr(program, ' ');
    u64 n = space ? strtoull(space, NULL, 0) : 0, value;
    s64 status;

    assert_int_equal(v->state, VCPU_RUNNABLE);
    if (machine.hog)
        hog();
    assert_int_equal(v->pcpu->arch.timer, v->pcpu->quantum);
    v->pcpu->arch.timer = 0;
    v->arch.pc = 0x1000 + v->arch.steps;
    v->stats.exits++;
    if (!strncmp(program, "fp", 2) || !strncmp(program, "nofp", 4))
        return count(v, *program == 'f', false, n);
    if (!strncmp(program, "share", 5))
        return count(v, true, true, n);
    if (!strncmp(program, "mob", 3))
        return mob(v, n);
    if (!strcmp(program, "starve"))
        return starve(v);
    if (!strncmp(program, "end", 3))
        return power_off(v, n);
    if (!strncmp(program, "print", 5))
        return chatter(v);
    if (!strcmp(program, "crash")) {
        vm_console_putc(v, 'p');
        vcpu_crash(v, "triple fault");
        return VCPU_VM_ENDED;
    }
    if (!strcmp(program, "halt")) {
        v->state = VCPU_HALTED;
        return VCPU_BLOCKED;
    }
    if (!strcmp(program, "spin")) {
        v->arch.interrupts_off = true;
        fake_now += 100000;
        return VCPU_PREEMPTED;
    }
    assert_string_equal(program, "badcall");
    call(v, 0x12345, 0, &status, &value);
    assert_int_equal(status, FERMATA_NOT_SUPPORTED);
    call(v, 0xffffffffffffffff, 0, &status, &value);
    return power_off(v, 0);
}
