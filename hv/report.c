/* The closing report. Its lines are read by tools/ and tests/: change them together. */
#include "hv/report.h"
#include "hv/console.h"
#include "hv/gcov_dump.h"
#include "hv/pages.h"
#include "hv/vm.h"
#include "arch/arch.h"
#include "boot/boot_info.h"

#define MEMORY_LIMIT_KIB 4096u /* what the README promises */

static u64 hypervisor_bytes(const struct boot_info *info)
{
    return info->image_bytes + pages_peak(PAGES_HYPERVISOR);
}

void report_memory(const struct boot_info *info)
{
    say_info("memory: hypervisor %lu KiB, guests %lu MiB, free %lu MiB",
             hypervisor_bytes(info) >> 10, pages_used(PAGES_GUEST) >> 20, pages_left() >> 20);
}

static void report_vcpu(const struct vcpu *v)
{
    char name[BOOT_NAME + 8];
    const struct fp_stats *fp = &v->fp.stats;

    format_text(name, sizeof(name), "%s.%u", vm_name(v->vm), v->id);
    say_info("%-12s %9lu %8lu %8lu %8lu %8lu %8lu %8lu %6lu %11lu %12lu %7lu", name, v->stats.exits,
             v->stats.preemptions, v->stats.switches, fp->traps, fp->loads, fp->saves, fp->scrubs,
             fp->grows, fp->bytes, fp->cycles, v->stats.fp_bytes);
}

static void report_vcpus(void)
{
    say_info("%-12s %9s %8s %8s %8s %8s %8s %8s %6s %11s %12s %7s", "vCPU", "exits", "preempt",
             "switch", "fp-trap", "load", "save", "scrub", "grow", "bytes", "cycles", "area");
    for (u32 i = 0; i < nvms; i++) {
        for (u32 k = 0; k < vms[i]->nvcpus; k++)
            report_vcpu(vms[i]->vcpus[k]);
    }
}

static const char *state_name(enum vm_state state)
{
    static const char *const names[] = {
        [VM_REFUSED] = "refused",
        [VM_RUNNING] = "running",
        [VM_PASSED] = "passed",
        [VM_FAILED] = "failed",
    };
    return names[state];
}

void report_verdict(bool pass, const char *fmt, ...)
{
    char why[BOOT_TEXT];
    va_list args;

    va_start(args, fmt);
    format_text_v(why, sizeof(why), fmt, args);
    va_end(args);
    gcov_dump();
    if (pass)
        say_error("PASS");
    else
        say_error("FAIL: %s", why);
    arch_machine_end(pass);
}

void report_end(const struct boot_info *info)
{
    const struct vm *first = NULL;
    u32 bad = 0;

    DEBUG_CHECK(pages_used(PAGES_GUEST) == 0); /* every VM has ended, and given back its RAM */
    report_vcpus();
    say_info("hypervisor memory %lu KiB (limit %u KiB)", hypervisor_bytes(info) >> 10,
             MEMORY_LIMIT_KIB);
    for (u32 i = 0; i < nvms; i++) {
        say_info("vm %s: %s", vm_name(vms[i]), state_name(vms[i]->state));
        if (vms[i]->state != VM_PASSED && bad++ == 0)
            first = vms[i];
    }
    if (nvms == 0)
        report_verdict(false,
                       "there is no VM to run: name one in fermata.conf, or remove that file");
    if (bad == 0)
        report_verdict(true, "%s", "");
    report_verdict(false, "%u of %u VMs: vm %s %s%s", bad, nvms, vm_name(first),
                   state_name(first->state), bad > 1 ? ", and others" : "");
}
