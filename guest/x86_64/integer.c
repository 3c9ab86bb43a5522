/*
 * What else a vCPU must find as it left it: general registers, flags, debug registers and the MSRs
 * that the world switch moves. Part of control.
 */
#include "guest/x86_64/scenarios.h"

/* gpr.S: patterns in every general register for `turns` turns of a loop; 1 if all are still there
 * at its end. */
u64 gpr_hold(u64 turns, u64 pattern);

static const struct msr {
    u32 index;
    const char *name;
} msrs[] = {
    {0xc0000100, "FS_BASE"}, {0xc0000101, "GS_BASE"}, {0xc0000102, "KERNEL_GS_BASE"},
    {0xc0000081, "STAR"},    {0xc0000082, "LSTAR"},   {0xc0000083, "CSTAR"},
    {0xc0000084, "SFMASK"},  {0x174, "SYSENTER_CS"},  {0x175, "SYSENTER_ESP"},
    {0x176, "SYSENTER_EIP"},
};

/* A value every one of these MSRs takes: canonical, 32 bits where the MSR has no more. */
static u64 msr_value(const struct msr *msr, u32 vcpu, u32 round)
{
    u64 value = pattern_seed(vcpu, 300 + round) ^ msr->index;

    return msr->index == 0x174 || msr->index == 0xc0000084 ? value & 0xffff : value >> 20;
}

struct keeper {
    volatile bool stop;
    u32 rounds, bad_msr, bad_debug, bad_gpr;
};
static struct keeper keepers[MAX_CPUS];

static u64 debug_read(u32 i)
{
    u64 value = 0;

    if (i == 0)
        __asm__ volatile("mov %%dr0, %0" : "=r"(value));
    else if (i == 1)
        __asm__ volatile("mov %%dr1, %0" : "=r"(value));
    else if (i == 2)
        __asm__ volatile("mov %%dr2, %0" : "=r"(value));
    else
        __asm__ volatile("mov %%dr3, %0" : "=r"(value));
    return value;
}

static void debug_write(u32 i, u64 value)
{
    if (i == 0)
        __asm__ volatile("mov %0, %%dr0" : : "r"(value));
    else if (i == 1)
        __asm__ volatile("mov %0, %%dr1" : : "r"(value));
    else if (i == 2)
        __asm__ volatile("mov %0, %%dr2" : : "r"(value));
    else
        __asm__ volatile("mov %0, %%dr3" : : "r"(value));
}

/* DR7 is left alone: the breakpoints are not enabled, so DR0 to DR3 are plain storage. */
static void keep_round(struct keeper *keeper, u32 id, u32 round)
{
    for (u32 i = 0; i < ARRAY_SIZE(msrs); i++)
        wrmsr(msrs[i].index, msr_value(&msrs[i], id, round));
    for (u32 i = 0; i < 4; i++)
        debug_write(i, pattern_seed(id, 400 + 4 * round + i));
    yield();
    keeper->bad_gpr += !gpr_hold(round % 8 ? 500 : 50000, pattern_seed(id, 200 + round));
    for (u32 i = 0; i < ARRAY_SIZE(msrs); i++)
        keeper->bad_msr += rdmsr(msrs[i].index) != msr_value(&msrs[i], id, round);
    for (u32 i = 0; i < 4; i++)
        keeper->bad_debug += debug_read(i) != pattern_seed(id, 400 + 4 * round + i);
    keeper->rounds++;
}

static void keep_job(void *argument)
{
    struct keeper *keeper = argument;

    for (u32 round = 0; !keeper->stop; round++)
        keep_round(keeper, this_cpu()->id, round & 63);
}

void integer_state_held(void)
{
    u32 cpus = cpus_start();

    memset(keepers, 0, sizeof(keepers));
    for (u32 id = 1; id < cpus; id++)
        cpu_run(id, keep_job, &keepers[id]);
    for (u32 round = 0; round < 64; round++)
        keep_round(&keepers[0], 0, round);
    for (u32 id = 0; id < cpus; id++) {
        if (id) {
            while (!*(volatile u32 *)&keepers[id].rounds)
                yield();
            keepers[id].stop = true;
            cpu_wait(id);
        }
        ok(!keepers[id].bad_gpr, "vCPU %u: general registers and flags are held", id);
        ok(!keepers[id].bad_msr, "vCPU %u: base, SYSCALL and SYSENTER MSRs are held", id);
        ok(!keepers[id].bad_debug, "vCPU %u: DR0 to DR3 are held", id);
    }
}
