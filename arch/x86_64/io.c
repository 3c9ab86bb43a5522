/*
 * The ports of the guest's PC: a 16550 at 0x3f8, the exit device at 0xf4, and nothing else. A bus
 * with nothing on it reads all ones and swallows writes, so a guest's probes of PIC, PIT, CMOS and
 * PCI find an empty machine, as they would.
 */
#include "io.h"
#include "arch/arch.h"
#include "hv/console.h"
#include "hv/uart16550.h"

#define UART_PORT 0x3f8u
#define EXIT_PORT 0xf4u
#define EXIT_PASS 0x10u

static bool is_uart(u16 port)
{
    return port >= UART_PORT && port < UART_PORT + UART16550_REGISTERS;
}

/* Wider accesses to byte-wide devices reach consecutive registers, one byte each. */
static u8 read_byte(struct vcpu *v, u16 port)
{
    return is_uart(port) ? uart16550_read(&v->vm->arch.uart, port - UART_PORT) : 0xff;
}

enum vcpu_event io_access(struct vcpu *v, u16 port, unsigned bytes, bool in, u32 *value)
{
    if (in) {
        *value = 0;
        for (unsigned i = 0; i < bytes; i++)
            *value |= (u32)read_byte(v, (u16)(port + i)) << 8 * i;
        return VCPU_RESUME;
    }
    if (port == EXIT_PORT) {
        vm_end(v->vm, *value == EXIT_PASS ? 0 : *value ? *value : 1);
        return VCPU_VM_ENDED;
    }
    for (unsigned i = 0; i < bytes; i++) {
        u16 at = (u16)(port + i);
        if (is_uart(at))
            uart16550_write(&v->vm->arch.uart, v, at - UART_PORT, (u8)(*value >> 8 * i));
    }
    return VCPU_RESUME;
}
