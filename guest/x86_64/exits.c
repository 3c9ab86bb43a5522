/*
 * Every reason a guest can leave for the hypervisor and come back, none of which executes an FP
 * instruction (BUGS 28: one exit path that forgets the registers is enough).
 */
#include "guest/x86_64/stubs.h"

#define SPIN 2000

/* Its own memory: the background vCPUs leave too, and must not disturb what vCPU 0 prepared in
 * `scratch`. */
static struct scratch own[MAX_CPUS];

static void try_own(stub_fn stub, u64 value, u32 index)
{
    struct scratch *s = &own[this_cpu()->id];

    s->value = value;
    s->index = index;
    try_stub(stub, s);
}

static void exit_yield(void)
{
    yield();
}

static void exit_spin(void)
{
    for (volatile u32 i = 0; i < SPIN; i++)
        cpu_pause();
}

static void exit_cpuid(void)
{
    cpuid(0xd, 1);
}

static void exit_rdmsr(void)
{
    try_own(insn_rdmsr, 0, 0x1b);
}

static void exit_wrmsr(void)
{
    if (features.x2apic && on_fermata)
        try_own(insn_wrmsr, 0, 0x80b); /* EOI */
}

static void exit_rdmsr_refused(void)
{
    try_own(insn_rdmsr, 0, 0x17d3);
}

static void exit_in(void)
{
    in8(0x3fd);
}

static void exit_out(void)
{
    out8(0x3ff, (u8)this_cpu()->id); /* the UART's scratch register */
}

static void exit_cr0_read(void)
{
    read_cr0();
}

static void exit_cr0_write(void)
{
    write_cr0(CR0_NORMAL | CR0_TS);
    fp_clts();
}

static void exit_cr3_write(void)
{
    u64 value;

    __asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(value) : : "memory");
}

static void exit_cr4_read(void)
{
    read_cr4();
}

static void exit_cr4_write(void)
{
    write_cr4(read_cr4());
}

static void exit_cr4_refused(void)
{
    if (on_fermata) /* bare QEMU never gets past it (refuse.c) */
        try_own(insn_cr4_write, read_cr4() | BIT(63), 0);
}

static void exit_xsetbv(void)
{
    if (features.xsave)
        fp_xsetbv(features.xcr0);
}

static void exit_xsetbv_refused(void)
{
    if (features.xsave)
        try_own(insn_xsetbv_zero, 0, 0);
}

static void exit_hypercall_undefined(void)
{
    if (on_fermata)
        hypercall(FERMATA_HC_BASE + 0x77, 0);
}

static void exit_ud(void)
{
    try_own(insn_ud2, 0, 0);
}

static void exit_svm(void)
{
    try_own(insn_vmload, 0, 0);
}

static void exit_wbinvd(void)
{
    __asm__ volatile("wbinvd" : : : "memory");
}

static void exit_debug_register(void)
{
    u64 value;

    __asm__ volatile("mov %%dr0, %0; mov %0, %%dr0" : "=r"(value));
}

static void exit_invlpg(void)
{
    __asm__ volatile("invlpg %0" : : "m"(own) : "memory");
}

static const struct {
    const char *name;
    void (*take)(void);
} exits[] = {
    {"a yield", exit_yield},
    {"the timer", exit_spin},
    {"CPUID", exit_cpuid},
    {"RDMSR", exit_rdmsr},
    {"WRMSR", exit_wrmsr},
    {"RDMSR, refused", exit_rdmsr_refused},
    {"IN", exit_in},
    {"OUT", exit_out},
    {"a read of CR0", exit_cr0_read},
    {"CR0.TS set, CLTS", exit_cr0_write},
    {"a write of CR3", exit_cr3_write},
    {"a read of CR4", exit_cr4_read},
    {"a write of CR4", exit_cr4_write},
    {"a write of CR4, refused", exit_cr4_refused},
    {"XSETBV", exit_xsetbv},
    {"XSETBV, refused", exit_xsetbv_refused},
    {"an undefined hypercall", exit_hypercall_undefined},
    {"UD2", exit_ud},
    {"VMLOAD", exit_svm},
    {"WBINVD", exit_wbinvd},
    {"a debug register", exit_debug_register},
    {"INVLPG", exit_invlpg},
};
_Static_assert(ARRAY_SIZE(exits) == EXITS, "fp.h");

void away(u64 random)
{
    switch (random & 7) {
    case 0:
        exit_take((u32)(random >> 3) & 0xffff);
        break;
    case 1:
        for (volatile u32 i = 0; i < 2000; i++)
            cpu_pause();
        break;
    default:
        yield();
    }
}

void exit_take(u32 which)
{
    exits[which % EXITS].take();
}

const char *exit_name(u32 which)
{
    return exits[which % EXITS].name;
}
