/*
 * Where Fermata prints when the firmware is gone. What is found is looked at before it is believed:
 * a UART must answer, and must not lie in memory. Whatever is wrong is one line on ConOut, and the
 * next possibility is tried.
 */
#include "boot/boot.h"
#include "arch/arch.h"
#include "hv/acpi.h"
#include "hv/fdt.h"
#include "hv/uart.h"

#include <efipciio.h>

/* PCI configuration space (PCI 3.0, 6.1). */
#define PCI_CLASS_AT   0x08u /* revision, programming interface, subclass, class */
#define PCI_BAR0_AT    0x10u
#define PCI_SERIAL     0x0700u /* class 7, subclass 0: a serial port; 2: several */
#define PCI_SERIALS    0x0702u
#define PCI_16550_LAST 0x06u /* programming interfaces 0 to 6: 8250 to 16950 */
#define BAR_IO         BIT(0)
#define BAR_64         BIT(2)

#define ADDRESS_TOP BIT(47) /* what page tables of ours reach */

static const char *const sources[] = {
    [BOOT_UART_FROM_PLATFORM] = "this kind of machine",
    [BOOT_UART_FROM_SPCR] = "ACPI's SPCR",
    [BOOT_UART_FROM_DEVICE_TREE] = "the device tree",
    [BOOT_UART_FROM_DBG2] = "ACPI's DBG2",
    [BOOT_UART_FROM_PCI] = "a PCI card",
    [BOOT_UART_FROM_FIRMWARE] = "the firmware",
    [BOOT_UART_FROM_CONFIG] = "fermata.conf",
};

/* Does the firmware's map say that this is memory, and somebody's? Then a table lied. */
static bool is_memory(const struct boot_info *info, const struct boot_uart *uart)
{
    const u64 bytes = uart_mmio_bytes(uart);

    for (u32 i = 0; bytes && i < info->nregions; i++) {
        const struct boot_region *r = &info->regions[i];
        if (r->type != BOOT_MEMORY_MMIO && r->type != BOOT_MEMORY_FIRMWARE &&
            uart->base < r->base + r->bytes && r->base < uart->base + bytes)
            return true;
    }
    return false;
}

/* Takes a UART that was found, if it is one. The usual one is only tried: no word if it is not
 * there. */
static bool take(const struct boot_info *info, const struct boot_uart *found,
                 struct boot_uart *uart)
{
    const char *problem = is_memory(info, found) ? "is in memory"
                          : !uart_answers(found) ? "does not answer"
                                                 : NULL;

    if (problem && found->from != BOOT_UART_FROM_PLATFORM)
        boot_say("the UART that %s names at %s0x%llx %s: going on without it", sources[found->from],
                 found->kind == BOOT_UART_16550_IO ? "port " : "", (unsigned long long)found->base,
                 problem);
    if (!problem)
        *uart = *found;
    return !problem;
}

/* ---- PCI ---- */

static u32 pci_read(EFI_PCI_IO_PROTOCOL *pci, u32 at)
{
    u32 value = ~0u;

    if (EFI_ERROR(pci->Pci.Read(pci, EfiPciIoWidthUint32, at, 1, &value)))
        return ~0u;
    return value;
}

static bool pci_uart(EFI_PCI_IO_PROTOCOL *pci, struct boot_uart *uart)
{
    const u32 class = pci_read(pci, PCI_CLASS_AT);

    if ((class >> 16 != PCI_SERIAL && class >> 16 != PCI_SERIALS) ||
        (class >> 8 & 0xff) > PCI_16550_LAST)
        return false;
    const u32 bar = pci_read(pci, PCI_BAR0_AT);
    const bool io = bar & BAR_IO;
    u64 base = io ? bar & ~3u : bar & ~15u;
    if (!io && (bar & BAR_64))
        base |= (u64)pci_read(pci, PCI_BAR0_AT + 4) << 32;
    if (!base || base >= (io ? BIT(16) : ADDRESS_TOP))
        return false;
    pci->Attributes(pci, EfiPciIoAttributeOperationEnable,
                    io ? EFI_PCI_IO_ATTRIBUTE_IO : EFI_PCI_IO_ATTRIBUTE_MEMORY, NULL);
    *uart = (struct boot_uart){.kind = io ? BOOT_UART_16550_IO : BOOT_UART_16550_MMIO,
                               .stride = 1,
                               .access_bytes = 1,
                               .from = BOOT_UART_FROM_PCI,
                               .base = base};
    return true;
}

/* The first serial card that answers, by the firmware's own order. */
static bool find_pci(const struct boot_info *info, struct boot_uart *uart)
{
    EFI_GUID guid = EFI_PCI_IO_PROTOCOL_GUID;
    EFI_PCI_IO_PROTOCOL *pci;
    struct boot_uart found;
    EFI_HANDLE *handles;
    UINTN n;
    bool taken = false;

    if (EFI_ERROR(efi_services->LocateHandleBuffer(ByProtocol, &guid, NULL, &n, &handles)))
        return false;
    for (UINTN i = 0; i < n && !taken; i++) {
        if (EFI_ERROR(efi_services->HandleProtocol(handles[i], &guid, (void **)&pci)) ||
            !pci_uart(pci, &found) || !take(info, &found, uart))
            continue;
        uart_set_up(uart);
        taken = true;
    }
    efi_services->FreePool(handles);
    return taken;
}

/* ---- The screen ---- */

static bool find_screen(struct boot_info *info, struct boot_uart *uart)
{
    EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;

    if (EFI_ERROR(efi_services->LocateProtocol(&guid, NULL, (void **)&gop)) || !gop->Mode ||
        !gop->Mode->Info)
        return false;
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode = gop->Mode->Info;
    const u64 base = gop->Mode->FrameBufferBase;
    const u64 bytes = (u64)mode->PixelsPerScanLine * mode->VerticalResolution * 4;
    /* Other formats are not 4 bytes a pixel, or have no memory behind them. */
    if (mode->PixelFormat > PixelBlueGreenRedReserved8BitPerColor || !base || !bytes ||
        bytes > gop->Mode->FrameBufferSize || base >= ADDRESS_TOP || bytes > ADDRESS_TOP - base)
        return false;
    info->screen = (struct boot_screen){.base = base,
                                        .bytes = bytes,
                                        .width = mode->HorizontalResolution,
                                        .height = mode->VerticalResolution,
                                        .stride = mode->PixelsPerScanLine};
    *uart =
        (struct boot_uart){.kind = BOOT_UART_SCREEN, .from = BOOT_UART_FROM_FIRMWARE, .base = base};
    return true;
}

/* ---- Which ---- */

static bool find_any(struct boot_info *info, struct boot_uart *uart)
{
    struct boot_uart found;
    struct fdt fdt;

    if (acpi_console(info, &found) && take(info, &found, uart))
        return true;
    if (info->fdt && fdt_open(&fdt, (const void *)info->fdt, BOOT_FDT_MAX) &&
        fdt_console(&fdt, &found) && take(info, &found, uart))
        return true;
    if (acpi_debug_port(info, &found) && take(info, &found, uart))
        return true;
    arch_usual_uart(&found);
    found.from = BOOT_UART_FROM_PLATFORM;
    return take(info, &found, uart) || find_pci(info, uart) || find_screen(info, uart);
}

static bool find_one(struct boot_info *info, const struct boot_console *wanted,
                     struct boot_uart *uart)
{
    switch (wanted->kind) {
    case BOOT_CONSOLE_UART:
        return take(info, &wanted->uart, uart);
    case BOOT_CONSOLE_PCI:
        return find_pci(info, uart);
    case BOOT_CONSOLE_SCREEN:
        return find_screen(info, uart);
    default:
        return find_any(info, uart);
    }
}

static bool same_port(const struct boot_uart *a, const struct boot_uart *b)
{
    return a->kind != BOOT_UART_NONE && a->kind == b->kind && a->base == b->base;
}

/* The debugger's UART is asked for by name: it must be one, and nobody else's. */
static EFI_STATUS check_gdb(struct boot_info *info)
{
    struct boot_gdb *gdb = &info->config.gdb;

    if (gdb->uart.kind == BOOT_UART_NONE)
        return EFI_SUCCESS;
    if (same_port(&gdb->uart, &info->uart) || same_port(&gdb->uart, &info->mirror))
        return boot_fail(
            EFI_INVALID_PARAMETER,
            "fermata.conf:%u: gdb is on the console's own %s (0x%llx); give one of them "
            "another",
            gdb->line, gdb->uart.kind == BOOT_UART_16550_IO ? "port" : "UART",
            (unsigned long long)gdb->uart.base);
    const struct boot_uart wanted = gdb->uart;
    gdb->uart.kind = BOOT_UART_NONE;
    (void)take(info, &wanted, &gdb->uart);
    return EFI_SUCCESS;
}

EFI_STATUS console_find(struct boot_info *info)
{
    const struct boot_console *wanted = info->config.consoles;

    info->uart = info->mirror = (struct boot_uart){.kind = BOOT_UART_NONE};
    info->screen = (struct boot_screen){.base = 0};
    if (wanted[0].kind == BOOT_CONSOLE_OFF)
        return check_gdb(info);
    if (!find_one(info, &wanted[0], &info->uart) && wanted[0].kind > BOOT_CONSOLE_AUTO) {
        boot_say("the console of fermata.conf:%u is not there: looking for another",
                 wanted[0].line);
        (void)find_any(info, &info->uart);
    }
    if (info->uart.kind == BOOT_UART_NONE)
        boot_say("no UART that Fermata can drive, and no screen: after this line nothing more is "
                 "shown; enable a serial console (SPCR) in the firmware");
    if (wanted[1].kind && find_one(info, &wanted[1], &info->mirror) &&
        same_port(&info->mirror, &info->uart))
        return boot_fail(EFI_INVALID_PARAMETER,
                         "fermata.conf:%u: both consoles are on the same %s (0x%llx); write one "
                         "of them, or another",
                         wanted[1].line,
                         info->uart.kind == BOOT_UART_SCREEN     ? "screen"
                         : info->uart.kind == BOOT_UART_16550_IO ? "port"
                                                                 : "UART",
                         (unsigned long long)info->uart.base);
    return check_gdb(info);
}
