/* A machine without a debugger and core files, for what is linked without hv/gdb*.c and hv/core.c.
 */
#include "hv/core.h"
#include "hv/gdb.h"

bool core_on;

void core_vm(struct vm *vm)
{
    (void)vm;
}

void core_hypervisor(u64 image_base, u64 image_bytes)
{
    (void)image_base;
    (void)image_bytes;
}

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
