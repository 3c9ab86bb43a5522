/* The platform of an x86-64 VM: 16550, hypercalls, the way to end, what CPUID offers, the PVH start
 * info. */
#include "guest/x86_64/fp.h"

#define UART       0x3f8
#define UART_LSR   (UART + 5)
#define LSR_THRE   0x20
#define LSR_TEMT   0x40
#define EXIT_PORT  0xf4
#define EXIT_PASS  0x10
#define EXIT_FAIL  0x11
#define BOCHS_PORT 0x8900
#define PVH_MAGIC  0x336ec578

extern u64 boot_start_info;

bool on_fermata;
static bool intel;                                    /* VMCALL instead of VMMCALL */
extern u8 *hypercall_sites[], *hypercall_sites_end[]; /* hypercall.inc */

/* hvm_start_info, version 1 (Xen public/arch-x86/hvm/start_info.h describes it). */
struct start_info {
    u32 magic, version, flags, modules;
    u64 modlist, cmdline, rsdp, memmap;
    u32 memmap_entries, reserved;
};
_Static_assert(sizeof(struct start_info) == 56, "the boot protocol's layout");

struct cpuid cpuid(u32 leaf, u32 subleaf)
{
    struct cpuid r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

u64 read_cr0(void)
{
    u64 value;

    __asm__ volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}

void write_cr0(u64 value)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}

u64 read_cr4(void)
{
    u64 value;

    __asm__ volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}

void write_cr4(u64 value)
{
    __asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

u64 rdmsr(u32 index)
{
    u32 low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
    return (u64)high << 32 | low;
}

void wrmsr(u32 index, u64 value)
{
    __asm__ volatile("wrmsr" : : "c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

u64 rdtsc(void)
{
    u32 low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (u64)high << 32 | low;
}

u8 in8(u16 port)
{
    u8 value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

void out8(u16 port, u8 value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

void cpu_pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

void arch_putc(char c)
{
    while (!(in8(UART_LSR) & LSR_THRE))
        cpu_pause();
    out8(UART, (u8)c);
}

void arch_power_off(u32 status)
{
    if (on_fermata)
        hypercall(FERMATA_HC_POWER_OFF, status);
    while (!(in8(UART_LSR) & LSR_TEMT)) /* the last words are still on their way */
        cpu_pause();
    out8(EXIT_PORT, status ? EXIT_FAIL : EXIT_PASS);
    for (const char *c = "Shutdown"; *c; c++) /* bare Bochs; nobody else listens there */
        out8(BOCHS_PORT, (u8)*c);
    for (;;)
        __asm__ volatile("cli; hlt");
}

struct hc_result hypercall(u64 function, u64 argument)
{
    struct hc_result r;
    u64 status = function, value;

    if (intel)
        __asm__ volatile("vmcall" : "+a"(status), "=d"(value) : "D"(argument), "S"(0ul) : "memory");
    else
        __asm__ volatile("vmmcall"
                         : "+a"(status), "=d"(value)
                         : "D"(argument), "S"(0ul)
                         : "memory");
    r.status = (s64)status;
    r.value = value;
    return r;
}

u64 stat(u64 which)
{
    return on_fermata ? hypercall(FERMATA_HC_STAT, which).value : 0;
}

void yield(void)
{
    if (on_fermata)
        hypercall(FERMATA_HC_YIELD, 0);
}

struct component components[COMPONENTS];

static void features_of_xsave(void)
{
    struct cpuid d0 = cpuid(0xd, 0), d1 = cpuid(0xd, 1);

    features.xcr0 = (u64)d0.edx << 32 | d0.eax;
    if (d0.ecx > XSAVE_MAX) /* components from the future: not enabled */
        features.xcr0 &= BIT(COMPONENTS) - 1;
    features.xsaveopt = d1.eax & BIT(0);
    features.xsavec = d1.eax & BIT(1);
    features.xgetbv1 = d1.eax & BIT(2);
    features.xsaves = d1.eax & BIT(3);
    for (u32 i = 2; i < COMPONENTS; i++) {
        struct cpuid d = cpuid(0xd, i);
        if (features.xcr0 & BIT(i))
            components[i] = (struct component){d.eax, d.ebx, d.ecx & BIT(1)};
        if (i == 18)
            features.xfd = (d1.eax & BIT(4)) && (d.ecx & BIT(2));
    }
}

/* What rests on XSAVE. one, seven: CPUID leaves 1 and 7. */
static void features_of_vectors(struct cpuid one, struct cpuid seven)
{
    features.avx = (one.ecx & BIT(28)) && (features.xcr0 & XCR0_AVX);
    features.avx2 = features.avx && (seven.ebx & BIT(5));
    features.fma = features.avx && (one.ecx & BIT(12));
    features.avx512 = features.avx && (seven.ebx & BIT(16)) && (seven.ebx & BIT(30)) &&
                      (features.xcr0 & XCR0_AVX512) == XCR0_AVX512;
    features.amx = (seven.edx & BIT(24)) && (features.xcr0 & XCR0_AMX) == XCR0_AMX;
    features.amx_int8 = features.amx && (seven.edx & BIT(25));
    features.amx_bf16 = features.amx && (seven.edx & BIT(22));
    features.xfd &= features.amx;
}

void features_init(void)
{
    struct cpuid max = cpuid(0, 0), one = cpuid(1, 0), hv = cpuid(0x40000000, 0);
    struct cpuid seven = max.eax >= 7 ? cpuid(7, 0) : (struct cpuid){0};

    intel = max.ebx == 0x756e6547; /* "Genu" */
    for (u8 **site = hypercall_sites; intel && site < hypercall_sites_end; site++)
        (*site)[2] = 0xc1; /* VMMCALL (0F 01 D9) becomes VMCALL (0F 01 C1) */
    on_fermata = (one.ecx & BIT(31)) && hv.ebx == FERMATA_CPUID_EBX &&
                 hv.ecx == FERMATA_CPUID_ECX && hv.edx == FERMATA_CPUID_EDX;
    features.tcg_signature = (one.ecx & BIT(31)) && hv.ebx == 0x54474354; /* "TCGT" */
    features.cpus = one.ebx >> 16 & 0xff;
    if (features.cpus == 0)
        features.cpus = 1;
    if (features.cpus > MAX_CPUS)
        features.cpus = MAX_CPUS;
    features.x2apic = one.ecx & BIT(21);
    features.xsave = one.ecx & BIT(26);
    features.ssse3 = one.ecx & BIT(9);
    features.popcnt = one.ecx & BIT(23);
    features.pku = seven.ecx & BIT(3);
    features.bmi1 = seven.ebx & BIT(3);
    if (!features.xsave)
        return;
    features_of_xsave();
    features_of_vectors(one, seven);
}

void platform_init(void)
{
    const struct start_info *info = (const struct start_info *)boot_start_info;
    bool found = info && info->magic == PVH_MAGIC;

    if (found && info->cmdline)
        cmdline_set((const char *)info->cmdline);
    if (cmdline_has("nopku")) { /* bare Bochs, where PKRU bites the kernel (ERRATA.md) */
        features.pku = false;
        features.xcr0 &= ~(u64)XCR0_PKRU;
    }
    diag("x86-64 guest on %s, %u vCPU(s), XCR0 up to 0x%lx%s%s%s%s%s%s",
         on_fermata ? "Fermata" : "bare hardware", features.cpus, (unsigned long)features.xcr0,
         features.avx2 ? ", AVX2" : "", features.fma ? ", FMA" : "", features.pku ? ", PKU" : "",
         features.avx512 ? ", AVX-512" : "", features.amx ? ", AMX" : "",
         features.xfd ? ", XFD" : "");
    ok(found, "PVH start info");
}
