/* What cr.c calls: a vCPU's registers without a vCPU. Included once, by test_cpu_x86.c. */
#ifndef X86_CR_WORLD_H
#define X86_CR_WORLD_H

/* ---- What cr.c calls ---- */

static u64 regs[32];
static unsigned cpl;
static u32 flushes, controls, grows;
static bool grow_fails;
struct fp_hw fp_hw;
struct cpu_features cpu_has;

static u64 get_reg(const struct vcpu *v, enum guest_reg reg)
{
    (void)v;
    return regs[reg];
}

static void set_reg(struct vcpu *v, enum guest_reg reg, u64 value)
{
    (void)v;
    regs[reg] = value;
}

static unsigned get_cpl(const struct vcpu *v)
{
    (void)v;
    return cpl;
}

static void flush(struct vcpu *v)
{
    (void)v;
    flushes++;
}

static const struct virt_ops ops = {
    .get = get_reg, .set = set_reg, .cpl = get_cpl, .flush_tlb = flush};
const struct virt_ops *virt = &ops;

void arch_fp_controls(struct vcpu *v)
{
    (void)v;
    controls++;
}

void fp_plan(struct fp_ctx *fp)
{
    fp->arch.allocated = (u32)fp->arch.enabled;
}

void fp_spare(struct vcpu *spared, size_t bytes)
{
    (void)spared;
    (void)bytes;
}

/* The area must be large enough before the component can become live. */
bool fp_grow(struct vcpu *v)
{
    assert_int_equal(v->fp.arch.allocated, v->fp.arch.enabled);
    grows++;
    return !grow_fails;
}

#endif
