/*
 * VMX without a CPU that has it: what becomes of every exit. What is expected is written as the
 * manual's numbers, not by the names the code uses: a wrong name would agree with itself.
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

#define ENTRY   (*field(0, F_ENTRY_EVENT))
#define RIP     (*field(0, F_RIP))
#define NOTHING 0x80000000ull /* of ENTRY: nothing valid */
#define REFUSED 0x80000000u   /* of the reason: the entry failed */

/* The reason is an exception or NMI (SDM 3, table 25-18). */
static enum vcpu_event exception(u32 event)
{
    *field(0, F_EXIT_EVENT) = event;
    return vmx_exits(0);
}

/* ---- Whatever comes ---- */

/* Every reason there is and is not: handled, or the VM ends with one line; never a panic. */
static void every_reason(void **state)
{
    for (u32 reason = 0; reason < 0x10000; reason += reason < 128 ? 1 : 9973) {
        if (reason == 0 || reason == 49) /* below */
            continue;
        vmx_teardown(state);
        vmx_setup(state);
        enum vcpu_event event = vmx_exits(reason);
        if ((event == VCPU_VM_ENDED) != (crash[0] != 0))
            fail_msg("reason %u: event %d, said '%s'", reason, event, crash);
        if (reason > 77)
            assert_non_null(strstr(crash, "which Fermata never asked for"));
        assert_int_equal(vm.vcpus[0]->stats.exits, 1);
        assert_int_equal(current_vmcs, vm.vcpus[0]->arch.vmx.vmcs_pa);
    }
}

/* Every vector, hardware exception or software: what is intercepted is a guest's own or ours. */
static void every_exception(void **state)
{
    for (u32 vector = 0; vector < 32; vector++) {
        if (vector == 18)
            continue;
        vmx_teardown(state);
        vmx_setup(state);
        assert_int_equal(exception(0x80000300 | vector | (vector == 17 ? 0x800 : 0)), VCPU_RESUME);
        bool gate = vector == 6 || vector == 7;
        assert_int_equal(fp_traps, gate ? 1 : 0);
        assert_int_equal(ENTRY, gate ? 0 : 0x80000300 | vector | (vector == 17 ? 0x800u : 0u));
        assert_int_equal(RIP, 0x100200);
    }
    expect_panic(exception(0x80000312)); /* #MC */
    expect_panic(vmx_exits(REFUSED | 41));
    expect_panic(vmx_exits(49));
}

/* Hidden instructions are #UD or #GP, at their own address. */
static void refused_instructions(void **state)
{
    static const u16 ud[] = {11, 19, 20, 21, 22, 23, 24, 25, 26, 27, 36, 39, 50, 53, 59, 76, 77};

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(ud); i++) {
        assert_int_equal(vmx_exits(ud[i]), VCPU_RESUME);
        assert_int_equal(ENTRY, UD);
    }
    assert_int_equal(vmx_exits(15), VCPU_RESUME);
    assert_int_equal(ENTRY, GP);
    assert_int_equal(*field(0, F_ENTRY_ERROR), 0);
    assert_int_equal(RIP, 0x100200);
    assert_int_equal(vmx_exits(13), VCPU_RESUME); /* INVD, WBINVD: done */
    assert_int_equal(vmx_exits(54), VCPU_RESUME);
    assert_int_equal(RIP, 0x100204);
}

/* What cannot go on stops the VM with a line of its own, and never the machine. */
static void crashes(void **state)
{
    static const struct {
        u32 reason;
        u64 qualification, gpa;
        const char *says;
    } cases[] = {
        {2, 0, 0, "triple fault"},
        {9, 0, 0, "task switch"},
        {48, 1, 0x700000, "it read guest-physical 0x700000"},
        {48, 2, 0x700000, "it wrote to"},
        {48, 4, 0x700000, "it fetched from"},
        {48, 2, 0xfee00300, "x2APIC"},
        {REFUSED | 33, 0, 0, "refused its state"},
        {REFUSED | 34, 0, 0, "refused its state"},
        {30, 0x3f80000 | 0x10, 0, "string I/O to port 0x3f8"},
        {62, 0, 0, "VMX exit 62"},
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        crash[0] = 0;
        next_qualification = cases[i].qualification;
        *field(0, F_GUEST_PHYSICAL) = cases[i].gpa;
        assert_int_equal(vmx_exits(cases[i].reason), VCPU_VM_ENDED);
        if (!strstr(crash, cases[i].says))
            fail_msg("case %u said '%s'", i, crash);
    }
}

/* ---- Events ---- */

/* The delivery of an event was interrupted: again, with all that came with it. */
static void interrupted_delivery(void **state)
{
    static const struct {
        u64 info, again, length;
    } cases[] = {
        {0x80000b0e, 0x80000b0e, 0}, /* #PF with its error code */
        {0x80000202, 0x80000202, 0}, /* NMI */
        {0x80000030, 0x80000030, 0}, /* an interrupt */
        {0x80001b0d, 0x80000b0d, 0}, /* bit 12 is undefined on the way in */
        {0x80000480, 0x80000480, 2}, /* INT 0x80 */
        {0x80000501, 0x80000501, 1}, /* INT1 */
        {0x80000603, 0x80000603, 1}, /* INT3 */
        {0x00000b0e, 0, 0},          /* not valid */
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        next_vectoring = cases[i].info;
        next_length = cases[i].length;
        *field(0, F_VECTORING_ERROR) = 0x15;
        *field(0, F_ENTRY_ERROR) = *field(0, F_ENTRY_LENGTH) = 0;
        ENTRY = 0;
        assert_int_equal(vmx_exits(1), VCPU_RESUME);
        assert_int_equal(ENTRY, cases[i].again);
        assert_int_equal(*field(0, F_ENTRY_ERROR), cases[i].again & 0x800 ? 0x15 : 0);
        assert_int_equal(*field(0, F_ENTRY_LENGTH), cases[i].length);
    }
}

/* A single step behind STI, or INT1 behind MOV SS: with the blocking left in place and TF set the
 * entry would be refused (SDM 3, 27.3.1.5), for no step is pending any more. */
static void debug_behind_sti(void **state)
{
    (void)state;
    *field(0, F_RFLAGS) = 0x302;
    *field(0, F_INTERRUPTIBILITY) = 1 | 8;
    next_qualification = 0x4000;
    assert_int_equal(exception(0x80000301), VCPU_RESUME);
    assert_int_equal(ENTRY, DB);
    assert_int_equal(*field(0, F_INTERRUPTIBILITY), 8);
    *field(0, F_INTERRUPTIBILITY) = 2;
    assert_int_equal(exception(0x80000501), VCPU_RESUME);
    assert_int_equal(*field(0, F_INTERRUPTIBILITY), 0);
    *field(0, F_INTERRUPTIBILITY) = 1; /* a debugger begins to step there */
    virt->set(vm.vcpus[0], GUEST_RFLAGS, 0x202);
    assert_int_equal(*field(0, F_INTERRUPTIBILITY), 1);
    virt->set(vm.vcpus[0], GUEST_RFLAGS, 0x302);
    assert_int_equal(*field(0, F_INTERRUPTIBILITY), 0);
}

static void debug_exceptions(void **state)
{
    (void)state;
    *field(0, F_DR7) = 0x2400; /* GD */
    next_qualification = 0x4003;
    assert_int_equal(exception(0x80000301), VCPU_RESUME);
    assert_int_equal(ENTRY, DB);
    assert_int_equal(fake_dr[6], 0xffff4ff3);
    assert_int_equal(*field(0, F_DR7), 0x400);
    assert_int_equal(*field(0, 0x4002) & 1 << 23, 0);
    next_qualification = 0; /* INT1: a trap behind it, and DR6 says nothing */
    next_length = 1;
    fake_dr[6] = 0xffff0ff0;
    assert_int_equal(exception(0x80000501), VCPU_RESUME);
    assert_int_equal(ENTRY, 0x80000501);
    assert_int_equal(*field(0, F_ENTRY_LENGTH), 1);
    assert_int_equal(fake_dr[6], 0xffff0ff0);
    vm.vcpus[0]->arch.dr_used = false;
    assert_int_equal(vmx_exits(29), VCPU_RESUME); /* the first touch of a debug register */
    assert_true(vm.vcpus[0]->arch.dr_used);
    assert_int_equal(RIP, 0x100200);
}

/* It is taken once, with what an NMI does on the way out, and the guest sees nothing (BUGS 12). */
static void bugs12_nmi(void **state)
{
    u32 before = nmi_count;

    (void)state;
    assert_int_equal(exception(0x80000202), VCPU_RESUME);
    assert_int_equal(nmi_count, before + 1);
    assert_int_equal(ENTRY, 0);
    assert_int_equal(RIP, 0x100200);
    assert_int_equal(fp_traps, 0);
}

/* An error code only where the mode has one: an entry with one in real mode would be refused. */
static void injection(void **state)
{
    (void)state;
    virt->inject(vm.vcpus[0], 13, true, 0x18);
    assert_int_equal(ENTRY, 0x80000b0d);
    assert_int_equal(*field(0, F_ENTRY_ERROR), 0x18);
    virt->inject(vm.vcpus[1], 13, true, 0); /* real mode, after SIPI */
    assert_int_equal(*field(1, F_ENTRY_EVENT), 0x8000030d);
}

static void preemption(void **state)
{
    (void)state;
    assert_int_equal(vmx_exits(1), VCPU_RESUME); /* someone else's */
    timer_pending = true;
    assert_int_equal(vmx_exits(1), VCPU_PREEMPTED);
    timer_pending = true; /* both timers at once: one quantum */
    assert_int_equal(vmx_exits(52), VCPU_PREEMPTED);
    assert_int_equal(vmx_exits(1), VCPU_RESUME);
    timer_pending = true;
    assert_int_equal(vmx_exits(10), VCPU_RESUME);
    vmx_preemption = VMX_BY_EXITS; /* no exit for it: looked for at others */
    assert_int_equal(vmx_exits(10), VCPU_PREEMPTED);
    assert_int_equal(vmx_exits(10), VCPU_RESUME);
    vmx_preemption = VMX_BY_TIMER;
    pcpus[0].quantum = 0x12340;
    timer_pending = true; /* rang in another one's time */
    assert_int_equal(arch_vcpu_run(vm.vcpus[0]), VCPU_PREEMPTED);
    assert_false(timer_pending || pcpus[0].arch.timer_fired);
    assert_int_equal(*field(0, 0x482e), 0x12340 >> 5);
}

/* ---- Instructions ---- */

static void skipping(void **state)
{
    struct vcpu *v = vm.vcpus[0];

    (void)state;
    *field(0, F_INTERRUPTIBILITY) = 2; /* behind MOV SS, with a #DB held back */
    *field(0, F_PENDING_DEBUG) = 0x4000;
    next_length = 3;
    vmx_exits(54);
    assert_int_equal(RIP, 0x100203);
    assert_int_equal(*field(0, F_INTERRUPTIBILITY) | *field(0, F_PENDING_DEBUG) | ENTRY, 0);
    *field(0, F_INTERRUPTIBILITY) = 8; /* blocking by NMI is no matter of one instruction */
    vmx_exits(54);
    assert_int_equal(*field(0, F_INTERRUPTIBILITY), 8);
    *field(0, F_RFLAGS) = 0x10102; /* RF ends with the instruction; TF traps behind it */
    vmx_exits(54);
    assert_int_equal(*field(0, F_RFLAGS), 0x102);
    assert_int_equal(ENTRY, DB);
    assert_int_equal(fake_dr[6], 0xffff4ff0);
    *field(0, F_RFLAGS) = 2;
    RIP = 0xfffffffe; /* wraps outside 64-bit mode */
    vmx_exits(54);
    assert_int_equal(RIP, 1);
    *field(0, F_EFER) = 0x500;
    *field(0, F_CS_RIGHTS) = 0xa09b;
    RIP = 0xfffffffe;
    vmx_exits(54);
    assert_int_equal(RIP, 0x100000001);
    v->state = VCPU_RUNNABLE;
    assert_int_equal(vmx_exits(12), VCPU_BLOCKED);
    assert_int_equal(v->state, VCPU_HALTED);
    assert_int_equal(RIP, 0x100000004);
}

static void hypercalls(void **state)
{
    struct vcpu *v = vm.vcpus[0];

    (void)state;
    next_length = 3;
    v->arch.regs[RAX] = 0xffffffff00000077;
    v->arch.regs[RDI] = 0x12;
    assert_int_equal(vmx_exits(18), VCPU_YIELDED);
    assert_int_equal((s64)v->arch.regs[RAX], -3);
    assert_int_equal(v->arch.regs[RDX], 0x7712);
    assert_int_equal(RIP, 0x100203);
    *field(0, F_SS_RIGHTS) = 0xc0f3; /* CPL is SS's DPL */
    assert_int_equal(vmx_exits(18), VCPU_RESUME);
    assert_int_equal(ENTRY, UD);
    assert_int_equal(RIP, 0x100203);
}

static void cpuid_exit(void **state)
{
    struct vcpu *v = vm.vcpus[0];

    (void)state;
    v->arch.regs[RAX] = 0xdeadbeef40000000;
    v->arch.regs[RCX] = ~0ull;
    assert_int_equal(vmx_exits(10), VCPU_RESUME);
    assert_int_equal(v->arch.regs[RAX], 0x40000001);
    assert_int_equal(v->arch.regs[RBX] >> 32 | v->arch.regs[RCX] >> 32 | v->arch.regs[RDX] >> 32,
                     0);
    assert_int_equal(RIP, 0x100202);
}

static void msr(bool write, u32 index, u64 value)
{
    struct vcpu *v = vm.vcpus[0];

    RIP = 0x100200;
    v->arch.regs[RCX] = 0xabcd00000000 | index;
    v->arch.regs[RAX] = 0x5500000000 | (u32)value;
    v->arch.regs[RDX] = 0x6600000000 | value >> 32;
    vmx_exits(write ? 32 : 31);
}

static void msrs(void **state)
{
    struct vcpu *v = vm.vcpus[0];

    (void)state;
    for (u32 write = 0; write < 2; write++) {
        msr(write, 0xda0, 0); /* XSS */
        assert_int_equal(ENTRY, GP);
        assert_int_equal(RIP, 0x100200);
    }
    msr(true, 0xc0000080, 0x901);
    assert_int_equal(ENTRY & NOTHING, 0);
    assert_int_equal(RIP, 0x100202);
    assert_int_equal(*field(0, F_EFER), 0x901);
    assert_int_equal(flushes, 3); /* NXE changed (two vCPUs were made before) */
    msr(false, 0xc0000080, 0);
    assert_int_equal(v->arch.regs[RAX], 0x901);
    assert_int_equal(v->arch.regs[RDX], 0);
    msr(true, 0xc0000082, 0xffff800000001234);
    assert_int_equal(*fake_msr(0xc0000082), 0xffff800000001234);
    assert_int_equal(RIP, 0x100202);
    msr(true, 0xc0000082, 0x800000000000);
    assert_int_equal(ENTRY, GP);
    assert_int_equal(*fake_msr(0xc0000082), 0xffff800000001234);
    msr(true, 0x277, 0x0001040506070406);
    assert_int_equal(*field(0, 0x2804), 0x0001040506070406);
}

/* SIPI sets up another vCPU's VMCS in the middle of an exit of this one. */
static void sipi(void **state)
{
    struct vcpu *other = vm.vcpus[1];

    (void)state;
    virt->set(other, GUEST_CR3, 0x5000);
    flushes = 0;
    next_length = 2;
    msr(true, 0x830, 1ull << 32 | 0x4608);
    assert_int_equal(starts, 1);
    assert_int_equal(*field(1, 0x6808), 0x8000);
    assert_int_equal(*field(1, F_CR3), 0);
    assert_int_equal(flushes, 1);
    assert_int_equal(flushed_vpid, *field(1, 0));
    assert_int_equal(current_vmcs, vm.vcpus[0]->arch.vmx.vmcs_pa);
    assert_int_equal(RIP, 0x100202); /* its own instruction is done, not the other's */
    assert_int_equal(*field(1, F_RIP), 0);
}

static void io(bool in, u16 port, unsigned bytes, u64 rax)
{
    RIP = 0x100200;
    next_length = 1;
    next_qualification = (u64)port << 16 | (in ? 8 : 0) | (bytes - 1);
    vm.vcpus[0]->arch.regs[RAX] = rax;
    vmx_exits(30);
    assert_int_equal(RIP, 0x100201);
}

static void ports(void **state)
{
    struct vcpu *v = vm.vcpus[0];

    (void)state;
    io(true, 0x70, 1, 0x1122334455667700);
    assert_int_equal(v->arch.regs[RAX], 0x11223344556677ff);
    io(true, 0x70, 2, 0x1122334455660000);
    assert_int_equal(v->arch.regs[RAX], 0x112233445566ffff);
    io(true, 0x70, 4, 0x1122334400000000);
    assert_int_equal(v->arch.regs[RAX], 0xffffffff);
    io(false, 0x3f8, 1, 0x6161616161616141);
    assert_string_equal(console, "A");
    io(false, 0xf4, 4, 0x1110);
    assert_int_equal(ended, 0x1110);
}

static void xsetbv_exit(void **state)
{
    struct vcpu *v = vm.vcpus[0];

    (void)state;
    next_length = 3;
    v->arch.regs[RAX] = 0xff00000007;
    v->arch.regs[RCX] = 0xff00000000;
    v->arch.regs[RDX] = 0xff00000000;
    vmx_exits(55);
    assert_int_equal(ENTRY, UD);
    virt->set(v, GUEST_CR4, 0x40000);
    vmx_exits(55);
    assert_int_equal(ENTRY & NOTHING, 0);
    assert_int_equal(RIP, 0x100203);
    assert_int_equal(v->fp.arch.xcr0, 7);
    v->arch.regs[RDX] = 1;
    vmx_exits(55);
    assert_int_equal(ENTRY, GP);
    v->arch.regs[RDX] = 0;
    *field(0, F_SS_RIGHTS) = 0xc0f3;
    vmx_exits(55);
    assert_int_equal(ENTRY, GP);
    assert_int_equal(v->fp.arch.xcr0, 7);
}

static void gate_exits(void **state)
{
    (void)state;
    assert_int_equal(exception(0x80000307), VCPU_RESUME);
    assert_int_equal(fp_traps, 1);
    assert_int_equal(ENTRY, 0);
    assert_int_equal(RIP, 0x100200); /* retried, never skipped */
    assert_true(virt->gate_open(vm.vcpus[0]));
    fp_answer = FP_TRAP_NOT_OURS;
    assert_int_equal(exception(0x80000306), VCPU_RESUME);
    assert_int_equal(ENTRY, UD);
    assert_int_equal(exception(0x80000307), VCPU_RESUME);
    assert_int_equal(ENTRY, 0x80000307);
    fp_answer = FP_TRAP_NO_MEMORY;
    assert_int_equal(exception(0x80000307), VCPU_VM_ENDED);
    assert_non_null(strstr(crash, "no memory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VMX_TEST(every_reason),
        VMX_TEST(every_exception),
        VMX_TEST(refused_instructions),
        VMX_TEST(crashes),
        VMX_TEST(interrupted_delivery),
        VMX_TEST(debug_exceptions),
        VMX_TEST(debug_behind_sti),
        VMX_TEST(bugs12_nmi),
        VMX_TEST(injection),
        VMX_TEST(preemption),
        VMX_TEST(skipping),
        VMX_TEST(hypercalls),
        VMX_TEST(cpuid_exit),
        VMX_TEST(msrs),
        VMX_TEST(sipi),
        VMX_TEST(ports),
        VMX_TEST(xsetbv_exit),
        VMX_TEST(gate_exits),
    };

    return cmocka_run_group_tests_name("vmx exits", tests, vmx_once, NULL);
}
