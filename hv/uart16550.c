/* A guest's 16550A: output, and answers that satisfy a driver that probes. */
#include "hv/uart16550.h"
#include "hv/vm.h"

/* Registers by offset (PC16550D, table II); 0 and 1 are the divisor latch while LCR.DLAB is set. */
enum { DATA, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

#define LCR_DLAB       0x80u
#define MCR_LOOP       0x10u
#define MCR_WRITABLE   0x1fu
#define IER_WRITABLE   0x0fu
#define FCR_ENABLE     0x01u
#define IIR_NONE       0x01u /* no interrupt pending */
#define IIR_THR_EMPTY  0x02u
#define IIR_FIFOS      0xc0u /* FIFOs enabled: what tells a 16550A from an 8250 */
#define IER_THR_EMPTY  0x02u
#define LSR_DATA_READY 0x01u
#define LSR_IDLE       0x60u /* THRE and TEMT: the transmitter is always empty */
#define MSR_CONNECTED  0xb0u /* DCD, DSR, CTS: somebody listens */

/* In loop-back the modem control outputs appear as the status inputs (PC16550D, 8.6). */
static u8 modem_status(const struct uart16550 *u)
{
    const u32 m = u->mcr;

    if ((m & MCR_LOOP) == 0)
        return MSR_CONNECTED;
    return (u8)((m & 2) << 3 | (m & 1) << 5 | (m & 4) << 4 | (m & 8) << 4);
}

static u8 read_data(struct uart16550 *u)
{
    if (!u->looped_full)
        return 0;
    u->looped_full = false;
    return u->looped;
}

/* Reading it would acknowledge; nothing is remembered, for no interrupt line is connected. */
static u8 interrupt_identification(const struct uart16550 *u)
{
    const u8 fifos = (u->fcr & FCR_ENABLE) != 0 ? IIR_FIFOS : 0;

    return (u8)(fifos | ((u->ier & IER_THR_EMPTY) != 0 ? IIR_THR_EMPTY : IIR_NONE));
}

u8 uart16550_read(struct uart16550 *u, u32 reg)
{
    const bool dlab = (u->lcr & LCR_DLAB) != 0;

    switch (reg) {
    case DATA:
        return dlab ? u->dll : read_data(u);
    case IER:
        return dlab ? u->dlm : u->ier;
    case IIR_FCR:
        return interrupt_identification(u);
    case LCR:
        return u->lcr;
    case MCR:
        return u->mcr;
    case LSR:
        return (u8)(LSR_IDLE | (u->looped_full ? LSR_DATA_READY : 0));
    case MSR:
        return modem_status(u);
    case SCR:
        return u->scr;
    default:
        return 0xff;
    }
}

static void write_data(struct uart16550 *u, struct vcpu *v, u8 value)
{
    if ((u->lcr & LCR_DLAB) != 0) {
        u->dll = value;
    } else if ((u->mcr & MCR_LOOP) != 0) {
        u->looped = value;
        u->looped_full = true;
    } else {
        vm_console_putc(v, (char)value);
    }
}

void uart16550_write(struct uart16550 *u, struct vcpu *v, u32 reg, u8 value)
{
    switch (reg) {
    case DATA:
        write_data(u, v, value);
        break;
    case IER:
        if ((u->lcr & LCR_DLAB) != 0)
            u->dlm = value;
        else
            u->ier = value & IER_WRITABLE;
        break;
    case IIR_FCR:
        u->fcr = value;
        break;
    case LCR:
        u->lcr = value;
        break;
    case MCR:
        u->mcr = value & MCR_WRITABLE;
        break;
    case SCR:
        u->scr = value;
        break;
    default: /* LSR and MSR are read only */
        break;
    }
}
