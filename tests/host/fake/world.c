/* VMs, vCPUs and the oracle of the FP tests. See world.h. */
#include "world.h"
#include "hv/fp_area.h"

#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct world world;

void world_reset(bool gate_in_vcpu)
{
    fake_pages_reset();
    fake_machine_reset();
    fake.gate_in_vcpu = gate_in_vcpu;
    memset(&world, 0, sizeof(world));
    for (u32 i = 0; i < WORLD_VMS; i++) {
        world.vms[i].id = i;
        world.vms[i].fp_quota.limit = MiB(1);
        world.vms[i].arch.fp.xcr = FAKE_XCR_V | FAKE_XCR_E0 | FAKE_XCR_E1;
    }
}

int world_setup(void **state)
{
    world_reset(*state != NULL);
    return 0;
}

int world_teardown(void **state)
{
    (void)state;
    world_end();
    return 0;
}

void world_end(void)
{
    for (u32 i = 0; i < WORLD_SLOTS; i++) {
        if (world.exists[i])
            world_destroy(&world.slots[i]);
    }
    world_check();
    for (u32 i = 0; i < WORLD_VMS; i++)
        assert_int_equal(world.vms[i].fp_quota.used, 0);
    assert_int_equal(fake_pages_held, 0);
}

void oracle_reset(struct oracle *o)
{
    fake_regs_init(&o->regs);
    o->xcr = FAKE_XCR_V;
    o->ctrl = 0;
}

struct oracle *world_oracle(const struct vcpu *v)
{
    return v->arch.oracle;
}

struct vcpu *world_create(u32 slot, u32 vm, u32 cpu, fp_units offered, enum fp_policy policy)
{
    struct vcpu *v = &world.slots[slot];

    assert_false(world.exists[slot]);
    world.exists[slot] = true;
    /* What vm_create() hands to arch_vcpu_init(): zeroed memory, whatever was there before. */
    memset(v, 0, sizeof(*v));
    v->id = slot;
    v->vm = &world.vms[vm];
    v->pcpu = &pcpus[cpu];
    v->state = VCPU_RUNNABLE;
    fp_init(v, offered, policy);
    v->fp.arch.xcr = FAKE_XCR_V;
    v->fp.arch.xcr_ever = FAKE_XCR_V;

    v->arch.oracle = &world.oracles[slot];
    oracle_reset(v->arch.oracle);
    return v;
}

/* As vm_end(): release first, then off its CPU if it was current. */
void world_destroy(struct vcpu *v)
{
    fake.this_cpu = v->pcpu->id;
    fp_release(v);
    assert_null(v->fp.area.base);
    assert_int_equal(v->fp.live, 0);
    if (v->pcpu->current == v) {
        fp_switch_out(v);
        v->pcpu->current = NULL;
    }
    world.exists[v - world.slots] = false;
    memset(v, 0xa5, sizeof(*v));
}

void world_reset_vcpu(struct vcpu *v)
{
    struct oracle *o = world_oracle(v);

    fake.this_cpu = v->pcpu->id;
    if (v->pcpu->current == v)
        world_leave(v->pcpu);
    fp_release(v);
    v->fp.arch = (struct arch_fp){.xcr = FAKE_XCR_V, .xcr_ever = FAKE_XCR_V};
    oracle_reset(o);
}

void world_leave(struct pcpu *cpu)
{
    struct vcpu *v = cpu->current;

    if (!v)
        return;
    fake.this_cpu = cpu->id;
    fp_switch_out(v);
    cpu->current = NULL;
    assert_null(cpu->fp_owner);
    assert_true(arch_fp_is_init(cpu));
    assert_int_equal(v->fp.cpu, FP_NOWHERE);
}

bool world_run(struct vcpu *v)
{
    fake.this_cpu = v->pcpu->id;
    if (v->pcpu->current == v)
        return true; /* A, hypervisor, A: nothing is moved */
    world_leave(v->pcpu);
    v->pcpu->current = v;
    if (fp_switch_in(v))
        return true;
    v->pcpu->current = NULL;
    return false;
}

void world_migrate(struct vcpu *v, u32 cpu)
{
    if (v->pcpu->current == v)
        world_leave(v->pcpu);
    v->pcpu = &pcpus[cpu];
}

enum fake_result world_read(struct vcpu *v, u32 reg)
{
    struct oracle *o = world_oracle(v);
    u64 value = 0;
    enum fake_result result = fake_guest_read(v, reg, &value);

    if (result == FAKE_OK && value != fake_reg_get(&o->regs, reg))
        fail_msg("vCPU %u register %u: reads %#llx, wrote %#llx", v->id, reg, (long long)value,
                 (long long)fake_reg_get(&o->regs, reg));
    if (fake_reg_units(reg) & ~v->fp.offered)
        assert_true(result == FAKE_REFUSED || result == FAKE_NO_MEMORY);
    else if (fake_reg_xcr(reg) & ~o->xcr)
        assert_true(result == FAKE_OWN_FAULT || result == FAKE_NO_MEMORY);
    else
        assert_true(result == FAKE_OK || result == FAKE_NO_MEMORY);
    return result;
}

enum fake_result world_write(struct vcpu *v, u32 reg, u64 value)
{
    enum fake_result result = fake_guest_write(v, reg, value);

    if (result == FAKE_OK)
        fake_reg_set(&world_oracle(v)->regs, reg, value);
    return result;
}

enum fake_result world_smstart(struct vcpu *v)
{
    enum fake_result result = fake_guest_smstart(v);

    if (result == FAKE_OK)
        fake_smstart(&world_oracle(v)->regs);
    return result;
}

void world_control(struct vcpu *v, u64 value)
{
    struct oracle *o = world_oracle(v);

    assert_true(fake_guest_read_ctrl(v) == o->ctrl);
    assert_true(fake_guest_read_xcr(v) == o->xcr);
    fake_guest_write_ctrl(v, value);
    o->ctrl = value;
}

enum fake_result world_xsetbv(struct vcpu *v, u64 xcr)
{
    enum fake_result result = fake_guest_xsetbv(v, xcr);

    if (result == FAKE_OK)
        world_oracle(v)->xcr = xcr;
    assert_true(fake_guest_read_xcr(v) == world_oracle(v)->xcr);
    return result;
}

void world_read_all(struct vcpu *v)
{
    for (u32 reg = 0; reg < FAKE_REGS; reg++)
        world_read(v, reg);
}

u64 world_value(const struct vcpu *v, u32 reg)
{
    static u64 writes;

    return (u64)(v->id + 1) << 56 | (u64)reg << 40 | (++writes & 0xffffffffffull);
}

void world_write_all(struct vcpu *v)
{
    for (u32 reg = 0; reg < FAKE_REGS; reg++)
        world_write(v, reg, world_value(v, reg));
}

static void check_cpu(const struct pcpu *cpu)
{
    const struct vcpu *owner = cpu->fp_owner;

    for (u32 i = 0; i < WORLD_SLOTS; i++) {
        const struct vcpu *v = &world.slots[i];
        if (world.exists[i])
            assert_true((owner == v) == (v->fp.cpu == cpu->id)); /* I1 */
        else
            assert_true(owner != v && cpu->current != v); /* I7 */
    }
    if (!owner)
        assert_true(arch_fp_is_init((struct pcpu *)(uintptr_t)cpu)); /* I4 */
    else
        assert_ptr_equal(owner, cpu->current); /* lazy and eager own nothing once they left */

    fp_units open = cpu->current ? fake_gate(cpu->current) : cpu->arch.gate;
    if (!owner)
        assert_int_equal(open, 0); /* I2 */
    else
        assert_true((open & ~owner->fp.live) == 0);
}

void world_check(void)
{
    u64 used[WORLD_VMS] = {0};

    for (u32 i = 0; i < MAX_CPUS; i++)
        check_cpu(&pcpus[i]);
    for (u32 i = 0; i < WORLD_SLOTS; i++) {
        const struct vcpu *v = &world.slots[i];
        if (!world.exists[i])
            continue;
        if (v->pcpu->current != v) {
            assert_int_equal(v->fp.cpu, FP_NOWHERE); /* I7: it may go anywhere now */
            if (fake.gate_in_vcpu)
                assert_int_equal(fake_gate(v), 0); /* I2 */
        } else {
            assert_true(v->pcpu->arch.ctrl == world.oracles[i].ctrl); /* I9 */
            assert_true(v->pcpu->arch.xcr == world.oracles[i].xcr);
        }
        assert_true((v->fp.live == 0) == (v->fp.cpu == FP_NOWHERE));
        assert_true((v->fp.live & ~v->fp.offered) == 0);
        if (v->fp.live || v->fp.area.base)
            assert_true(v->fp.area.bytes >= arch_fp_bytes(&v->fp, v->fp.live)); /* I3 */
        if ((v->fp.live & FAKE_UNITS) == FAKE_UNIT_BASE) {
            /* I6: base open alone only over a clean vector unit; the registers are then INIT. */
            assert_false(v->fp.arch.z_dirty);
        }
        if (v->fp.area.base)
            used[v->vm->id] += fp_area_cost(v->fp.area.bytes);
    }
    for (u32 i = 0; i < WORLD_VMS; i++) {
        assert_int_equal(world.vms[i].fp_quota.used, used[i]);
        assert_true(used[i] <= world.vms[i].fp_quota.limit);
    }
}
