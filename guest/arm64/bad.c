/*
 * Guests that misbehave; the hypervisor must say what happened in one line and let the other VMs go
 * on. None of these reaches its end: a line "not ok" from here means that the hypervisor let it
 * pass.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/cpu.h"
#include "guest/arm64/sme.h"

/* What the VM dies with, for the next to find nothing of: streaming mode, ZA, ZT0 or what there is.
 */
static void fill_everything(void)
{
    static struct fp_image image;

    fp_open();
    if (has_sme()) {
        sme_open();
        sme_enter(sme_want(), SVCR_SM | SVCR_ZA, SVE_MAX_VL, SVE_MAX_VL, 0xbad);
        return;
    }
    fp_image_fill(&image, has_sve() ? sve_set_vl(SVE_MAX_VL) : 0, 0xbad);
    fp_image_load(&image);
}

/* The vectors lie outside the VM's memory: the first exception fetches from there, a stage-2 fault.
 */
void scenario_triple(void)
{
    fill_everything();
    sysreg_write(vbar_el1, machine.ram_base + machine.ram_size + MiB(64));
    __asm__ volatile("udf #0");
    ok(false, "triple: an exception without vectors does not return");
}

/* The vectors are not mapped at stage 1: each exception raises the next, at EL1, for ever, without
 * any exit. */
void scenario_fault_loop(void)
{
    sysreg_write(vbar_el1, 0x2000000000);
    __asm__ volatile("udf #0");
    ok(false, "fault-loop: an endless exception loop does not return");
}

/* An undefined hypercall is refused and said once; the guest goes on. */
void scenario_hc_undef(void)
{
    for (u32 i = 0; i < 3; i++)
        ok_eq(smccc(FERMATA_HC_BASE + 0xfff, 1, 2, 3).x0, (u64)FERMATA_NOT_SUPPORTED,
              "hc-undef: NOT_SUPPORTED");
}

/* An address beyond the VM's memory, where the stage-1 table maps Normal memory. */
void write_nowhere(void)
{
    volatile u64 *nowhere = (volatile u64 *)(machine.ram_base + machine.ram_size + MiB(64));

    *nowhere = 1;
    ok(false, "stage2: a write to 0x%lx does not return", (unsigned long)nowhere);
}

void scenario_stage2(void)
{
    fill_everything();
    write_nowhere();
}

/* An Undefined system register with no handler for it: the guest dies of it, and says so itself. */
void scenario_msr(void)
{
    sysreg_write(S3_7_C15_C15_7, 1);
    ok(false, "msr: an Undefined system register does not return");
}

void scenario_spin_cli(void)
{
    fill_everything();
    __asm__ volatile("msr daifset, #15");
    for (;;)
        __asm__ volatile("" ::: "memory");
}

void scenario_halt(void)
{
    fill_everything();
    for (;;)
        __asm__ volatile("wfi");
}
