/* The gdb stub's UART. */
#include "hv/gdb_session.h"
#include "hv/uart.h"

static struct uart port;

void gdb_port_init(const struct boot_uart *uart)
{
    uart_set_up(uart);
    uart_init(&port, uart);
    while (uart_has(&port)) /* what the line carried before is not for us */
        uart_take(&port);
}

bool gdb_port_ready(void)
{
    return uart_has(&port);
}

u8 gdb_port_get(void)
{
    while (!uart_has(
        &port)) /* all stands still until the debugger says more: that is what it is for */
        ;
    return uart_take(&port);
}

void gdb_port_put(u8 byte)
{
    uart_put(&port, (char)byte);
}
