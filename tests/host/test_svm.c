/*
 * SVM without a CPU that has it: the VMCB a guest starts with, the permission maps, the nested page
 * tables, the gate. What is expected is written as the manual's numbers, not by the names the code
 * uses: a wrong name would agree with itself.
 *
 * links: tests/host/x86_64/no_gdb.c tests/host/x86_64/no_growth.c
 * links: arch/x86_64/svm.c arch/x86_64/svm_cr.c arch/x86_64/svm_exits.c arch/x86_64/exits.c
 * links: arch/x86_64/svm_maps.c arch/x86_64/npt.c arch/x86_64/vcpu.c arch/x86_64/cr.c
 * links: arch/x86_64/msr.c arch/x86_64/vapic.c arch/x86_64/io.c arch/x86_64/pvh.c
 * links: arch/x86_64/cpuid_policy.c arch/x86_64/xstate_layout.c
 * links: arch/x86_64/fp_components.c arch/x86_64/fp_config.c arch/x86_64/fp_xfd.c
 * links: arch/x86_64/decode_cr.c arch/x86_64/guest_walk.c arch/x86_64/leaks.c
 * links: hv/fp_area.c hv/uart16550.c hv/format.c tests/host/fake/support.c
 * links: tests/host/x86_64/svm_world.c
 * machine: x86_64
 */
#include "x86_64/svm_world.h"

/* ---- What VMRUN finds ---- */

static void fresh_vmcb(void **state)
{
    (void)state;
    for (u32 i = 0; i < 2; i++) {
        const struct vmcb *c = vmcb_of(i);
        const u8 *raw = (const u8 *)c;
        /* APM 2, table B-1: what must exit whatever the gate does. */
        assert_int_equal(*(const u32 *)(raw + 0x00) & 0x00100000, 0x00100000); /* CR4 writes */
        assert_int_equal(*(const u32 *)(raw + 0x04), 0x000f000f);              /* DR0 to DR3 */
        assert_int_equal(*(const u32 *)(raw + 0x08) & 0x00060002, 0x00060002); /* #DB #AC #MC */
        assert_int_equal(*(const u32 *)(raw + 0x0c), 0xfd44800b);
        assert_int_equal(*(const u32 *)(raw + 0x10) & 0x7eff, 0x7eff);
        assert_int_equal(*(const u64 *)(raw + 0x40), svm_iopm_pa);
        assert_int_equal(*(const u64 *)(raw + 0x48), svm_msrpm_pa);
        assert_int_equal(svm_iopm_pa & 0xfff, 0);
        assert_int_equal(svm_msrpm_pa & 0xfff, 0);
        assert_int_equal(*(const u32 *)(raw + 0x58), i + 1); /* ASID 0 is the host's */
        assert_int_equal(raw[0x5c], 1);                      /* TLB control: flush all */
        assert_int_equal(*(const u64 *)(raw + 0x60), 1ull << 24);
        assert_int_equal(*(const u64 *)(raw + 0x90), 1); /* NP_ENABLE and nothing else: no SEV */
        assert_int_equal(*(const u64 *)(raw + 0xa8), 0);
        assert_int_equal(*(const u64 *)(raw + 0xb0), (u64)(uintptr_t)vm.arch.npt);
        assert_int_equal(*(const u64 *)(raw + 0xb8), 0); /* no LBR virtualisation */
        assert_int_equal(*(const u32 *)(raw + 0xc0), 0); /* nothing is clean yet */
        assert_true(fake_zero(raw + 0xe0, 0x400 - 0xe0));
        /* Table B-2. */
        assert_int_equal(raw[0x4cb], 0);
        assert_int_equal(*(const u64 *)(raw + 0x4d0), 0x1000);
        assert_int_equal(*(const u64 *)(raw + 0x548), 0);
        assert_int_equal(*(const u64 *)(raw + 0x558), i ? 0x6000001a : 0x1b); /* TS, MP: the gate */
        assert_int_equal(*(const u64 *)(raw + 0x560), 0x400);
        assert_int_equal(*(const u64 *)(raw + 0x568), 0xffff0ff0);
        assert_int_equal(*(const u64 *)(raw + 0x570), 2);
        assert_int_equal(*(const u64 *)(raw + 0x578), i ? 0 : 0x100200);
        assert_int_equal(*(const u64 *)(raw + 0x668), 0x0007040600070406);
        assert_int_equal(virt->get(vm.vcpus[i], GUEST_CR0), i ? 0x60000010 : 0x11);
        assert_int_equal(virt->get(vm.vcpus[i], GUEST_EFER), 0);
    }
}

/* What an admitted VM was promised: a vCPU's largest area, and the one it replaces. */
static void quota(void **state)
{
    (void)state;
    assert_true(arch_fp_quota(&vm) >= fp_area_cost(832) + fp_area_cost(576));
    vm.arch.fp.xcr0 = 3;
    assert_in_range(arch_fp_quota(&vm), 2 * fp_area_cost(576), 2 * fp_area_cost(576));
    cpu_has.xsave = false;
    assert_in_range(arch_fp_quota(&vm), fp_area_cost(512), 2 * fp_area_cost(512));
}

/* Segments: PVH's flat ones; real mode's, where the base follows the vector. */
static void entry_segments(void **state)
{
    const struct vmcb *pvh = vmcb_of(0), *sipi = vmcb_of(1);

    (void)state;
    assert_int_equal(pvh->cs.attributes, 0xc9b);
    assert_int_equal(pvh->ds.attributes & pvh->es.attributes & pvh->ss.attributes, 0xc93);
    assert_int_equal(pvh->cs.limit & pvh->ds.limit & pvh->es.limit & pvh->ss.limit, 0xffffffff);
    assert_int_equal(pvh->cs.base | pvh->ds.base | pvh->es.base | pvh->ss.base, 0);
    assert_int_equal(pvh->tr.attributes & 0xf, 0xb);
    assert_int_equal(pvh->tr.limit, 0x67);
    virt->vcpu_reset(vm.vcpus[1], ENTRY_SIPI, 0x9a);
    assert_int_equal(sipi->cs.selector, 0x9a00);
    assert_int_equal(sipi->cs.base, 0x9a000);
    assert_int_equal(sipi->cs.attributes, 0x09b);
    assert_int_equal(sipi->cs.limit, 0xffff);
    assert_int_equal(sipi->ds.attributes & sipi->es.attributes & sipi->ss.attributes &
                         sipi->fs.attributes & sipi->gs.attributes,
                     0x093);
    assert_int_equal(sipi->rip, 0);
    assert_int_equal(sipi->idtr.limit & sipi->gdtr.limit, 0xffff);
}

/* Every port exits, and every MSR but those VMLOAD and VMSAVE move (APM 2, 15.10.1, 15.11). */
static void permission_maps(void **state)
{
    static const u32 own[] = {0x174,      0x175,      0x176,      0xc0000081, 0xc0000082,
                              0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102};
    const u8 *io = (const u8 *)(uintptr_t)svm_iopm_pa, *map = (const u8 *)(uintptr_t)svm_msrpm_pa;
    static const u32 bases[] = {0, 0xc0000000, 0xc0010000};
    u32 open = 0;

    (void)state;
    for (u32 i = 0; i < 3 * PAGE_SIZE; i++)
        assert_int_equal(io[i], 0xff);
    for (u32 range = 0; range < 3; range++) {
        for (u32 n = 0; n < 0x2000; n++) {
            u8 bits = map[range * 0x800 + n / 4] >> (n % 4 * 2) & 3;
            bool mine = false;
            for (u32 i = 0; i < ARRAY_SIZE(own); i++)
                mine |= own[i] == bases[range] + n;
            assert_int_equal(bits, mine ? 0 : 3);
            open += mine;
        }
    }
    assert_int_equal(open, ARRAY_SIZE(own));
    for (u32 i = 0x1800; i < 2 * PAGE_SIZE; i++)
        assert_int_equal(map[i], 0xff);
}

/* More vCPUs than ASIDs: none has 0, none shares one but the last, and who shares it flushes. */
static void asids(void **state)
{
    u32 seen = 0;

    teardown(state);
    make_vm(state, 16);
    for (u32 i = 0; i < 16; i++) {
        struct vcpu *v = vm.vcpus[i];
        u32 asid = v->arch.vmcb->asid;
        assert_in_range(asid, 1, 15);
        assert_true(asid == 15 || !(seen & BIT(asid)));
        seen |= (u32)BIT(asid);
        v->arch.vmcb->tlb_control = 0;
        virt->vcpu_arrive(v);
        assert_int_equal(v->arch.vmcb->tlb_control, asid == 15 ? 1 : 0);
    }
    assert_int_equal(vmcb_of(15)->asid, vmcb_of(14)->asid);
}

/* All RAM and nothing but RAM, present, writable, user. */
static void nested_tables(void **state)
{
    const u64 *pml4 = vm.arch.npt;
    const u64 *pdpt = (const u64 *)(uintptr_t)(pml4[0] & 0x000ffffffffff000);
    const u64 *pd = (const u64 *)(uintptr_t)(pdpt[0] & 0x000ffffffffff000);

    (void)state;
    assert_int_equal(pml4[0] & 7, 7);
    assert_int_equal(pdpt[0] & 7, 7);
    for (u32 i = 0; i < 512; i++) {
        assert_int_equal(pd[i], i < 3 ? ((u64)(uintptr_t)ram + i * MiB(2)) | 0x87 : 0);
        assert_true(i == 0 || (pml4[i] == 0 && pdpt[i] == 0));
    }
    assert_int_equal(vm.arch.npt_pages, 3);
}

/* ---- The gate ---- */

static void gate(void **state)
{
    struct vcpu *v = vm.vcpus[0];
    struct vmcb *c = v->arch.vmcb;

    (void)state;
    virt->set(v, GUEST_CR0, 0x80000011);
    virt->set(v, GUEST_CR4, 0x40620);
    for (u32 round = 0; round < 2; round++) {
        assert_false(virt->gate_open(v));
        assert_int_equal(c->cr0, 0x8000001b);
        assert_int_equal(c->cr4, 0x620);
        assert_int_equal(c->intercept_exceptions, 0x600c2);
        assert_int_equal(c->intercept_cr, 0x00110011);
        assert_int_equal(virt->get(v, GUEST_CR0), 0x80000011);
        assert_int_equal(virt->get(v, GUEST_CR4), 0x40620);
        c->clean = 0xfff;
        virt->gate(v, 1);
        assert_int_equal(c->clean & 0x21, 0); /* intercepts, CR0-CR4: read again by VMRUN */
        assert_true(virt->gate_open(v));
        assert_int_equal(c->cr0, 0x80000011);
        assert_int_equal(c->cr4, 0x40620);
        assert_int_equal(c->intercept_exceptions, 0x60002);
        assert_int_equal(c->intercept_cr, 0x00100000);
        c->cr0 |= 8; /* the guest's own TS, set while open, stays the guest's */
        c->clean = 0xfff;
        virt->gate(v, 0);
        assert_int_equal(c->clean & 0x21, 0);
        assert_int_equal(virt->get(v, GUEST_CR0), 0x80000019);
        virt->set(v, GUEST_CR0, 0x80000011);
    }
    /* Each part of it counts. */
    c->cr0 &= ~8ull;
    assert_true(virt->gate_open(v));
    c->cr0 |= 8;
    c->cr0 &= ~2ull;
    assert_true(virt->gate_open(v));
    c->cr0 |= 2;
    c->cr4 |= 0x40000;
    assert_true(virt->gate_open(v));
    c->cr4 &= ~0x40000ull;
    c->intercept_exceptions &= ~(u32)BIT(6);
    assert_true(virt->gate_open(v));
    c->intercept_exceptions |= (u32)BIT(6);
    c->intercept_cr &= ~1u;
    assert_true(virt->gate_open(v));
}

static void gate_exits(void **state)
{
    struct vmcb *c = vmcb_of(0);

    (void)state;
    assert_int_equal(exits(0x47), VCPU_RESUME);
    assert_int_equal(fp_traps, 1);
    assert_int_equal(c->eventinj, 0);
    assert_int_equal(c->rip, 0x100200); /* retried, never skipped */
    assert_int_equal(c->tlb_control, 0);
    virt->gate(vm.vcpus[0], 0);
    assert_int_equal(exits(0x46), VCPU_RESUME);
    assert_int_equal(fp_traps, 2);
    assert_int_equal(c->eventinj, 0);
    fp_answer = FP_TRAP_NOT_OURS;
    assert_int_equal(exits(0x46), VCPU_RESUME);
    assert_int_equal(c->eventinj, UD);
    assert_int_equal(exits(0x47), VCPU_RESUME);
    assert_int_equal(c->eventinj, 0x80000307);
    fp_answer = FP_TRAP_NO_MEMORY;
    assert_int_equal(exits(0x47), VCPU_VM_ENDED);
    assert_non_null(strstr(crash, "no memory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fresh_vmcb),    TEST(entry_segments), TEST(permission_maps), TEST(quota), TEST(asids),
        TEST(nested_tables), TEST(gate),           TEST(gate_exits),
    };

    return cmocka_run_group_tests_name("svm", tests, NULL, NULL);
}
