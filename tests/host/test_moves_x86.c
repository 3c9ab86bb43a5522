/*
 * hv/fp.c and arch/x86_64's moves on the real registers of the CPU this runs on, in user mode: the
 * few privileged instructions of the movers fault and are done by a signal handler. No C library
 * and no vector register in the compiled code, so what the registers hold is what was put there.
 *
 * links: hv/fp.c hv/fp_area.c hv/format.c hv/string.c arch/x86_64/fp.c arch/x86_64/fp_moves.S
 * links: arch/x86_64/xstate_layout.c arch/x86_64/cr.c
 * links: tests/host/x86_64/user.S tests/host/x86_64/user_fault.c
 * machine: user_x86_64
 */
#include "tests/host/x86_64/user.h"
#include "cr.h"
#include "fp_hw.h"
#include "svm.h"
#include "virt.h"
#include "xstate_layout.h"
#include "arch/arch.h"

static struct vm vm;
static struct vcpu a, b;
static struct vmcb vmcb;
struct pcpu pcpus[MAX_CPUS];
struct cpu_features cpu_has;

static struct regs set_a, set_b, got;
static bool x87_pointers; /* FIP, FDP, FOP are what they were set to: not so in QEMU */
static bool undisturbed;  /* no signal comes between guest and mover */
static bool avx;          /* the CPU has it */
static u64 seed = 20260729;

/* ---- The machine around hv/fp.c ---- */

static u8 memory[16][PAGE_SIZE] ALIGNED(4096);
static u32 taken;

void *pages_alloc(size_t n, u64 align, enum page_use use)
{
    (void)align;
    (void)use;
    for (u32 i = 0; n == 1 && i < 16; i++) {
        if (!(taken & 1u << i)) {
            taken |= 1u << i;
            return memset(memory[i], 0, PAGE_SIZE);
        }
    }
    return NULL;
}

void pages_free(void *page, size_t n, enum page_use use)
{
    (void)n;
    (void)use;
    taken &= ~(1u << ((u8 *)page - memory[0]) / PAGE_SIZE);
}

struct pcpu *arch_this_cpu(void)
{
    return &pcpus[0];
}

void cpu_detect(void)
{
}

static void gate(struct vcpu *v, fp_units open)
{
    v->arch.gate_open = open != 0;
}

static bool gate_open(const struct vcpu *v)
{
    return v->arch.gate_open;
}

/* The guest's registers, as XSETBV looks at them: CR4.OSXSAVE set, the rest of no interest. */
static u64 get_reg(const struct vcpu *v, enum guest_reg reg)
{
    (void)v;
    return reg == GUEST_CR4 ? CR4_OSXSAVE : 0;
}

static unsigned cpl(const struct vcpu *v)
{
    (void)v;
    return 0;
}

static const struct virt_ops ops = {
    .gate = gate, .gate_open = gate_open, .get = get_reg, .cpl = cpl};
const struct virt_ops *virt = &ops;

/* ---- Contexts ---- */

static u64 random(void)
{
    u64 z = seed += 0x9e3779b97f4a7c15ull;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static void code64(bool is)
{
    vmcb.efer = is ? EFER_LMA | EFER_LME : 0;
    vmcb.cs.attributes = is ? BIT(9) : 0;
}

static u64 all_xcr0(void)
{
    return 3 | (wide_vectors() ? 4 : 0);
}

static void start_with(struct vcpu *v, enum fp_policy policy, u64 xcr0)
{
    memset(v, 0, sizeof(*v));
    v->vm = &vm;
    v->pcpu = &pcpus[0];
    fp_init(v, FP_UNIT_BASE, policy);
    v->fp.arch.permitted = cpu_has.xsave ? fp_hw_offered() : 0;
    v->fp.arch.xcr0 = v->fp.arch.xcr0_ever = xcr0;
    fp_plan(&v->fp);
    v->arch.vmcb = &vmcb;
    code64(true);
}

static void start(struct vcpu *v, enum fp_policy policy)
{
    start_with(v, policy, all_xcr0());
}

static bool run(struct vcpu *v)
{
    if (pcpus[0].current == v)
        return true;
    if (pcpus[0].current)
        fp_switch_out(pcpus[0].current);
    pcpus[0].current = v;
    return fp_switch_in(v);
}

static void stop(struct vcpu *v)
{
    fp_release(v);
    if (pcpus[0].current == v) {
        fp_switch_out(v);
        pcpus[0].current = NULL;
    }
}

/* The guest's first FP instruction, as far as the hypervisor sees it. */
static void touch(struct vcpu *v)
{
    if (!v->arch.gate_open && fp_trap(v, FP_UNIT_BASE) != FP_TRAP_RETRY)
        user_fail("no retry");
    if (!(user_cr0 & 8))
        user_fail("CR0.TS was left open");
}

static void randomise(struct regs *r)
{
    u8 *bytes = (u8 *)r;

    memset(r, 0, sizeof(*r));
    for (size_t i = offsetof(struct regs, st); i < offsetof(struct regs, scratch); i++)
        bytes[i] = (u8)random();
    for (u32 i = 0; i < 8; i++) {
        r->st[i][7] |= 0x80; /* normal numbers: FNSTENV would tag others as special */
        r->st[i][9] = (u8)((r->st[i][9] & 0x9f) | 0x20);
        memset(r->st[i] + 10, 0, 6);
    }
    for (u32 i = 0; i < 16 && !wide_vectors(); i++)
        memset(r->ymm[i] + 16, 0, 16);
    r->env.fcw = (u16)(0x37f ^ (random() & 0xc00) ^ (random() & 0x300));
    r->env.reserved0 = 0xffff;
    r->env.reserved1 = 0xffff;
    r->env.reserved2 = 0xffff;
    r->mxcsr = 0x1f80 ^ (u32)(random() & 0xe03f);
}

bool wide_vectors(void)
{
    return avx && cpu_has.xsave;
}

/* Everything but what FNSTENV cannot tell reliably: reserved words, and pointers unless asked. */
static bool same(const struct regs *x, const struct regs *y, bool pointers)
{
    bool right = x->env.fcw == y->env.fcw && x->env.fsw == y->env.fsw && x->env.ftw == y->env.ftw &&
                 x->mxcsr == y->mxcsr && !memcmp(x->st, y->st, sizeof(x->st)) &&
                 !memcmp(x->ymm, y->ymm, sizeof(x->ymm));

    return right &&
           (!pointers || !x87_pointers ||
            (x->env.fip == y->env.fip && x->env.fdp == y->env.fdp && x->env.fop == y->env.fop));
}

static void put(const struct regs *r)
{
    /* What fp_enter() notes; its fp_check() would look at this machine's real XCR0. */
    pcpus[0].current->fp.in_sync = false;
    regs_set(r, wide_vectors());
}

static struct regs *get(void)
{
    regs_get(&got, wide_vectors());
    return &got;
}

/* INIT, by value, in every register and in the pointers too. */
static bool is_init(void)
{
    static struct regs init;

    init.env.fcw = 0x37f;
    init.env.ftw = 0xffff;
    init.mxcsr = 0x1f80;
    return same(get(), &init, true);
}

/* ---- Tests ---- */

static bool bugs4_fresh(void)
{
    randomise(&set_a);
    regs_set(&set_a, wide_vectors()); /* what a firmware leaves */
    fp_hw_init(&pcpus[0]);
    bool right = is_init();
    start(&a, FP_LAZY);
    right &= run(&a) && is_init();
    touch(&a);
    right &= is_init();
    stop(&a);
    return right && is_init();
}

static bool patterns_held(void)
{
    bool right = true;

    start(&a, FP_LAZY);
    start(&b, FP_EAGER);
    for (u32 round = 0; round < 2000; round++) {
        right &= run(&a);
        right &= is_init(); /* BUGS 1: nothing behind the closed gate */
        touch(&a);
        right &= round == 0 || same(get(), &set_a, false);
        randomise(&set_a);
        put(&set_a);
        right &= run(&b);
        right &= round == 0 ? is_init() : same(get(), &set_b, false);
        randomise(&set_b);
        put(&set_b);
    }
    stop(&a);
    stop(&b);
    return right && is_init();
}

/* BUGS 2 and 3: FIP, FDP and FOP of one are never another's, whatever FSW and FCW say. */
static bool bugs2_bugs3_pointers(void)
{
    bool right = true;

    for (u32 masks = 0; masks < 64; masks++) {
        for (u32 flags = 0; flags < 64; flags += 1 + masks % 3) {
            start(&a, FP_LAZY);
            start(&b, FP_LAZY);
            right &= run(&a);
            touch(&a);
            randomise(&set_a);
            set_a.env.fcw = (u16)(0x340 | masks);
            set_a.env.fsw = (u16)(flags | (flags & ~masks ? 0x8080 : 0));
            set_a.env.fip = 0x12345678;
            set_a.env.fdp = 0x9abcdef0;
            set_a.env.fop = 0x123;
            put(&set_a);
            right &= run(&b) && is_init();
            touch(&b);
            right &= is_init();
            right &= run(&a);
            touch(&a);
            right &= same(get(), &set_a, (flags & ~masks) != 0);
            stop(&a);
            stop(&b);
        }
    }
    return right;
}

/* BUGS 6: components that go into INIT and out of it between saves. */
static bool bugs6_components(void)
{
    bool right = true;

    start(&a, FP_LAZY);
    start(&b, FP_LAZY);
    for (u32 round = 0; round < 64; round++) {
        right &= run(&a);
        touch(&a);
        right &= round == 0 || same(get(), &set_a, false);
        randomise(&set_a);
        if (round & 1) /* SSE in INIT */
            set_a.mxcsr = 0x1f80;
        for (u32 i = 0; i < 16; i++) {
            if (round & 1)
                memset(set_a.ymm[i], 0, 16);
            if (round & 2)
                memset(set_a.ymm[i] + 16, 0, 16);
        }
        if (round & 4) {
            set_a.env.fcw = 0x37f;
            set_a.env.ftw = 0xffff;
            memset(set_a.st, 0, sizeof(set_a.st));
        }
        put(&set_a);
        right &= run(&b);
        touch(&b);
        randomise(&set_b);
        put(&set_b);
    }
    stop(&a);
    stop(&b);
    return right;
}

/* The guest's XSETBV in the middle: AVX comes, goes (BUGS 35) and comes back. */
static bool bugs35_xcr0(void)
{
    bool right = true;

    if (!wide_vectors())
        return true;
    start_with(&a, FP_LAZY, 3);
    start(&b, FP_LAZY);
    for (u32 round = 0; round < 50; round++) {
        right &= run(&a);
        touch(&a);
        u32 before = a.fp.area.bytes;
        right &= xsetbv_write(&a, 0, 7) == XSETBV_DONE;
        right &= round > 0 || a.fp.area.bytes > before;
        right &= user_xcr0 == 7;
        right &= round == 0 || same(get(), &set_a, false);
        randomise(&set_a);
        put(&set_a);
        right &= xsetbv_write(&a, 0, 3) == XSETBV_DONE; /* lowered with AVX live */
        right &= run(&b) && is_init() && user_xcr0 == b.fp.arch.xcr0;
        touch(&b);
        randomise(&set_b);
        put(&set_b);
    }
    stop(&a);
    stop(&b);
    return right && is_init();
}

/* Growth while the registers are live moves nothing in them. */
static bool growth_while_live(void)
{
    if (!wide_vectors())
        return true;
    start_with(&a, FP_LAZY, 3);
    bool right = run(&a);
    touch(&a);
    randomise(&set_a);
    put(&set_a);
    /* AVX's uppers are not the guest's before; they come up as INIT. */
    for (u32 i = 0; i < 16; i++)
        memset(set_a.ymm[i] + 16, 0, 16);
    put(&set_a);
    right &= xsetbv_write(&a, 0, 7) == XSETBV_DONE && same(get(), &set_a, false);
    fp_sync(&a);
    right &= same(get(), &set_a, false);
    start(&b, FP_LAZY);
    right &= run(&b) && run(&a);
    touch(&a);
    right &= same(get(), &set_a, false);
    stop(&a);
    stop(&b);
    return right;
}

/* BUGS 36: 32-bit code keeps its selectors, where the CPU has them and no signal drops them. */
static bool bugs36_32bit_form(void)
{
    bool right = true;

    start(&a, FP_LAZY);
    start(&b, FP_LAZY);
    code64(false);
    right &= run(&a);
    touch(&a);
    randomise(&set_a);
    set_a.env.fcw = 0x340; /* unmasked, and pending: AMD saves the pointers only then */
    set_a.env.fsw = 0x8081;
    set_a.env.fip = 0x1000;
    set_a.env.fcs = 0x33;
    set_a.env.fdp = 0x2000;
    set_a.env.fds = 0x2b;
    put(&set_a);
    const struct fp_env before = get()->env; /* what this CPU keeps of it */
    fp_sync(&a);
    const struct fxsave_image *image = a.fp.area.base;
    right &=
        a.fp.arch.code32 == fp_hw.keep_selectors && (!x87_pointers || (u32)image->fip == 0x1000);
    right &= run(&b) && run(&a);
    touch(&a);
    right &= same(get(), &set_a, true);
    if (undisturbed && x87_pointers)
        right &= got.env.fcs == before.fcs && got.env.fds == before.fds;
    stop(&a);
    stop(&b);
    return right;
}

static const struct user_test tests[] = {
    {"bugs4_fresh: INIT in every register", bugs4_fresh},
    {"bugs1_patterns held over 4000 switches", patterns_held},
    {"bugs2_bugs3_pointers over all FCW and FSW", bugs2_bugs3_pointers},
    {"bugs6_components in and out of INIT", bugs6_components},
    {"bugs35_xcr0 lowered with AVX live", bugs35_xcr0},
    {"growth while the registers are live", growth_while_live},
    {"bugs36_32bit_form", bugs36_32bit_form},
};

/* The ways of moving: as this CPU would, and as lesser ones must. */
static const struct {
    const char *name;
    bool xsave, xsaveopt;
} ways[] = {{"XSAVEOPT", true, true}, {"XSAVE", true, false}, {"FXSAVE", false, false}};

static void detect(void)
{
    struct cpuid_regs one = cpuid(1, 0), ext = cpuid(0x80000008, 0);

    cpu_has.vendor[0] = 'x'; /* detected */
    cpu_has.xsave = one.ecx & BIT(27);
    cpu_has.xcr0 = cpu_has.xsave ? xgetbv(0) & 7 : 0;
    cpu_has.xsaveopt = cpu_has.xsave && (cpuid(0xd, 1).eax & 1);
    cpu_has.svm = cpuid(0, 0).ebx == 0x68747541; /* "Auth"enticAMD */
    cpu_has.fpu_pointers_always = ext.ebx & 4;
    cpu_has.no_fcs_fds = cpuid(7, 0).ebx & BIT(13);
    avx = cpu_has.xcr0 & 4;
    randomise(&set_a);
    set_a.env.fip = 0x12345678;
    regs_set(&set_a, wide_vectors());
    x87_pointers = get()->env.fip == set_a.env.fip;
}

/* Every test in every way of moving; how many failed. */
static u32 run_all(u32 *n, const char *how)
{
    const bool xsave = cpu_has.xsave, xsaveopt = cpu_has.xsaveopt;
    u32 bad = 0;

    for (u32 way = 0; way < ARRAY_SIZE(ways); way++) {
        bool can = (xsave || !ways[way].xsave) && (xsaveopt || !ways[way].xsaveopt);
        cpu_has.xsave = user_masks_checked = ways[way].xsave;
        cpu_has.xsaveopt = ways[way].xsaveopt;
        for (u32 i = 0; i < ARRAY_SIZE(tests); i++) {
            bool good = !can || tests[i].run();
            good &= vm.fp_quota.used == 0 && taken == 0;
            bad += !good;
            user_print("%sok %u - %s, %s: %s%s\n", good ? "" : "not ", ++*n, how, ways[way].name,
                       tests[i].name, can ? "" : " # SKIP this CPU has it not");
        }
    }
    cpu_has.xsave = xsave;
    cpu_has.xsaveopt = xsaveopt;
    return bad;
}

long user_main(void)
{
    u32 n = 0;

    user_catch_faults();
    vm.fp_quota.limit = MiB(1);
    detect();
    u32 bad = run_all(&n, "CLTS faults");
    undisturbed = true;
    u8 *first = (u8 *)(uintptr_t)fp_move_xsave64;
    user_patch(first, (size_t)((u8 *)(uintptr_t)fp_move_xsaveopt32 - first) + 48);
    bad += run_all(&n, "CLTS does nothing");
    user_print("1..%u\n", n);
    return bad != 0;
}
