/* What the firmware knows about the machine: ACPI, device tree, console. */
#include "boot/boot.h"
#include "arch/arch.h"
#include "hv/acpi.h"
#include "hv/fdt.h"

#define FDT_MAX MiB(2)

/* UEFI 2.10, 4.6.1 */
static const EFI_GUID acpi_20_guid = ACPI_20_TABLE_GUID;
static const EFI_GUID acpi_10_guid = ACPI_TABLE_GUID;
static const EFI_GUID fdt_guid = {
    0xb1b621d5, 0xf19c, 0x41a5, {0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0}};

/*
 * The firmware may keep its device tree in memory that is free after ExitBootServices, so we keep a
 * copy. A blob that is not a device tree is as good as none.
 */
static bool copy_fdt(struct boot_info *info)
{
    const void *blob = boot_configuration_table(&fdt_guid);
    u32 bytes = blob ? fdt_bytes(blob, FDT_MAX) : 0;

    if (!bytes)
        return true;
    void *copy = boot_alloc(bytes);
    if (!copy)
        return false;
    memcpy(copy, blob, bytes);
    info->fdt = (u64)copy;
    return true;
}

static void find_console(struct boot_info *info)
{
    struct fdt fdt;

    if (acpi_console(info, &info->uart)) {
        info->uart.from = BOOT_UART_FROM_SPCR;
        return;
    }
    if (info->fdt && fdt_open(&fdt, (const void *)info->fdt, FDT_MAX) &&
        fdt_console(&fdt, &info->uart)) {
        info->uart.from = BOOT_UART_FROM_DEVICE_TREE;
        return;
    }
    arch_usual_uart(&info->uart);
    info->uart.from = BOOT_UART_FROM_PLATFORM;
    if (info->uart.kind == BOOT_UART_NONE)
        boot_say("no UART that Fermata can drive: after this line nothing more is shown; enable a "
                 "serial console (SPCR) in the firmware");
}

bool machine_describe(struct boot_info *info)
{
    const void *rsdp = boot_configuration_table(&acpi_20_guid);

    if (!rsdp)
        rsdp = boot_configuration_table(&acpi_10_guid);
    info->rsdp = (u64)rsdp;
    if (!copy_fdt(info))
        return false;
    find_console(info);
    return true;
}
