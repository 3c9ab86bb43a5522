/*
 * SVM without a CPU that has it: what becomes of every exit. What is expected is written as the
 * manual's numbers, not by the names the code uses: a wrong name would agree with itself.
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

/* ---- Exits ---- */

/* Hidden instructions are #UD or #GP, at their own address, with nothing clean lost. */
static void refused_instructions(void **state)
{
    static const u16 ud[] = {0x7a, 0x80, 0x82, 0x83, 0x84, 0x85,
                             0x86, 0x87, 0x8a, 0x8b, 0x8c, 0x8e};
    struct vmcb *c = vmcb_of(0);

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(ud); i++) {
        assert_int_equal(exits(ud[i]), VCPU_RESUME);
        assert_int_equal(c->eventinj, UD);
        assert_int_equal(c->rip, 0x100200);
    }
    assert_int_equal(exits(0x6f), VCPU_RESUME);
    assert_int_equal(c->eventinj, GP);
    assert_int_equal(exits(0x41), VCPU_RESUME);
    assert_int_equal(c->eventinj, DB);
    assert_int_equal(exits(0x51), VCPU_RESUME);
    assert_int_equal(c->eventinj, 0x80000b11);
    assert_int_equal(vm.vcpus[0]->stats.exits, ARRAY_SIZE(ud) + 3);
}

/* What cannot go on stops the VM with a line of its own, and never the machine. */
static void crashes(void **state)
{
    static const struct {
        u64 code;
        const char *says;
    } cases[] = {{0x7d, "task switch"}, {0x7e, "CR0.NE"},         {0x7f, "triple fault"},
                 {0x400, "no memory"},  {~0ull, "VMRUN refuses"}, {0x402, "0x402"}};

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        crash[0] = 0;
        assert_int_equal(exits(cases[i].code), VCPU_VM_ENDED);
        assert_non_null(strstr(crash, cases[i].says));
    }
    static const char *const ways[] = {"it read", "it wrote to", "it fetched from"};
    for (u32 i = 0; i < 3; i++) {
        vmcb_of(0)->exitinfo1 = i == 0 ? 4 : i == 1 ? 6 : 0x14;
        assert_int_equal(exits(0x400), VCPU_VM_ENDED);
        assert_non_null(strstr(crash, ways[i]));
    }
    vmcb_of(0)->exitinfo2 = 0xfee00030;
    assert_int_equal(exits(0x400), VCPU_VM_ENDED);
    assert_non_null(strstr(crash, "x2APIC"));
}

/* The delivery of an event was interrupted: again, unless its instruction is executed again. */
static void interrupted_delivery(void **state)
{
    static const struct {
        u64 info, again;
    } cases[] = {
        {0x80000b0e | 5ull << 32, 0x80000b0e | 5ull << 32}, /* #PF with its error code */
        {0x80000202, 0x80000202},                           /* NMI */
        {0x80000030, 0x80000030},                           /* an interrupt */
        {0x80000480, 0},                                    /* INT 0x80 */
        {0x80000303, 0},                                    /* INT3 */
        {0x80000304, 0},                                    /* INTO */
        {0x00000b0e, 0},                                    /* not valid */
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        vmcb_of(0)->exitintinfo = cases[i].info;
        assert_int_equal(exits(0x63), VCPU_RESUME);
        assert_int_equal(vmcb_of(0)->eventinj, cases[i].again);
    }
}

static void skipping(void **state)
{
    struct vcpu *v = vm.vcpus[0];
    struct vmcb *c = v->arch.vmcb;

    (void)state;
    c->interrupt_shadow = 1;
    exits(0x76);
    assert_int_equal(c->rip, 0x100202);
    assert_int_equal(c->interrupt_shadow, 0);
    assert_int_equal(c->eventinj, 0);
    c->rflags = 0x102; /* TF: the instruction we did for the guest traps like any other */
    c->clean = 0xfff;
    exits(0x76);
    assert_int_equal(c->eventinj, DB);
    assert_int_equal(c->dr6, 0xffff4ff0);
    assert_int_equal(c->clean & 0x40, 0);
    c->rflags = 2;
    cpu_has.nrip = true;
    c->nrip = 0x100333;
    exits(0x76);
    assert_int_equal(c->rip, 0x100333);
    cpu_has.nrip = false;
    c->rip = 0xffffffff; /* wraps outside 64-bit mode */
    exits(0x76);
    assert_int_equal(c->rip, 1);
    c->rip = 0x200000; /* F3 0F 09: WBNOINVD; no NRIP, so its prefix is counted */
    memcpy(ram + 0x200000, "\xf3\x0f\x09", 3);
    exits(0x89);
    assert_int_equal(c->rip, 0x200003);
    v->state = VCPU_RUNNABLE;
    memcpy(ram + 0x200003, "\xf4", 1);
    assert_int_equal(exits(0x78), VCPU_BLOCKED);
    assert_int_equal(v->state, VCPU_HALTED);
    assert_int_equal(c->rip, 0x200004);
}

static void hypercalls(void **state)
{
    struct vcpu *v = vm.vcpus[0];
    struct vmcb *c = v->arch.vmcb;

    (void)state;
    c->rax = 0xffffffff00000077;
    v->arch.regs[RDI] = 0x12;
    assert_int_equal(exits(0x81), VCPU_YIELDED);
    assert_int_equal((s64)c->rax, -3);
    assert_int_equal(v->arch.regs[RDX], 0x7712);
    assert_int_equal(c->rip, 0x100203);
    c->cpl = 3;
    assert_int_equal(exits(0x81), VCPU_RESUME);
    assert_int_equal(c->eventinj, UD);
    assert_int_equal(c->rip, 0x100203);
}

static void cpuid_exit(void **state)
{
    struct vcpu *v = vm.vcpus[0];
    struct vmcb *c = v->arch.vmcb;

    (void)state;
    c->rax = 0xdeadbeef40000000;
    v->arch.regs[RCX] = ~0ull;
    assert_int_equal(exits(0x72), VCPU_RESUME);
    assert_int_equal(c->rax, 0x40000001);
    assert_int_equal(v->arch.regs[RBX] >> 32 | v->arch.regs[RCX] >> 32 | v->arch.regs[RDX] >> 32,
                     0);
    assert_true(v->arch.regs[RBX] && v->arch.regs[RCX] && v->arch.regs[RDX]);
    assert_int_equal(c->rip, 0x100202);
}

static void msr(bool write, u32 index, u64 value)
{
    struct vcpu *v = vm.vcpus[0];

    v->arch.vmcb->exitinfo1 = write;
    v->arch.vmcb->rip = 0x100200;
    v->arch.regs[RCX] = 0xabcd00000000 | index;
    v->arch.vmcb->rax = 0x5500000000 | (u32)value;
    v->arch.regs[RDX] = 0x6600000000 | value >> 32;
    exits(0x7c);
}

static u64 msr_value(void)
{
    return vm.vcpus[0]->arch.regs[RDX] << 32 | vmcb_of(0)->rax;
}

static void msrs(void **state)
{
    static const u32 absent[] = {
        0x48,  0x49,  0x1d9, 0xda0,      0x1c4,      0x1c5,      0xd90,      0x6a0,      0x6a2,
        0x6a4, 0x6a7, 0x560, 0xc0000103, 0xc0010114, 0xc0010117, 0xc0010015, 0xc001011f, 0x17d3};
    struct vmcb *c = vmcb_of(0);

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(absent); i++) {
        for (u32 write = 0; write < 2; write++) {
            msr(write, absent[i], 0);
            assert_int_equal(c->eventinj, GP);
            assert_int_equal(c->rip, 0x100200);
        }
    }
    msr(false, 0xc0000080, 0);
    assert_int_equal(msr_value(), 0); /* SVME is ours, and not shown */
    assert_int_equal(c->rip, 0x100202);
    msr(true, 0xc0000080, 0x901);
    assert_int_equal(c->eventinj, 0);
    assert_int_equal(c->efer, 0x1901);
    assert_int_equal(c->tlb_control, 1); /* NXE changed */
    assert_int_equal(c->clean, 0);
    for (u32 bit = 0; bit < 64; bit++) {
        msr(true, 0xc0000080, BIT(bit));
        bool good = bit == 0 || bit == 8 || bit == 11;
        assert_int_equal(c->eventinj, good ? 0 : GP);
        assert_int_equal(c->efer & 0x1000, 0x1000);
    }
    msr(true, 0x277, 0x0001040506070406);
    assert_int_equal(c->pat, 0x0001040506070406);
    msr(true, 0x277, 0x0002040506070406);
    assert_int_equal(c->eventinj, GP);
    msr(false, 0x277, 0);
    assert_int_equal(msr_value(), 0x0001040506070406);
    msr(true, 0x10, 0x123456789abc); /* the TSC goes on from what is written */
    msr(false, 0x10, 0);
    assert_in_range(msr_value(), 0x123456789abc, 0x123456789abc + (1ull << 40));
    msr(false, 0x1b, 0);
    assert_int_equal(msr_value(), 0xfee00d00);
    msr(true, 0x1b, 0xfee00900);
    assert_int_equal(c->eventinj, GP);
}

/* INIT and SIPI: who is meant, twice, without INIT, while it runs; and interrupts, which are not.
 */
static void x2apic(void **state)
{
    struct vcpu *other = vm.vcpus[1];
    struct vmcb *c = vmcb_of(0);

    (void)state;
    msr(false, 0x802, 0);
    assert_int_equal(msr_value(), 0);
    msr(true, 0x830, 1ull << 32 | 0x4608); /* no INIT is needed after reset */
    assert_int_equal(starts, 1);
    assert_int_equal(other->arch.vmcb->cs.base, 0x8000);
    msr(true, 0x830, 1ull << 32 | 0x4609); /* the second SIPI of the usual pair: ignored */
    assert_int_equal(starts, 1);
    assert_int_equal(other->arch.vmcb->cs.base, 0x8000);
    other->arch.vmcb->tlb_control = 0;
    other->arch.dr[2] = 0x1234;
    virt->set(other, GUEST_CR3, 0x5000);
    msr(true, 0x830, 1ull << 32 | 0x4500);
    assert_int_equal(offs, 1);
    assert_int_equal(other->state, VCPU_OFF);
    msr(true, 0x830, 2ull << 32 | 0x4e09); /* logical: cluster 0, bit 1 */
    assert_int_equal(starts, 2);
    assert_int_equal(other->arch.vmcb->cs.base, 0x9000);
    assert_int_equal(other->arch.vmcb->cr3, 0);
    assert_int_equal(other->arch.vmcb->tlb_control, 1);
    assert_int_equal(other->arch.dr[2], 0);
    msr(true, 0x830, 0xc4500); /* all others */
    msr(true, 0x830, 0xc4607);
    assert_int_equal(starts, 3);
    msr(true, 0x830, 7ull << 32 | 0x4500); /* nobody */
    assert_int_equal(offs, 2);
    assert_int_equal(crash[0], 0);
    msr(true, 0x83f, 0x30);
    assert_non_null(strstr(crash, "0x83f"));
    crash[0] = 0;
    msr(true, 0x830, 1ull << 32 | 0x4400); /* NMI */
    assert_non_null(strstr(crash, "0x830"));
    crash[0] = 0;
    msr(true, 0x830, 0x4500); /* to itself */
    assert_non_null(strstr(crash, "itself"));
    msr(true, 0x830, 0x1000);
    assert_int_equal(c->eventinj, GP);
    for (u32 i = 0x810; i < 0x828; i++) {
        msr(false, i, 0);
        assert_int_equal(c->eventinj | msr_value(), 0);
        msr(true, i, 0);
        assert_int_equal(c->eventinj, GP);
    }
}

static void io(bool in, u16 port, unsigned bytes, u64 rax)
{
    struct vmcb *c = vmcb_of(0);

    c->rip = 0x100200;
    c->exitinfo1 = (u64)port << 16 | bytes << 4 | in;
    c->exitinfo2 = 0x100201;
    c->rax = rax;
    exits(0x7b);
    assert_int_equal(c->rip, 0x100201);
}

static void ports(void **state)
{
    struct vmcb *c = vmcb_of(0);

    (void)state;
    io(true, 0x70, 1, 0x1122334455667700);
    assert_int_equal(c->rax, 0x11223344556677ff);
    io(true, 0x70, 2, 0x1122334455660000);
    assert_int_equal(c->rax, 0x112233445566ffff);
    io(true, 0x70, 4, 0x1122334400000000);
    assert_int_equal(c->rax, 0xffffffff); /* a 32-bit result clears the upper half */
    io(false, 0x3f8, 1, 0x6161616161616141);
    assert_string_equal(console, "A");
    io(false, 0x3f8, 2, 0x0042); /* both bytes, to consecutive registers: 'B', then IER */
    assert_string_equal(console, "AB");
    io(false, 0x3ff, 1, 0x5a);
    io(true, 0x3ff, 1, 0);
    assert_int_equal(c->rax, 0x5a);
    io(true, 0x3fe, 4, 0); /* the last two registers, and no device */
    assert_int_equal(c->rax >> 8, 0xffff5a);
    io(false, 0xf5, 1, 0x10);
    assert_false(has_ended);
    io(false, 0xf4, 1, 0x10);
    assert_true(has_ended && ended == 0);
    io(false, 0xf4, 1, 0);
    assert_int_equal(ended, 1);
    io(false, 0xf4, 4, 0x1110);
    assert_int_equal(ended, 0x1110);
    c->exitinfo1 = 0x3f8 << 16 | BIT(2) | 0x10;
    assert_int_equal(exits(0x7b), VCPU_VM_ENDED);
}

/* ---- Control registers ---- */

static void mov_cr(u64 code, const char *bytes, u64 rbx)
{
    struct vcpu *v = vm.vcpus[0];

    v->arch.vmcb->rip = 0x200000;
    memcpy(ram + 0x200000, bytes, 3);
    v->arch.regs[RBX] = rbx;
    exits(code);
}

static void control_registers(void **state)
{
    struct vcpu *v = vm.vcpus[0];
    struct vmcb *c = v->arch.vmcb;

    (void)state;
    mov_cr(0x14, "\x0f\x22\xe3", 0x40020);
    assert_int_equal(virt->get(v, GUEST_CR4), 0x40020);
    assert_int_equal(c->cr4, 0x20); /* the gate is closed still */
    assert_int_equal(c->rip, 0x200003);
    assert_int_equal(c->tlb_control, 1); /* PAE */
    mov_cr(0x14, "\x0f\x22\xe3", 0x60);
    assert_int_equal(c->eventinj, GP);
    assert_int_equal(c->rip, 0x200000);
    assert_int_equal(virt->get(v, GUEST_CR4), 0x40020);
    mov_cr(0x04, "\x0f\x20\xe3", 0);
    assert_int_equal(v->arch.regs[RBX], 0x40020);
    mov_cr(0x00, "\x0f\x20\xc3", 0);
    assert_int_equal(v->arch.regs[RBX], 0x11);
    msr(true, 0xc0000080, 0x100);
    /* A CS with L, which legacy mode ignores: VMRUN would refuse what comes of it. */
    c->cs.attributes |= BIT(9);
    mov_cr(0x10, "\x0f\x22\xc3", 0x80000011);
    assert_int_equal(c->eventinj, GP);
    assert_int_equal(virt->get(v, GUEST_CR0), 0x11);
    c->cs.attributes &= (u16)~BIT(9);
    mov_cr(0x10, "\x0f\x22\xc3", 0x80000011);
    assert_int_equal(c->eventinj, 0);
    assert_int_equal(c->efer, 0x1500);
    assert_int_equal(c->cr0, 0x8000001b);
    assert_int_equal(c->clean, 0);
    assert_int_equal(fp_traps, 0); /* none of this used FP */
}

static void not_a_mov(void **state)
{
    (void)state;
    mov_cr(0x10, "\x0f\x06\x90", 0); /* CLTS: open, retry */
    assert_int_equal(fp_traps, 1);
    assert_int_equal(vmcb_of(0)->rip, 0x200000);
    mov_cr(0x14, "\x0f\x06\x90", 0); /* CR4 must not go unchecked */
    assert_int_not_equal(crash[0], 0);
}

static void xsetbv_exit(void **state)
{
    struct vcpu *v = vm.vcpus[0];
    struct vmcb *c = v->arch.vmcb;

    (void)state;
    v->arch.regs[RCX] = 0xff00000000;
    v->arch.regs[RDX] = 0xff00000000;
    c->rax = 0xff00000007;
    exits(0x8d);
    assert_int_equal(c->eventinj, UD);
    virt->set(v, GUEST_CR4, 0x40000);
    exits(0x8d);
    assert_int_equal(c->eventinj, 0);
    assert_int_equal(c->rip, 0x100203);
    assert_int_equal(v->fp.arch.xcr0, 7);
    v->arch.regs[RDX] = 1;
    exits(0x8d);
    assert_int_equal(c->eventinj, GP);
    assert_int_equal(v->fp.arch.xcr0, 7);
}

/* BUGS 29: the models AMD names, and no others. */
static void bugs29_leaks(void **state)
{
    static const struct {
        const char *vendor;
        u32 signature, msr;
    } cases[] = {
        {"AuthenticAMD", 0x00800f12, 0xc0011028}, /* Zen: Naples */
        {"AuthenticAMD", 0x00800f82, 0xc0011028}, /* Zen+ */
        {"AuthenticAMD", 0x00830f10, 0xc0011029}, /* Zen 2: Rome */
        {"AuthenticAMD", 0x00870f10, 0xc0011029}, /* Matisse */
        {"AuthenticAMD", 0x008a0f00, 0xc0011029}, /* Mendocino */
        {"AuthenticAMD", 0x00a00f11, 0},          /* Zen 3 */
        {"AuthenticAMD", 0x00600f20, 0},          /* before Zen */
        {"GenuineIntel", 0x00800f12, 0},
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        struct leak leak = leak_of(cases[i].vendor, cases[i].signature);
        assert_int_equal(leak.msr, cases[i].msr);
        assert_int_equal(leak.name != NULL, cases[i].msr != 0);
        assert_true(!leak.name || leak.bit == 9);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(refused_instructions),
        TEST(crashes),
        TEST(interrupted_delivery),
        TEST(skipping),
        TEST(hypercalls),
        TEST(cpuid_exit),
        TEST(msrs),
        TEST(x2apic),
        TEST(ports),
        TEST(control_registers),
        TEST(not_a_mov),
        TEST(xsetbv_exit),
        TEST(bugs29_leaks),
    };

    return cmocka_run_group_tests_name("svm exits", tests, NULL, NULL);
}
