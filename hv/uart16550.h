/*
 * A guest's 16550A UART (National Semiconductor PC16550D): enough for drivers that probe it, and
 * output. Nothing is ever received, no interrupt is ever raised.
 */
#ifndef FERMATA_UART16550_H
#define FERMATA_UART16550_H

#include "hv/base.h"

struct vcpu;

#define UART16550_REGISTERS 8u

/* One per VM, zero at creation (arch/ embeds it in struct arch_vm). */
struct uart16550 {
    u8 ier, fcr, lcr, mcr, scr;
    u8 dll, dlm;      /* divisor latch */
    u8 looped;        /* last byte written in loop-back mode, */
    bool looped_full; /* not read yet */
};

/* `reg` is 0 to 7, the offset from the base port. Written characters go to v's console. */
u8 uart16550_read(struct uart16550 *u, u32 reg);
void uart16550_write(struct uart16550 *u, struct vcpu *v, u32 reg, u8 value);

#endif
