/*
 * What an x86-64 VM sees of CPUID and may write to CR0, CR4 and XCR0: from a CPU that has every bit
 * there is, nothing may come through that has state nobody switches.
 *
 * links: arch/x86_64/cpuid_policy.c arch/x86_64/cr.c arch/x86_64/xstate_layout.c
 * links: arch/x86_64/fp_components.c arch/x86_64/fp_xfd.c
 * links: tests/host/fake/support.c
 * machine: x86_64
 */
#include "fake/support.h"
#include "cpuid_policy.h"
#include "cr.h"
#include "fp_hw.h"
#include "svm.h"
#include "virt.h"
#include "hv/abi.h"
#include "arch/arch.h"

#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "x86_64/cr_world.h"
#include "x86_64/sapphire_rapids.h"

/* ---- CPUID ---- */

static const struct cpuid_regs every = {~0u, ~0u, ~0u, ~0u};

static struct xstate_layout layout;

static struct cpuid_view view_of(u64 permitted)
{
    return (struct cpuid_view){.permitted = permitted,
                               .avx = permitted & 4,
                               .avx512 = permitted & 0xe0,
                               .amx = permitted & 0x60000,
                               .pku = permitted & BIT(9),
                               .xcr0 = 1,
                               .vcpu = 1,
                               .vcpus = 3,
                               .layout = &layout};
}

/* CPUID 0xD of a CPU with everything. */
static int layout_make(void **state)
{
    (void)state;
    xstate_learn(&layout, &sapphire_rapids);
    return 0;
}

/* Bits of features with state or privileges that a VM must not get: by leaf, subleaf and register.
 */
static const struct {
    u32 leaf, subleaf;
    char reg;
    u32 never;
    const char *what;
} hidden[] = {
    {1, 0, 'c', BIT(2), "DTES64"},
    {1, 0, 'c', BIT(3), "MONITOR"},
    {1, 0, 'c', BIT(5), "VMX"},
    {1, 0, 'c', BIT(6), "SMX"},
    {1, 0, 'c', BIT(15), "PDCM"},
    {1, 0, 'c', BIT(18), "DCA"},
    {1, 0, 'd', BIT(7), "MCE"},
    {1, 0, 'd', BIT(14), "MCA"},
    {1, 0, 'd', BIT(21), "DS"},
    {1, 0, 'd', BIT(22), "ACPI"},
    {1, 0, 'd', BIT(29), "TM"},
    {7, 0, 'b', BIT(2), "SGX"},
    {7, 0, 'b', BIT(4) | BIT(11), "HLE, RTM"},
    {7, 0, 'b', BIT(12) | BIT(15), "RDT"},
    {7, 0, 'b', BIT(14), "MPX"},
    {7, 0, 'b', BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31),
     "AVX-512"},
    {7, 0, 'b', BIT(25), "processor trace"},
    {7, 0, 'c', BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14), "AVX-512 of ECX"},
    {7, 0, 'c', BIT(5), "WAITPKG"},
    {7, 0, 'c', BIT(7), "CET shadow stacks"},
    {7, 0, 'c', BIT(16), "LA57"},
    {7, 0, 'c', BIT(23), "key locker"},
    {7, 0, 'c', BIT(29), "ENQCMD"},
    {7, 0, 'c', BIT(30), "SGX_LC"},
    {7, 0, 'c', BIT(31), "PKS"},
    {7, 0, 'd', BIT(2) | BIT(3) | BIT(8) | BIT(23), "AVX-512 of EDX"},
    {7, 0, 'd', BIT(5), "UINTR"},
    {7, 0, 'd', BIT(18), "PCONFIG"},
    {7, 0, 'd', BIT(19), "architectural LBR"},
    {7, 0, 'd', BIT(20), "CET IBT"},
    {7, 0, 'd', BIT(22) | BIT(24) | BIT(25), "AMX"},
    {7, 1, 'a', BIT(5) | BIT(17) | BIT(21) | BIT(26), "AVX512_BF16, FRED, AMX_FP16, LAM"},
    {7, 2, 'd', ~0u, "everything of 7.2"},
    {0xd, 1, 'a', BIT(3) | BIT(4), "XSAVES, XFD"},
    {0xd, 1, 'c', ~0u, "supervisor state"},
    {0xd, 1, 'd', ~0u, "supervisor state"},
    {0xd, 9, 'c', BIT(0) | BIT(2), "supervisor state, XFD"},
    {0x1d, 0, 'a', ~0u, "tile palettes"},
    {0x1d, 1, 'a', ~0u, "tile palettes"},
    {0x1e, 0, 'b', ~0u, "TMUL"},
    {0xd, 19, 'a', ~0u, "APX"},
    {7, 1, 'd', BIT(19) | BIT(21) | BIT(18), "AVX10, APX, CET_SSS"},
    {0xd, 3, 'a', ~0u, "MPX bounds"},
    {0xd, 5, 'a', ~0u, "AVX-512 opmask"},
    {0xd, 11, 'a', ~0u, "CET state"},
    {0xd, 17, 'a', ~0u, "tile configuration"},
    {0xd, 18, 'a', ~0u, "tiles"},
    {0xa, 0, 'a', ~0u, "performance counters"},
    {0x6, 0, 'a', ~0u, "power"},
    {0x5, 0, 'c', ~0u, "MWAIT"},
    {0x80000001, 0, 'c', BIT(2), "SVM"},
    {0x80000001, 0, 'c', BIT(10) | BIT(15), "IBS, LWP"},
    {0x80000001, 0, 'c', BIT(23) | BIT(24), "performance counters of AMD"},
    {0x80000001, 0, 'c', BIT(29), "MONITORX"},
    {0x80000001, 0, 'd', BIT(25), "FFXSR"},
    {0x80000001, 0, 'd', BIT(27), "RDTSCP"},
};

static u32 reg_of(struct cpuid_regs r, char reg)
{
    return reg == 'a' ? r.eax : reg == 'b' ? r.ebx : reg == 'c' ? r.ecx : r.edx;
}

static void bugs38_hidden(void **state)
{
    (void)state;
    for (u64 permitted = 0; permitted <= 0x207; permitted = permitted ? permitted << 1 | 1 : 3) {
        struct cpuid_view view = view_of(permitted & 0x207);
        for (u32 i = 0; i < ARRAY_SIZE(hidden); i++) {
            struct cpuid_regs r = cpuid_policy(&view, hidden[i].leaf, hidden[i].subleaf, every);
            if (reg_of(r, hidden[i].reg) & hidden[i].never)
                fail_msg("%s is shown", hidden[i].what);
        }
    }
}

/* What goes with a component is shown with it and only with it. */
static void components(void **state)
{
    struct cpuid_view none = view_of(0), sse = view_of(3), avx = view_of(7), pku = view_of(0x203);

    (void)state;
    const u32 of_avx = BIT(12) | BIT(28) | BIT(29), xsave = BIT(26);
    assert_int_equal(cpuid_policy(&none, 1, 0, every).ecx & (of_avx | xsave), 0);
    assert_int_equal(cpuid_policy(&sse, 1, 0, every).ecx & (of_avx | xsave), xsave);
    assert_int_equal(cpuid_policy(&avx, 1, 0, every).ecx & (of_avx | xsave), of_avx | xsave);
    assert_int_equal(cpuid_policy(&sse, 7, 0, every).ebx & BIT(5), 0);
    assert_int_equal(cpuid_policy(&avx, 7, 0, every).ebx & BIT(5), BIT(5));
    assert_int_equal(cpuid_policy(&sse, 7, 0, every).ecx & (BIT(3) | BIT(9) | BIT(10)), 0);
    assert_int_equal(cpuid_policy(&pku, 7, 0, every).ecx & BIT(3), BIT(3));
    assert_int_equal(cpuid_policy(&sse, 7, 1, every).eax & (BIT(4) | BIT(23)), 0);
    assert_int_equal(cpuid_policy(&sse, 0x80000001, 0, every).ecx & (BIT(11) | BIT(16)), 0);
    struct cpuid_view avx512 = view_of(0xe7), amx = view_of(0x60003);
    const u32 of_7b = 0xdc230000u & ~BIT(18) & ~BIT(19), of_amx = BIT(22) | BIT(24) | BIT(25);
    assert_int_equal(cpuid_policy(&avx512, 7, 0, every).ebx & 0xdc230000, of_7b);
    assert_int_equal(cpuid_policy(&avx, 7, 0, every).ebx & 0xdc230000, 0);
    assert_int_equal(cpuid_policy(&avx512, 7, 0, every).edx & of_amx, 0);
    assert_int_equal(cpuid_policy(&amx, 7, 0, every).edx & of_amx, of_amx);
    assert_int_equal(cpuid_policy(&amx, 7, 0, every).ebx & 0xdc230000, 0);
    assert_int_equal(cpuid_policy(&amx, 0, 0, every).eax, 0x1e);
    assert_int_equal(cpuid_policy(&avx512, 0, 0, every).eax, 0xd);
    assert_true(cpuid_in_range(&amx, 0x1e, 0x20, 0));
    assert_false(cpuid_in_range(&avx512, 0x1d, 0x20, 0));
    assert_int_equal(cpuid_policy(&amx, 0x1d, 0, every).eax, 1); /* palette 1 is all there is */
    assert_int_equal(cpuid_policy(&amx, 0x1d, 1, every).ebx, ~0u);
    assert_int_equal(cpuid_policy(&amx, 0x1d, 2, every).ebx, 0);
    assert_int_equal(cpuid_policy(&amx, 0x1e, 1, every).eax, 0x1ff);
    assert_int_equal(cpuid_policy(&none, 0xd, 0, every).eax, 0);
    assert_int_equal(cpuid_policy(&none, 0xd, 1, every).eax, 0);
}

/* OSXSAVE and OSPKE mirror the guest's own CR4, whatever the CPU's are. */
static void mirrors(void **state)
{
    const struct cpuid_regs zero = {0, 0, 0, 0};

    (void)state;
    for (u32 i = 0; i < 4; i++) {
        struct cpuid_view view = view_of(0x207);
        view.cr4 = (i & 1 ? CR4_OSXSAVE : 0) | (i & 2 ? CR4_PKE : 0);
        for (u32 k = 0; k < 2; k++) {
            struct cpuid_regs raw = k ? every : zero;
            assert_int_equal(cpuid_policy(&view, 1, 0, raw).ecx >> 27 & 1, i & 1);
            assert_int_equal(cpuid_policy(&view, 7, 0, raw).ecx >> 4 & 1, i >> 1);
        }
    }
}

/* Leaf 0xD: sizes follow the guest's XCR0 and what it may have, not the CPU's. */
static void leaf_d(void **state)
{
    struct cpuid_view view = view_of(0x207);

    (void)state;
    for (u64 xcr0 = 1; xcr0 <= 7; xcr0 += 2) {
        view.xcr0 = xcr0;
        struct cpuid_regs r = cpuid_policy(&view, 0xd, 0, every);
        assert_int_equal(r.eax, 0x207);
        assert_int_equal(r.edx, 0);
        assert_int_equal(r.ebx, xcr0 & 4 ? 832 : 576);
        assert_int_equal(r.ecx, 2696); /* PKRU lies behind AVX-512 in the standard format */
    }
    struct cpuid_regs raw = {256, 576, ~0u, ~0u};
    struct cpuid_regs r = cpuid_policy(&view, 0xd, 2, raw);
    assert_int_equal(r.eax, 256);
    assert_int_equal(r.ebx, 576);
    assert_int_equal(r.ecx, BIT(1)); /* 64-byte alignment is the machine's; never a supervisor's */
    assert_int_equal(r.edx, 0);
    assert_int_equal(cpuid_policy(&view, 0xd, 1, every).eax, BIT(0) | BIT(1) | BIT(2));
    assert_int_equal(cpuid_policy(&view, 0xd, 1, (struct cpuid_regs){0}).ebx, 0); /* no XSAVEC */
    view = view_of(0x602e7);
    view.xfd = view.xsaves = true;
    view.xcr0 = 0x602e7;
    r = cpuid_policy(&view, 0xd, 1, every);
    assert_int_equal(r.eax, 0x1f);
    assert_int_equal(r.ebx, 10688 + 8 + 56); /* compacted, with PKRU, and TILECFG aligned */
    assert_int_equal(r.ecx | r.edx, 0);      /* of IA32_XSS, nothing */
    assert_int_equal(cpuid_policy(&view, 0xd, 0, every).ebx, 11008);
    assert_int_equal(cpuid_policy(&view, 0xd, 18, every).ecx, BIT(1) | BIT(2));
    view.xfd = false;
    assert_int_equal(cpuid_policy(&view, 0xd, 18, every).ecx, BIT(1));
    view = view_of(0x207);
    for (u32 subleaf = 10; subleaf < 70; subleaf++)
        assert_int_equal(cpuid_policy(&view, 0xd, subleaf, every).eax, 0);
}

/* The vCPU's place: x2APIC ID = index, and as many processors as vCPUs. */
static void topology(void **state)
{
    (void)state;
    for (u32 vcpus = 1; vcpus <= VM_MAX_VCPUS; vcpus++) {
        for (u32 vcpu = 0; vcpu < vcpus; vcpu++) {
            struct cpuid_view view = view_of(7);
            view.vcpu = vcpu;
            view.vcpus = vcpus;
            struct cpuid_regs one = cpuid_policy(&view, 1, 0, every);
            assert_int_equal(one.ebx >> 24, vcpu);
            assert_int_equal(one.ebx >> 16 & 0xff, vcpus);
            assert_int_equal(one.edx >> 28 & 1, vcpus > 1);
            assert_int_equal(one.ecx >> 31, 1);     /* a hypervisor is there */
            assert_int_equal(one.ecx >> 21 & 1, 1); /* x2APIC, emulated */
            struct cpuid_regs core = cpuid_policy(&view, 0xb, 1, every);
            assert_int_equal(core.ebx, vcpus);
            assert_int_equal(core.edx, vcpu);
            assert_true(1u << core.eax >= vcpus);
            assert_int_equal(cpuid_policy(&view, 0xb, 2, every).ecx >> 8 & 0xff, 0);
        }
    }
}

static void leaves(void **state)
{
    struct cpuid_view view = view_of(7);

    (void)state;
    assert_int_equal(cpuid_policy(&view, 0, 0, every).eax, CPUID_MAX_BASIC);
    assert_int_equal(cpuid_policy(&view, 0x80000000, 0, every).eax, CPUID_MAX_EXTENDED);
    assert_int_equal(cpuid_policy(&view, 0x40000000, 0, every).ebx, FERMATA_CPUID_EBX);
    assert_int_equal(cpuid_policy(&view, 0x40000001, 0, every).eax, FERMATA_ABI_VERSION);
    assert_int_equal(cpuid_policy(&view, 0x40000005, 0, every).eax, 0);
    assert_true(cpuid_in_range(&view, 0x40000010, 1, 0));
    assert_false(cpuid_in_range(&view, 0xe, 0x20, 0x80000020));
    assert_false(cpuid_in_range(&view, 0xd, 0xc, 0x80000020));
    assert_true(cpuid_in_range(&view, 0xd, 0x20, 0x80000020));
    assert_false(cpuid_in_range(&view, 0x8000000a, 0x20, 0x80000020)); /* SVM's own leaf */
    assert_false(cpuid_in_range(&view, 0x80000008, 0x20, 0x80000004));
    assert_int_equal(cpuid_policy(&view, 0x80000008, 0, every).eax >> 8 & 0xff, 48);
}

/* ---- Control registers ---- */

/* BUGS 38: every CR4 bit on a CPU that has them all: refused unless its feature is offered. */
static void bugs38_cr4(void **state)
{
    const u64 never = CR4_MCE | CR4_LA57 | CR4_VMXE | BIT(14) | BIT(15) | BIT(19) | CR4_CET |
                      CR4_PKS | BIT(25) | BIT(26) | BIT(27) | BIT(28) | BIT(32) | BIT(63);

    (void)state;
    for (u32 pku = 0; pku < 2; pku++) {
        struct cpuid_view view = view_of(pku ? 0x203 : 3);
        u64 offered = cpuid_cr4_offered(&view, every, every);
        assert_int_equal(offered & never, 0);
        assert_int_equal(!!(offered & CR4_PKE), pku);
        assert_true(offered & CR4_OSXSAVE);
        for (u32 bit = 0; bit < 64; bit++)
            assert_int_equal(cr4_valid(BIT(bit) | CR4_PAE, 0, offered, 0, 0),
                             bit != 17 && ((BIT(bit) & offered) || bit == 5));
    }
    struct cpuid_view none = view_of(0);
    assert_false(cpuid_cr4_offered(&none, every, every) & CR4_OSXSAVE);
    const struct cpuid_regs zero = {0, 0, 0, 0};
    struct cpuid_view view = view_of(3);
    /* TSD and PCE have no CPUID bit, and RDPMC is intercepted. */
    assert_int_equal(cpuid_cr4_offered(&view, zero, zero), CR4_TSD | CR4_PCE);
}

static void cr4_rules(void **state)
{
    const u64 all = ~0ull;

    (void)state;
    assert_false(cr4_valid(0, CR4_PAE, all, EFER_LMA, 0)); /* PAE off in long mode */
    assert_true(cr4_valid(0, CR4_PAE, all, 0, 0));
    assert_true(cr4_valid(CR4_PAE | CR4_PCIDE, CR4_PAE, all, EFER_LMA, 0x1000));
    assert_false(cr4_valid(CR4_PAE | CR4_PCIDE, CR4_PAE, all, EFER_LMA, 0x1001));
    assert_false(cr4_valid(CR4_PAE | CR4_PCIDE, CR4_PAE, all, 0, 0x1000));
    assert_true(cr4_valid(CR4_PAE | CR4_PCIDE, CR4_PAE | CR4_PCIDE, all, EFER_LMA, 0x1001));
}

/* SDM 3, 2.5 and 4.1.2, said another way: all combinations of what matters. */
static void cr0_rules(void **state)
{
    static const u64 bits[] = {CR0_PE, CR0_NW, CR0_CD, CR0_PG, CR0_TS};

    (void)state;
    for (u32 i = 0; i < 1024; i++) {
        u64 value = 0, old = i & 32 ? CR0_PG | CR0_PE : CR0_PE;
        u64 efer = i & 64 ? EFER_LME : 0, cr4 = (i & 128 ? CR4_PAE : 0) | (i & 256 ? CR4_PCIDE : 0);
        bool code64 = i & 512;
        for (u32 b = 0; b < 5; b++)
            value |= i >> b & 1 ? bits[b] : 0;
        bool good = true;
        if ((value & CR0_PG) && !(value & CR0_PE))
            good = false;
        if ((value & CR0_NW) && !(value & CR0_CD))
            good = false;
        if ((value & CR0_PG) && !(old & CR0_PG) && (efer & EFER_LME) &&
            (!(cr4 & CR4_PAE) || code64))
            good = false;
        if (!(value & CR0_PG) && (old & CR0_PG) && (code64 || (cr4 & CR4_PCIDE)))
            good = false;
        assert_int_equal(cr0_valid(value, old, efer, cr4, code64), good);
        assert_false(cr0_valid(value | BIT(32), old, efer, cr4, code64));
    }
    assert_int_equal(cr0_value(0), CR0_ET);
    assert_int_equal(cr0_value(~0ull), 0xe005003f);
}

static struct vm vm;
static struct vcpu v;
static struct vmcb vmcb;

static int setup(void **state)
{
    (void)state;
    memset(regs, 0, sizeof(regs));
    memset(&v, 0, sizeof(v));
    memset(&vmcb, 0, sizeof(vmcb));
    v.vm = &vm;
    v.arch.vmcb = &vmcb;
    v.fp.arch = (struct arch_fp){.perm = 0x207, .xcr0 = 1, .enabled = 1, .allocated = 1};
    vm.arch.cr4_offered = CR4_PAE | CR4_OSXSAVE | CR4_PGE;
    cpl = flushes = controls = grows = 0;
    grow_fails = false;
    return 0;
}

static void writes(void **state)
{
    (void)state;
    assert_true(cr4_write(&v, CR4_PAE | CR4_OSXSAVE));
    assert_int_equal(regs[GUEST_CR4], CR4_PAE | CR4_OSXSAVE);
    assert_int_equal(flushes, 1);
    assert_true(cr4_write(&v, CR4_PAE));
    assert_int_equal(flushes, 1); /* OSXSAVE changes no translation */
    assert_false(cr4_write(&v, CR4_PAE | CR4_PKE));
    assert_int_equal(regs[GUEST_CR4], CR4_PAE); /* a refused write changes nothing */
    regs[GUEST_EFER] = EFER_LME;
    regs[GUEST_CR0] = CR0_PE;
    assert_true(cr0_write(&v, CR0_PE | CR0_PG));
    assert_int_equal(regs[GUEST_EFER], EFER_LME | EFER_LMA); /* long mode comes with paging, */
    assert_true(cr0_write(&v, CR0_PE));
    assert_int_equal(regs[GUEST_EFER], EFER_LME); /* and goes with it */
    assert_false(cr0_write(&v, CR0_PG));
}

/* A bit that changes translations, or rights in them, leaves no stale entry; another costs none. */
static void flushes_tlb(void **state)
{
    static const struct {
        u64 bit;
        u32 flushes;
    } cr4[] = {{CR4_PSE, 1}, {CR4_PGE, 1},    {CR4_SMEP, 1},    {CR4_SMAP, 1},
               {CR4_PKE, 1}, {CR4_OSFXSR, 0}, {CR4_OSXSAVE, 0}, {CR4_TSD, 0}},
      cr0[] = {{CR0_WP, 1}, {CR0_TS, 0}, {CR0_NE, 0}};

    (void)state;
    vm.arch.cr4_offered = ~0ull;
    for (u32 i = 0; i < 2 * ARRAY_SIZE(cr4); i++) { /* on, then off */
        regs[GUEST_CR4] = i & 1 ? CR4_PAE | cr4[i / 2].bit : CR4_PAE;
        flushes = 0;
        assert_true(cr4_write(&v, regs[GUEST_CR4] ^ cr4[i / 2].bit));
        assert_int_equal(flushes, cr4[i / 2].flushes);
    }
    for (u32 i = 0; i < 2 * ARRAY_SIZE(cr0); i++) {
        regs[GUEST_CR0] = CR0_PE | CR0_PG | CR0_ET | (i & 1 ? cr0[i / 2].bit : 0);
        flushes = 0;
        assert_true(cr0_write(&v, regs[GUEST_CR0] ^ cr0[i / 2].bit));
        assert_int_equal(flushes, cr0[i / 2].flushes);
    }
}

static void xsetbv_rules(void **state)
{
    (void)state;
    assert_int_equal(xsetbv_write(&v, 0, 7), XSETBV_UD); /* CR4.OSXSAVE = 0 comes first */
    regs[GUEST_CR4] = CR4_OSXSAVE;
    cpl = 3;
    assert_int_equal(xsetbv_write(&v, 0, 7), XSETBV_GP);
    cpl = 0;
    assert_int_equal(xsetbv_write(&v, 1, 7), XSETBV_GP);
    assert_int_equal(xsetbv_write(&v, 0, 0), XSETBV_GP);
    assert_int_equal(xsetbv_write(&v, 0, 5), XSETBV_GP);
    assert_int_equal(xsetbv_write(&v, 0, BIT(63) | 1), XSETBV_GP);
    assert_int_equal(xsetbv_write(&v, 0, 0x1f), XSETBV_GP);
    assert_int_equal(v.fp.arch.xcr0, 1);
    assert_int_equal(grows + controls, 0);
    assert_int_equal(xsetbv_write(&v, 0, 7), XSETBV_DONE);
    assert_int_equal(v.fp.arch.xcr0, 7);
    assert_int_equal(grows, 1);
    assert_int_equal(controls, 1);
    assert_int_equal(xsetbv_write(&v, 0, 1), XSETBV_DONE);
    assert_int_equal(v.fp.arch.enabled, 7); /* BUGS 35 */
    assert_int_equal(xsetbv_write(&v, 0, 7), XSETBV_DONE);
    assert_int_equal(grows, 1); /* nothing new: nothing to grow */
    grow_fails = true;
    assert_int_equal(xsetbv_write(&v, 0, 0x207), XSETBV_STOP);
    assert_int_equal(v.fp.arch.xcr0, 7);
    assert_int_equal(v.fp.arch.enabled, 7);
    assert_int_equal(v.fp.arch.allocated, 7);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, NULL)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bugs38_hidden), TEST(components),  TEST(mirrors),    TEST(leaf_d),
        TEST(topology),      TEST(leaves),      TEST(bugs38_cr4), TEST(cr4_rules),
        TEST(cr0_rules),     TEST(flushes_tlb), TEST(writes),     TEST(xsetbv_rules),
    };

    return cmocka_run_group_tests_name("cpu x86", tests, layout_make, NULL);
}
