/* What hv/vm.c, the console and the UART are for the gdb stub. Included once, by test_gdb.c. */
#ifndef FAKE_GDB_WORLD_H
#define FAKE_GDB_WORLD_H

const char *vm_name(const struct vm *vm)
{
    return vm->config->name;
}

void say(enum log_level level, const char *fmt, ...)
{
    (void)level;
    (void)fmt;
}

void report_verdict(bool pass, const char *fmt, ...)
{
    (void)fmt;
    assert_false(pass);
    powered_off = true;
    longjmp(dry, 1);
}

void sched_add(struct vcpu *vcpu)
{
    (void)vcpu;
    queued++;
}

u64 arch_vcpu_pc(const struct vcpu *vcpu)
{
    return vcpu->arch.pc;
}

bool arch_vcpu_interrupts_off(const struct vcpu *vcpu)
{
    return vcpu->arch.interrupts_off;
}

void gdb_port_init(const struct boot_uart *uart)
{
    (void)uart;
}

bool gdb_port_ready(void)
{
    return line_at < line_n;
}

u8 gdb_port_get(void)
{
    if (line_at == line_n)
        longjmp(dry, 1);
    return line[line_at++];
}

void gdb_port_put(u8 byte)
{
    assert_true(back_n + 1 < sizeof(back));
    back[back_n++] = (char)byte;
    back[back_n] = 0;
}

void core_vm(struct vm *vm)
{
    cored = vm;
}

#endif
