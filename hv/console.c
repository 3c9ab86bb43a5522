/*
 * The hypervisor's console: one UART, polled, whole lines.
 *
 * The firmware has set speed and format; they are left alone. Waiting for the transmitter is
 * bounded: a UART that is not there, or is stuck, costs a moment once, and then its characters are
 * dropped without waiting until it answers again. It never hangs the boot.
 */
#include "hv/console.h"
#include "arch/arch.h"
#include "boot/boot_info.h"

/* 16550 (NS PC16550D, table II) and PL011 (Arm DDI 0183, 3.2) registers used here. */
#define UART_THR      0
#define UART_IER      1
#define UART_LSR      5
#define UART_LSR_THRE 0x20u
#define PL011_DR      0x00
#define PL011_FR      0x18
#define PL011_FR_TXFF 0x20u
#define PL011_IMSC    0x38

/* A character at 9600 baud takes 1 ms; a poll of a device register at least 50 ns. */
#define POLLS 200000u

#define LINE_BYTES 512

static struct boot_uart uart;
static enum log_level loudest;
static bool silent; /* it did not answer last time */

static volatile void *mmio(u32 reg)
{
    return (volatile void *)(uintptr_t)(uart.base + reg);
}

static u32 uart_read(u32 reg)
{
    if (uart.kind == BOOT_UART_16550_IO)
        return arch_port_read8((u16)(uart.base + reg));
    if (uart.kind == BOOT_UART_PL011)
        return *(volatile u32 *)mmio(reg);
    if (uart.access_bytes == 4)
        return *(volatile u32 *)mmio(reg * uart.stride);
    return *(volatile u8 *)mmio(reg * uart.stride);
}

static void uart_write(u32 reg, u32 value)
{
    if (uart.kind == BOOT_UART_16550_IO)
        arch_port_write8((u16)(uart.base + reg), (u8)value);
    else if (uart.kind == BOOT_UART_PL011)
        *(volatile u32 *)mmio(reg) = value;
    else if (uart.access_bytes == 4)
        *(volatile u32 *)mmio(reg * uart.stride) = value;
    else
        *(volatile u8 *)mmio(reg * uart.stride) = (u8)value;
}

static bool transmitter_ready(void)
{
    if (uart.kind == BOOT_UART_PL011)
        return (uart_read(PL011_FR) & PL011_FR_TXFF) == 0;
    return (uart_read(UART_LSR) & UART_LSR_THRE) != 0;
}

static void put(char c)
{
    u32 polls = silent ? 1 : POLLS;

    while (polls != 0 && !transmitter_ready())
        polls--;
    silent = polls == 0;
    if (!silent)
        uart_write(uart.kind == BOOT_UART_PL011 ? PL011_DR : UART_THR, (u8)c);
}

void console_init(const struct boot_uart *boot_uart, enum log_level level)
{
    uart = *boot_uart;
    loudest = level;
    silent = false;
    if (uart.stride == 0)
        uart.stride = 1;
    /* Polled: the device must not raise interrupts that nobody takes. */
    if (uart.kind == BOOT_UART_PL011)
        uart_write(PL011_IMSC, 0);
    else if (uart.kind != BOOT_UART_NONE)
        uart_write(UART_IER, 0);
}

void console_write(const char *text, size_t n)
{
    if (uart.kind == BOOT_UART_NONE)
        return;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n')
            put('\r');
        put(text[i]);
    }
}

/* Writes the formatted text; a line that is too long ends in "...". */
static void write_formatted(char *line, int used, int more)
{
    const int room = LINE_BYTES - 1;

    if (used + more > room) {
        memcpy(line + room - 4, "...\n", 4);
        used = room;
    } else {
        used += more;
    }
    console_write(line, (size_t)used);
}

void console_printf(const char *fmt, ...)
{
    char line[LINE_BYTES];
    va_list args;

    va_start(args, fmt);
    const int n = format_text_v(line, sizeof(line), fmt, args);
    va_end(args);
    write_formatted(line, 0, n);
}

void say(enum log_level level, const char *fmt, ...)
{
    char line[LINE_BYTES];
    va_list args;

    if (level > loudest)
        return;
    const int prefix = format_text(line, sizeof(line), "fermata: ");
    va_start(args, fmt);
    /* One byte is kept for the newline, so that prefix, text and newline go out as one. */
    int n = format_text_v(line + prefix, sizeof(line) - 1 - (size_t)prefix, fmt, args);
    va_end(args);
    if (prefix + n <= LINE_BYTES - 2)
        line[prefix + n] = '\n';
    write_formatted(line, prefix, n + 1);
}
