/* A guest's PL011: output, and answers that satisfy a driver that probes. */
#include "hv/pl011.h"
#include "hv/vm.h"

/* Register offsets (Arm DDI 0183, table 3-1). */
enum {
    UARTDR = 0x00,
    UARTRSR = 0x04,
    UARTFR = 0x18,
    UARTILPR = 0x20,
    UARTIBRD = 0x24,
    UARTFBRD = 0x28,
    UARTLCR_H = 0x2c,
    UARTCR = 0x30,
    UARTIFLS = 0x34,
    UARTIMSC = 0x38,
    UARTRIS = 0x3c,
    UARTMIS = 0x40,
    UARTICR = 0x44,
    UARTDMACR = 0x48,
    UARTPeriphID0 = 0xfe0, /* to UARTPCellID3 at 0xffc */
};

#define FR_IDLE    0x90u  /* TXFE and RXFE: both FIFOs empty */
#define CR_RESET   0x300u /* RXE and TXE */
#define IFLS_RESET 0x12u
#define RIS_TX     0x20u /* the transmit FIFO is below its level, always */

/* Revision r1p5 of part 0x011 by Arm (3.3.15 to 3.3.22). */
static const u8 identification[8] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

/* The writable register at this offset and the bits it has, or NULL. */
static u32 *storage(struct pl011 *u, u32 offset, u32 *bits)
{
    switch (offset) {
    case UARTILPR:
        *bits = 0xff;
        return &u->ilpr;
    case UARTIBRD:
        *bits = 0xffff;
        return &u->ibrd;
    case UARTFBRD:
        *bits = 0x3f;
        return &u->fbrd;
    case UARTLCR_H:
        *bits = 0xff;
        return &u->lcr_h;
    case UARTCR:
        *bits = 0xff87;
        return &u->cr;
    case UARTIFLS:
        *bits = 0x3f;
        return &u->ifls;
    case UARTIMSC:
        *bits = 0x7ff;
        return &u->imsc;
    case UARTDMACR:
        *bits = 0x7;
        return &u->dmacr;
    default:
        return NULL;
    }
}

/* A zeroed struct is a reset UART but for two registers, which appear here on first use. */
static void reset_once(struct pl011 *u)
{
    if (u->touched)
        return;
    u->touched = true;
    u->cr = CR_RESET;
    u->ifls = IFLS_RESET;
}

static u32 read_register(struct pl011 *u, u32 offset)
{
    u32 bits;
    const u32 *stored = storage(u, offset, &bits);

    if (stored != NULL)
        return *stored;
    if (offset >= UARTPeriphID0 && offset < PL011_BYTES)
        return identification[(offset - UARTPeriphID0) / 4];
    switch (offset) {
    case UARTFR:
        return FR_IDLE;
    case UARTRIS:
        return RIS_TX;
    case UARTMIS:
        return RIS_TX & u->imsc;
    default: /* UARTDR: nothing received; UARTRSR: no error */
        return 0;
    }
}

u64 pl011_read(struct pl011 *u, u32 offset, u32 bytes)
{
    reset_once(u);
    if (offset >= PL011_BYTES)
        return 0;
    const u64 value = (u64)read_register(u, offset & ~3u) >> (8 * (offset & 3));
    return bytes >= 8 ? value : value & (BIT(8 * bytes) - 1);
}

void pl011_write(struct pl011 *u, struct vcpu *v, u32 offset, u32 bytes, u64 value)
{
    u32 bits;

    reset_once(u);
    /* Data is the low byte, whatever the size; the other registers are written as a whole. */
    if (offset == UARTDR) {
        vm_console_putc(v, (char)(u8)value);
        return;
    }
    u32 *stored = storage(u, offset, &bits);
    if (stored != NULL)
        *stored = (u32)value & bits & (bytes >= 4 ? ~0u : (u32)(BIT(8 * bytes) - 1));
}
