/* What the fake architecture does for hv/gdb*.c. */
#include "fake_gdb.h"

#include "hv/gdb_session.h"

#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

const u8 arch_gdb_break[] = {0xb0, 0x0b};

struct fake_gdb fake_gdb;

size_t arch_gdb_target(struct vcpu *v, char *to, size_t room)
{
    return (size_t)snprintf(to, room, "<target>%s</target>", v ? "guest" : "hypervisor");
}

size_t arch_gdb_get(struct vcpu *v, u32 n, void *to, size_t room, bool *available)
{
    *available = v != NULL;
    if (n >= FAKE_GDB_REGISTERS || room < 8)
        return 0;
    if (v)
        memcpy(to, n ? &fake_gdb.words[gdb_thread(v)][n] : &v->arch.pc, 8);
    return 8;
}

bool arch_gdb_set(struct vcpu *v, u32 n, const void *from, size_t bytes)
{
    if (n >= FAKE_GDB_REGISTERS || bytes != 8)
        return false;
    memcpy(n ? &fake_gdb.words[gdb_thread(v)][n] : &v->arch.pc, from, 8);
    return true;
}

/* Virtual addresses have their top bit set; one page is not there. */
bool arch_gdb_translate(struct vcpu *v, u64 address, u64 *gpa)
{
    *gpa = address & ~FAKE_GDB_VIRTUAL;
    return (address & FAKE_GDB_VIRTUAL) && *gpa / PAGE_SIZE != v->vm->ram_gpa / PAGE_SIZE + 3;
}

void arch_gdb_code_changed(void *at, size_t bytes)
{
    (void)at;
    fake_gdb.changed += bytes;
}

bool arch_gdb_own_memory(u64 address, u64 bytes)
{
    u64 at = (u64)fake_gdb.own;

    return address >= at && bytes <= sizeof(fake_gdb.own) &&
           address - at <= sizeof(fake_gdb.own) - bytes;
}

bool arch_gdb_point(struct vm *vm, enum gdb_point kind, u64 address, u64 bytes, bool insert)
{
    (void)vm;
    (void)kind;
    (void)address;
    if (insert && (fake_gdb.hardware == 4 || bytes > 8))
        return false;
    fake_gdb.hardware += insert ? 1 : -1;
    assert_true(fake_gdb.hardware >= 0);
    return true;
}

void arch_gdb_intercept(struct vm *vm)
{
    (void)vm;
}

void arch_gdb_step(struct vcpu *v, bool on)
{
    fake_gdb.step[gdb_thread(v)] = on;
}

void arch_gdb_fp(const struct vcpu *v)
{
    gdb_say("  xcr 0x%lx\n", v->fp.arch.xcr);
}

void arch_gdb_registers(struct vcpu *v)
{
    gdb_say("  %u\n", v->id);
}
