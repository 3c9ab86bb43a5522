/* What boot finds out about the CPU, and whether it can run Fermata at all. */
#include "cpu.h"
#include "apic.h"
#include "arch/arch.h"
#include "fp_config.h"
#include "fp_hw.h"
#include "paging.h"
#include "virt.h"
#include "vmx.h"
#include "hv/console.h"
#include "xstate_layout.h"

struct cpu_features cpu_has;
struct pcpu *arch_this_cpu(void)
{
    _Static_assert(MAX_CPUS == 1, "more CPUs: find this one through GS");
    return &pcpus[0];
}

static bool bit(u32 word, unsigned n)
{
    return (word >> n & 1) != 0;
}

static void detect_extended(void)
{
    struct cpuid_regs r = cpuid(0x80000000, 0);

    cpu_has.max_extended = r.eax >= 0x80000000 ? r.eax : 0;
    cpu_has.physical_bits = 36;
    if (cpu_has.max_extended >= 0x80000001) {
        r = cpuid(0x80000001, 0);
        cpu_has.svm = bit(r.ecx, 2);
        cpu_has.nx = bit(r.edx, 20);
        cpu_has.pages_1g = bit(r.edx, 26);
        cpu_has.tsc_aux = bit(r.edx, 27);
    }
    if (cpu_has.max_extended >= 0x80000004) {
        for (u32 i = 0; i < 3; i++) {
            r = cpuid(0x80000002 + i, 0);
            memcpy(cpu_has.brand + 16 * i, &r, 16);
        }
    }
    if (cpu_has.max_extended >= 0x80000007)
        cpu_has.invariant_tsc = bit(cpuid(0x80000007, 0).edx, 8);
    if (cpu_has.max_extended >= 0x80000008) {
        r = cpuid(0x80000008, 0);
        cpu_has.physical_bits = r.eax & 0xff;
        cpu_has.fpu_pointers_always = bit(r.ebx, 2);
        cpu_has.ibpb |= bit(r.ebx, 12);
    }
    if (cpu_has.svm && cpu_has.max_extended >= 0x8000000a) {
        r = cpuid(0x8000000a, 0);
        cpu_has.asids = r.ebx;
        cpu_has.npt = bit(r.edx, 0);
        cpu_has.nrip = bit(r.edx, 3);
        cpu_has.clean_bits = bit(r.edx, 5);
        cpu_has.flush_by_asid = bit(r.edx, 6);
        cpu_has.decode_assists = bit(r.edx, 7);
    }
}

/* CPUID 0xD, into the layout of this machine. */
static void detect_xstate(void)
{
    struct xstate_cpuid told = {0};

    if (!cpu_has.xsave || cpu_has.max_leaf < 0xd)
        return;
    struct cpuid_regs r = cpuid(0xd, 0);
    told.xcr0 = cpu_has.xcr0 = (u64)r.edx << 32 | r.eax;
    told.all_bytes = r.ecx;
    r = cpuid(0xd, 1);
    cpu_has.xsaveopt = bit(r.eax, 0);
    cpu_has.xsavec = bit(r.eax, 1);
    cpu_has.xgetbv1 = bit(r.eax, 2);
    cpu_has.xsaves = bit(r.eax, 3);
    cpu_has.xfd = bit(r.eax, 4);
    for (u32 n = 2; n < FP_COMPONENTS; n++) {
        r = cpuid(0xd, n);
        told.leaf[n].bytes = r.eax;
        told.leaf[n].offset = r.ebx;
        told.leaf[n].flags = r.ecx;
    }
    xstate_learn(&xstate_layout, &told);
}

/* A component without its feature bit is state without instructions: left alone. AMX's instructions
 * are tried by the self-test (Bochs's AMD CPUs have them and say nothing). */
static void detect_features(struct cpuid_regs one)
{
    struct cpuid_regs seven = {0};

    if (cpu_has.max_leaf >= 7)
        seven = cpuid(7, 0);
    cpu_has.pku = bit(seven.ecx, 3);
    cpu_has.no_fcs_fds = bit(seven.ebx, 13);
    cpu_has.ibpb = bit(seven.edx, 26);
    cpu_has.without = (bit(one.ecx, 28) ? 0 : XCR0_AVX) | (bit(seven.ebx, 16) ? 0 : XCR0_AVX512);
}

void cpu_detect(void)
{
    struct cpuid_regs r = cpuid(0, 0);

    cpu_has.max_leaf = r.eax;
    memcpy(cpu_has.vendor, &r.ebx, 4);
    memcpy(cpu_has.vendor + 4, &r.edx, 4);
    memcpy(cpu_has.vendor + 8, &r.ecx, 4);

    r = cpuid(1, 0);
    cpu_has.vmx = bit(r.ecx, 5);
    cpu_has.xsave = bit(r.ecx, 26);
    cpu_has.hypervisor = bit(r.ecx, 31);
    detect_features(r);
    detect_extended();
    detect_xstate();
    /* Without XSAVE there is no way to hold AVX, and protection keys come with XCR0[9] only. */
    cpu_has.pku = cpu_has.pku && (xstate_layout.components & XCR0_PKRU);
}

const struct virt_ops *virt = &svm_ops;

/* SVM can be switched off, and locked so, by the firmware: APM 2, 15.4 and 15.30.1. */
static bool svm_usable(char *why, size_t n)
{
    if (!cpu_has.svm) {
        format_text(
            why, n,
            "this CPU has no virtualisation (CPUID 8000_0001 ECX[2], SVM, and 1 ECX[5], VMX, are "
            "0); under QEMU use -cpu max, on hardware enable SVM or VMX in the firmware's setup");
        return false;
    }
    if (rdmsr(MSR_VM_CR) & BIT(4)) {
        format_text(why, n,
                    "SVM is disabled by the firmware (MSR VM_CR.SVMDIS is 1); enable SVM "
                    "(\"virtualization\") in the firmware's setup");
        return false;
    }
    if (!cpu_has.npt) {
        format_text(
            why, n,
            "this CPU has SVM without nested paging (CPUID 8000_000A EDX[0] is 0); under QEMU add "
            "+npt to -cpu");
        return false;
    }
    if (cpu_has.asids < 2) {
        format_text(why, n, "this CPU offers no ASID for guests (CPUID 8000_000A EBX is %u)",
                    cpu_has.asids);
        return false;
    }
    return true;
}

bool arch_preflight(char *why, size_t n)
{
    cpu_detect();
    if (!cpu_has.nx) {
        format_text(
            why, n,
            "this CPU has no NX (CPUID 8000_0001 EDX[20] is 0), which the hypervisor's own page "
            "tables need; enable it in the firmware's setup, under QEMU add +nx to -cpu");
        return false;
    }
    virt = cpu_has.vmx && !cpu_has.svm ? &vmx_ops : &svm_ops;
    return virt == &vmx_ops ? vmx_usable(why, n) : svm_usable(why, n);
}

/* One line per component: where it is, and what becomes of it. */
static void report_component(unsigned n)
{
    static const struct fp_component unknown = {.name = "unknown"};
    const struct fp_component *c = n < FP_COMPONENTS ? &fp_components[n] : &unknown;
    const char *what = "hidden (not managed by this release)";
    u32 bytes = n < 2 ? c->bytes : cpuid(0xd, n).eax;

    if (c->kind != COMPONENT_HIDDEN && !(fp_hw_offered() & BIT(n)))
        what = "hidden (see the erratum lines)";
    else if (c->kind == COMPONENT_GATED)
        what = "gated by CR0.TS + CR4.OSXSAVE";
    else if (c->kind == COMPONENT_EAGER)
        what = "eager";
    say_info("  fp %-9s XCR0[%u] %5u bytes, %s", c->name, n, bytes, what);
}

/* The best form of a save that CPUID offers; the self-test says so if another one is used. */
static const char *form(void)
{
    return cpu_has.xsaveopt ? "XSAVEOPT" : cpu_has.xsave ? "XSAVE" : "FXSAVE only";
}

void arch_report(void)
{
    char *brand = cpu_has.brand;

    while (*brand == ' ')
        brand++;
    if (virt == &vmx_ops)
        say_info("cpu: %s (%s), VMX, EPT, VPID, unrestricted guest", *brand ? brand : "unnamed",
                 cpu_has.vendor);
    else
        say_info("cpu: %s (%s), SVM, %u ASIDs,%s%s%s%s nested paging", *brand ? brand : "unnamed",
                 cpu_has.vendor, cpu_has.asids, cpu_has.nrip ? " NRIP," : "",
                 cpu_has.decode_assists ? " decode assists," : "",
                 cpu_has.clean_bits ? " clean bits," : "",
                 cpu_has.flush_by_asid ? " flush by ASID," : "");
    say_info("cpu: TSC %lu MHz, %u-level paging, %s, %s, %s", tsc_hz / 1000000, paging_levels(),
             apic_mode(), form(),
             cpu_has.fpu_pointers_always ? "x87 pointers always saved"
                                         : "x87 pointers scrubbed by hand (XSA-52)");
    if (!cpu_has.xsave) {
        say_info("  fp x87 and SSE    512 bytes (FXSAVE), gated by CR0.TS");
        return;
    }
    for (unsigned n = 0; n < 63; n++) {
        if (cpu_has.xcr0 & BIT(n))
            report_component(n);
    }
}

u64 arch_ticks_per_second(void)
{
    return tsc_hz;
}
