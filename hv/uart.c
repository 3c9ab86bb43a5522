/*
 * 16550s on ports and in memory, with the ones that only look like it (DesignWare's, and the
 * BCM2835's mini-UART, whose eight first registers are a 16550's, 4 bytes apart), and PL011s with
 * the SBSA's subset of it.
 */
#include "hv/uart.h"
#include "arch/arch.h"

/* 16550 (NS PC16550D, table II) and PL011 (Arm DDI 0183, 3.2; SBSA 6.0, appendix B) registers. */
#define UART_THR             0
#define UART_IER             1
#define UART_FCR             2
#define UART_LCR             3
#define UART_MCR             4
#define UART_LSR             5
#define UART_LCR_8N1         0x03u
#define UART_LCR_DLAB        0x80u /* registers 0 and 1 are the divisor of the clock */
#define UART_DLL             0
#define UART_DLM             1
#define UART_FIFO            0x07u /* on, and emptied */
#define UART_DTR_RTS         0x03u
#define UART_LSR_THRE        0x20u
#define UART_LSR_DR          0x01u
#define UART_COUNT           8u
#define PL011_DR             0x00
#define PL011_FR             0x18
#define PL011_FR_TXFF        0x20u
#define PL011_FR_RXFE        0x10u
#define PL011_LCR_H          0x2c
#define PL011_LCR_H_8N1_FIFO 0x70u
#define PL011_CR             0x30
#define PL011_CR_UARTEN      0x001u
#define PL011_CR_TXE         0x100u
#define PL011_CR_RXE         0x200u
#define PL011_IMSC           0x38
#define PL011_BYTES          0x1000u

/* A character at 9600 baud takes 1 ms; a poll of a device register at least 50 ns. */
#define POLLS 200000u

static volatile void *mmio(const struct boot_uart *at, u32 reg)
{
    return (volatile void *)(uintptr_t)(at->base + reg);
}

static u32 uart_read(const struct boot_uart *at, u32 reg)
{
    if (at->kind == BOOT_UART_16550_IO)
        return arch_port_read8((u16)(at->base + reg));
    if (at->kind == BOOT_UART_PL011)
        return *(volatile u32 *)mmio(at, reg);
    if (at->access_bytes == 4)
        return *(volatile u32 *)mmio(at, reg * at->stride);
    if (at->access_bytes == 2)
        return *(volatile u16 *)mmio(at, reg * at->stride);
    return *(volatile u8 *)mmio(at, reg * at->stride);
}

static void uart_write(const struct boot_uart *at, u32 reg, u32 value)
{
    if (at->kind == BOOT_UART_16550_IO)
        arch_port_write8((u16)(at->base + reg), (u8)value);
    else if (at->kind == BOOT_UART_PL011)
        *(volatile u32 *)mmio(at, reg) = value;
    else if (at->access_bytes == 4)
        *(volatile u32 *)mmio(at, reg * at->stride) = value;
    else if (at->access_bytes == 2)
        *(volatile u16 *)mmio(at, reg * at->stride) = (u16)value;
    else
        *(volatile u8 *)mmio(at, reg * at->stride) = (u8)value;
}

static bool is_uart(const struct boot_uart *at)
{
    return at->kind == BOOT_UART_16550_IO || at->kind == BOOT_UART_16550_MMIO ||
           at->kind == BOOT_UART_PL011;
}

u64 uart_mmio_bytes(const struct boot_uart *at)
{
    if (at->kind == BOOT_UART_PL011)
        return PL011_BYTES;
    if (at->kind == BOOT_UART_16550_MMIO)
        return (u64)UART_COUNT * (at->stride != 0 ? at->stride : 1);
    return 0;
}

static bool ready(const struct boot_uart *at)
{
    if (at->kind == BOOT_UART_PL011)
        return (uart_read(at, PL011_FR) & PL011_FR_TXFF) == 0;
    return (uart_read(at, UART_LSR) & UART_LSR_THRE) != 0;
}

/* Until there is room, or for as long as a slow one may take; false: it never came. */
static bool wait(const struct boot_uart *at)
{
    u32 polls = POLLS;

    while (polls != 0 && !ready(at))
        polls--;
    return polls != 0;
}

bool uart_answers(const struct boot_uart *at)
{
    const u32 ones = at->kind == BOOT_UART_PL011 || at->access_bytes == 4 ? ~0u : 0xffu;

    if (!is_uart(at))
        return false;
    return (uart_read(at, at->kind == BOOT_UART_PL011 ? PL011_FR : UART_LSR) & ones) != ones &&
           wait(at);
}

/* One that is enabled has been set up; the SBSA's subset has no such register, and reads ones. */
static void pl011_set_up(const struct boot_uart *at)
{
    if (uart_read(at, PL011_CR) & PL011_CR_UARTEN)
        return;
    uart_write(at, PL011_LCR_H, PL011_LCR_H_8N1_FIFO);
    uart_write(at, PL011_CR, PL011_CR_UARTEN | PL011_CR_TXE | PL011_CR_RXE);
}

void uart_set_up(const struct boot_uart *at)
{
    if (at->kind == BOOT_UART_PL011) {
        pl011_set_up(at);
        return;
    }
    uart_write(at, UART_LCR, UART_LCR_8N1 | UART_LCR_DLAB);
    if ((uart_read(at, UART_DLL) & 0xff) == 0 && (uart_read(at, UART_DLM) & 0xff) == 0)
        uart_write(at, UART_DLL, 1);
    uart_write(at, UART_LCR, UART_LCR_8N1);
    uart_write(at, UART_FCR, UART_FIFO);
    uart_write(at, UART_MCR, UART_DTR_RTS);
}

void uart_init(struct uart *u, const struct boot_uart *at)
{
    u->at = *at;
    u->silent = false;
    if (u->at.stride == 0)
        u->at.stride = 1;
    if (is_uart(at))
        uart_write(&u->at, at->kind == BOOT_UART_PL011 ? PL011_IMSC : UART_IER, 0);
}

void uart_put(struct uart *u, char c)
{
    if (!is_uart(&u->at))
        return;
    u->silent = !(u->silent ? ready(&u->at) : wait(&u->at));
    if (!u->silent)
        uart_write(&u->at, u->at.kind == BOOT_UART_PL011 ? PL011_DR : UART_THR, (u8)c);
}

bool uart_has(const struct uart *u)
{
    if (!is_uart(&u->at))
        return false;
    if (u->at.kind == BOOT_UART_PL011)
        return (uart_read(&u->at, PL011_FR) & PL011_FR_RXFE) == 0;
    return (uart_read(&u->at, UART_LSR) & UART_LSR_DR) != 0;
}

u8 uart_take(const struct uart *u)
{
    return (u8)uart_read(&u->at, u->at.kind == BOOT_UART_PL011 ? PL011_DR : UART_THR);
}
