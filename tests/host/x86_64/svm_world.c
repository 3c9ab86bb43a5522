/* See svm_world.h. */
#include "svm_world.h"
#include "xstate_layout.h"

/* ---- What the files under test call ---- */

struct cpu_features cpu_has;
struct fp_hw fp_hw;
struct pcpu pcpus[MAX_CPUS];
volatile u32 nmi_count;
__attribute__((weak)) const struct virt_ops *virt = &svm_ops;

u64 pages_held, pages_kept = 5; /* the maps, which are shared and stay */
char crash[512], console[64];
u64 ended;
bool has_ended;
u32 fp_traps, starts, offs;
enum fp_trap_result fp_answer;

bool pages_spare(u64 bytes)
{
    (void)bytes;
    return true;
}

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

void vm_end(struct vm *which, u64 status)
{
    (void)which;
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

const char *vm_name(const struct vm *which)
{
    (void)which;
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

void fp_check(const struct vcpu *v)
{
    (void)v;
}

void fp_plan(struct fp_ctx *fp)
{
    fp->arch.allocated = (u32)(fp->arch.enabled & 7);
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

u32 svm_probe(struct pcpu *cpu, const struct gate_class *class, enum probe_gate gate,
              bool *at_itself)
{
    (void)cpu, (void)class, (void)gate, (void)at_itself;
    return 0;
}

enum vcpu_event svm_loop(struct vcpu *v, u64 host_vmcb_pa)
{
    (void)v, (void)host_vmcb_pa;
    return VCPU_PREEMPTED;
}

/* ---- A VM ---- */

struct vm vm;
static struct boot_vm config;
u8 *ram;

struct vmcb *vmcb_of(u32 n)
{
    return vm.vcpus[n]->arch.vmcb;
}

/* The VM without its image: all that arch_vm_init() does to vCPUs and stage 2. */
int make_vm(void **state, u32 nvcpus)
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
    const struct xstate_cpuid told = {.xcr0 = 7, .all_bytes = 832, .leaf = {[2] = {256, 576, 0}}};
    xstate_learn(&xstate_layout, &told);
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

int setup(void **state)
{
    return make_vm(state, 2);
}

int teardown(void **state)
{
    (void)state;
    arch_vm_free(&vm);
    arch_vm_free(&vm); /* is called again for none */
    for (u32 i = 0; i < vm.nvcpus; i++)
        free(vm.vcpus[i]);
    pages_free(ram, RAM / PAGE_SIZE, PAGES_GUEST);
    assert_int_equal(pages_held, pages_kept);
    return 0;
}

enum vcpu_event exits(u64 code)
{
    struct vcpu *v = vm.vcpus[0];
    struct vmcb *c = v->arch.vmcb;

    c->exitcode = code;
    c->eventinj = 0x80000b0d; /* the last one, delivered long ago */
    c->tlb_control = 1;
    c->clean = 0;
    return svm_exit(v);
}
