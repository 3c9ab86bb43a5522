/*
 * The arm64 guest's C entry, and its other vCPUs: they start by PSCI CPU_ON and then do the jobs
 * vCPU 0 gives them. Only vCPU 0 prints.
 */
#include "guest/arm64/cpu.h"
#include "guest/arm64/scenarios.h"

extern u8 stacks[]; /* start.S */

const struct scenario scenarios[] = {
    {"nofp", scenario_nofp, true}, /* first: needs vCPUs that never touched FP */
    {"reset", scenario_reset, true},
    {"arith", scenario_arith, true},
    {"control", scenario_control, true},
    {"hold", scenario_hold, true},
    {"exits", scenario_exits, true},
    {"lengths", scenario_lengths, true},
    {"lazy", scenario_lazy, true},
    {"refuse", scenario_refuse, true},
    {"id-walk", scenario_id_walk, true},
    {"psci", scenario_psci, true},
    {"fp8", scenario_fp8, true},
    {"transfer", scenario_transfer, true},
    {"sme", scenario_sme, true},
    {"sme-bugs", scenario_sme_bugs, true},
    {"sme-refuse", scenario_sme_refuse, true},
    {"sme-hold", scenario_sme_hold, false},
    {"sme-lazy", scenario_sme_lazy, false},
    {"debugged", scenario_debugged, false},
    {"bench", scenario_bench, false},
    {"triple", scenario_triple, false},
    {"fault-loop", scenario_fault_loop, false},
    {"hc-undef", scenario_hc_undef, false},
    {"stage2", scenario_stage2, false},
    {"msr", scenario_msr, false},
    {"spin-cli", scenario_spin_cli, false},
    {"halt", scenario_halt, false},
    {NULL, NULL, false},
};

struct cpu *cpu_at(u32 index)
{
    return (struct cpu *)(stacks + (u64)index * STACK_SIZE);
}

void guest_main(const void *dtb)
{
    bool good = dtb_read(dtb, &machine);

    cmdline_set(machine.bootargs ? machine.bootargs : "");
    platform_detect();
    diag("arm64 guest %s: %u vCPU, memory 0x%lx + %lu KiB, device tree %s",
         on_fermata ? "on Fermata" : "on the bare machine", machine.cpus,
         (unsigned long)machine.ram_base, (unsigned long)(machine.ram_size >> 10),
         good ? "read" : "unreadable");
    if (!good || !machine.cpus)
        panic("a device tree with CPUs at 0x%lx", (unsigned long)dtb);
    guest_run();
}

void secondary_main(void)
{
    struct cpu *cpu = this_cpu();

    __atomic_store_n(&cpu->online, 1, __ATOMIC_RELEASE);
    for (;;) {
        void (*job)(void *) = __atomic_load_n(&cpu->job, __ATOMIC_ACQUIRE);
        if (job) {
            job(cpu->job_argument);
            __atomic_store_n(&cpu->job, NULL, __ATOMIC_RELEASE);
        } else {
            yield();
        }
    }
}

bool cpu_start(u32 index)
{
    struct cpu *cpu = cpu_at(index);

    cpu->job = NULL;
    cpu->online = 0;
    s32 status = psci(PSCI_CPU_ON, machine.mpidr[index], (u64)secondary_entry, index);
    if (status != 0) {
        diag("PSCI CPU_ON of vCPU %u: %d", index, status);
        return false;
    }
    while (!__atomic_load_n(&cpu->online, __ATOMIC_ACQUIRE))
        yield();
    return true;
}

u32 cpus_online(void)
{
    static u32 online;

    if (!online)
        for (online = 1; online < machine.cpus; online++)
            if (!cpu_start(online))
                break;
    return online;
}

void cpu_job(u32 index, void (*job)(void *), void *argument)
{
    struct cpu *cpu = cpu_at(index);

    cpu->job_argument = argument;
    __atomic_store_n(&cpu->job, job, __ATOMIC_RELEASE);
}

void cpu_wait(u32 index)
{
    struct cpu *cpu = cpu_at(index);

    while (__atomic_load_n(&cpu->job, __ATOMIC_ACQUIRE))
        yield();
}
