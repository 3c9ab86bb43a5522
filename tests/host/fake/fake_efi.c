/* The firmware of fake_efi.h, and what the rest of the image provides to boot/. */
#include "fake/fake_efi.h"
#include "arch/arch.h"
#include "boot/memory_map.h"
#include "hv/acpi.h"
#include "hv/console.h"
#include "hv/fdt.h"

#include <efipciio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* ---- What the rest of the image provides ---- */

const char __image_start[64], __image_end[1];
/* 14 bytes, packed as literals; in assembly, for the end must follow. */
__asm__(".pushsection .rodata\n"
        ".globl builtin_guest, builtin_guest_end\n"
        "builtin_guest: .byte 14, 0, 0, 0, 0xe0\n"
        ".ascii \"built-in guest\"\n"
        "builtin_guest_end: .popsection\n");

struct fake_efi fw;

const struct boot_info *fake_entered;
static jmp_buf hypervisor;

NORETURN void boot_enter(const struct boot_info *info)
{
    fake_entered = info;
    longjmp(hypervisor, 1);
}

bool arch_preflight(char *why, size_t n)
{
    if (fw.preflight)
        format_text(why, n, "%s", fw.preflight);
    return !fw.preflight;
}

void arch_usual_uart(struct boot_uart *uart)
{
    *uart = (struct boot_uart){.kind = BOOT_UART_16550_IO, .base = 0x3f8};
}

bool arch_fp_config_parse(const char *list, struct arch_fp_config *config, char *why, size_t n)
{
    (void)list;
    (void)config;
    (void)why;
    (void)n;
    return true;
}

/* A UART a table names, for each of the three; kind NONE: the table does not. */
static bool named(const struct boot_uart *table, struct boot_uart *uart)
{
    *uart = *table;
    return table->kind != BOOT_UART_NONE;
}

bool acpi_console(const struct boot_info *info, struct boot_uart *uart)
{
    (void)info;
    return named(&fw.spcr, uart);
}

bool acpi_debug_port(const struct boot_info *info, struct boot_uart *uart)
{
    (void)info;
    return named(&fw.dbg2, uart);
}

bool acpi_fault(const struct boot_info *info, char *why, size_t n)
{
    (void)info;
    if (fw.acpi_fault)
        format_text(why, n, "%s", fw.acpi_fault);
    return fw.acpi_fault != NULL;
}

const char *fdt_fault(const void *blob, u64 max, u32 *at)
{
    (void)blob;
    (void)max;
    *at = 0;
    return NULL;
}

/* Ports: a 16550 answers where fw.ports says so; its divisor can be read back. */
static u8 lcr, divisor[2];

u8 arch_port_read8(u16 port)
{
    u32 i = 0;

    while (i < ARRAY_SIZE(fw.ports) && (!fw.ports[i] || (port & ~7u) != fw.ports[i]))
        i++;
    if (i == ARRAY_SIZE(fw.ports))
        return 0xff;
    return (port & 7) == 5 ? 0x60 : (port & 7) < 2 && (lcr & 0x80) ? divisor[port & 7] : 0;
}

void arch_port_write8(u16 port, u8 value)
{
    if ((port & 7) == 3)
        lcr = value;
    if ((port & 7) < 2 && (lcr & 0x80)) {
        divisor[port & 7] = value;
        fw.divisor = (u16)(divisor[1] << 8 | divisor[0]);
    }
}

u32 fdt_bytes(const void *blob, u64 max)
{
    (void)blob;
    (void)max;
    return 0;
}

bool fdt_open(struct fdt *fdt, const void *blob, u64 max)
{
    (void)fdt;
    (void)blob;
    (void)max;
    return false;
}

bool fdt_console(const struct fdt *fdt, struct boot_uart *uart)
{
    (void)fdt;
    (void)uart;
    return false;
}

/* ---- The firmware ---- */

/* After a refused ExitBootServices only GetMemoryMap and ExitBootServices may be called. */
static void called(void)
{
    assert_false(fw.left);
    fw.calls_after_refusal += fw.exits != 0;
}

static EFI_STATUS EFIAPI output(SIMPLE_TEXT_OUTPUT_INTERFACE *this, CHAR16 *text)
{
    (void)this;
    called();
    for (; *text; text++) {
        assert_true(fw.console_used < sizeof(fw.console) - 1);
        if (*text != '\r')
            fw.console[fw.console_used++] = (char)*text;
    }
    return EFI_SUCCESS;
}

#define HELD_MAX 64u
static void *held[HELD_MAX];

static void hold(void *p)
{
    assert_true(fw.held < HELD_MAX);
    held[fw.held++] = p;
}

static void release(void *p)
{
    u32 i = 0;

    while (i < fw.held && held[i] != p)
        i++;
    assert_true(i < fw.held); /* nothing is freed that was not allocated, or twice */
    held[i] = held[--fw.held];
    free(p);
}

void fake_efi_free(void)
{
    while (fw.held)
        release(held[0]);
}

static EFI_STATUS EFIAPI allocate_pages(EFI_ALLOCATE_TYPE how, EFI_MEMORY_TYPE type, UINTN pages,
                                        EFI_PHYSICAL_ADDRESS *at)
{
    called();
    assert_int_equal(how, AllocateAnyPages);
    assert_int_equal(type, EfiLoaderData);
    if (fw.no_memory)
        return EFI_OUT_OF_RESOURCES;
    void *p = aligned_alloc(PAGE_SIZE, pages * PAGE_SIZE);
    assert_non_null(p);
    memset(p, 0xa5, pages * PAGE_SIZE);
    *at = (EFI_PHYSICAL_ADDRESS)p;
    hold(p);
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI free_pages(EFI_PHYSICAL_ADDRESS at, UINTN pages)
{
    called();
    (void)pages;
    release((void *)at);
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI get_memory_map(UINTN *bytes, EFI_MEMORY_DESCRIPTOR *map, UINTN *key,
                                        UINTN *step, UINT32 *version)
{
    const UINTN room = *bytes;

    assert_false(fw.left);
    if (fw.map)
        return fw.map;
    *step = 48;
    *version = 1;
    *bytes = fw.descriptors * *step;
    if (room < *bytes)
        return EFI_BUFFER_TOO_SMALL;
    for (u32 i = 0; i < fw.descriptors; i++) {
        struct efi_memory d = {
            .type = EfiConventionalMemory, .base = GiB(i + 1), .pages = fw.free_pages};
        memcpy((u8 *)map + i * *step, &d, sizeof(d));
    }
    *key = ++fw.key;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI exit_boot_services(EFI_HANDLE image, UINTN key)
{
    assert_int_equal((u64)image, 42);
    assert_int_equal(key, fw.key); /* the latest there is */
    if (fw.exits++ < fw.refusals) {
        fw.key++; /* what it did on the way changed the map */
        fw.descriptors++;
        return EFI_INVALID_PARAMETER;
    }
    fw.left = true;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI set_watchdog(UINTN seconds, UINT64 code, UINTN bytes, CHAR16 *text)
{
    (void)code;
    (void)bytes;
    (void)text;
    fw.watchdog_off = seconds == 0;
    return EFI_SUCCESS;
}

struct fake_file {
    EFI_FILE_PROTOCOL protocol; /* first */
    const char *text;
    u64 at;
};

static EFI_STATUS EFIAPI file_close(EFI_FILE_HANDLE file)
{
    called();
    fw.closed++;
    free(file);
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI file_info(EFI_FILE_HANDLE file, EFI_GUID *id, UINTN *bytes, void *buffer)
{
    EFI_FILE_INFO info = {.Size = sizeof(info)};

    (void)id;
    if (fw.get_info)
        return fw.get_info;
    assert_true(*bytes >= sizeof(info));
    info.FileSize = fw.long_file ? fw.long_file : strlen(((struct fake_file *)file)->text);
    info.Attribute = fw.directory ? EFI_FILE_DIRECTORY : 0;
    memcpy(buffer, &info, sizeof(info));
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI file_read(EFI_FILE_HANDLE handle, UINTN *bytes, void *buffer)
{
    struct fake_file *file = (struct fake_file *)handle;
    u64 left = strlen(file->text) - file->at;

    if (fw.read && file->at)
        return fw.read;
    if (*bytes > fw.chunk)
        *bytes = fw.chunk;
    if (*bytes > left)
        *bytes = left;
    if (fw.stuck)
        *bytes = 0;
    memcpy(buffer, file->text + file->at, *bytes);
    file->at += *bytes;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI file_open(EFI_FILE_HANDLE root, EFI_FILE_HANDLE *out, CHAR16 *path,
                                   UINT64 mode, UINT64 attributes)
{
    char name[BOOT_TEXT] = "";

    (void)root;
    (void)attributes;
    called();
    assert_int_equal(mode, EFI_FILE_MODE_READ);
    for (size_t i = 0; path[i]; i++)
        name[i] = (char)path[i];
    bool conf = !strcmp(name, "\\fermata.conf");
    const char *text = conf ? fw.conf : strcmp(name, "\\guests\\a.elf") ? NULL : fw.kernel;
    if (!text)
        return EFI_NOT_FOUND;
    if (fw.open)
        return fw.open;
    struct fake_file *file = calloc(1, sizeof(*file));
    assert_non_null(file);
    file->protocol.Close = file_close;
    file->protocol.Read = file_read;
    file->protocol.GetInfo = file_info;
    file->text = text;
    fw.opened++;
    *out = &file->protocol;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI open_volume(EFI_SIMPLE_FILE_SYSTEM_PROTOCOL *this, EFI_FILE_HANDLE *root)
{
    (void)this;
    if (fw.volume)
        return fw.volume;
    struct fake_file *file = calloc(1, sizeof(*file));
    assert_non_null(file);
    file->protocol.Open = file_open;
    file->protocol.Close = file_close;
    fw.opened++;
    *root = &file->protocol;
    return EFI_SUCCESS;
}

static EFI_SIMPLE_FILE_SYSTEM_PROTOCOL file_system = {.OpenVolume = open_volume};
static EFI_LOADED_IMAGE_PROTOCOL loaded_image = {.DeviceHandle = &file_system};

/* ---- A PCI card and a screen ---- */

static EFI_STATUS EFIAPI pci_read(EFI_PCI_IO_PROTOCOL *this, EFI_PCI_IO_PROTOCOL_WIDTH width,
                                  UINT32 at, UINTN n, void *out)
{
    (void)this;
    assert_int_equal(width, EfiPciIoWidthUint32);
    assert_int_equal(n, 1);
    const u32 value = at == 8 ? fw.pci_class : at == 0x10 ? fw.pci_bar[0] : fw.pci_bar[1];
    memcpy(out, &value, 4);
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI pci_attributes(EFI_PCI_IO_PROTOCOL *this,
                                        EFI_PCI_IO_PROTOCOL_ATTRIBUTE_OPERATION operation,
                                        UINT64 attributes, UINT64 *result)
{
    (void)this;
    (void)result;
    assert_int_equal(operation, EfiPciIoAttributeOperationEnable);
    fw.pci_enabled = attributes;
    return EFI_SUCCESS;
}

static EFI_PCI_IO_PROTOCOL pci = {.Pci = {.Read = pci_read}, .Attributes = pci_attributes};

static EFI_STATUS EFIAPI locate_handles(EFI_LOCATE_SEARCH_TYPE how, EFI_GUID *guid, void *key,
                                        UINTN *n, EFI_HANDLE **handles)
{
    EFI_GUID wanted = EFI_PCI_IO_PROTOCOL_GUID;

    (void)key;
    called();
    assert_int_equal(how, ByProtocol);
    assert_memory_equal(guid, &wanted, sizeof(wanted));
    if (!fw.pci_class)
        return EFI_NOT_FOUND;
    *handles = calloc(1, sizeof(**handles));
    assert_non_null(*handles);
    (*handles)[0] = &pci;
    *n = 1;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI free_pool(void *p)
{
    called();
    free(p);
    return EFI_SUCCESS;
}

static EFI_GRAPHICS_OUTPUT_MODE_INFORMATION mode_info;
static EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE mode = {.Info = &mode_info};
static EFI_GRAPHICS_OUTPUT_PROTOCOL gop = {.Mode = &mode};

static EFI_STATUS EFIAPI locate_protocol(EFI_GUID *guid, void *registration, void **out)
{
    EFI_GUID wanted = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;

    (void)registration;
    called();
    assert_memory_equal(guid, &wanted, sizeof(wanted));
    if (!fw.screen.base)
        return EFI_NOT_FOUND;
    mode.FrameBufferBase = fw.screen.base;
    mode.FrameBufferSize = fw.screen.bytes;
    mode_info.HorizontalResolution = fw.screen.width;
    mode_info.VerticalResolution = fw.screen.height;
    mode_info.PixelsPerScanLine = fw.screen.stride;
    mode_info.PixelFormat = fw.pixel_format;
    *out = &gop;
    return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI handle_protocol(EFI_HANDLE handle, EFI_GUID *guid, void **out)
{
    EFI_GUID wanted = EFI_LOADED_IMAGE_PROTOCOL_GUID;

    called();
    if (handle == &pci)
        *out = &pci;
    else if (!memcmp(guid, &wanted, sizeof(wanted)))
        *out = &loaded_image;
    else if (fw.no_file_system)
        return EFI_UNSUPPORTED;
    else
        *out = &file_system;
    return EFI_SUCCESS;
}

SIMPLE_TEXT_OUTPUT_INTERFACE fake_efi_console = {.OutputString = output};
static EFI_BOOT_SERVICES services = {.AllocatePages = allocate_pages,
                                     .FreePages = free_pages,
                                     .GetMemoryMap = get_memory_map,
                                     .ExitBootServices = exit_boot_services,
                                     .SetWatchdogTimer = set_watchdog,
                                     .HandleProtocol = handle_protocol,
                                     .LocateHandleBuffer = locate_handles,
                                     .LocateProtocol = locate_protocol,
                                     .FreePool = free_pool};
EFI_SYSTEM_TABLE fake_efi_table = {.ConOut = &fake_efi_console, .BootServices = &services};

void fake_efi_reset(void)
{
    fake_efi_free();
    memset(&fw, 0, sizeof(fw));
    fw.chunk = ~(UINTN)0;
    fw.ports[0] = 0x3f8;
    memset(divisor, 0, sizeof(divisor));
    fw.descriptors = 3;
    fw.free_pages = MiB(64) >> PAGE_SHIFT;
    fake_entered = NULL;
}

EFI_STATUS fake_efi_start(void)
{
    if (setjmp(hypervisor)) {
        assert_true(fw.left);
        assert_non_null(fake_entered);
        return EFI_SUCCESS;
    }
    EFI_STATUS status = efi_main((EFI_HANDLE)42, &fake_efi_table);
    assert_true(EFI_ERROR(status));
    assert_false(fw.left);
    assert_int_equal(fw.opened, fw.closed);
    return status;
}
