/* Guests of the fake machine: one entry, one access, traps handled as arch/ handles them. */
#include "fake.h"

#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

fp_units fake_gate(const struct vcpu *v)
{
    return fake.gate_in_vcpu ? v->arch.gate : v->pcpu->arch.gate;
}

/*
 * BUGS 1: whatever is behind a closed gate is INIT at every entry, by the register's own value. The
 * matrix unit's control cannot be half open; everything else is word by word.
 */
static void closed_registers_are_init(const struct vcpu *v)
{
    const struct fake_regs *regs = &v->pcpu->arch.regs;
    fp_units open = fake_gate(v);
    struct fake_regs init;

    if ((open & FAKE_UNITS) == FAKE_UNITS)
        return;
    fake_regs_init(&init);
    for (u32 reg = 0; reg < FAKE_REGS; reg++) {
        if (fake_reg_units(reg) & ~open)
            assert_true(fake_reg_get(regs, reg) == fake_reg_get(&init, reg));
    }
}

/* From fp_enter() on memory is stale by contract: make it worthless, so that a later use of it
 * shows. */
static void poison_stale_area(struct vcpu *v)
{
    struct fp_ctx *fp = &v->fp;
    struct fp_ctx copy = *fp;
    struct fake_regs *regs = &v->pcpu->arch.regs;
    struct fake_regs real = *regs;
    struct fake_counts counts = fake.count;

    if (!fp->live)
        return;
    /* The fake's own save, of garbage, writes every stale word and no other. */
    for (u32 reg = 0; reg < FAKE_REGS; reg++)
        ((u64 *)regs)[reg] = 0xdeadbeef00000000ull | reg;
    arch_fp_save(&copy);
    *regs = real;
    fake.count = counts;
}

static void enter(struct vcpu *v)
{
    assert_ptr_equal(v->pcpu->current, v);
    assert_ptr_equal(v->pcpu, arch_this_cpu());
    fp_enter(v, &v->fp);
    assert_true(v->pcpu->fp_owner == v || fake_gate(v) == 0);
    closed_registers_are_init(v);
    poison_stale_area(v);
    fake.count.entries++;
}

/* Enters until an instruction that needs `units` and `xcr` can run. */
static enum fake_result access(struct vcpu *v, fp_units units, u64 xcr)
{
    for (int tries = 0; tries < 8; tries++) {
        enter(v);
        if (v->pcpu->arch.xcr != (v->pcpu->arch.xcr | xcr)) {
            /* Behind a closed gate even this comes as a trap; open and retry delivers it. */
            if (!(fake_gate(v) & FAKE_UNIT_BASE))
                units = FAKE_UNIT_BASE;
            else
                return FAKE_OWN_FAULT;
        }
        fp_units closed = units & ~fake_gate(v);
        if (!closed)
            return FAKE_OK;
        switch (fp_trap(v, closed & -closed)) { /* the lowest one: each has its exit code */
        case FP_TRAP_RETRY:
            break;
        case FP_TRAP_REFUSED:
            return FAKE_REFUSED;
        case FP_TRAP_NO_MEMORY:
            return FAKE_NO_MEMORY;
        case FP_TRAP_NOT_OURS:
            fail_msg("the gate is closed, and fp_trap says it is open");
        }
    }
    fail_msg("the guest traps for ever");
    return FAKE_REFUSED;
}

enum fake_result fake_guest_read(struct vcpu *v, u32 reg, u64 *value)
{
    enum fake_result result = access(v, fake_reg_units(reg), fake_reg_xcr(reg));

    if (result == FAKE_OK)
        *value = fake_reg_get(&v->pcpu->arch.regs, reg);
    return result;
}

enum fake_result fake_guest_write(struct vcpu *v, u32 reg, u64 value)
{
    enum fake_result result = access(v, fake_reg_units(reg), fake_reg_xcr(reg));

    if (result == FAKE_OK)
        fake_reg_set(&v->pcpu->arch.regs, reg, value);
    return result;
}

enum fake_result fake_guest_smstart(struct vcpu *v)
{
    enum fake_result result = access(v, FAKE_UNIT_MAT, FAKE_XCR_V);

    if (result == FAKE_OK)
        fake_smstart(&v->pcpu->arch.regs);
    return result;
}

void fake_guest_nothing(struct vcpu *v)
{
    enter(v);
}

u64 fake_guest_read_ctrl(struct vcpu *v)
{
    enter(v);
    return v->pcpu->arch.ctrl;
}

void fake_guest_write_ctrl(struct vcpu *v, u64 value)
{
    enter(v);
    v->pcpu->arch.ctrl = value;
}

u64 fake_guest_read_xcr(struct vcpu *v)
{
    enter(v);
    return v->pcpu->arch.xcr;
}

enum fake_result fake_guest_xsetbv(struct vcpu *v, u64 xcr)
{
    struct arch_fp *fp = &v->fp.arch;
    u64 before = fp->xcr_ever;

    enter(v);
    if (!(xcr & FAKE_XCR_V) || (xcr & ~(u64)v->vm->arch.fp.xcr))
        return FAKE_OWN_FAULT; /* #GP */
    fp->xcr_ever |= xcr;
    if (!fp_grow(v)) {
        fp->xcr_ever = before;
        return FAKE_NO_MEMORY;
    }
    fp->xcr = xcr;
    v->pcpu->arch.xcr = xcr;
    return FAKE_OK;
}
