/* From the firmware to the verdict: the whole life of the hypervisor in order. */
#include "hv/main.h"
#include "hv/console.h"
#include "hv/core.h"
#include "hv/gdb.h"
#include "hv/pages.h"
#include "hv/panic.h"
#include "hv/report.h"
#include "hv/sched.h"
#include "hv/screen.h"
#include "hv/trace.h"
#include "arch/arch.h"
#include "boot/boot_info.h"

#ifndef FERMATA_VERSION
#define FERMATA_VERSION "0.1"
#endif
#ifndef FERMATA_BUILD
#define FERMATA_BUILD "unknown build"
#endif
#ifndef FERMATA_ARCH
#define FERMATA_ARCH "unknown architecture"
#endif
#if defined(__clang__)
#define FERMATA_COMPILER "clang " __clang_version__
#else
#define FERMATA_COMPILER "gcc " __VERSION__
#endif

#define SHORTEST_QUANTUM_US 20u /* below, a guest would hardly get to run between two ticks */

static const struct boot_info *boot;
static u64 entered; /* arch_ticks() when boot/ handed over */

static void say_banner(void)
{
    say_info("Fermata %s (%s, %s, %s)", FERMATA_VERSION, FERMATA_ARCH, FERMATA_BUILD,
             FERMATA_COMPILER);
    say_info("image at 0x%lx (gdb: add-symbol-file fermata.elf -o 0x%lx)", boot->image_base,
             boot->image_base);
}

void hv_main(const struct boot_info *info)
{
    struct pcpu *cpu = &pcpus[0];

    entered = arch_ticks();
    boot = info;
    screen_init(&info->screen);
    console_init(&info->uart, (enum log_level)info->config.log);
    console_mirror(&info->mirror);
    core_on = info->config.core;
    panic_image(info->image_base, info->image_bytes);
    say_banner();
    cpu->id = 0;
    pages_init(info);
    arch_init(cpu, info);
    arch_stack_switch(cpu);
}

static void set_quantum(struct pcpu *cpu)
{
    u64 us = boot->config.quantum_us;

    if (us < SHORTEST_QUANTUM_US)
        us = SHORTEST_QUANTUM_US;
    if (us > 1000000)
        us = 1000000;
    cpu->quantum = us * arch_ticks_per_second() / 1000000;
    say_debug("quantum %lu us = %lu ticks", us, cpu->quantum);
}

static void create_vms(struct pcpu *cpu)
{
    u64 cleared = 0;

    for (u32 i = 0; i < boot->config.nvms && i < BOOT_MAX_VMS; i++)
        vm_create(&boot->config.vms[i], cpu);
    report_memory(boot);
    for (u32 i = 0; i < nvms; i++)
        cleared += vms[i]->cleared_ticks;
    const u64 ticks = arch_ticks() - entered - cleared;
    say_info("hand-over to first guest %lu ticks (%lu guest memory clearing not counted), %lu us",
             ticks, cleared, ticks * 1000000 / arch_ticks_per_second());
}

void hv_main_on_stack(struct pcpu *cpu)
{
    char why[BOOT_TEXT] = "";

    pages_reclaim();
    arch_report();
    if (!arch_selftest(cpu, why, sizeof(why)))
        report_verdict(false, "%s", why);
    set_quantum(cpu);
    create_vms(cpu);
    const struct boot_gdb *gdb = &boot->config.gdb;
    if (gdb->uart.kind != BOOT_UART_NONE && !gdb_init(&gdb->uart, gdb->wait))
        say_error("gdb: no memory for it: going on without");
    gdb_poll(cpu);
    sched_run(cpu);
    if (boot->config.trace)
        trace_dump(boot->config.trace);
    report_end(boot);
}
