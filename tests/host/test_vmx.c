/*
 * VMX without a CPU that has it: the VMCS a guest starts with, the MSR bitmap, the gate, what stays
 * in the CPU between vCPUs, TLB flushes. What is expected is written as the manual's numbers, not
 * by the names the code uses: a wrong name would agree with itself.
 *
 * links: tests/host/x86_64/no_gdb.c tests/host/x86_64/no_growth.c
 * links: arch/x86_64/vmx.c arch/x86_64/vmx_gate.c arch/x86_64/vmx_cr.c arch/x86_64/vmx_exits.c
 * links: arch/x86_64/vmx_caps.c arch/x86_64/vmx_maps.c arch/x86_64/exits.c
 * links: arch/x86_64/svm.c arch/x86_64/svm_cr.c arch/x86_64/svm_exits.c
 * links: arch/x86_64/svm_maps.c arch/x86_64/npt.c arch/x86_64/vcpu.c arch/x86_64/cr.c
 * links: arch/x86_64/msr.c arch/x86_64/vapic.c arch/x86_64/io.c arch/x86_64/pvh.c
 * links: arch/x86_64/cpuid_policy.c arch/x86_64/xstate_layout.c
 * links: arch/x86_64/fp_components.c arch/x86_64/fp_config.c arch/x86_64/fp_xfd.c
 * links: arch/x86_64/decode_cr.c arch/x86_64/guest_walk.c arch/x86_64/leaks.c
 * links: hv/fp_area.c hv/uart16550.c hv/format.c tests/host/fake/support.c
 * links: tests/host/x86_64/svm_world.c tests/host/x86_64/vmx_world.c
 * machine: x86_64
 */
#include "x86_64/vmx_world.h"

/* ---- What VMLAUNCH finds ---- */

static void fresh_vmcs(void **state)
{
    (void)state;
    for (u32 i = 0; i < 2; i++) {
        assert_int_equal(*field(i, 0x4000), 0x1f);
        assert_int_equal(*field(i, 0x4002), 0xb5986dfa);
        assert_int_equal(*field(i, 0x401e), 0x1010e2);
        assert_int_equal(*field(i, 0x202c), 0); /* XSS is 0: no XSAVES has a reason to exit */
        assert_int_equal(*field(i, 0x400c), 0x3f6fff);
        assert_int_equal(*field(i, F_ENTRY_CONTROLS), 0xd1ff);
        assert_int_equal(*field(i, F_EXCEPTIONS), 0x600c2); /* #DB #UD #NM #AC #MC */
        assert_int_equal(*field(i, 0x0000), i + 1);         /* VPID 0 is the host's */
        assert_int_equal(*field(i, 0x201a), (u64)(uintptr_t)vm.arch.npt | 0x1e);
        assert_int_equal(*field(i, 0x2004), vmx_msr_bitmap_pa);
        assert_int_equal(*field(i, 0x2800), ~0ull);
        assert_int_equal(*field(i, 0x400a), 0);
        assert_int_equal(*field(i, 0x400e) | *field(i, 0x4010) | *field(i, 0x4014), 0);
        assert_int_equal(*field(i, 0x2804), 0x0007040600070406);
        assert_int_equal(*field(i, F_EFER) | *field(i, F_CR3), 0);
        assert_int_equal(*field(i, F_DR7), 0x400);
        assert_int_equal(*field(i, F_RFLAGS), 2);
        assert_int_equal(*field(i, F_RIP), i ? 0 : 0x100200);
        assert_int_equal(*field(i, F_CR0_SHADOW), i ? 0x60000010 : 0x11);
        assert_int_equal(*field(i, F_CR0), i ? 0x3a : 0x3b); /* NE; TS, MP: the gate; no CD */
        assert_int_equal(*field(i, F_CR0_MASK), 0x6000002a);
        assert_int_equal(*field(i, F_CR4_SHADOW), 0);
        assert_int_equal(*field(i, F_CR4), 0x2040);
        assert_int_equal(*field(i, F_CR4_MASK), ~0x3bfull & ~0x400ull);
        assert_int_equal(virt->get(vm.vcpus[i], GUEST_CR0), i ? 0x60000010 : 0x11);
        assert_int_equal(virt->get(vm.vcpus[i], GUEST_CR4), 0);
    }
}

/* Segments: PVH's flat ones; real mode's, where the base follows the vector. */
static void entry_segments(void **state)
{
    (void)state;
    for (u32 i = 0; i < 6; i++) {
        assert_int_equal(*field(0, 0x4800 + 2 * i), 0xffffffff);
        assert_int_equal(*field(0, 0x4814 + 2 * i), i == 1 ? 0xc09b : 0xc093);
        assert_int_equal(*field(0, 0x6806 + 2 * i), 0);
    }
    assert_int_equal(*field(0, F_TR_RIGHTS), 0x8b);
    assert_int_equal(*field(0, 0x480e), 0x67);
    virt->vcpu_reset(vm.vcpus[1], ENTRY_SIPI, 0x9a);
    assert_int_equal(*field(1, 0x0802), 0x9a00);
    assert_int_equal(*field(1, 0x6808), 0x9a000);
    assert_int_equal(*field(1, 0x4816), 0x9b);
    assert_int_equal(*field(1, 0x4802), 0xffff);
    assert_int_equal(*field(1, 0x4814), 0x93);
    assert_int_equal(*field(1, F_RIP), 0);
    assert_int_equal(*field(1, 0x4810) & *field(1, 0x4812), 0xffff);
}

/* A vCPU that ran, in long mode with an event pending, is reset from outside. */
static void reset_of_a_used_one(void **state)
{
    struct vcpu *v = vm.vcpus[1];

    (void)state;
    virt->gate(v, 1);
    virt->set(v, GUEST_EFER, 0x500);
    assert_int_equal(*field(1, F_ENTRY_CONTROLS), 0xd3ff);
    virt->inject(v, 13, true, 0);
    *field(1, F_INTERRUPTIBILITY) = 1;
    *field(1, F_PENDING_DEBUG) = 0x4000;
    v->arch.regs[RBX] = 5;
    v->arch.vmx.cr2 = 7;
    v->arch.vmx.dr6 = 0xffff4ff0;
    virt->vcpu_reset(v, ENTRY_SIPI, 8);
    assert_int_equal(*field(1, F_ENTRY_CONTROLS), 0xd1ff);
    assert_int_equal(*field(1, F_EFER) | *field(1, F_ENTRY_EVENT) | *field(1, F_PENDING_DEBUG) |
                         *field(1, F_INTERRUPTIBILITY) | v->arch.regs[RBX] | v->arch.vmx.cr2,
                     0);
    assert_int_equal(v->arch.vmx.dr6, 0xffff0ff0);
    assert_false(virt->gate_open(v));
    assert_int_equal(*field(1, F_CR0), 0x3a);
}

/* Every MSR exits but those the VMCS holds, KERNEL_GS_BASE, and reads of the syscall MSRs. */
static void msr_bitmap(void **state)
{
    static const u32 own[] = {0x174, 0x175, 0x176, 0xc0000100, 0xc0000101, 0xc0000102};
    const u8 *map = (const u8 *)(uintptr_t)vmx_msr_bitmap_pa;
    u32 open = 0;

    (void)state;
    for (u32 write = 0; write < 2; write++) {
        for (u32 n = 0; n < 0x4000; n++) {
            u32 index = n < 0x2000 ? n : 0xc0000000 + n - 0x2000;
            bool mine = !write && index >= 0xc0000081 && index <= 0xc0000084;
            for (u32 i = 0; i < ARRAY_SIZE(own); i++)
                mine |= own[i] == index;
            /* Reads of low MSRs, of high ones, then writes: SDM 3, 25.6.9. */
            assert_int_equal(map[2048 * write + n / 8] >> (n % 8) & 1, !mine);
            open += mine;
        }
    }
    assert_int_equal(open, 16);
}

/* Read, write, execute, write-back, at a walk of 4. */
static void ept(void **state)
{
    const u64 *pml4 = vm.arch.npt;
    const u64 *pdpt = (const u64 *)(uintptr_t)(pml4[0] & 0x000ffffffffff000);
    const u64 *pd = (const u64 *)(uintptr_t)(pdpt[0] & 0x000ffffffffff000);

    (void)state;
    for (u32 i = 0; i < 512; i++) {
        assert_int_equal(pd[i], i < 3 ? ((u64)(uintptr_t)ram + i * MiB(2)) | 0xb7 : 0);
        assert_true(i == 0 || (pml4[i] == 0 && pdpt[i] == 0));
    }
    assert_int_equal((pml4[0] & 0xfff) | (pdpt[0] & 0xfff), 7);
    assert_int_equal(flushed_eptp, (u64)(uintptr_t)vm.arch.npt | 0x1e);
}

/* More vCPUs than VPIDs: none has 0, none shares one but the last, and who shares it flushes. */
static void vpids(void **state)
{
    u32 seen = 0;

    vmx_teardown(state);
    pcpus[0].arch.asid_max = 15; /* make_vm() makes it so */
    make_vm(state, 16);
    for (u32 i = 0; i < 16; i++) {
        u64 vpid = *field(i, 0);
        assert_in_range(vpid, 1, 15);
        assert_true(vpid == 15 || !(seen & BIT(vpid)));
        seen |= (u32)BIT(vpid);
        flushes = 0;
        virt->vcpu_arrive(vm.vcpus[i]);
        assert_int_equal(flushes, vpid == 15 ? 1 : 0);
        virt->flush_tlb(vm.vcpus[i]);
        assert_int_equal(flushed_vpid, vpid);
        assert_int_equal(flush_type, 1);
    }
    vmx_controls.invvpid = 2; /* of all contexts, where one cannot be named */
    virt->flush_tlb(vm.vcpus[0]);
    assert_int_equal(flush_type, 2);
    vmx_controls.invvpid = 0; /* no VPIDs: the instruction would not be there */
    flushes = 0;
    virt->flush_tlb(vm.vcpus[0]);
    assert_int_equal(flushes, 0);
    vmx_controls.invvpid = 1;
}

/* ---- The gate ---- */

static void gate(void **state)
{
    struct vcpu *v = vm.vcpus[0];

    (void)state;
    virt->set(v, GUEST_CR0, 0x80000011);
    virt->set(v, GUEST_CR4, 0x40620);
    for (u32 round = 0; round < 2; round++) {
        assert_false(virt->gate_open(v));
        assert_int_equal(*field(0, F_CR0), 0x8000003b);
        assert_int_equal(*field(0, F_CR4), 0x2660);
        assert_int_equal(*field(0, F_EXCEPTIONS), 0x600c2);
        assert_int_equal(*field(0, F_CR0_MASK), 0x6000002a);
        assert_int_equal(*field(0, F_CR4_MASK) & 0x42000, 0x42000);
        assert_int_equal(*field(0, F_CR0_SHADOW) & 0x6000002a, 0);
        assert_int_equal(*field(0, F_CR4_SHADOW) & *field(0, F_CR4_MASK), 0x40000);
        assert_int_equal(virt->get(v, GUEST_CR0), 0x80000011);
        assert_int_equal(virt->get(v, GUEST_CR4), 0x40620);
        virt->gate(v, 1);
        assert_true(virt->gate_open(v));
        assert_int_equal(*field(0, F_CR0), 0x80000031); /* its own, but NE, which VMX demands */
        assert_int_equal(*field(0, F_CR4), 0x42660);
        assert_int_equal(*field(0, F_EXCEPTIONS), 0x60002);
        assert_int_equal(*field(0, F_CR0_MASK), 0x60000020);
        assert_int_equal(*field(0, F_CR4_MASK) & 0x42000, 0x2000);
        assert_int_equal(virt->get(v, GUEST_CR0), 0x80000011);
        assert_int_equal(virt->get(v, GUEST_CR4), 0x40620);
        *field(0, F_CR0) |= 8; /* its own TS and OSXSAVE, changed while open, stay its own */
        if (round)
            *field(0, F_CR4) &= ~0x40000ull;
        virt->gate(v, 0);
        assert_false(virt->gate_open(v));
        assert_int_equal(*field(0, F_CR0), 0x8000003b);
        assert_int_equal(*field(0, F_CR4), 0x2660);
        assert_int_equal(virt->get(v, GUEST_CR0), 0x80000019);
        assert_int_equal(virt->get(v, GUEST_CR4), round ? 0x620 : 0x40620);
        virt->set(v, GUEST_CR0, 0x80000011);
        virt->set(v, GUEST_CR4, 0x40620);
    }
    /* Each part of it counts. */
    static const struct {
        u32 field;
        u64 bit;
    } parts[] = {{F_CR0, 8},           {F_CR0, 2},          {F_CR0_MASK, 8},
                 {F_CR0_MASK, 2},      {F_CR4, 0x40000},    {F_CR4_MASK, 0x40000},
                 {F_EXCEPTIONS, 0x40}, {F_EXCEPTIONS, 0x80}};
    for (u32 i = 0; i < ARRAY_SIZE(parts); i++) {
        *field(0, parts[i].field) ^= parts[i].bit;
        assert_true(virt->gate_open(v));
        *field(0, parts[i].field) ^= parts[i].bit;
    }
    assert_false(virt->gate_open(v));
}

/* Whoever works on another vCPU works on its VMCS. */
static void selection(void **state)
{
    (void)state;
    virt->set(vm.vcpus[0], GUEST_CR3, 0x1000);
    virt->set(vm.vcpus[1], GUEST_CR3, 0x2000);
    assert_int_equal(virt->get(vm.vcpus[0], GUEST_CR3), 0x1000);
    assert_int_equal(*field(1, F_CR3), 0x2000);
    assert_int_equal(current_vmcs, vm.vcpus[0]->arch.vmx.vmcs_pa);
    virt->inject(vm.vcpus[1], 6, false, 0);
    assert_int_equal(*field(0, F_ENTRY_EVENT), 0);
    assert_int_equal(*field(1, F_ENTRY_EVENT), 0x80000306);
    virt->gate(vm.vcpus[0], 1);
    assert_false(virt->gate_open(vm.vcpus[1]));
    assert_true(virt->gate_open(vm.vcpus[0]));
}

/* What no VMCS holds goes with the vCPU, and the CPU is written only where it differs. */
static void switched_by_hand(void **state)
{
    struct vcpu *a = vm.vcpus[0], *b = vm.vcpus[1];

    (void)state;
    virt->vcpu_arrive(a);
    assert_true(vmx_syscall_msr_write(a, 0xc0000082, 0xffff800000001000));
    *fake_msr(0xc0000102) = 0xabc; /* SWAPGS, unseen */
    fake_cr2 = 0x1234;
    arch_vcpu_switch_out(a);
    virt->vcpu_arrive(b);
    assert_int_equal(*fake_msr(0xc0000082), 0);
    assert_int_equal(*fake_msr(0xc0000102), 0);
    assert_int_equal(fake_cr2, 0);
    arch_vcpu_switch_out(b);
    virt->vcpu_arrive(a);
    assert_int_equal(*fake_msr(0xc0000082), 0xffff800000001000);
    assert_int_equal(*fake_msr(0xc0000102), 0xabc);
    assert_int_equal(fake_cr2, 0x1234);
    vcpu_debug_regs_load(a);
    assert_int_equal(fake_dr[6], 0xffff0ff0);
    assert_int_equal(*field(0, 0x4002) & 1 << 23, 0);
    fake_dr[6] = 0xffff4ff1;
    fake_dr[1] = 0x5000;
    arch_vcpu_switch_out(a);
    assert_int_equal(fake_dr[6], 0xffff0ff0);
    assert_int_equal(fake_dr[1], 0);
    arch_vcpu_switch_in(a);
    assert_int_equal(fake_dr[6], 0xffff4ff1);
    assert_int_equal(fake_dr[1], 0x5000);
}

/* LSTAR and CSTAR canonical, SFMASK 32 bits: else it would be our own #GP. */
static void syscall_msrs(void **state)
{
    struct vcpu *v = vm.vcpus[0];

    (void)state;
    assert_true(vmx_syscall_msr_write(v, 0xc0000081, ~0ull));
    assert_false(vmx_syscall_msr_write(v, 0xc0000082, 0x800000000000));
    assert_false(vmx_syscall_msr_write(v, 0xc0000083, 0xffff7fffffffffff));
    assert_true(vmx_syscall_msr_write(v, 0xc0000083, 0xffff800000000000));
    assert_true(vmx_syscall_msr_write(v, 0xc0000082, 0x7fffffffffff));
    assert_false(vmx_syscall_msr_write(v, 0xc0000084, 1ull << 32));
    assert_true(vmx_syscall_msr_write(v, 0xc0000084, 0xffffffff));
    assert_int_equal(*fake_msr(0xc0000082), 0x7fffffffffff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VMX_TEST(fresh_vmcs),
        VMX_TEST(entry_segments),
        VMX_TEST(reset_of_a_used_one),
        VMX_TEST(msr_bitmap),
        VMX_TEST(ept),
        VMX_TEST(vpids),
        VMX_TEST(gate),
        VMX_TEST(selection),
        VMX_TEST(switched_by_hand),
        VMX_TEST(syscall_msrs),
    };

    return cmocka_run_group_tests_name("vmx", tests, vmx_once, NULL);
}
