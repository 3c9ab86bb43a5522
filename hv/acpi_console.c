/* The serial ports ACPI names: SPCR and DBG2. Pure, like acpi.c. */
#include "hv/acpi.h"
#include "boot/boot_info.h"

/* Serial Port Console Redirection Table. */
#define SPCR_TYPE_AT 36u
#define SPCR_GAS_AT  40u
#define SPCR_BYTES   52u

/* Debug Port Table 2, tables 1 and 2. */
#define DBG2_OFFSET_AT   36u
#define DBG2_COUNT_AT    40u
#define DBG2_BYTES       44u
#define DEVICE_LENGTH_AT 1u
#define DEVICE_TYPE_AT   12u
#define DEVICE_SUBTYPE   14u
#define DEVICE_GAS_AT    18u
#define DEVICE_BYTES     22u
#define DEVICE_SERIAL    0x8000u

/* Generic Address Structure (ACPI 6.5, 5.2.3.2). */
#define GAS_BYTES      12u
#define GAS_MEMORY     0u
#define GAS_IO         1u
#define GAS_ACCESS_8   1u
#define GAS_ACCESS_16  2u
#define GAS_ACCESS_32  3u
#define LAST_UART_PORT 0xfff8u
#define UART_TOP       BIT(47) /* above, there is no device, and page tables do not reach */

/* The mini-UART's own registers in the block the table names (BCM2835 ARM Peripherals, 2.1). */
#define MINI_UART_AT    0x40u
#define MINI_UART_BLOCK 0x1000u

/* Serial port subtypes (Debug Port Table 2, table 3), the SPCR's interface types too. */
enum {
    SERIAL_16550 = 0x00,
    SERIAL_16450 = 0x01, /* with the 16550's FIFO interface */
    SERIAL_PL011 = 0x03,
    SERIAL_NVIDIA = 0x05, /* a 16550 4 bytes apart */
    SERIAL_SBSA_32 = 0x0d,
    SERIAL_SBSA = 0x0e,
    SERIAL_BCM2835 = 0x10,
    SERIAL_16550_GAS = 0x12, /* whatever its address structure says */
    SERIAL_LPSS = 0x14,      /* Intel's DesignWare 8250 */
};

/*
 * Widths are what firmware gets wrong most. The access size, where it is told, is what the bus
 * takes; registers accessed with 4 bytes are 4 apart, for nobody builds them closer.
 */
static void widths(const u8 *gas, u32 least, struct boot_uart *uart)
{
    const u32 told = gas[3] == GAS_ACCESS_32 ? 4 : gas[3] == GAS_ACCESS_16 ? 2 : 1;
    const u32 apart = gas[1] == 32 ? 4 : gas[1] == 16 ? 2 : 1;

    uart->access_bytes = gas[3] == 0 ? apart : told;
    if (uart->access_bytes < least)
        uart->access_bytes = least;
    uart->stride = apart > uart->access_bytes ? apart : uart->access_bytes;
}

static bool uart_of(u32 type, const u8 *gas, struct boot_uart *uart)
{
    const u32 space = gas[0];
    u64 base = acpi_number(gas + 4, 8);

    *uart = (struct boot_uart){.stride = 1, .access_bytes = 1};
    switch (type) {
    case SERIAL_16550:
    case SERIAL_16450:
    case SERIAL_16550_GAS:
        uart->kind = space == GAS_IO       ? BOOT_UART_16550_IO
                     : space == GAS_MEMORY ? BOOT_UART_16550_MMIO
                                           : BOOT_UART_NONE;
        break;
    case SERIAL_BCM2835:
    case SERIAL_NVIDIA:
    case SERIAL_LPSS:
        uart->kind = space == GAS_MEMORY ? BOOT_UART_16550_MMIO : BOOT_UART_NONE;
        break;
    case SERIAL_PL011:
    case SERIAL_SBSA_32:
    case SERIAL_SBSA:
        uart->kind = space == GAS_MEMORY ? BOOT_UART_PL011 : BOOT_UART_NONE;
        break;
    default:
        uart->kind = BOOT_UART_NONE;
        break;
    }
    if (uart->kind == BOOT_UART_16550_MMIO)
        widths(gas, type == SERIAL_BCM2835 || type == SERIAL_NVIDIA || type == SERIAL_LPSS ? 4 : 1,
               uart);
    if (type == SERIAL_BCM2835 && base % MINI_UART_BLOCK == 0 && base != 0)
        base += MINI_UART_AT;
    uart->base = base;
    if (base == 0 || base >= (uart->kind == BOOT_UART_16550_IO ? LAST_UART_PORT + 1 : UART_TOP))
        uart->kind = BOOT_UART_NONE;
    return uart->kind != BOOT_UART_NONE;
}

bool acpi_console(const struct boot_info *info, struct boot_uart *uart)
{
    struct acpi_table spcr;

    if (!acpi_find(info, "SPCR", &spcr) || spcr.bytes < SPCR_BYTES ||
        !uart_of(spcr.at[SPCR_TYPE_AT], spcr.at + SPCR_GAS_AT, uart))
        return false;
    uart->from = BOOT_UART_FROM_SPCR;
    return true;
}

bool acpi_debug_port(const struct boot_info *info, struct boot_uart *uart)
{
    struct acpi_table dbg2;

    if (!acpi_find(info, "DBG2", &dbg2) || dbg2.bytes < DBG2_BYTES)
        return false;
    u64 at = acpi_number(dbg2.at + DBG2_OFFSET_AT, 4);
    for (u64 n = acpi_number(dbg2.at + DBG2_COUNT_AT, 4); n > 0; n--) {
        if (at > dbg2.bytes || dbg2.bytes - at < DEVICE_BYTES)
            return false;
        const u8 *device = dbg2.at + at;
        const u64 bytes = acpi_number(device + DEVICE_LENGTH_AT, 2);
        const u64 gas = acpi_number(device + DEVICE_GAS_AT, 2);
        if (bytes < DEVICE_BYTES || bytes > dbg2.bytes - at)
            return false;
        if (acpi_number(device + DEVICE_TYPE_AT, 2) == DEVICE_SERIAL && gas + GAS_BYTES <= bytes &&
            uart_of((u32)acpi_number(device + DEVICE_SUBTYPE, 2), device + gas, uart)) {
            uart->from = BOOT_UART_FROM_DBG2;
            return true;
        }
        at += bytes;
    }
    return false;
}
