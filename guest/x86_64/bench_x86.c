/*
 * bench: instructions per operation as the guest sees them, by RDTSC. Meant for QEMU -icount
 * shift=0, where a tick is an instruction; elsewhere the numbers are TSC ticks. Run it with one VM
 * of two vCPUs on one CPU: a yield then hands the CPU to the other vCPU, so a turn of vCPU 0's loop
 * is two switches.
 */
#include "guest/x86_64/scenarios.h"

#define BATCHES 31
#define TURNS   100

typedef u64 (*loop_fn)(u64 turns, void *memory, u64 function);
u64 bench_empty(u64 turns, void *memory, u64 function);
u64 bench_vmmcall(u64 turns, void *memory, u64 function);
u64 bench_vmmcall_sse(u64 turns, void *memory, u64 function);
u64 bench_vmmcall_avx(u64 turns, void *memory, u64 function);
u64 bench_moves(u64 turns, void *memory, u64 function);
u64 bench_moves_none(u64 turns, void *memory, u64 function);
u64 bench_cpuid(u64 turns, void *memory, u64 function);
u64 bench_first_trap(u64 turns, void *memory, u64 function);

static ALIGNED(64) u8 area[XSAVE_MAX];
static u64 samples[BATCHES];
static volatile bool partner_stop;

static u64 median_of(loop_fn loop, u64 function)
{
    for (u32 i = 0; i < BATCHES; i++)
        samples[i] = loop(TURNS, area, function);
    return bench_median(samples, BATCHES);
}

static void partner(void *loop)
{
    while (!partner_stop)
        ((loop_fn)loop)(TURNS, area, FERMATA_HC_YIELD);
}

static u64 cost(loop_fn loop, u64 function, u64 empty)
{
    median_of(loop, function);
    return bench_cost(samples, BATCHES, empty, TURNS);
}

/* One way: both vCPUs run the same loop, so a turn is two loop bodies and two switches. */
static void bench_switch(const char *name, loop_fn loop, u64 empty)
{
    struct bench_counts before, after;
    u64 switches, median;

    partner_stop = false;
    cpu_run(1, partner, (void *)loop);
    loop(TURNS, area, FERMATA_HC_YIELD); /* let the partner arrive in its loop */
    bench_counts_read(&before);
    switches = stat(FERMATA_STAT_SWITCHES);
    median = median_of(loop, FERMATA_HC_YIELD);
    bench_counts_read(&after);
    switches = stat(FERMATA_STAT_SWITCHES) - switches;
    partner_stop = true;
    cpu_wait(1);
    bench_report(name, median > 2 * empty ? (median - 2 * empty + TURNS) / (2 * TURNS) : 0);
    bench_counts_report(name, &before, &after, (u64)BATCHES * TURNS);
    ok(switches >= (u64)BATCHES * TURNS * 9 / 10, "%s: every yield was a switch (%lu)", name,
       (unsigned long)switches);
}

/* The first FP instruction after the other vCPU used FP: exit, load, gate, retry. */
static void bench_trap(void)
{
    partner_stop = false;
    cpu_run(1, partner, (void *)bench_vmmcall_sse);
    bench_report("first-fp-trap", cost(bench_first_trap, FERMATA_HC_YIELD,
                                       median_of(bench_first_trap, FERMATA_HC_VERSION)));
    partner_stop = true;
    cpu_wait(1);
}

void scenario_bench(void)
{
    u64 empty;

    if (!on_fermata) {
        skip("no hypervisor", "benchmarks");
        return;
    }
    empty = median_of(bench_empty, 0);
    bench_report("empty-loop-turn-x100", empty);
    bench_report("hypercall", cost(bench_vmmcall, FERMATA_HC_VERSION, empty));
    bench_report("cpuid-exit", cost(bench_cpuid, 0, empty));
    bench_report("moves-nofp", cost(bench_moves_none, 0, empty));
    ok(true, "null hypercall measured");
    if (cpus_start() < 2) {
        skip("needs two vCPUs", "switches");
        return;
    }
    /* First without FP: the partner's fp_first() at its start is behind us, and the yields let it
     * go cold. */
    for (u32 i = 0; i < 100; i++)
        yield();
    bench_switch("switch-nofp", bench_vmmcall, empty);
    fp_first();
    bench_switch("switch-sse", bench_vmmcall_sse, empty);
    if (features.avx)
        bench_switch("switch-avx", bench_vmmcall_avx, empty);
    bench_trap();
    /* The bare minimum: the moves alone, one save and one load. */
    if (!features.xsaveopt)
        return;
    fp_xsave(area, ~0ull);
    bench_report("moves-sse", cost(bench_moves, XCR0_X87 | XCR0_SSE, empty));
    if (features.avx)
        bench_report("moves-avx", cost(bench_moves, XCR0_X87 | XCR0_SSE | XCR0_AVX, empty));
}
