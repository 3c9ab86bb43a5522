/* What the firmware knows about the machine: ACPI, device tree; console.c has the rest. */
#include "boot/boot.h"
#include "hv/acpi.h"
#include "hv/fdt.h"

/* UEFI 2.10, 4.6.1 */
static const EFI_GUID acpi_20_guid = ACPI_20_TABLE_GUID;
static const EFI_GUID acpi_10_guid = ACPI_TABLE_GUID;
static const EFI_GUID fdt_guid = {
    0xb1b621d5, 0xf19c, 0x41a5, {0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0}};

/*
 * The firmware may keep its device tree in memory that is free after ExitBootServices, so we keep a
 * copy. A blob that is not a device tree is as good as none; of one that ends too early, what there
 * is can be read.
 */
static bool copy_fdt(struct boot_info *info)
{
    const void *blob = boot_configuration_table(&fdt_guid);
    u32 bytes = blob ? fdt_bytes(blob, BOOT_FDT_MAX) : 0, at;
    const char *fault = blob ? fdt_fault(blob, BOOT_FDT_MAX, &at) : NULL;

    if (fault)
        boot_say("the firmware's device tree %s (at 0x%x): going on with what there is", fault, at);
    if (!bytes)
        return true;
    void *copy = boot_alloc(bytes);
    if (!copy)
        return false;
    memcpy(copy, blob, bytes);
    info->fdt = (u64)copy;
    return true;
}

EFI_STATUS machine_describe(struct boot_info *info)
{
    const void *rsdp = boot_configuration_table(&acpi_20_guid);
    char why[BOOT_TEXT];

    if (!rsdp)
        rsdp = boot_configuration_table(&acpi_10_guid);
    info->rsdp = (u64)rsdp;
    if (acpi_fault(info, why, sizeof(why)))
        boot_say("%s", why);
    if (!copy_fdt(info))
        return boot_fail(EFI_OUT_OF_RESOURCES,
                         "no memory for a copy of the device tree; give the machine more");
    return console_find(info);
}
