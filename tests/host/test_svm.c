/*
 * SVM without a CPU that has it: the VMCB a guest starts with, the permission maps, the nested page
 * tables, the gate, and what becomes of every exit. What is expected is written as the manual's
 * numbers, not by the names the code uses: a wrong name would agree with itself.
 *
 * links: arch/x86_64/svm.c arch/x86_64/svm_cr.c arch/x86_64/svm_exits.c
 * links: arch/x86_64/svm_maps.c arch/x86_64/npt.c arch/x86_64/vcpu.c arch/x86_64/cr.c
 * links: arch/x86_64/msr.c arch/x86_64/vapic.c arch/x86_64/io.c arch/x86_64/pvh.c
 * links: arch/x86_64/cpuid_policy.c arch/x86_64/xstate_layout.c arch/x86_64/fp_config.c
 * links: arch/x86_64/decode_cr.c arch/x86_64/guest_walk.c arch/x86_64/leaks.c
 * links: hv/fp_area.c hv/uart16550.c hv/format.c tests/host/fake/support.c
 * machine: x86_64
 */
#include "fake/support.h"
#include "cpuid_policy.h"
#include "exceptions.h"
#include "fp_config.h"
#include "fp_hw.h"
#include "leaks.h"
#include "npt.h"
#include "selftest.h"
#include "paging.h"
#include "svm.h"
#include "virt.h"
#include "arch/arch.h"
#include "boot/boot_info.h"
#include "hv/console.h"
#include "hv/hypercall.h"
#include "hv/pages.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- What the files under test call ---- */

struct cpu_features cpu_has;
struct fp_hw fp_hw;
struct pcpu pcpus[MAX_CPUS];
volatile u32 nmi_count;
__attribute__((weak)) const struct virt_ops *virt = &svm_ops;

static u64 pages_held;
static char crash[512], console[64];
static u64 ended;
static bool has_ended;
static u32 fp_traps, starts, offs;
static enum fp_trap_result fp_answer;

void *pages_alloc(size_t n, u64 align, enum page_use use)
{
    void *pages = aligned_alloc(align, n * PAGE_SIZE);

    (void)use;
    assert_non_null(pages);
    memset(pages, 0, n * PAGE_SIZE);
    pages_held += n;
    return pages;
}

void pages_free(void *pages, size_t n, enum page_use use)
{
    (void)use;
    pages_held -= n;
    free(pages);
}

unsigned paging_levels(void)
{
    return 4;
}

void vcpu_crash(struct vcpu *v, const char *fmt, ...)
{
    va_list args;

    (void)v;
    va_start(args, fmt);
    vsnprintf(crash, sizeof(crash), fmt, args);
    va_end(args);
}

void vm_end(struct vm *vm, u64 status)
{
    (void)vm;
    ended = status;
    has_ended = true;
}

void vcpu_start(struct vcpu *v)
{
    v->state = VCPU_RUNNABLE;
    starts++;
}

void vcpu_off(struct vcpu *v)
{
    v->state = VCPU_OFF;
    offs++;
}

void vm_console_putc(struct vcpu *v, char c)
{
    (void)v;
    size_t n = strlen(console);
    console[n] = c;
    console[n + 1] = 0;
}

const char *vm_name(const struct vm *vm)
{
    (void)vm;
    return "alpha";
}

void say(enum log_level level, const char *fmt, ...)
{
    (void)level;
    (void)fmt;
}

enum vcpu_event hypercall(struct vcpu *v, u64 function, u64 argument,
                          struct hypercall_result *result)
{
    (void)v;
    *result = (struct hypercall_result){.status = -3, .value = function << 8 | argument};
    return function == 0x77 ? VCPU_YIELDED : VCPU_RESUME;
}

enum fp_trap_result fp_trap(struct vcpu *v, fp_units units)
{
    assert_int_equal(units, FP_UNIT_BASE);
    fp_traps++;
    if (fp_answer == FP_TRAP_RETRY)
        virt->gate(v, units);
    return fp_answer;
}

void fp_init(struct vcpu *v, fp_units offered, enum fp_policy policy)
{
    v->fp.offered = offered;
    v->fp.policy = (u8)policy;
    v->fp.cpu = FP_NOWHERE;
}

bool fp_grow(struct vcpu *v)
{
    (void)v;
    return true;
}

void fp_check(const struct vcpu *v)
{
    (void)v;
}

void fp_plan(struct fp_ctx *fp)
{
    fp->arch.mask = (u32)(fp->arch.xcr0_ever & 7);
}

void arch_fp_controls(struct vcpu *v)
{
    (void)v;
}

u64 fp_hw_offered(void)
{
    return 7;
}

void cpu_detect(void)
{
}

bool svm_selftest(struct pcpu *cpu, char *why, size_t n)
{
    (void)cpu, (void)why, (void)n;
    return true;
}

enum vcpu_event svm_loop(struct vcpu *v, u64 host_vmcb_pa)
{
    (void)v, (void)host_vmcb_pa;
    return VCPU_PREEMPTED;
}

/* ---- A VM ---- */

#define RAM MiB(6)

static struct vm vm;
static struct boot_vm config;
static u8 *ram;

static struct vmcb *vmcb_of(u32 n)
{
    return vm.vcpus[n]->arch.vmcb;
}

/* The VM without its image: all that arch_vm_init() does to vCPUs and stage 2. */
static int make_vm(void **state, u32 nvcpus)
{
    (void)state;
    memset(&vm, 0, sizeof(vm));
    memset(&pcpus[0], 0, sizeof(pcpus[0]));
    memset(&cpu_has, 0, sizeof(cpu_has));
    crash[0] = console[0] = 0;
    has_ended = false;
    fp_traps = starts = offs = 0;
    fp_answer = FP_TRAP_RETRY;
    cpu_has.xsave = cpu_has.xsaveopt = true;
    cpu_has.max_leaf = 0xd;
    cpu_has.xcr0 = 7;
    cpu_has.asids = 16;
    pcpus[0].arch.asid_next = 1;
    pcpus[0].arch.asid_max = 15;
    ram = pages_alloc(RAM / PAGE_SIZE, MiB(2), PAGES_GUEST);
    vm.ram = ram;
    vm.ram_bytes = RAM;
    vm.nvcpus = nvcpus;
    vm.config = &config;
    vm.arch.fp.xcr0 = 7;
    vm.arch.cr4_offered = 0x407ff & ~0x40ull;
    if (!svm_msrpm_pa)
        assert_true(svm_maps_init());
    assert_true(virt->vm_init(&vm));
    for (u32 i = 0; i < nvcpus; i++) {
        struct vcpu *v = calloc(1, sizeof(*v));
        v->vm = &vm;
        v->pcpu = &pcpus[0];
        v->id = i;
        vm.vcpus[i] = v;
        arch_vcpu_init(v);
        assert_true(virt->vcpu_init(v));
        virt->vcpu_reset(v, ENTRY_SIPI, 0xff);
    }
    virt->vcpu_reset(vm.vcpus[0], ENTRY_PVH, 0x100200);
    vm.vcpus[0]->state = VCPU_RUNNABLE;
    pcpus[0].current = vm.vcpus[0];
    return 0;
}

static int setup(void **state)
{
    return make_vm(state, 2);
}

static int teardown(void **state)
{
    (void)state;
    arch_vm_free(&vm);
    arch_vm_free(&vm); /* is called again for none */
    for (u32 i = 0; i < vm.nvcpus; i++)
        free(vm.vcpus[i]);
    pages_free(ram, RAM / PAGE_SIZE, PAGES_GUEST);
    assert_int_equal(pages_held, 5); /* the maps, which are shared and stay */
    return 0;
}

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

static enum vcpu_event exits(u64 code)
{
    struct vcpu *v = vm.vcpus[0];
    struct vmcb *c = v->arch.vmcb;

    c->exitcode = code;
    c->eventinj = 0x80000b0d; /* the last one, delivered long ago */
    c->tlb_control = 1;
    c->clean = 0;
    return svm_exit(v);
}

#define GP 0x80000b0dull
#define UD 0x80000306ull
#define DB 0x80000301ull

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

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fresh_vmcb),
        TEST(entry_segments),
        TEST(permission_maps),
        TEST(quota),
        TEST(asids),
        TEST(nested_tables),
        TEST(gate),
        TEST(gate_exits),
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

    return cmocka_run_group_tests(tests, NULL, NULL);
}
