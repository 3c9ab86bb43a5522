/*
 * VMX without a CPU that has it: emulated writes of CR0, CR4 and CR8 (SDM 3, table 28-3). A write
 * exits only if it changes a bit the guest does not own; what it means is the same whoever owns it.
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

#define ENTRY (*field(0, F_ENTRY_EVENT))
#define RIP   (*field(0, F_RIP))

/* Did the access go through? Else it was #GP, and RIP stays. */
static bool access(u64 qualification)
{
    RIP = 0x100200;
    next_length = 3;
    next_qualification = qualification;
    assert_int_equal(vmx_exits(28), VCPU_RESUME);
    if (RIP == 0x100203) {
        assert_int_equal(ENTRY & 1u << 31, 0);
        return true;
    }
    assert_int_equal(RIP, 0x100200);
    assert_int_equal(ENTRY, GP);
    return false;
}

/* MOV CRn, RBX. */
static bool mov(unsigned cr, u64 value)
{
    vm.vcpus[0]->arch.regs[RBX] = value;
    return access(cr | RBX << 8);
}

static u64 own(unsigned cr)
{
    return virt->get(vm.vcpus[0], cr == 4 ? GUEST_CR4 : GUEST_CR0);
}

/* A guest enters with NE = 0 and sees it so until it sets it; the CPU has it set throughout. */
static void ne(void **state)
{
    (void)state;
    assert_int_equal(own(0) & 0x20, 0);
    assert_int_equal(*field(0, F_CR0) & 0x20, 0x20);
    assert_true(mov(0, 0x31));
    assert_int_equal(own(0), 0x31);
    assert_true(mov(0, 0x11));
    assert_int_equal(own(0), 0x11);
    assert_int_equal(*field(0, F_CR0) & 0x20, 0x20);
}

/* CD and NW are remembered and never reach the CPU; reserved bits are dropped or #GP. */
static void cache_and_reserved(void **state)
{
    (void)state;
    assert_true(mov(0, 0x60000011));
    assert_int_equal(own(0), 0x60000011);
    assert_int_equal(*field(0, F_CR0) & 0x60000000, 0);
    assert_false(mov(0, 0x20000011)); /* NW without CD */
    assert_int_equal(own(0), 0x60000011);
    assert_true(mov(0, 0x5fffffd1)); /* all but PG, NW, NE, TS, EM, MP */
    assert_int_equal(own(0), 0x40050011);
    /* PG needs PE. */
    assert_false(mov(0, 0x80000010));
}

/* Long mode comes and goes with paging: EFER.LMA, the entry's control, the TLB. */
static void long_mode(void **state)
{
    struct vcpu *v = vm.vcpus[0];

    (void)state;
    virt->set(v, GUEST_EFER, 0x100);
    assert_false(mov(0, 0x80000031)); /* no PAE */
    virt->set(v, GUEST_CR4, 0x20);
    flushes = 0;
    *field(0, F_CS_RIGHTS) = 0xa09b; /* L: nothing outside long mode, #GP now */
    assert_false(mov(0, 0x80000031));
    *field(0, F_CS_RIGHTS) = 0xc09b;
    *field(0, F_TR_RIGHTS) = 0x83; /* a 16-bit TSS */
    assert_false(mov(0, 0x80000031));
    assert_int_equal(flushes, 0);
    assert_int_equal(own(0), 0x11);
    *field(0, F_TR_RIGHTS) = 0x8b;
    assert_true(mov(0, 0x80000031));
    assert_int_equal(own(0), 0x80000031);
    assert_int_equal(*field(0, F_EFER), 0x500);
    assert_int_equal(*field(0, F_ENTRY_CONTROLS), 0xd3ff);
    assert_int_equal(*field(0, F_CR0), 0x8000003b);
    assert_int_equal(flushes, 1);
    assert_int_equal(flushed_vpid, 1);
    assert_false(mov(4, 0)); /* PAE stays in long mode */
    *field(0, F_CS_RIGHTS) = 0xa09b;
    assert_false(mov(0, 0x31)); /* not from 64-bit code */
    *field(0, F_CS_RIGHTS) = 0xc09b;
    assert_true(mov(0, 0x31));
    assert_int_equal(*field(0, F_EFER), 0x100);
    assert_int_equal(*field(0, F_ENTRY_CONTROLS), 0xd1ff);
    assert_int_equal(flushes, 2);
    assert_int_equal(fp_traps, 0); /* none of this used FP */
    assert_false(virt->gate_open(v));
}

/* PAE paging without long mode: an entry takes the PDPTEs from the VMCS, so they are read here. */
static void pae(void **state)
{
    struct vcpu *v = vm.vcpus[0];
    u64 *table = (u64 *)(void *)(ram + 0x3020);

    (void)state;
    for (u32 i = 0; i < 4; i++)
        table[i] = 0x10001 + 0x1000 * i;
    table[2] = 0xffffffff00000ffe; /* not present: the rest means nothing */
    virt->set(v, GUEST_CR3, 0xffffffff00003020 | 0x1f);
    assert_true(mov(4, 0x20));
    assert_int_equal(*field(0, 0x280a), 0); /* not yet */
    assert_true(mov(0, 0x80000031));
    for (u32 i = 0; i < 4; i++)
        assert_int_equal(*field(0, 0x280a + 2 * i), table[i]);
    table[1] |= 2; /* reserved */
    assert_false(mov(4, 0xa0));
    assert_int_equal(own(4), 0x20);
    table[1] = 1ull << 60 | 1; /* beyond the physical address */
    assert_false(mov(4, 0xa0));
    table[1] = 0x55001;
    assert_true(mov(4, 0x400a0)); /* PGE: read again */
    assert_int_equal(*field(0, 0x280c), 0x55001);
    table[1] = 0x66001;
    assert_true(mov(4, 0x404a0)); /* OSXMMEXCPT: not */
    assert_int_equal(*field(0, 0x280c), 0x55001);
    virt->set(v, GUEST_CR3, 0x700000); /* outside its RAM */
    assert_false(mov(4, 0x40420));
}

/* BUGS 38: every bit of CR4, each alone: what is not offered is #GP and changes nothing. */
static void bugs38_cr4(void **state)
{
    (void)state;
    for (u32 bit = 0; bit < 64; bit++) {
        bool offered = vm.arch.cr4_offered >> bit & 1;
        bool shadowed = *field(0, F_CR4_MASK) >> bit & 1;
        assert_int_equal(shadowed, !offered || bit == 18); /* else a write would not exit */
        virt->set(vm.vcpus[0], GUEST_CR4, 0);
        bool good = bit >= 32 || offered; /* outside 64-bit mode the register has 32 bits */
        assert_int_equal(mov(4, BIT(bit)), good);
        assert_int_equal(own(4), offered ? BIT(bit) : 0);
        assert_int_equal(*field(0, F_CR4) & 0x2040, 0x2040);
    }
    *field(0, F_EFER) = 0x500;
    *field(0, F_CS_RIGHTS) = 0xa09b;
    assert_false(mov(4, BIT(32) | 0x20));
    assert_true(mov(4, 0x20));
}

/* What changes translations flushes this VPID, and nothing else does. */
static void flushing(void **state)
{
    static const struct {
        unsigned cr;
        u64 value;
        bool flush;
    } steps[] = {
        {0, 0x10011, true}, {0, 0x10019, false}, {0, 0x11, true},     {4, 0x10, true},
        {4, 0x90, true},    {4, 0x40090, false}, {4, 0x40690, false}, {4, 0, true},
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(steps); i++) {
        flushes = 0;
        assert_true(mov(steps[i].cr, steps[i].value));
        assert_int_equal(flushes, steps[i].flush);
    }
}

/* CLTS, LMSW: on the guest's own value, and PE is set but never cleared. */
static void clts_and_lmsw(void **state)
{
    (void)state;
    assert_true(mov(0, 0x1b));
    assert_true(access(2 << 4)); /* CLTS */
    assert_int_equal(own(0), 0x13);
    assert_int_equal(*field(0, F_CR0) & 0xa, 0xa); /* the gate's stay */
    assert_true(access(3 << 4 | 0xfff8ull << 16)); /* LMSW: the low four bits are its own */
    assert_int_equal(own(0), 0x19);
    assert_true(access(3 << 4 | 1 << 6 | 0x6ull << 16)); /* from memory */
    assert_int_equal(own(0), 0x17);
    assert_int_equal(fp_traps, 0);
    virt->gate(vm.vcpus[0], 1);
    assert_int_equal(*field(0, F_CR0), 0x37);
}

/* CR8 is the x2APIC's TPR; RSP is a register like any other. */
static void cr8_and_rsp(void **state)
{
    struct vcpu *v = vm.vcpus[0];

    (void)state;
    assert_true(mov(8, 0xb));
    assert_int_equal(v->arch.apic_tpr, 0xb0);
    assert_false(mov(8, 0x10));
    assert_true(access(8 | 1 << 4 | R9 << 8));
    assert_int_equal(v->arch.regs[R9], 0xb);
    assert_true(access(8 | 1 << 4 | RSP << 8));
    assert_int_equal(*field(0, F_RSP), 0xb);
    *field(0, F_RSP) = 0x80;
    assert_true(access(4 | RSP << 8));
    assert_int_equal(own(4), 0x80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VMX_TEST(ne),
        VMX_TEST(cache_and_reserved),
        VMX_TEST(long_mode),
        VMX_TEST(pae),
        VMX_TEST(bugs38_cr4),
        VMX_TEST(flushing),
        VMX_TEST(clts_and_lmsw),
        VMX_TEST(cr8_and_rsp),
    };

    return cmocka_run_group_tests_name("vmx control registers", tests, vmx_once, NULL);
}
