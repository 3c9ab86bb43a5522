/* The FP side of the fake machine: registers, gates, area layout, guest accesses. */
#include "fake.h"
#include "fake_transfer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct fake fake;
/* hv/sched.c has them where it is linked. */
__attribute__((weak)) struct pcpu pcpus[MAX_CPUS];

/*
 * The area's layout, in words. Below VEC_BYTES an area holds V alone; from there on V lies inside
 * Z, as in arm64's formats, so that growing an area is a real relayout.
 */
#define MAGIC      0xfe47a0a4ea000000ull
#define AT_MAGIC   0u
#define AT_INUSE   1u /* XSTATE_BV's like: components not in INIT; their words are valid */
#define AT_FCW     2u
#define AT_V       8u /* layout of small areas */
#define AT_E0      16u
#define BASE_BYTES (AT_E0 * 8u)
#define E0_BYTES   ((AT_E0 + FAKE_E0) * 8u)
#define AT_Z       64u /* Z registers whole, then P */
#define AT_P       (AT_Z + FAKE_V * (1 + FAKE_ZHI))
#define VEC_BYTES  720u
#define AT_E1      96u
#define E1_BYTES   ((AT_E1 + FAKE_E1) * 8u)
#define AT_ZA      (AT_E1 + FAKE_E1)
#define ZA_BYTES   ((AT_ZA + FAKE_ZA) * 8u)
_Static_assert(E0_BYTES <= AT_Z * 8, "E0 ends before Z");
_Static_assert((AT_P + FAKE_P) * 8 <= VEC_BYTES, "Z and P fit");
_Static_assert(VEC_BYTES <= AT_E1 * 8, "E1 follows");

struct pcpu *arch_this_cpu(void)
{
    return &pcpus[fake.this_cpu];
}

void fake_regs_init(struct fake_regs *regs)
{
    memset(regs, 0, sizeof(*regs));
    regs->fcw = FAKE_FCW_INIT;
}

void fake_machine_reset(void)
{
    memset(&fake, 0, sizeof(fake));
    memset(pcpus, 0, sizeof(pcpus));
    for (u32 i = 0; i < MAX_CPUS; i++) {
        pcpus[i].id = i;
        pcpus[i].quantum = 1000;
        pcpus[i].arch.xcr = FAKE_XCR_V;
        fake_regs_init(&pcpus[i].arch.regs);
    }
}

u64 fake_reg_get(const struct fake_regs *regs, u32 reg)
{
    assert_true(reg < FAKE_REGS);
    return ((const u64 *)regs)[reg];
}

void fake_reg_set(struct fake_regs *regs, u32 reg, u64 value)
{
    assert_true(reg < FAKE_REGS);
    ((u64 *)regs)[reg] = value;
    /* A write to V zeroes the rest of Z, open gate or not: nobody is told (BUGS 40). */
    if (reg < FAKE_REG_FCW)
        memset(regs->z[reg - FAKE_REG_V], 0, sizeof(regs->z[0]));
}

void fake_smstart(struct fake_regs *regs)
{
    memset(regs->v, 0, sizeof(regs->v));
    memset(regs->z, 0, sizeof(regs->z));
    memset(regs->p, 0, sizeof(regs->p));
}

fp_units fake_reg_units(u32 reg)
{
    if (reg < FAKE_REG_Z)
        return FAKE_UNIT_BASE;
    return reg < FAKE_REG_ZA ? FAKE_UNIT_BASE | FAKE_UNIT_VEC : FAKE_UNIT_MAT;
}

u64 fake_reg_xcr(u32 reg)
{
    if (reg < FAKE_REG_E0 || reg >= FAKE_REG_Z)
        return FAKE_XCR_V;
    return reg < FAKE_REG_E1 ? FAKE_XCR_E0 : FAKE_XCR_E1;
}

/* ---- The hooks fp.c calls ---- */

fp_units arch_fp_closure(const struct fp_ctx *fp, fp_units units)
{
    if (units & FAKE_UNIT_MAT)
        units |= FAKE_UNIT_BASE | FAKE_UNIT_VEC; /* SMSTART changes those (BUGS 39) */
    if (units & FAKE_UNIT_VEC)
        units |= FAKE_UNIT_BASE;
    if ((units & FAKE_UNIT_BASE) && fp->arch.z_dirty)
        units |= FAKE_UNIT_VEC;
    return units & fp->offered;
}

size_t arch_fp_bytes(const struct fp_ctx *fp, fp_units units)
{
    size_t bytes = BASE_BYTES;

    if (fp->arch.xcr_ever & FAKE_XCR_E0)
        bytes = E0_BYTES;
    if (units & FAKE_UNIT_VEC)
        bytes = VEC_BYTES;
    if (fp->arch.xcr_ever & FAKE_XCR_E1)
        bytes = E1_BYTES;
    if (units & FAKE_UNIT_MAT)
        bytes = ZA_BYTES;
    return bytes;
}

static u64 *v_word(const struct fp_area *area, u32 n)
{
    u64 *w = area->base;

    return area->bytes >= VEC_BYTES ? &w[AT_Z + n * (1 + FAKE_ZHI)] : &w[AT_V + n];
}

static void check_area(const struct fp_area *area)
{
    assert_non_null(area->base);
    assert_int_equal((uintptr_t)area->base % FP_AREA_ALIGN, 0);
    assert_true(((u64 *)area->base)[AT_MAGIC] == MAGIC);
}

bool fake_area_sound(const void *area, size_t bytes, u64 xcr_ever)
{
    const u64 *w = area;

    return bytes >= BASE_BYTES && bytes % 8 == 0 && w[AT_MAGIC] == MAGIC &&
           (w[AT_INUSE] & ~xcr_ever) == 0 &&
           bytes >= (xcr_ever & FAKE_XCR_E1   ? E1_BYTES
                     : xcr_ever & FAKE_XCR_E0 ? E0_BYTES
                                              : BASE_BYTES);
}

void arch_fp_reset(const struct fp_ctx *fp, struct fp_area *fresh)
{
    u64 *w = fresh->base;

    fake.count.resets++;
    assert_true(fresh->bytes >= arch_fp_bytes(fp, 0));
    for (u32 i = 0; i < fresh->bytes / 8; i++)
        assert_true(w[i] == 0); /* the allocator's promise, which this relies on */
    w[AT_MAGIC] = MAGIC;
    w[AT_FCW] = FAKE_FCW_INIT;
}

void arch_fp_relayout(const struct fp_ctx *fp, struct fp_area *bigger)
{
    const u64 *from = fp->area.base;
    u64 *to = bigger->base;

    fake.count.relayouts++;
    check_area(&fp->area);
    assert_true(bigger->bytes > fp->area.bytes);
    memcpy(to, from, AT_V * 8);
    for (u32 i = 0; i < FAKE_V; i++)
        *v_word(bigger, i) = *v_word(&fp->area, i);
    if (fp->area.bytes >= E0_BYTES)
        memcpy(to + AT_E0, from + AT_E0, FAKE_E0 * 8);
    if (fp->area.bytes >= VEC_BYTES) {
        /* V moved with it: the same place in both. */
        memcpy(to + AT_Z, from + AT_Z, (AT_P + FAKE_P - AT_Z) * 8);
    }
    if (fp->area.bytes >= E1_BYTES)
        memcpy(to + AT_E1, from + AT_E1, FAKE_E1 * 8);
    if (fp->area.bytes >= ZA_BYTES)
        memcpy(to + AT_ZA, from + AT_ZA, FAKE_ZA * 8);
}

void arch_fp_controls(struct vcpu *v)
{
    struct arch_pcpu *cpu = &v->pcpu->arch;

    assert_ptr_equal(v->pcpu, arch_this_cpu());
    cpu->xcr = v->fp.arch.xcr;
    cpu->ctrl = v->fp.arch.ctrl;
}

void arch_fp_controls_out(struct vcpu *v)
{
    v->fp.arch.ctrl = v->pcpu->arch.ctrl;
}

static size_t load_base(const struct fp_ctx *fp, struct fake_regs *r)
{
    const u64 *w = fp->area.base;
    size_t bytes = 8 + 8 * FAKE_V;

    r->fcw = w[AT_FCW];
    for (u32 i = 0; i < FAKE_V; i++)
        r->v[i] = *v_word(&fp->area, i);
    if (fp->arch.xcr_ever & FAKE_XCR_E0) {
        memset(r->e0, 0, sizeof(r->e0));
        if (w[AT_INUSE] & FAKE_XCR_E0)
            memcpy(r->e0, w + AT_E0, sizeof(r->e0));
        bytes += sizeof(r->e0);
    }
    if (fp->arch.xcr_ever & FAKE_XCR_E1) {
        memset(r->e1, 0, sizeof(r->e1));
        if (w[AT_INUSE] & FAKE_XCR_E1)
            memcpy(r->e1, w + AT_E1, sizeof(r->e1));
        bytes += sizeof(r->e1);
    }
    return bytes;
}

size_t arch_fp_load(struct fp_ctx *fp, fp_units units)
{
    struct fake_regs *r = &arch_this_cpu()->arch.regs;
    const u64 *w = fp->area.base;
    size_t bytes = 0;

    fake.count.loads++;
    check_area(&fp->area);
    assert_true(units != 0 && (units & fp->live) == 0 && (units & ~fp->offered) == 0);
    assert_true(fp->area.bytes >= arch_fp_bytes(fp, units));
    if (units & FAKE_UNIT_BASE)
        bytes += load_base(fp, r);
    if (units & FAKE_UNIT_VEC) {
        for (u32 i = 0; i < FAKE_V; i++)
            memcpy(r->z[i], v_word(&fp->area, i) + 1, sizeof(r->z[i]));
        memcpy(r->p, w + AT_P, sizeof(r->p));
        bytes += sizeof(r->z) + sizeof(r->p);
    }
    if (units & FAKE_UNIT_MAT) {
        memcpy(r->za, w + AT_ZA, sizeof(r->za));
        bytes += sizeof(r->za);
    }
    return bytes;
}

static bool all_zero(const void *p, size_t n)
{
    const u8 *b = p;

    for (size_t i = 0; i < n; i++) {
        if (b[i])
            return false;
    }
    return true;
}

/* One component of XSAVE's like: INIT is noted, not written. */
static size_t save_component(u64 *w, u64 bit, u32 at, const u64 *from, size_t bytes)
{
    w[AT_INUSE] &= ~bit;
    if (all_zero(from, bytes))
        return 0;
    w[AT_INUSE] |= bit;
    memcpy(w + at, from, bytes);
    return bytes;
}

size_t arch_fp_save(struct fp_ctx *fp)
{
    const struct fake_regs *r = &arch_this_cpu()->arch.regs;
    u64 *w = fp->area.base;
    size_t bytes = 0;

    fake.count.saves++;
    check_area(&fp->area);
    assert_true(fp->live != 0);
    assert_int_equal(fp->cpu, arch_this_cpu()->id);
    assert_true(fp->area.bytes >= arch_fp_bytes(fp, fp->live));
    if (fp->live & FAKE_UNIT_BASE) {
        w[AT_FCW] = r->fcw;
        for (u32 i = 0; i < FAKE_V; i++)
            *v_word(&fp->area, i) = r->v[i];
        bytes += 8 + sizeof(r->v);
        if (fp->arch.xcr_ever & FAKE_XCR_E0)
            bytes += save_component(w, FAKE_XCR_E0, AT_E0, r->e0, sizeof(r->e0));
        if (fp->arch.xcr_ever & FAKE_XCR_E1)
            bytes += save_component(w, FAKE_XCR_E1, AT_E1, r->e1, sizeof(r->e1));
    }
    if (fp->live & FAKE_UNIT_VEC) {
        for (u32 i = 0; i < FAKE_V; i++)
            memcpy(v_word(&fp->area, i) + 1, r->z[i], sizeof(r->z[i]));
        memcpy(w + AT_P, r->p, sizeof(r->p));
        fp->arch.z_dirty = !all_zero(r->z, sizeof(r->z)) || !all_zero(r->p, sizeof(r->p));
        bytes += sizeof(r->z) + sizeof(r->p);
    }
    if (fp->live & FAKE_UNIT_MAT) {
        memcpy(w + AT_ZA, r->za, sizeof(r->za));
        bytes += sizeof(r->za);
    }
    return bytes;
}

void arch_fp_scrub(const struct fp_ctx *fp, fp_units units)
{
    struct fake_regs *r = &arch_this_cpu()->arch.regs;

    fake.count.scrubs++;
    if (units & FAKE_UNIT_BASE) {
        memset(r->v, 0, sizeof(r->v));
        r->fcw = FAKE_FCW_INIT;
        /* Not what XCR0 says now: a guest that lowered it has not lost the rest (BUGS 35). */
        if (fp->arch.xcr_ever & FAKE_XCR_E0)
            memset(r->e0, 0, sizeof(r->e0));
        if (fp->arch.xcr_ever & FAKE_XCR_E1)
            memset(r->e1, 0, sizeof(r->e1));
    }
    if (units & FAKE_UNIT_VEC) {
        memset(r->z, 0, sizeof(r->z));
        memset(r->p, 0, sizeof(r->p));
    }
    if (units & FAKE_UNIT_MAT)
        memset(r->za, 0, sizeof(r->za));
}

void arch_fp_gate(struct vcpu *v, fp_units units)
{
    fake.count.gates++;
    if (fake.gate_in_vcpu)
        v->arch.gate = units;
    else
        v->pcpu->arch.gate = units;
}

fp_units arch_fp_gate_state(const struct vcpu *v)
{
    return fake_gate(v);
}

bool arch_fp_must_load(const struct fp_ctx *fp)
{
    (void)fp;
    return fake.must_load;
}

bool arch_fp_is_init(struct pcpu *cpu)
{
    struct fake_regs init;

    fake_regs_init(&init);
    return memcmp(&init, &cpu->arch.regs, sizeof(init)) == 0;
}

bool arch_fp_controls_current(const struct vcpu *v)
{
    return v->pcpu->arch.xcr == v->fp.arch.xcr;
}
