/* The closing report. Its lines are read by tools/ and tests/: change them together. */
#include "hv/report.h"
#include "hv/console.h"
#include "hv/pages.h"
#include "hv/vm.h"
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

bool report_end(const struct boot_info *info)
{
    const struct vm *worst = NULL;
    u32 bad = 0;

    report_vcpus();
    say_info("hypervisor memory %lu KiB (limit %u KiB)", hypervisor_bytes(info) >> 10,
             MEMORY_LIMIT_KIB);
    for (u32 i = 0; i < nvms; i++) {
        say_info("vm %s: %s", vm_name(vms[i]), state_name(vms[i]->state));
        if (vms[i]->state != VM_PASSED && bad++ == 0)
            worst = vms[i];
    }
    if (nvms == 0)
        say_error("FAIL: there is no VM to run: name one in fermata.conf, or remove that file");
    else if (bad == 0)
        say_error("PASS"); /* at the level that is always shown: the verdict */
    else if (bad == 1)
        say_error("FAIL: vm %s %s", vm_name(worst), state_name(worst->state));
    else
        say_error("FAIL: %u of %u VMs: vm %s %s, ...", bad, nvms, vm_name(worst),
                  state_name(worst->state));
    return nvms != 0 && bad == 0;
}
