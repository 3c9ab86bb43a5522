/* vCPUs of the guest: tables, exceptions, bring-up, jobs. */
#include "guest/x86_64/cpu.h"
#include "guest/x86_64/fp.h"

extern u8 cpu_blocks[MAX_CPUS][STACK_BYTES];
extern const u64 vector_table[33];
extern const u8 trampoline_begin[], trampoline_end[];
extern const u8 try_resume[];
u64 try_call(struct try *t, stub_fn stub, void *arg);
u64 try_user(struct try *t, stub_fn stub, void *arg, u64 *rsp0, void *stack_top);

struct features features;

static u64 idt[2 * (VECTOR_USER_EXIT + 1)];
static ALIGNED(16) u8 user_stack[MAX_CPUS][1024] __attribute__((section(".bss.user")));

struct cpu *this_cpu(void)
{
    return (struct cpu *)((u64)__builtin_frame_address(0) & ~(u64)(STACK_BYTES - 1));
}

struct cpu *cpu_at(u32 id)
{
    return (struct cpu *)(void *)cpu_blocks[id];
}

struct table_register {
    u16 limit;
    u64 base;
} PACKED;

static void set_gate(u32 vector, u64 handler, u32 dpl)
{
    idt[2 * vector] = (handler & 0xffff) | (u64)SEL_CODE64 << 16 | (u64)(0x8e00 | dpl << 13) << 32 |
                      (handler >> 16 & 0xffff) << 48;
    idt[2 * vector + 1] = handler >> 32;
}

static void load_tables(struct cpu *cpu)
{
    u64 tss = (u64)&cpu->tss;
    u64 limit = sizeof(cpu->tss) - 1;

    cpu->gdt[SEL_CODE32 / 8] = DESC_CODE32;
    cpu->gdt[SEL_DATA / 8] = DESC_DATA;
    cpu->gdt[SEL_CODE64 / 8] = DESC_CODE64;
    cpu->gdt[SEL_UDATA / 8] = DESC_UDATA;
    cpu->gdt[SEL_UCODE / 8] = DESC_UCODE;
    cpu->gdt[SEL_TSS / 8] =
        limit | (tss & 0xffffff) << 16 | 0x89ull << 40 | (tss >> 24 & 0xff) << 56;
    cpu->gdt[SEL_TSS / 8 + 1] = tss >> 32;
    cpu->tss.io_map = sizeof(cpu->tss);

    struct table_register gdtr = {sizeof(cpu->gdt) - 1, (u64)cpu->gdt};
    struct table_register idtr = {sizeof(idt) - 1, (u64)idt};
    __asm__ volatile("lgdt %0; lidt %1; ltr %w2" : : "m"(gdtr), "m"(idtr), "r"(SEL_TSS) : "memory");
}

const char *vector_name(u32 vector)
{
    switch (vector) {
    case VECTOR_DE:
        return "#DE";
    case VECTOR_UD:
        return "#UD";
    case VECTOR_NM:
        return "#NM";
    case VECTOR_GP:
        return "#GP";
    case VECTOR_PF:
        return "#PF";
    case VECTOR_MF:
        return "#MF";
    case VECTOR_XM:
        return "#XM";
    case NO_FAULT:
        return "none";
    default:
        return "another";
    }
}

static u64 read_cr2(void)
{
    u64 value;

    __asm__ volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}

void trap(struct trap_frame *frame)
{
    struct cpu *cpu = this_cpu();

    if (frame->vector == VECTOR_NM && cpu->nm_handler && cpu->nm_handler(frame))
        return;
    if (!cpu->try.armed)
        panic("vCPU %u: unexpected exception %lu %s, error 0x%lx, RIP 0x%lx, CR2 0x%lx", cpu->id,
              (unsigned long)frame->vector, vector_name((u32)frame->vector),
              (unsigned long)frame->error, (unsigned long)frame->rip, (unsigned long)read_cr2());

    bool done = frame->vector == VECTOR_USER_EXIT;
    cpu->try.armed = 0;
    cpu->try.vector = done ? NO_FAULT : (u32)frame->vector;
    cpu->try.error = frame->error;
    cpu->try.rip = frame->rip;
    cpu->try.cr2 = read_cr2();
    frame->rip = (u64)try_resume;
    frame->rsp = cpu->try.rsp;
    frame->cs = SEL_CODE64;
    frame->ss = SEL_DATA;
    frame->rflags = 2;
}

u32 try_stub(stub_fn stub, void *arg)
{
    struct cpu *cpu = this_cpu();

    cpu->try.vector = NO_FAULT;
    try_call(&cpu->try, stub, arg);
    return cpu->try.vector;
}

u32 try_stub_user(stub_fn stub, void *arg)
{
    struct cpu *cpu = this_cpu();

    cpu->try.vector = NO_FAULT;
    try_user(&cpu->try, stub, arg, (u64 *)(void *)((u8 *)&cpu->tss + 4),
             user_stack[cpu->id] + sizeof(user_stack[0]));
    return cpu->try.vector;
}

bool fault_is(u32 want, const void *at)
{
    const struct try *t = &this_cpu()->try;

    if (t->vector != want)
        return false;
    return want == NO_FAULT || (t->rip == (u64)at && t->error == 0);
}

static void ap_loop(struct cpu *cpu)
{
    for (;;) {
        if (cpu->work) {
            cpu->work(cpu->work_arg);
            cpu->work = NULL;
        }
        cpu_pause();
        yield();
    }
}

void cpu_main(u32 id)
{
    struct cpu *cpu = this_cpu();

    if (id == 0) {
        for (u32 v = 0; v < 32; v++)
            set_gate(v, vector_table[v], 0);
        set_gate(VECTOR_USER_EXIT, vector_table[32], 3);
        features_init();
    }
    cpu->id = id;
    load_tables(cpu);
    write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | (features.xsave ? CR4_OSXSAVE : 0));
    if (id) {
        fp_first(); /* a fresh vCPU looks before it touches anything (BUGS 4) */
        cpu->online = 1;
        ap_loop(cpu);
    }
    cpu->online = 1;
    platform_init();
    guest_run();
}

#define MSR_APIC_BASE  0x1b
#define MSR_X2APIC_ICR 0x830
#define APIC_BASE_EXTD 0x400
#define APIC_BASE_EN   0x800
#define ICR_INIT       0x4500 /* level assert */
#define ICR_SIPI       0x4600

static void ap_start(u32 id)
{
    /* The INIT-SIPI-SIPI delays of the MP specification matter to no emulator and to no hypervisor
       of ours; the wait for `online` covers hardware in practice. */
    wrmsr(MSR_X2APIC_ICR, (u64)id << 32 | ICR_INIT);
    for (u64 end = rdtsc() + 1000000; rdtsc() < end;)
        cpu_pause();
    wrmsr(MSR_X2APIC_ICR, (u64)id << 32 | ICR_SIPI | TRAMPOLINE >> 12);
    for (u64 i = 0; i < 2000000 && !cpu_at(id)->online; i++) {
        cpu_pause();
        yield();
    }
}

u32 cpus_start(void)
{
    static u32 online;

    if (online)
        return online;
    online = 1;
    if (features.cpus == 1)
        return online;
    if (!features.x2apic) {
        diag("no x2APIC: the other vCPUs stay off");
        return online;
    }
    memcpy((void *)TRAMPOLINE, trampoline_begin, (size_t)(trampoline_end - trampoline_begin));
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_EN | APIC_BASE_EXTD);
    for (u32 id = 1; id < features.cpus; id++) {
        ap_start(id);
        if (!ok(cpu_at(id)->online, "vCPU %u starts by INIT and SIPI", id))
            break;
        online++;
    }
    return online;
}

void cpu_run(u32 id, void (*job)(void *), void *arg)
{
    struct cpu *cpu = cpu_at(id);

    cpu_wait(id);
    cpu->work_arg = arg;
    __atomic_store_n(&cpu->work, job, __ATOMIC_RELEASE);
}

void cpu_wait(u32 id)
{
    while (__atomic_load_n(&cpu_at(id)->work, __ATOMIC_ACQUIRE)) {
        cpu_pause();
        yield();
    }
}
