/* From the firmware's world into ours, and the end of the machine. */
#include "apic.h"
#include "cpu.h"
#include "exceptions.h"
#include "fp_hw.h"
#include "leaks.h"
#include "paging.h"
#include "stacks.h"
#include "virt.h"
#include "arch/arch.h"
#include "boot/boot_info.h"
#include "hv/console.h"

/* An emulator's exit device (QEMU isa-debug-exit at 0xf4): exit status (value << 1) | 1. */
#define DEBUG_EXIT_PORT 0xf4
#define DEBUG_EXIT_PASS 0x10
#define DEBUG_EXIT_FAIL 0x11

/* What ResetSystem needs of UEFI's tables (UEFI 2.10, 4.3 and 8.5.1). */
#define SYSTEM_TABLE_SIGNATURE  0x5453595320494249ull
#define RUNTIME_TABLE_SIGNATURE 0x56524553544e5552ull
#define EFI_RESET_SHUTDOWN      2

struct efi_table_header {
    u64 signature;
    u32 revision, bytes, crc32, reserved;
};

struct efi_runtime_services {
    struct efi_table_header header;
    void *time_and_variables[10];
    void(__attribute__((ms_abi)) * reset_system)(u32 type, u64 status, u64 bytes, void *data);
};

struct efi_system_table {
    struct efi_table_header header;
    u16 *vendor;
    u32 revision, padding;
    void *console[6];
    struct efi_runtime_services *runtime;
};
_Static_assert(offsetof(struct efi_runtime_services, reset_system) == 104, "UEFI 2.10, 4.5.1");
_Static_assert(offsetof(struct efi_system_table, runtime) == 88, "UEFI 2.10, 4.3.1");

static u64 system_table;

void arch_usual_uart(struct boot_uart *uart)
{
    *uart = (struct boot_uart){
        .kind = BOOT_UART_16550_IO, .stride = 1, .access_bytes = 1, .base = 0x3f8};
}

void arch_init(struct pcpu *cpu, const struct boot_info *info)
{
    __asm__ volatile("cli" ::: "memory");
    system_table = info->system_table;
    cpu_detect();
    exceptions_init();
    paging_init(info);
    leaks_close();
    fp_hw_init(cpu);
    /* RDPID cannot be intercepted, and shows this MSR to every guest: let it be nothing. */
    if (cpu_has.tsc_aux)
        wrmsr(MSR_TSC_AUX, 0);
    apic_init(cpu, info);
    virt->cpu_init(cpu);
}

/*
 * Guests can be told from this port only by an emulator that puts the exit device there; on a real
 * machine nothing answers 0xf4, and on none of ours does writing it do harm.
 */
static void exit_emulator(bool pass)
{
    if (cpu_has.hypervisor)
        out8(DEBUG_EXIT_PORT, pass ? DEBUG_EXIT_PASS : DEBUG_EXIT_FAIL);
}

/* The firmware's last service. Everything it may touch is mapped; nothing of ours runs after. */
static void firmware_power_off(void)
{
    const struct efi_system_table *table = (const void *)(uintptr_t)system_table;

    if (!table || table->header.signature != SYSTEM_TABLE_SIGNATURE || !table->runtime ||
        table->runtime->header.signature != RUNTIME_TABLE_SIGNATURE)
        return;
    if (virt->cpu_end)
        virt->cpu_end();
    paging_open_for_firmware();
    table->runtime->reset_system(EFI_RESET_SHUTDOWN, 0, 0, NULL);
}

NORETURN void arch_machine_end(bool pass)
{
    __asm__ volatile("cli" ::: "memory");
    exit_emulator(pass);
    firmware_power_off();
    say_error("the firmware did not power the machine off; it is safe to do so now");
    arch_stop();
}

NORETURN void arch_stop(void)
{
    for (;;)
        __asm__ volatile("cli; hlt" ::: "memory");
}

u64 arch_frame_pointer(void)
{
    return (u64)(uintptr_t)__builtin_frame_address(0);
}

/* A frame can only be on one of our stacks; before arch_stack_switch() it is on the firmware's. */
static bool on_a_stack(u64 frame)
{
    for (unsigned i = 0; i < STACKS; i++) {
        if (frame >= (u64)(uintptr_t)stacks[i].bytes && frame <= stack_top(i) - 16)
            return true;
    }
    return false;
}

size_t arch_backtrace(u64 frame_pointer, u64 *addresses, size_t n)
{
    size_t found = 0;

    while (found < n && frame_pointer % 8 == 0 && on_a_stack(frame_pointer)) {
        const u64 *frame = (const u64 *)(uintptr_t)frame_pointer;
        if (frame[1] == 0)
            break;
        addresses[found++] = frame[1];
        if (frame[0] <= frame_pointer)
            break; /* callers are always above */
        frame_pointer = frame[0];
    }
    return found;
}

u8 arch_port_read8(u16 port)
{
    return in8(port);
}

void arch_port_write8(u16 port, u8 value)
{
    out8(port, value);
}
