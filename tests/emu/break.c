/*
 * break.efi: spoils what the firmware tells about the machine, as the word in \break.txt says, then
 * starts \fermata.efi as if the firmware had. Firmware does all this by itself on somebody's board;
 * QEMU's tables are too good, and it mends checksums.
 */
#include "boot/boot.h"
#include "hv/acpi.h"
#include "hv/main.h"

#define IMAGE_MAX     MiB(4)
#define NOWHERE       0xfe000000u /* no device of ours is there, nor memory */
#define SPCR_BASE_AT  44u
#define FDT_STRUCT_AT 36u

static struct boot_info info; /* for acpi_find() */

void panic(const char *fmt, ...)
{
    (void)fmt;
    for (;;)
        ;
}

/* start.S calls it where this program never comes. */
void hv_main(const struct boot_info *unused)
{
    (void)unused;
    panic("not here");
}

/* ---- What can be spoilt ---- */

static u8 *table(const char *signature)
{
    struct acpi_table found;

    return acpi_find(&info, signature, &found) ? (u8 *)(uintptr_t)found.at : NULL;
}

static void put(u8 *at, u64 value, u32 bytes)
{
    for (u32 i = 0; i < bytes; i++)
        at[i] = (u8)(value >> (8 * i));
}

static void mend(u8 *at)
{
    const u32 bytes = (u32)acpi_number(at + 4, 4);
    u8 sum = 0;

    at[9] = 0;
    for (u32 i = 0; i < bytes; i++)
        sum = (u8)(sum + at[i]);
    at[9] = (u8)-sum;
}

static bool spoil_spcr(const char *how)
{
    u8 *spcr = table("SPCR");

    if (spcr == NULL)
        return false;
    if (strcmp(how, "checksum") == 0) {
        spcr[9] ^= 1;
    } else if (strcmp(how, "length") == 0) {
        put(spcr + 4, 0x10000000, 4);
    } else {
        const bool memory = strcmp(how, "memory") == 0;
        spcr[36] = 0;                  /* a 16550, */
        put(spcr + 40, 0x01000800, 4); /* bytes in memory space */
        put(spcr + SPCR_BASE_AT, memory ? (u64)(uintptr_t)&info : NOWHERE, 8);
        mend(spcr);
    }
    return true;
}

static bool spoil_madt(void)
{
    u8 *madt = table("APIC");

    if (madt != NULL)
        madt[9] ^= 1;
    return madt != NULL;
}

static bool spoil_rsdp(void)
{
    if (info.rsdp != 0)
        ((u8 *)info.rsdp)[8] ^= 1;
    return info.rsdp != 0;
}

/* The last sixteenth of the tree's structure is gone, /chosen with it: written over its size. */
static bool spoil_fdt(bool whole)
{
    static const EFI_GUID guid = {
        0xb1b621d5, 0xf19c, 0x41a5, {0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0}};
    u8 *fdt = (u8 *)(uintptr_t)boot_configuration_table(&guid);

    if (fdt == NULL)
        return false;
    if (whole) {
        memset(fdt, 0, 4);
    } else {
        const u32 bytes =
            ((u32)fdt[FDT_STRUCT_AT + 2] << 8 | fdt[FDT_STRUCT_AT + 3]) / 16 * 15 & ~3u;
        fdt[FDT_STRUCT_AT + 2] = (u8)(bytes >> 8);
        fdt[FDT_STRUCT_AT + 3] = (u8)bytes;
    }
    return true;
}

/* Not spoilt: the other mode, which firmware chooses on machines with very many CPUs. */
static bool x2apic(void)
{
#ifdef __x86_64__
    u32 low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(0x1b));
    __asm__ volatile("wrmsr" : : "a"(low | 0xc00), "d"(high), "c"(0x1b));
    return true;
#else
    return false;
#endif
}

#ifdef __x86_64__
void enter_la57(u32 pml5); /* break_la57.S */

/* Nor this: 5-level paging, for which Debian's OVMF is not built. What is mapped stays as it is. */
static bool five_levels(void)
{
    EFI_PHYSICAL_ADDRESS at = GiB(4) - 1;
    u64 cr3;

    if (EFI_ERROR(efi_services->AllocatePages(AllocateMaxAddress, EfiBootServicesData, 1, &at)))
        return false;
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    memset((void *)at, 0, PAGE_SIZE);
    *(u64 *)at = (cr3 & PAGE_MASK) | 3; /* present, writable */
    enter_la57((u32)at);
    return true;
}
#else
static bool five_levels(void)
{
    return false;
}
#endif

/* Not spoilt either: a machine whose lower memory is all taken but for one region. */
static bool take_low_memory(void)
{
    for (u32 i = 0; i < info.nregions; i++) {
        EFI_PHYSICAL_ADDRESS at = info.regions[i].base;
        u64 bytes = info.regions[i].bytes;
        if (at < GiB(512) && bytes > GiB(512) - at)
            bytes = GiB(512) - at;
        if (info.regions[i].type == BOOT_MEMORY_FREE && at >= MiB(1) && at < GiB(512))
            (void)efi_services->AllocatePages(AllocateAddress, EfiReservedMemoryType,
                                              bytes >> PAGE_SHIFT, &at);
    }
    return true;
}

static bool spoil(const char *what)
{
    if (strcmp(what, "x2apic") == 0)
        return x2apic();
    if (strcmp(what, "la57") == 0)
        return five_levels();
    if (strcmp(what, "low-memory") == 0)
        return take_low_memory();
    if (strncmp(what, "spcr-", 5) == 0)
        return spoil_spcr(what + 5);
    if (strcmp(what, "madt-checksum") == 0)
        return spoil_madt();
    if (strcmp(what, "rsdp-checksum") == 0)
        return spoil_rsdp();
    return strncmp(what, "fdt-", 4) == 0 && spoil_fdt(strcmp(what, "fdt-magic") == 0);
}

/* ---- On ---- */

static EFI_STATUS start(EFI_HANDLE image, void *file, u64 bytes)
{
    EFI_GUID guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
    EFI_LOADED_IMAGE_PROTOCOL *ours, *its;
    EFI_HANDLE handle;

    EFI_STATUS status = efi_services->LoadImage(FALSE, image, NULL, file, bytes, &handle);
    if (!EFI_ERROR(status))
        status = efi_services->HandleProtocol(image, &guid, (void **)&ours);
    if (!EFI_ERROR(status))
        status = efi_services->HandleProtocol(handle, &guid, (void **)&its);
    if (EFI_ERROR(status))
        return status;
    its->DeviceHandle = ours->DeviceHandle; /* where it looks for its config */
    return efi_services->StartImage(handle, NULL, NULL);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
    EFI_GUID acpi = ACPI_20_TABLE_GUID;
    struct volume volume;
    void *file, *word;
    u64 bytes, letters;

    firmware_init(system);
    EFI_STATUS status = volume_open(&volume, image);
    if (!EFI_ERROR(status))
        status = volume_read(&volume, "\\fermata.efi", IMAGE_MAX, &file, &bytes);
    if (!EFI_ERROR(status))
        status = volume_read(&volume, "\\break.txt", 100, &word, &letters);
    if (!EFI_ERROR(status))
        status = firmware_map(&info);
    if (EFI_ERROR(status))
        return boot_fail(status, "break: %s", boot_status_text(status));
    info.rsdp = (u64)boot_configuration_table(&acpi);
    boot_say("break: %s: %s", (const char *)word, spoil(word) ? "done" : "there is nothing of it");
    return start(image, file, bytes);
}
