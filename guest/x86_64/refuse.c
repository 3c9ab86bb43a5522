/*
 * refuse: what hardware refuses is refused with the same fault, and what CPUID does not offer
 * cannot be switched on (BUGS 38). Bare QEMU is laxer in places (its unknown MSRs read 0): there
 * those rows are only shown, and the run under Fermata is the test.
 */
#include "guest/x86_64/matrix.h"

#define MSR_XSS 0xda0

/* Try the stub on {value, index}; true if it ended with #GP at its instruction. */
static bool gp(stub_fn stub, const void *at, u64 value, u32 index)
{
    scratch.value = value;
    scratch.index = index;
    try_stub(stub, &scratch);
    return fault_is(VECTOR_GP, at);
}

static bool xsetbv_gp(u64 value, u32 index)
{
    return gp(insn_xsetbv, insn_xsetbv_at, value, index);
}

/* XSETBV's rules: SDM vol. 1, 13.3. */
static bool xcr0_legal(u64 value)
{
    u64 mpx = BIT(3) | BIT(4);

    return (value & XCR0_X87) && !((value & XCR0_AVX) && !(value & XCR0_SSE)) &&
           !((value & XCR0_AVX512) && !(value & XCR0_AVX)) &&
           ((value & XCR0_AVX512) == 0 || (value & XCR0_AVX512) == XCR0_AVX512) &&
           ((value & XCR0_AMX) == 0 || (value & XCR0_AMX) == XCR0_AMX) &&
           ((value & mpx) == 0 || (value & mpx) == mpx);
}

/* Every subset of what is offered: set, or #GP and unchanged. */
static void xcr0_subsets(u64 offered)
{
    u32 wrong = 0, values = 0;

    for (u64 value = offered;; value = (value - 1) & offered) {
        u64 before = fp_xgetbv(0);
        scratch.value = value;
        scratch.index = 0;
        if (value % 7 == 3)
            yield();
        try_stub(insn_xsetbv, &scratch);
        bool good = fault_is(xcr0_legal(value) ? NO_FAULT : VECTOR_GP, insn_xsetbv_at) &&
                    fp_xgetbv(0) == (xcr0_legal(value) ? value : before);
        if (!good && wrong++ < 4)
            diag("XSETBV 0x%lx: %s", (unsigned long)value, vector_name(this_cpu()->try.vector));
        values++;
        if (!value)
            break;
    }
    fp_xsetbv(features.xcr0);
    ok(!wrong, "XSETBV: %u subsets of what is offered, each set or #GP by the rules", values);
}

/* IA32_XSS: zero may be written, and every bit that CPUID(0xD,1) does not offer is #GP. */
static void xss_refused(void)
{
    struct cpuid d1 = cpuid(0xd, 1);
    u64 offered = (u64)d1.edx << 32 | d1.ecx;
    u32 bad = 0;

    for (u32 bit = 0; bit < 64; bit++)
        bad += !(offered & BIT(bit)) && !gp(insn_wrmsr, insn_wrmsr_at, BIT(bit), MSR_XSS);
    ok(!bad, "XSS: every bit that is not offered is #GP");
    wrmsr(MSR_XSS, 0);
    ok_eq(rdmsr(MSR_XSS), 0, "XSS: 0 can be written, and is read");
}

static void xsetbv_refused(void)
{
    static const u64 never[] = {0,    2,    4,    6,    5,    0xd,     9,
                                0x11, 0x23, 0x63, 0xe3, 0x47, 0x20003, 0x40003};
    u64 offered = (u64)cpuid(0xd, 0).edx << 32 | cpuid(0xd, 0).eax;
    u32 bad = 0, first = 0;

    for (u32 i = 0; i < ARRAY_SIZE(never); i++)
        if (!xsetbv_gp(never[i], 0)) {
            bad++;
            diag("XSETBV 0x%lx: %s", (unsigned long)never[i], vector_name(this_cpu()->try.vector));
        }
    ok(!bad, "XSETBV: every combination that is never legal is #GP");

    xcr0_subsets(offered);
    if (features.xsaves)
        xss_refused();
    bad = 0;
    for (u32 bit = 0; bit < 64; bit++) {
        if (offered & BIT(bit))
            continue;
        if (!xsetbv_gp(features.xcr0 | BIT(bit), 0) && bad++ == 0)
            first = bit;
    }
    ok(!bad, "XSETBV: every bit that CPUID(0xD,0) hides is #GP");
    if (bad)
        diag("%u bits accepted, the first %u", bad, first);
    ok(xsetbv_gp(features.xcr0, 1) && xsetbv_gp(features.xcr0, 0x80000000),
       "XSETBV with ECX other than 0 is #GP");
    scratch.index = 2;
    try_stub(insn_xgetbv2, &scratch);
    ok(fault_is(VECTOR_GP, insn_xgetbv2_at), "XGETBV(2) is #GP");
    ok_eq(fp_xgetbv(0), features.xcr0, "XCR0 is unchanged after all refusals");
}

/* CR4 bits 0 to 63 that CPUID offers; APM vol. 2, 3.1.3 and Intel SDM vol. 3, 2.5. */
static u64 cr4_offered(void)
{
    struct cpuid one = cpuid(1, 0), seven = cpuid(7, 0), seven1 = cpuid(7, 1);
    u64 offered = BIT(8); /* PCE: performance counters or not, RDPMC exists */

    if (cpuid(0, 0).eax < 7)
        seven = seven1 = (struct cpuid){0};
    else if (seven.eax < 1)
        seven1 = (struct cpuid){0};
    offered |= one.edx & BIT(1) ? BIT(0) | BIT(1) : 0;
    offered |= one.edx & BIT(4) ? BIT(2) : 0;
    offered |= one.edx & BIT(2) ? BIT(3) : 0;
    offered |= one.edx & BIT(3) ? BIT(4) : 0;
    offered |= one.edx & BIT(6) ? BIT(5) : 0;
    offered |= one.edx & BIT(7) ? BIT(6) : 0;
    offered |= one.edx & BIT(13) ? BIT(7) : 0;
    offered |= one.edx & BIT(24) ? BIT(9) : 0;
    offered |= one.edx & BIT(25) ? BIT(10) : 0;
    offered |= seven.ecx & BIT(2) ? BIT(11) : 0;                            /* UMIP */
    offered |= one.ecx & BIT(5) ? BIT(13) : 0;                              /* VMXE */
    offered |= one.ecx & BIT(6) ? BIT(14) : 0;                              /* SMXE */
    offered |= seven.ebx & BIT(0) ? BIT(16) : 0;                            /* FSGSBASE */
    offered |= one.ecx & BIT(17) ? BIT(17) : 0;                             /* PCIDE */
    offered |= one.ecx & BIT(26) ? BIT(18) : 0;                             /* OSXSAVE */
    offered |= seven.ecx & BIT(23) ? BIT(19) : 0;                           /* KL */
    offered |= seven.ebx & BIT(7) ? BIT(20) : 0;                            /* SMEP */
    offered |= seven.ebx & BIT(20) ? BIT(21) : 0;                           /* SMAP */
    offered |= seven.ecx & BIT(3) ? BIT(22) : 0;                            /* PKE */
    offered |= (seven.ecx & BIT(7)) || (seven.edx & BIT(20)) ? BIT(23) : 0; /* CET */
    offered |= seven.ecx & BIT(31) ? BIT(24) : 0;                           /* PKS */
    offered |= seven.edx & BIT(5) ? BIT(25) : 0;                            /* UINTR */
    offered |= seven1.eax & BIT(6) ? BIT(27) : 0;                           /* LASS */
    offered |= seven1.eax & BIT(26) ? BIT(28) : 0;                          /* LAM_SUP */
    offered |= seven1.eax & BIT(17) ? BIT(32) : 0;                          /* FRED */
    return offered;
}

/*
 * Toggling these in 64-bit mode faults or has preconditions of its own even where offered: PAE,
 * LA57, VMXE, SMXE, CET (needs CR0.WP: fine, but with MSRs 0 only), FRED.
 */
#define CR4_LEFT_ALONE (BIT(5) | BIT(13) | BIT(14) | BIT(23) | BIT(32))

/*
 * Bare QEMU 10 never gets past a MOV to CR4 with a bit it does not offer (it raises nothing and
 * repeats the instruction for ever), takes VME and PVI always, and LA57 in 64-bit mode: only legal
 * bits are tried there.
 */
static void cr4_bits(void)
{
    u64 normal = read_cr4(), offered = cr4_offered();

    for (u32 round = 0; round < 2; round++) {
        u32 wrong = 0, sticky = 0;
        for (u32 bit = 0; bit < 64; bit++) {
            bool legal = offered & BIT(bit);
            if (features.tcg_signature && (!legal || bit == 12))
                continue;
            if ((normal & BIT(bit)) || (legal && (CR4_LEFT_ALONE & BIT(bit))))
                continue;
            scratch.value = normal | BIT(bit);
            if (round) {
                insn_fninit(NULL); /* the second round starts with the gate closed */
                yield();
            }
            try_stub(insn_cr4_write, &scratch);
            bool good = fault_is(legal ? NO_FAULT : VECTOR_GP, insn_cr4_write_at);
            sticky += read_cr4() != (legal ? scratch.value : normal);
            write_cr4(normal);
            if (!good && wrong++ < 8)
                diag("CR4 bit %u, %soffered: %s", bit, legal ? "" : "not ",
                     vector_name(this_cpu()->try.vector));
        }
        ok(!wrong, "CR4, bits 0 to 63, %s: #GP unless CPUID offers it",
           round ? "after being away" : "gate open");
        ok(!sticky, "CR4 reads what was accepted, no more");
    }
    if (features.tcg_signature) {
        skip("bare QEMU does not check", "CR4.PAE and LA57 in 64-bit mode");
        return;
    }
    ok(gp(insn_cr4_write, insn_cr4_write_at, normal & ~(u64)CR4_PAE, 0),
       "CR4.PAE=0 in 64-bit mode is #GP");
    ok(gp(insn_cr4_write, insn_cr4_write_at, normal ^ BIT(12), 0),
       "CR4.LA57 changed in 64-bit mode is #GP");
}

/* The hypervisor leaves CR0 to the CPU but for TS and MP, so these are the CPU's refusals. QEMU has
 * none of them. */
static void cr0_bits(void)
{
    if (errata.emms_never_faults) {
        skip("QEMU does not check CR0", "CR0 values that are #GP");
        return;
    }
    ok(gp(insn_cr0_write, insn_cr0_write_at, CR0_NORMAL & ~(u64)CR0_PE, 0),
       "CR0.PG=1, PE=0 is #GP");
    ok(gp(insn_cr0_write, insn_cr0_write_at, CR0_NORMAL | BIT(29), 0), "CR0.NW=1, CD=0 is #GP");
    ok(gp(insn_cr0_write, insn_cr0_write_at, CR0_NORMAL | BIT(40), 0), "CR0 bits 63 to 32 are #GP");
    write_cr0(CR0_NORMAL);
}

struct msr_case {
    const char *name;
    u32 index;
    bool exists; /* set at run time where CPUID decides */
};

static void msrs_refused(void)
{
    struct msr_case cases[] = {
        {"XFD", 0x1c4, cpuid(0xd, 1).eax & BIT(4)},
        {"XFD_ERR", 0x1c5, cpuid(0xd, 1).eax & BIT(4)},
        {"XSS", 0xda0, features.xsaves},
        {"BNDCFGS", 0xd90, cpuid(7, 0).ebx & BIT(14)},
        {"U_CET", 0x6a0, cpuid(7, 0).ecx & BIT(7)},
        {"S_CET", 0x6a2, cpuid(7, 0).ecx & BIT(7)},
        {"PKRS", 0x6e1, cpuid(7, 0).ecx & BIT(31)},
        {"a hole", 0x17d3, false},
        {"a hypervisor's hole", 0x40001234, false},
        {"the last of AMD's range", 0xc0001fff, false},
        {"VM_HSAVE_PA", 0xc0010117, cpuid(0x80000001, 0).ecx & BIT(2)},
        {"the last", 0xffffffff, false},
    };

    if (cpuid(0, 0).eax < 0xd || !features.xsave)
        cases[0].exists = cases[1].exists = cases[2].exists = false;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct msr_case *c = &cases[i];
        if (c->exists)
            continue;
        bool read = gp(insn_rdmsr, insn_rdmsr_at, 0, c->index);
        bool write = gp(insn_wrmsr, insn_wrmsr_at, 0, c->index);
        if (!on_fermata && !(read && write))
            skip("emulators have no unknown MSRs", "MSR 0x%x (%s) is #GP", c->index, c->name);
        else
            ok(read && write, "MSR 0x%x (%s) is #GP to read and to write", c->index, c->name);
    }
}

static void efer_refused(void)
{
    u64 efer = rdmsr(MSR_EFER);
    bool svm = cpuid(0x80000001, 0).ecx & BIT(2);
    static const u8 reserved[] = {1, 9, 16, 32, 63};
    u32 bad = 0;

    if (features.tcg_signature) {
        skip("bare QEMU ignores them", "EFER: what is #GP");
        return;
    }
    for (u32 i = 0; i < ARRAY_SIZE(reserved); i++)
        bad += !gp(insn_wrmsr, insn_wrmsr_at, efer | BIT(reserved[i]), MSR_EFER);
    bad += !svm && !gp(insn_wrmsr, insn_wrmsr_at, efer | BIT(12), MSR_EFER);
    ok(!bad, "EFER: reserved bits, and SVME where it is not offered, are #GP");
    ok(gp(insn_wrmsr, insn_wrmsr_at, efer & ~(u64)EFER_LME, MSR_EFER),
       "EFER.LME=0 with paging on is #GP");
    ok_eq(rdmsr(MSR_EFER), efer, "EFER is unchanged");
}

static void virtualisation_refused(void)
{
    static const struct {
        const char *name;
        stub_fn stub;
        const void *at;
    } cases[] = {
        {"VMRUN", insn_vmrun, insn_vmrun_at},
        {"VMLOAD", insn_vmload, insn_vmload_at},
        {"VMSAVE", insn_vmsave, insn_vmsave_at},
        {"STGI", insn_stgi, NULL},
        {"CLGI", insn_clgi, NULL},
        {"SKINIT", insn_skinit, NULL},
        {"INVLPGA", insn_invlpga, insn_invlpga_at},
        {"VMXOFF", insn_vmxoff, NULL},
    };

    /* A page address: VMRUN and its kin check RAX before a hypervisor's intercept (APM 2, 15.7). */
    scratch.value = PAGE_SIZE;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        try_stub(cases[i].stub, &scratch);
        ok(fault_is(VECTOR_UD, cases[i].at ? cases[i].at : (const void *)cases[i].stub),
           "%s is #UD", cases[i].name);
    }
}

static void user_refused(void)
{
    static const struct {
        const char *name;
        stub_fn stub;
        const void *at;
        u32 want;
        const bool *offered;
    } cases[] = {
        {"VMMCALL", insn_hypercall, insn_hypercall_at, VECTOR_UD, &on_fermata},
        {"XSETBV", insn_xsetbv, insn_xsetbv_at, VECTOR_GP, &features.xsave},
        {"XGETBV", insn_xgetbv, insn_xgetbv_at, NO_FAULT, &features.xsave},
        {"RDMSR", insn_rdmsr, insn_rdmsr_at, VECTOR_GP, NULL},
        {"WRMSR", insn_wrmsr, insn_wrmsr_at, VECTOR_GP, NULL},
        {"MOV to CR0", insn_cr0_write, insn_cr0_write_at, VECTOR_GP, NULL},
        {"MOV from CR0", insn_cr0_read, NULL, VECTOR_GP, NULL},
        {"CLTS", insn_clts, NULL, VECTOR_GP, NULL},
        {"HLT", insn_hlt, NULL, VECTOR_GP, NULL},
        {"OUT", insn_out, NULL, VECTOR_GP, NULL},
        {"NOP", insn_nop, NULL, NO_FAULT, NULL},
    };

    user_scratch.value = FERMATA_HC_VERSION;
    user_scratch.index = MSR_EFER;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        if (cases[i].offered && !*cases[i].offered)
            continue;
        if (cases[i].stub == insn_xsetbv) {
            user_scratch.value = features.xcr0;
            user_scratch.index = 0;
        }
        yield();
        u32 vector = try_stub_user(cases[i].stub, &user_scratch);
        ok(fault_is(cases[i].want, cases[i].at ? cases[i].at : (const void *)cases[i].stub),
           "%s at CPL 3: %s", cases[i].name, vector_name(cases[i].want));
        if (vector != cases[i].want)
            diag("was %s", vector_name(vector));
    }
}

static void hypercalls(void)
{
    static const u64 undefined[] = {
        FERMATA_HC_FP_IMPORT + 1, FERMATA_HC_BASE + 0x77, 0, 1, 0xffffffff, 0x84000000};
    u32 bad = 0;

    if (!on_fermata) {
        skip("no hypervisor", "hypercalls");
        return;
    }
    for (u32 i = 0; i < ARRAY_SIZE(undefined); i++)
        bad += hypercall(undefined[i], 0).status != FERMATA_NOT_SUPPORTED;
    ok(!bad, "an undefined hypercall returns NOT_SUPPORTED");
    ok(hypercall(FERMATA_HC_STAT, FERMATA_STATS).status == FERMATA_INVALID &&
           hypercall(FERMATA_HC_STAT, ~0ull).status == FERMATA_INVALID,
       "a counter that does not exist is INVALID");
    struct hc_result version = hypercall(FERMATA_HC_VERSION, 0);
    ok(version.status == FERMATA_OK && version.value == FERMATA_ABI_VERSION, "the version is 0x%lx",
       (unsigned long)version.value);
    ok(hypercall(0x5555555500000000 | FERMATA_HC_VERSION, 0).status == FERMATA_OK,
       "only EAX names the function");
    ok(insn_hypercall_preserves(FERMATA_HC_YIELD),
       "a hypercall preserves every register but RAX and RDX");
}

void scenario_refuse(void)
{
    fp_first();
    background_start();
    errata_measure();
    if (features.pku)
        fp_wrpkru(0); /* CPL 3 needs its pages */
    if (features.xsave)
        xsetbv_refused();
    cr4_bits();
    cr0_bits();
    msrs_refused();
    efer_refused();
    virtualisation_refused();
    user_refused();
    hypercalls();
    background_stop();
}
