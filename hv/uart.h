/*
 * Driving a UART of the machine's own: polled, its speed and format as the firmware set them. Every
 * wait is bounded, so one that is not there or never becomes ready cannot hang anybody.
 */
#ifndef FERMATA_UART_H
#define FERMATA_UART_H

#include "boot/boot_info.h"

struct uart {
    struct boot_uart at;
    bool silent; /* it did not answer last time: no more waiting for it until it does */
};

/* Interrupts off in the device, for nobody takes them. BOOT_UART_NONE and _SCREEN are no UARTs:
 * nothing is touched, what is put is dropped. */
void uart_init(struct uart *u, const struct boot_uart *at);

/* Waits for room and writes a character; dropped if there is none in time. */
void uart_put(struct uart *u, char c);

/* Has it received something? Then uart_take() gets it. */
bool uart_has(const struct uart *u);
u8 uart_take(const struct uart *u);

/* Is anything there, and ready to take a character in time? A bus without a device reads all ones,
 * or all zeros. Changes nothing. */
bool uart_answers(const struct boot_uart *at);

/* Makes a UART that nobody has set up yet work: a 16550 at 115200 8N1 by the usual clock, a PL011
 * enabled at the speed it has. One that has been set up keeps its speed. */
void uart_set_up(const struct boot_uart *at);

/* Bytes of registers from .base on: what must be mapped. 0: none (a port, or no UART). */
u64 uart_mmio_bytes(const struct boot_uart *at);

#endif
