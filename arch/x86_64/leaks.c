/*
 * What no gate and no scrub can close: parts of the vector and divider hardware that keep other
 * contexts' data by themselves. Both known ones on AMD have a chicken bit that costs some speed and
 * that a CPU with newer microcode ignores, so it is set whatever the microcode is.
 */
#include "leaks.h"
#include "cpu.h"
#include "arch/arch.h"
#include "hv/console.h"

/* Family and model as CPUID leaf 1 EAX spells them: APM 3, E.3.2. */
static u32 family_of(u32 signature)
{
    u32 base = signature >> 8 & 0xf;

    return base == 0xf ? base + (signature >> 20 & 0xff) : base;
}

static u32 model_of(u32 signature)
{
    return (signature >> 4 & 0xf) | (signature >> 12 & 0xf0);
}

static bool is_zen2(u32 model)
{
    return (model >= 0x30 && model <= 0x4f) || (model >= 0x60 && model <= 0x7f) ||
           (model >= 0x90 && model <= 0x91) || (model >= 0xa0 && model <= 0xaf);
}

static bool is_zen1(u32 model)
{
    return model <= 0x2f || (model >= 0x50 && model <= 0x5f);
}

struct leak leak_of(const char *vendor, u32 signature)
{
    if (strcmp(vendor, "AuthenticAMD") != 0 || family_of(signature) != 0x17)
        return (struct leak){NULL, 0, 0};
    if (is_zen2(model_of(signature))) /* XSA-433, CVE-2023-20593: uppers survive VZEROUPPER */
        return (struct leak){"Zenbleed", MSR_DE_CFG, 9};
    if (is_zen1(model_of(signature))) /* Zen+ too; XSA-488: the divider's last quotient */
        return (struct leak){"FP divider state sampling", MSR_FP_CFG, 9};
    return (struct leak){NULL, 0, 0};
}

void leaks_close(void)
{
    struct leak leak = leak_of(cpu_has.vendor, cpuid(1, 0).eax);

    if (!leak.name)
        return;
    if (cpu_has.hypervisor) {
        say_debug("this CPU model is subject to %s: below a hypervisor that is the host's to close",
                  leak.name);
        return;
    }
    wrmsr(leak.msr, rdmsr(leak.msr) | BIT(leak.bit));
    say_info("this CPU model is subject to %s: closed (MSR 0x%x bit %u)", leak.name, leak.msr,
             leak.bit);
}
