/*
 * Guests that misbehave: each is a VM of its own in a negative test. The hypervisor must end or
 * contain it with one clear line, and leave the other VMs alone. None is part of run=all.
 */
#include "guest/x86_64/scenarios.h"

void bad_task_switch(void); /* bad.S */

/* An IDT without entries: the #UD becomes #DF, that a triple fault. */
void scenario_triple(void)
{
    static const struct {
        u16 limit;
        u64 base;
    } PACKED none;

    diag("triple fault follows");
    __asm__ volatile("lidt %0; ud2" : : "m"(none));
}

void scenario_hc_undef(void)
{
    struct hc_result r = hypercall(FERMATA_HC_BASE + 0x123, 0);

    ok(r.status == FERMATA_NOT_SUPPORTED, "an undefined hypercall returns NOT_SUPPORTED");
}

/* 1 GiB - 4 KiB: inside the guest's own map, outside any memory a test VM has. address= chooses
 * another. */
void scenario_stage2(void)
{
    u64 address = cmdline_u64("address", 0x3ffff000);

    diag("access to guest-physical 0x%lx follows", (unsigned long)address);
    *(volatile u64 *)address = 1;
    ok(false, "an access outside memory went through");
}

/* No handler: the guest's own #GP, reported by its own panic. */
void scenario_msr(void)
{
    diag("RDMSR of an MSR that does not exist follows");
    rdmsr(0x17d3);
    ok(false, "RDMSR of an MSR that does not exist went through");
}

void scenario_spin_cli(void)
{
    diag("an infinite loop with interrupts off follows");
    __asm__ volatile("cli; 1: jmp 1b");
}

void scenario_halt(void)
{
    diag("CLI and HLT follow");
    for (;;)
        __asm__ volatile("cli; hlt");
}

void scenario_taskswitch(void)
{
    diag("a hardware task switch follows");
    bad_task_switch();
}
