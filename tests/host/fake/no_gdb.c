/* A machine without a debugger, for what is linked without hv/gdb*.c. */
#include "hv/gdb.h"

bool gdb_on;

bool gdb_init(const struct boot_uart *uart, bool wait)
{
    (void)uart;
    (void)wait;
    return false;
}

void gdb_poll(struct pcpu *cpu)
{
    (void)cpu;
}

void gdb_crash(struct vcpu *v)
{
    (void)v;
}

bool gdb_park(struct vcpu *v)
{
    (void)v;
    return false;
}

bool gdb_waits(struct pcpu *cpu)
{
    (void)cpu;
    return false;
}

void gdb_forget(const struct vm *vm)
{
    (void)vm;
}
