/* See user_machine.h. */
#include "tests/host/x86_64/user_machine.h"
#include "svm.h"
#include "virt.h"

struct vm vm;
static struct vmcb vmcb;
struct pcpu pcpus[MAX_CPUS];
struct cpu_features cpu_has;

static struct regs got;
bool x87_pointers; /* FIP, FDP, FOP are what they were set to: not so in QEMU */
bool undisturbed;  /* no signal comes between guest and mover */
static bool avx;   /* the CPU has it */
u64 user_components = 7;
static u64 seed = 20260729;

#define SYS_ARCH_PRCTL      158
#define ARCH_REQ_XCOMP_PERM 0x1023

/* ---- The machine around hv/fp.c ---- */

#define PAGES 1100u

static u8 memory[PAGES][PAGE_SIZE] ALIGNED(4096);
static u8 is_taken[PAGES];
u32 taken;

void *pages_alloc(size_t n, u64 align, enum page_use use)
{
    (void)align;
    (void)use;
    for (u32 i = 0, run = 0; i < PAGES; i++) {
        run = is_taken[i] ? 0 : run + 1;
        if (run < n)
            continue;
        u32 first = i + 1 - (u32)n;
        memset(is_taken + first, 1, n);
        taken += (u32)n;
        return memset(memory[first], 0, n * PAGE_SIZE);
    }
    return NULL;
}

void pages_free(void *page, size_t n, enum page_use use)
{
    (void)use;
    memset(is_taken + ((u8 *)page - memory[0]) / PAGE_SIZE, 0, n);
    taken -= (u32)n;
}

bool pages_spare(u64 bytes)
{
    return (PAGES - taken) * (u64)PAGE_SIZE >= bytes;
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

static void trap_nm(struct vcpu *v, bool trap)
{
    v->arch.open_exceptions = trap;
}

static const struct virt_ops ops = {
    .trap_nm = trap_nm, .gate = gate, .gate_open = gate_open, .get = get_reg, .cpl = cpl};
const struct virt_ops *virt = &ops;

/* ---- Contexts ---- */

u64 user_random(void)
{
    u64 z = seed += 0x9e3779b97f4a7c15ull;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

void code64(bool is)
{
    vmcb.efer = is ? EFER_LMA | EFER_LME : 0;
    vmcb.cs.attributes = is ? BIT(9) : 0;
}

u64 all_xcr0(void)
{
    return 3 | (wide_vectors() ? 4 : 0);
}

void start_with(struct vcpu *v, enum fp_policy policy, u64 xcr0)
{
    memset(v, 0, sizeof(*v));
    v->vm = &vm;
    v->pcpu = &pcpus[0];
    fp_init(v, FP_UNIT_BASE, policy);
    v->fp.arch.perm = cpu_has.xsave ? fp_hw_offered() : 0;
    v->fp.arch.xcr0 = v->fp.arch.enabled = xcr0;
    v->fp.arch.armed = fp_hw.xfd && (v->fp.arch.perm & XCR0_TILEDATA);
    fp_plan(&v->fp);
    v->arch.vmcb = &vmcb;
    code64(true);
}

void start(struct vcpu *v, enum fp_policy policy)
{
    start_with(v, policy, all_xcr0());
}

bool run(struct vcpu *v)
{
    if (pcpus[0].current == v)
        return true;
    if (pcpus[0].current)
        fp_switch_out(pcpus[0].current);
    pcpus[0].current = v;
    return fp_switch_in(v);
}

void stop(struct vcpu *v)
{
    fp_release(v);
    if (pcpus[0].current == v) {
        fp_switch_out(v);
        pcpus[0].current = NULL;
    }
}

/* The guest's first FP instruction, as far as the hypervisor sees it. */
void touch(struct vcpu *v)
{
    if (!v->arch.gate_open && fp_trap(v, FP_UNIT_BASE) != FP_TRAP_RETRY)
        user_fail("no retry");
    if (!(user_cr0 & 8))
        user_fail("CR0.TS was left open");
}

void randomise(struct regs *r)
{
    u8 *bytes = (u8 *)r;

    memset(r, 0, sizeof(*r));
    for (size_t i = offsetof(struct regs, st); i < offsetof(struct regs, scratch); i++)
        bytes[i] = (u8)user_random();
    for (u32 i = 0; i < 8; i++) {
        r->st[i][7] |= 0x80; /* normal numbers: FNSTENV would tag others as special */
        r->st[i][9] = (u8)((r->st[i][9] & 0x9f) | 0x20);
        memset(r->st[i] + 10, 0, 6);
    }
    for (u32 i = 0; i < 16 && !wide_vectors(); i++)
        memset(r->ymm[i] + 16, 0, 16);
    r->env.fcw = (u16)(0x37f ^ (user_random() & 0xc00) ^ (user_random() & 0x300));
    r->env.reserved0 = 0xffff;
    r->env.reserved1 = 0xffff;
    r->env.reserved2 = 0xffff;
    r->mxcsr = 0x1f80 ^ (u32)(user_random() & 0xe03f);
}

bool wide_vectors(void)
{
    return avx && cpu_has.xsave;
}

/* Everything but what FNSTENV cannot tell reliably: reserved words, and pointers unless asked. */
bool same(const struct regs *x, const struct regs *y, bool pointers)
{
    bool right = x->env.fcw == y->env.fcw && x->env.fsw == y->env.fsw && x->env.ftw == y->env.ftw &&
                 x->mxcsr == y->mxcsr && !memcmp(x->st, y->st, sizeof(x->st)) &&
                 !memcmp(x->ymm, y->ymm, sizeof(x->ymm));

    return right &&
           (!pointers || !x87_pointers ||
            (x->env.fip == y->env.fip && x->env.fdp == y->env.fdp && x->env.fop == y->env.fop));
}

void put(const struct regs *r)
{
    /* What fp_enter() notes; its fp_check() would look at this machine's real XCR0. */
    pcpus[0].current->fp.in_sync = false;
    regs_set(r, wide_vectors());
}

struct regs *get(void)
{
    regs_get(&got, wide_vectors());
    return &got;
}

/* INIT, by value, in every register and in the pointers too. */
bool is_init(void)
{
    static struct regs init;

    init.env.fcw = 0x37f;
    init.env.ftw = 0xffff;
    init.mxcsr = 0x1f80;
    return same(get(), &init, true);
}

/* ---- All of it ---- */

static void learn(void)
{
    struct cpuid_regs whole = cpuid(0xd, 0);
    struct xstate_cpuid told = {.xcr0 = cpu_has.xcr0, .all_bytes = whole.ecx};

    for (u32 n = 2; n < FP_COMPONENTS; n++) {
        struct cpuid_regs r = cpuid(0xd, n);
        told.leaf[n].bytes = r.eax;
        told.leaf[n].offset = r.ebx;
        told.leaf[n].flags = r.ecx;
    }
    xstate_learn(&xstate_layout, &told);
}

static void detect(void)
{
    struct cpuid_regs one = cpuid(1, 0), ext = cpuid(0x80000008, 0);

    cpu_has.vendor[0] = 'x'; /* detected */
    cpu_has.xsave = one.ecx & BIT(27);
    if (user_components & XCR0_AMX)
        user_call(SYS_ARCH_PRCTL, ARCH_REQ_XCOMP_PERM, 18, 0, 0);
    cpu_has.xcr0 = cpu_has.xsave ? xgetbv(0) & user_components : 0;
    cpu_has.xgetbv1 = cpu_has.xsave && (cpuid(0xd, 1).eax & 4);
    cpu_has.xsaveopt = cpu_has.xsave && (cpuid(0xd, 1).eax & 1);
    cpu_has.xsavec = cpu_has.xsave && (cpuid(0xd, 1).eax & 2);
    learn();
    cpu_has.svm = cpuid(0, 0).ebx == 0x68747541; /* "Auth"enticAMD */
    cpu_has.fpu_pointers_always = ext.ebx & 4;
    cpu_has.no_fcs_fds = cpuid(7, 0).ebx & BIT(13);
    avx = cpu_has.xcr0 & 4;
    static struct regs probe;
    randomise(&probe);
    probe.env.fip = 0x12345678;
    regs_set(&probe, wide_vectors());
    x87_pointers = get()->env.fip == probe.env.fip;
}

/* The ways of moving: as this CPU would, and as lesser ones must. */
static const struct {
    const char *name;
    u8 form; /* XSAVES cannot be run in user mode */
} ways[] = {
    {"XSAVEC", FP_XSAVEC}, {"XSAVEOPT", FP_XSAVEOPT}, {"XSAVE", FP_XSAVE}, {"FXSAVE", FP_FXSAVE}};

/* From here on nothing comes between guest and mover. */
static void machine_undisturbed(void)
{
    u8 *first = (u8 *)(uintptr_t)fp_move_xsave64;

    undisturbed = true;
    user_patch(first, (size_t)((u8 *)(uintptr_t)fp_move_xsaveopt32 - first) + 48);
}

static u32 run_all(const struct user_test *tests, u32 count, u32 *n, const char *how)
{
    const struct cpu_features has = cpu_has;
    const bool offered[] = {true, has.xsave, has.xsaveopt, has.xsavec};
    u32 bad = 0;

    for (u32 way = 0; way < ARRAY_SIZE(ways); way++) {
        u8 form = ways[way].form;
        bool can = offered[form];
        cpu_has.xsave = user_masks_checked = form != FP_FXSAVE;
        cpu_has.xsaveopt = has.xsaveopt && form >= FP_XSAVEOPT;
        cpu_has.xsavec = has.xsavec && form >= FP_XSAVEC;
        fp_hw.form = form;
        for (u32 i = 0; i < count; i++) {
            bool good = !can || tests[i].run();
            good &= vm.fp_quota.used == 0 && taken == 0;
            bad += !good;
            user_print("%sok %u - %s, %s: %s%s\n", good ? "" : "not ", ++*n, how, ways[way].name,
                       tests[i].name, can ? "" : " # SKIP this CPU has it not");
        }
    }
    cpu_has = has;
    return bad;
}

u32 run_everything(const struct user_test *tests, u32 count)
{
    u32 n = 0;

    user_catch_faults();
    vm.fp_quota.limit = MiB(8);
    detect();
    u32 bad = run_all(tests, count, &n, "CLTS faults");
    machine_undisturbed();
    bad += run_all(tests, count, &n, "CLTS does nothing");
    user_print("1..%u\n", n);
    return bad;
}
