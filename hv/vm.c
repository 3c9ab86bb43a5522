/*
 * Virtual machines: made from their config, ended by their guest or by what it did. Nothing a
 * config or a guest can do ends the machine: a VM that cannot be made is refused, one that breaks
 * is stopped, each with one line that says what, where and what to do, and the others go on.
 */
#include "hv/vm.h"
#include "hv/console.h"
#include "hv/core.h"
#include "hv/gdb.h"
#include "hv/pages.h"
#include "hv/sched.h"
#include "arch/arch.h"
#include "boot/boot_info.h"

#define RAM_ALIGN MiB(2) /* so that stage 2 can map it with large pages */

struct vm *vms[BOOT_MAX_VMS];
u32 nvms;

const char *vm_name(const struct vm *vm)
{
    return vm->config->name;
}

static size_t pages_for(u64 bytes)
{
    return (size_t)(ALIGN_UP(bytes, (u64)PAGE_SIZE) >> PAGE_SHIFT);
}

/* ---- Creation ---- */

/* "vm alpha refused (fermata.conf:12): why" */
static void refuse(struct vm *vm, const char *why)
{
    char where[32] = "built in";

    if (vm->config->line != 0)
        format_text(where, sizeof(where), "fermata.conf:%u", vm->config->line);
    say_error("vm %s refused (%s): %s", vm_name(vm), where, why);
    vm->state = VM_REFUSED;
}

static bool image_is_possible(const struct boot_vm *config, char *why, size_t n)
{
    char wrong[BOOT_TEXT] = "it was not read";

    if (config->image != 0 &&
        arch_image_check((const void *)(uintptr_t)config->image, config->image_bytes,
                         config->memory, wrong, sizeof(wrong)))
        return true;
    format_text(why, n, "kernel %s: %s", config->kernel, wrong);
    return false;
}

/* What can be seen without taking any memory. */
static bool config_is_possible(const struct boot_vm *config, const struct pcpu *cpu, char *why,
                               size_t n)
{
    if (config->error[0] != 0) {
        format_text(why, n, "%s", config->error);
    } else if (config->vcpus == 0 || config->vcpus > VM_MAX_VCPUS) {
        format_text(why, n, "vcpus = %u: give it 1 to %u", config->vcpus, VM_MAX_VCPUS);
    } else if (config->memory == 0 || config->memory % RAM_ALIGN != 0) {
        format_text(why, n, "memory = %lu bytes: give it a multiple of 2M", config->memory);
    } else if (config->cpus != 0 && (config->cpus & BIT(cpu->id)) == 0) {
        format_text(why, n,
                    "cpus names none of the CPUs Fermata runs on (only CPU %u in this release): "
                    "write cpus = %u or leave it out",
                    cpu->id, cpu->id);
    } else {
        return image_is_possible(config, why, n);
    }
    return false;
}

static bool take_ram(struct vm *vm, char *why, size_t n)
{
    const u64 bytes = vm->config->memory;

    vm->ram = pages_alloc(pages_for(bytes), RAM_ALIGN, PAGES_GUEST);
    if (vm->ram == NULL) {
        format_text(why, n,
                    "memory = %luM is not to be had in one piece (%lu MiB are free): give it less, "
                    "or the machine more",
                    bytes >> 20, pages_left() >> 20);
        return false;
    }
    vm->ram_gpa = arch_vm_ram_base();
    vm->ram_bytes = bytes;
    const u64 before = arch_ticks();
    memset(vm->ram, 0, bytes);
    vm->cleared_ticks = arch_ticks() - before;
    return true;
}

static bool make_vcpus(struct vm *vm, struct pcpu *cpu)
{
    for (u32 i = 0; i < vm->config->vcpus; i++) {
        struct vcpu *v = pages_alloc(pages_for(sizeof(*v)), PAGE_SIZE, PAGES_HYPERVISOR);
        if (v == NULL)
            return false;
        v->vm = vm;
        v->pcpu = cpu;
        v->id = i;
        v->state = VCPU_OFF;
        v->fp.cpu = FP_NOWHERE;
        vm->vcpus[i] = v;
        vm->nvcpus = i + 1;
    }
    return true;
}

/* Of a VM that never ran: those that did are kept for the closing table. */
static void free_vcpus(struct vm *vm)
{
    while (vm->nvcpus != 0) {
        struct vcpu *v = vm->vcpus[--vm->nvcpus];
        pages_free(v, pages_for(sizeof(*v)), PAGES_HYPERVISOR);
        vm->vcpus[vm->nvcpus] = NULL;
    }
}

/*
 * An admitted VM can never find its FP areas missing: its quota is set aside now. Small areas share
 * pages, but may have to begin one each: a vCPU that grows has two, and a + b bytes take at most a
 * page more than their sum. With overcommit only the limit holds: a growth may find nothing left,
 * and stops the VM then.
 */
static bool reserve_areas(struct vm *vm)
{
    const u64 bytes = arch_fp_quota(vm);
    const u64 in_pages = (ALIGN_UP(bytes, (u64)PAGE_SIZE) + PAGE_SIZE) * vm->nvcpus;

    vm->fp_quota =
        (struct fp_quota){.limit = bytes * vm->nvcpus, .overcommit = vm->config->overcommit != 0};
    if (vm->fp_quota.overcommit)
        return pages_spare(0); /* what it is made of was promised to no one else */
    if (!pages_reserve(in_pages))
        return false;
    vm->reserved = in_pages;
    return true;
}

/* Everything that can go wrong after the config was found possible. */
static bool build(struct vm *vm, struct pcpu *cpu, char *why, size_t n)
{
    if (!take_ram(vm, why, n))
        return false;
    if (!make_vcpus(vm, cpu)) {
        format_text(why, n, "no memory for its %u vCPUs: give the VMs less memory",
                    vm->config->vcpus);
        return false;
    }
    if (!arch_vm_init(vm, why, n))
        return false;
    if (!reserve_areas(vm)) {
        format_text(why, n,
                    "no memory for its FP save areas (%lu KiB): give the VMs less memory or an "
                    "fp list that is shorter",
                    vm->fp_quota.limit >> 10);
        return false;
    }
    return true;
}

void vm_create(const struct boot_vm *config, struct pcpu *cpu)
{
    char why[BOOT_TEXT] = "";
    struct vm *vm;

    if (nvms == BOOT_MAX_VMS) {
        say_error("vm %s refused: there are %u already", config->name, nvms);
        return;
    }
    vm = pages_alloc(pages_for(sizeof(*vm)), PAGE_SIZE, PAGES_HYPERVISOR);
    CHECK(vm != NULL); /* a machine too small for this page would not have come so far */
    vm->id = nvms;
    vm->config = config;
    vms[nvms++] = vm;
    if (!config_is_possible(config, cpu, why, sizeof(why))) {
        refuse(vm, why);
        return;
    }
    if (!build(vm, cpu, why, sizeof(why))) {
        refuse(vm, why);
        vm_free(vm);
        free_vcpus(vm);
        return;
    }
    vm->ticks_limit = ~0ull;
    if (config->limit_ms != 0 && config->limit_ms < ~0ull / arch_ticks_per_second())
        vm->ticks_limit = config->limit_ms * arch_ticks_per_second() / 1000;
    vm->state = VM_RUNNING;
    say_info("vm %s: %lu MiB, %u vCPU(s), fp = %s, %s, kernel %s", config->name,
             config->memory >> 20, config->vcpus, config->fp[0] != 0 ? config->fp : "all",
             config->policy == BOOT_POLICY_EAGER ? "eager" : "lazy", config->kernel);
    vcpu_start(vm->vcpus[0]);
}

/* ---- Life and end ---- */

void vcpu_start(struct vcpu *v)
{
    if (v->vm->state == VM_REFUSED || v->state == VCPU_STOPPED)
        return;
    v->state = VCPU_RUNNABLE;
    sched_add(v);
}

void vcpu_off(struct vcpu *v)
{
    CHECK(v->pcpu->current != v);
    sched_remove(v);
    v->state = VCPU_OFF;
}

static void flush_line(struct vcpu *v);

/* Every vCPU stops for good; what they hold of the FP registers and areas goes first (I7). */
static void stop_all(struct vm *vm, enum vm_state state)
{
    vm->state = state;
    for (u32 i = 0; i < vm->nvcpus; i++) {
        struct vcpu *v = vm->vcpus[i];
        flush_line(v);
        sched_remove(v);
        v->state = VCPU_STOPPED;
        v->stats.fp_bytes = v->fp.area.bytes;
        fp_release(v);
    }
}

void vm_end(struct vm *vm, u64 status)
{
    if (vm->state != VM_RUNNING)
        return;
    stop_all(vm, status == 0 ? VM_PASSED : VM_FAILED);
    if (status != 0) {
        say_error("vm %s failed: powered off with status %lu", vm_name(vm), status);
    } else if (vm->tap_failed != 0) {
        /* A kernel that reports success over failed tests is not believed. */
        say_error("vm %s failed: %u line(s) \"not ok\" although it powered off with status 0",
                  vm_name(vm), vm->tap_failed);
        vm->state = VM_FAILED;
    } else {
        say_info("vm %s passed", vm_name(vm));
    }
}

void vcpu_crash(struct vcpu *v, const char *fmt, ...)
{
    char text[BOOT_TEXT];
    va_list args;

    if (v->vm->state != VM_RUNNING)
        return;
    va_start(args, fmt);
    format_text_v(text, sizeof(text), fmt, args);
    va_end(args);
    flush_line(v);
    say_error("vm %s failed: vCPU %u at 0x%lx: %s", vm_name(v->vm), v->id, arch_vcpu_pc(v), text);
    gdb_crash(v);
    if (core_on)
        core_vm(v->vm);
    stop_all(v->vm, VM_FAILED);
}

bool vm_blocked(struct vcpu *v)
{
    struct vm *vm = v->vm;

    for (u32 i = 0; i < vm->nvcpus; i++) {
        if (vm->vcpus[i]->state == VCPU_RUNNABLE)
            return false;
    }
    vcpu_crash(v, "every vCPU is halted or off, and no interrupt will come to wake one: end the VM "
                  "by power-off instead");
    return true;
}

void vm_time_out(struct vcpu *v)
{
    const u64 ms = v->vm->config->limit_ms;

    vcpu_crash(v,
               "its VM has used %lu ms of CPU time, all that limit allows%s: look there for an "
               "endless loop, or raise limit in fermata.conf",
               ms, arch_vcpu_interrupts_off(v) ? ", with interrupts off" : "");
}

void vm_free(struct vm *vm)
{
    DEBUG_CHECK(vm->fp_quota.used == 0); /* I7: nothing of it outlives it */
    gdb_forget(vm);
    arch_vm_free(vm);
    pages_unreserve(vm->reserved);
    vm->reserved = 0;
    if (vm->ram != NULL)
        pages_free(vm->ram, pages_for(vm->ram_bytes), PAGES_GUEST);
    vm->ram = NULL;
    vm->ram_bytes = 0;
}

/* ---- Console ---- */

static bool starts_with(const struct vcpu *v, const char *text)
{
    const size_t n = strlen(text);

    return v->line_used >= n && memcmp(v->line, text, n) == 0;
}

/* TAP: a failed test that is marked "# TODO" is expected to fail. */
static bool has_todo(const struct vcpu *v)
{
    for (u32 i = 0; i + 6 <= v->line_used; i++) {
        if (memcmp(v->line + i, "# TODO", 6) == 0)
            return true;
    }
    return false;
}

static void end_line(struct vcpu *v)
{
    if (starts_with(v, "not ok") && !has_todo(v))
        v->vm->tap_failed++;
    console_printf("[%s.%u] %.*s\n", vm_name(v->vm), v->id, (int)v->line_used, v->line);
    v->line_used = 0;
}

static void flush_line(struct vcpu *v)
{
    if (v->line_used != 0)
        end_line(v);
}

void vm_console_putc(struct vcpu *v, char c)
{
    if (c == '\n') {
        end_line(v);
        return;
    }
    if (c == '\r')
        return;
    if (v->line_used == VM_LINE_BYTES)
        end_line(v); /* too long: goes on in a line of its own, with the prefix */
    /* No control characters: a guest must not be able to rewrite what others printed. */
    if ((c < ' ' && c != '\t') || c == 0x7f)
        c = '?';
    v->line[v->line_used++] = c;
}
