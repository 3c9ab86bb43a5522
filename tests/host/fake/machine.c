/* See machine.h. */
#include "machine.h"
#include "hv/abi.h"
#include "hv/console.h"
#include "hv/hypercall.h"
#include "hv/main.h"
#include "hv/panic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#define UART     0x3f8
#define RAM_BASE 0x10000u

struct machine machine;

static struct boot_info *info;
static u8 *memory;
static u64 memory_bytes;
static const u8 kernel[64] = "KERNEL";

struct boot_info *machine_info(u32 mib)
{
    if (memory)
        munmap(memory, memory_bytes);
    memory_bytes = MiB(mib);
    memory = mmap(NULL, memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    if (!info)
        info = malloc(sizeof(*info));
    memset(info, 0, sizeof(*info));
    info->uart = (struct boot_uart){BOOT_UART_16550_IO, 1, 1, BOOT_UART_FROM_PLATFORM, UART};
    info->nregions = 2;
    info->regions[0] =
        (struct boot_region){(u64)(uintptr_t)memory, memory_bytes - MiB(1), BOOT_MEMORY_FREE, 0};
    info->regions[1] = (struct boot_region){(u64)(uintptr_t)memory + memory_bytes - MiB(1), MiB(1),
                                            BOOT_MEMORY_RECLAIM, 0};
    info->config.quantum_us = 200;
    info->config.log = BOOT_LOG_INFO;
    memset(&machine, 0, sizeof(machine));
    fake_machine_reset();
    memset(vms, 0, BOOT_MAX_VMS * sizeof(vms[0]));
    nvms = 0;
    return info;
}

struct boot_vm *machine_vm(const char *name, const char *program)
{
    struct boot_vm *vm = &info->config.vms[info->config.nvms++];

    snprintf(vm->name, sizeof(vm->name), "%s", name);
    snprintf(vm->cmdline, sizeof(vm->cmdline), "%s", program);
    snprintf(vm->kernel, sizeof(vm->kernel), "builtin");
    vm->image = (u64)(uintptr_t)kernel;
    vm->image_bytes = sizeof(kernel);
    vm->memory = MiB(2);
    vm->cpus = ~0ull;
    vm->vcpus = 1;
    return vm;
}

bool machine_boot(void)
{
    if (setjmp(machine.end) == 0)
        hv_main(info);
    return machine.passed;
}

bool machine_said(const char *text)
{
    return strstr(machine.console, text) != NULL;
}

/* ---- Machine ---- */

void panic_image(u64 base, u64 bytes)
{
    (void)base;
    (void)bytes;
}

void arch_init(struct pcpu *cpu, const struct boot_info *boot)
{
    assert_ptr_equal(cpu, &pcpus[0]);
    assert_ptr_equal(boot, info);
}

void arch_stack_switch(struct pcpu *cpu)
{
    hv_main_on_stack(cpu);
}

void arch_report(void)
{
    say_info("cpu: fake");
}

bool arch_selftest(struct pcpu *cpu, char *why, size_t n)
{
    (void)cpu;
    if (machine.broken)
        format_text(why, n, "%s", machine.broken);
    return !machine.broken;
}

void arch_machine_end(bool pass)
{
    machine.passed = pass;
    longjmp(machine.end, 1);
}

void arch_timer_set(struct pcpu *cpu, u64 ticks)
{
    assert_true(ticks > 0);
    cpu->arch.timer = ticks;
}

u8 arch_port_read8(u16 port)
{
    machine.reads++;
    return port == UART + 5 && !machine.uart_dead ? 0x20 : 0;
}

void arch_port_write8(u16 port, u8 value)
{
    assert_false(machine.uart_dead && port == UART);
    if (port == UART && value != '\r' && machine.used + 1 < sizeof(machine.console))
        machine.console[machine.used++] = (char)value;
}

/* ---- VMs ---- */

bool arch_image_check(const void *image, size_t bytes, u64 ram, char *why, size_t n)
{
    if (bytes == sizeof(kernel) && ram >= MiB(2) && !memcmp(image, kernel, bytes))
        return true;
    format_text(why, n, "it is no fake kernel");
    return false;
}

bool arch_fp_config_parse(const char *list, struct arch_fp_config *config, char *why, size_t n)
{
    *config = (struct arch_fp_config){FAKE_UNITS, FAKE_XCR_V | FAKE_XCR_E0 | FAKE_XCR_E1};
    if (!*list)
        return true;
    config->units = FAKE_UNIT_BASE;
    if (!strcmp(list, "small")) {
        config->xcr = FAKE_XCR_V | FAKE_XCR_E0;
        return true;
    }
    format_text(why, n, "'%s' is no component", list);
    return !strcmp(list, "base");
}

u64 arch_vm_ram_base(void)
{
    return RAM_BASE;
}

bool arch_vm_init(struct vm *vm, char *why, size_t n)
{
    assert_true(fake_zero(vm->ram, vm->ram_bytes));
    assert_ptr_equal(vm_ram(vm, RAM_BASE, vm->ram_bytes), vm->ram);
    vm->arch.inited++;
    if (!strcmp(vm->config->cmdline, "impossible")) {
        format_text(why, n, "no stage 2 for it");
        return false;
    }
    if (!arch_fp_config_parse(vm->config->fp, &vm->arch.fp, why, n))
        return false;
    for (u32 i = 0; i < vm->nvcpus; i++)
        arch_vcpu_init(vm->vcpus[i]);
    memset(vm->ram, 0xaa, vm->ram_bytes); /* the guest's secrets */
    return true;
}

void arch_vm_free(struct vm *vm)
{
    assert_true(vm->arch.inited <= 1);
    vm->arch.inited = 0;
    for (u32 i = 0; i < vm->nvcpus; i++) {
        free(vm->vcpus[i]->arch.oracle);
        vm->vcpus[i]->arch.oracle = NULL;
    }
}

void arch_vcpu_init(struct vcpu *v)
{
    assert_int_equal(v->state, VCPU_OFF);
    fp_init(v, v->vm->arch.fp.units,
            v->vm->config->policy == BOOT_POLICY_EAGER ? FP_EAGER : FP_LAZY);
    v->fp.arch.xcr = v->fp.arch.xcr_ever = FAKE_XCR_V;
    v->arch.oracle = malloc(sizeof(struct oracle));
    oracle_reset(v->arch.oracle);
}

u64 arch_fp_quota(const struct vm *vm)
{
    const struct fp_ctx most = {.arch = {.xcr_ever = vm->arch.fp.xcr}};

    if (machine.no_areas)
        return 0;
    return 2 * fp_area_cost(arch_fp_bytes(&most, vm->arch.fp.units));
}

void arch_vcpu_switch_out(struct vcpu *v)
{
    assert_ptr_equal(v->pcpu->current, v);
    assert_null(v->pcpu->fp_owner); /* after fp_switch_out() */
}

void arch_vcpu_switch_in(struct vcpu *v)
{
    assert_ptr_equal(v->pcpu->current, v);
}

u64 arch_vcpu_pc(const struct vcpu *v)
{
    return v->arch.pc;
}

bool arch_vcpu_interrupts_off(const struct vcpu *v)
{
    return v->arch.interrupts_off;
}
