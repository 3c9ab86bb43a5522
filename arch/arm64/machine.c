/* The machine as a whole: fit for Fermata?, into our world, the report, the end. */
#include "arch/arch.h"
#include "boot/boot_info.h"
#include "exceptions.h"
#include "fp_arm64.h"
#include "gic.h"
#include "guest.h"
#include "hv/acpi.h"
#include "hv/console.h"
#include "hv/fdt.h"
#include "hv/main.h"
#include "mmu.h"
#include "sysreg.h"
#include "timer.h"
#include "vec_layout.h"

#define PSCI_SYSTEM_OFF 0x84000008u

enum psci_conduit { PSCI_NONE, PSCI_SMC, PSCI_HVC };
static enum psci_conduit psci_conduit;

/* ---- Fit? ---- */

static u32 current_el(void)
{
    return (u32)(sysreg_read(CurrentEL) >> 2) & 3;
}

bool arch_preflight(char *why, size_t n)
{
    u64 pfr0, mmfr0, tgran4, tgran4_2;

    if (current_el() != 2) {
        format_text(why, n,
                    "the firmware started this at EL%u, a hypervisor needs EL2: with QEMU add "
                    "-M virt,virtualization=on, on a board enable virtualization in the firmware",
                    current_el());
        return false;
    }
    pfr0 = sysreg_read(id_aa64pfr0_el1);
    mmfr0 = sysreg_read(id_aa64mmfr0_el1);
    tgran4 = mmfr0 >> 28 & 15;
    tgran4_2 = mmfr0 >> 40 & 15;
    if (tgran4 == 15 || tgran4_2 == 1) {
        format_text(why, n,
                    "this CPU has no 4 KiB pages at stage %u, which Fermata uses: there is "
                    "no remedy but another CPU",
                    tgran4 == 15 ? 1u : 2u);
        return false;
    }
    if ((pfr0 >> 16 & 15) == 15 || (pfr0 >> 20 & 15) == 15) {
        format_text(why, n,
                    "this CPU has no FPSIMD, so there is nothing for Fermata to do: use one "
                    "that has it");
        return false;
    }
    /* The config's fp lists are read before features_find() runs. */
    features.sve = (pfr0 >> 32 & 15) != 0;
    features.sme = (sysreg_read(id_aa64pfr1_el1) >> 24 & 15) != 0;
    features.fpmr = (sysreg_read(ID_AA64PFR2_EL1) >> 32 & 15) != 0;
    return true;
}

void arch_usual_uart(struct boot_uart *uart)
{
    uart->kind = BOOT_UART_NONE; /* arm64 machines have none in common: SPCR or device tree tell */
}

/* ---- In ---- */

/* How the firmware wants PSCI to be called: FADT ARM_BOOT_ARCH (ACPI 6.5, 5.2.9.4), or /psci. */
static void find_psci(const struct boot_info *info)
{
    struct acpi_table fadt;
    struct fdt fdt;

    if (acpi_find(info, "FACP", &fadt) && fadt.bytes >= 131) {
        u32 flags = fadt.at[129];
        if (flags & BIT(0))
            psci_conduit = flags & BIT(1) ? PSCI_HVC : PSCI_SMC;
        return;
    }
    if (!info->fdt || !fdt_open(&fdt, (const void *)info->fdt, MiB(2)))
        return;
    fdt_node node = fdt_path(&fdt, "/psci");
    const char *method = node == FDT_NONE ? NULL : fdt_string(&fdt, node, "method");
    if (method)
        psci_conduit = strcmp(method, "smc") == 0 ? PSCI_SMC : PSCI_HVC;
}

/* HCR_EL2.E2H as the firmware left it, unless a debug build wants the other (both must work). */
static u64 wanted_e2h(void)
{
    bool e2h = features.e2h;

#ifdef FERMATA_E2H
    if (FERMATA_E2H && features.vhe)
        e2h = true;
    else if (!FERMATA_E2H && features.e2h0)
        e2h = false;
#endif
    return e2h ? HCR_E2H : 0;
}

void arch_init(struct pcpu *cpu, const struct boot_info *info)
{
    __asm__ volatile("msr daifset, #15" : : : "memory");
    sysreg_write(tpidr_el2, (u64)cpu);
    features_find();
    find_psci(info);

    features.e2h = wanted_e2h() != 0;
    mmu_build(info);
    gic_find(info);
    mmu_enable(guest_hcr());
    sysreg_write(vbar_el2, (u64)vectors_el2);
    isb();

    fp_init_cpu(cpu);
    guest_traps_init();
    timer_init();
    gic_init(cpu);
}

/* ---- Report ---- */

static const char *implementer(u64 midr)
{
    switch (midr >> 24 & 0xff) {
    case 0x00:
        return "emulated";
    case 0x41:
        return "Arm";
    case 0x46:
        return "Fujitsu";
    case 0x48:
        return "HiSilicon";
    case 0x4e:
        return "NVIDIA";
    case 0x51:
        return "Qualcomm";
    case 0x61:
        return "Apple";
    case 0xc0:
        return "Ampere";
    default:
        return "unknown implementer";
    }
}

/* One line: what an area for it takes at the longest vectors, its gate, its lengths. */
static void report_vectors(const char *name, u64 bytes, u32 lengths, const char *gate,
                           const char *more)
{
    char text[80] = "";
    size_t at = 0;

    if (!lengths) {
        say_info("fp: %s      not on this CPU", name);
        return;
    }
    for (u32 len = 0; len < 16; len++) {
        if (lengths & (1u << len))
            at += (size_t)format_text(text + at, sizeof(text) - at, "%s%u", at ? "," : "",
                                      (len + 1) * 128);
    }
    say_info(
        "fp: %s      %lu bytes at the longest, gated by CPTR_EL2.%s (vector lengths: %s bits%s)",
        name, bytes, gate, text, more);
}

void arch_report(void)
{
    u64 midr = sysreg_read(midr_el1);

    say_info(
        "CPU %s, part 0x%03lx r%lup%lu, at EL2 with E2H=%u%s, %u physical address bits, counter "
        "%lu kHz, GICv%u",
        implementer(midr), midr >> 4 & 0xfff, midr >> 20 & 15, midr & 15, features.e2h,
        features.vhe ? "" : " (no FEAT_VHE)", features.pa_bits, arch_ticks_per_second() / 1000,
        gic_version());
    say_info("fp: fpsimd   %lu bytes, gated by CPTR_EL2.%s", (u64)vec_bytes(VEC_FPSIMD, 0),
             features.e2h ? "FPEN" : "TFP");
    report_vectors("sve", vec_bytes(VEC_SVE, features.sve_vl), features.sve_vls,
                   features.e2h ? "ZEN" : "TZ", "");
    report_vectors("sme", vec_sme_bytes(features.sve_vl, features.sme_vl), features.sme_vls,
                   features.e2h ? "SMEN" : "TSM",
                   features.sme2   ? features.fa64 ? "; ZT0, FA64" : "; ZT0"
                   : features.fa64 ? "; FA64"
                                   : "");
    if (features.sme)
        say_info("fp: tpidr2   eager%s",
                 features.fgt ? "" : ", for VMs without SME too (no FEAT_FGT)");
    if (features.fpmr)
        say_info("fp: fpmr     8 bytes, with fpsimd");
}

/* ---- Out ---- */

NORETURN void arch_stop(void)
{
    __asm__ volatile("msr daifset, #15" : : : "memory");
    for (;;)
        __asm__ volatile("wfi");
}

NORETURN void arch_machine_end(bool pass)
{
    (void)pass; /* PSCI knows one way to end: the verdict is the last line of the console */
    timer_stop();
    if (psci_conduit == PSCI_SMC) {
        register u64 x0 __asm__("x0") = PSCI_SYSTEM_OFF;
        __asm__ volatile("smc #0" : "+r"(x0) : : "x1", "x2", "x3", "memory");
        say_error("PSCI SYSTEM_OFF failed (%ld): switch the machine off", (s64)x0);
    } else {
        say_error("no PSCI by SMC to end this machine with: switch it off");
    }
    arch_stop();
}

/* Ports are x86's: here they are a bus without devices. */
u8 arch_port_read8(u16 port)
{
    (void)port;
    return 0xff;
}

void arch_port_write8(u16 port, u8 value)
{
    (void)port;
    (void)value;
}

NORETURN void arch_stack_switch(struct pcpu *cpu)
{
    u64 top = stack_top(cpu->id);

    __asm__ volatile("mov sp, %0\n\t"
                     "mov x29, xzr\n\t"
                     "mov x30, xzr\n\t"
                     "mov x0, %1\n\t"
                     "b hv_main_on_stack"
                     :
                     : "r"(top), "r"(cpu)
                     : "x0", "memory");
    __builtin_unreachable();
}
