/*
 * Guest-observed cost per operation in nanoseconds of the virtual counter; under -icount shift=0
 * one nanosecond is one instruction. The counter may tick only every 16 ns, so operations are timed
 * in batches; medians of batches, less the same loop without the call.
 *
 * A switch is measured as Linux was (issue 2): two vCPUs of one VM hand the CPU to each other, time
 * / 2 is one way.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/sme.h"

#define BATCHES 15
#define BATCH   1000

typedef void bench_loop(u64 n, u64 function);
bench_loop bench_moves_empty, bench_moves_none, bench_moves_fpsimd, bench_moves_sve;
bench_loop bench_empty, bench_none, bench_fpsimd, bench_empty_fpsimd, bench_sve, bench_empty_sve;

typedef u64 bench_first(u64 n, u64 function, void *memory);
bench_first bench_first_fpsimd, bench_first_sve, bench_first_sme;
bench_loop bench_moves_load_fpsimd, bench_moves_load_sve, bench_moves_load_sme;

static u64 samples[BATCHES];
static u8 scratch[33 * SVE_MAX_VL] ALIGNED(64);
static u32 stop;

static u64 timed(bench_loop *loop, u64 function)
{
    u64 frequency = sysreg_read(cntfrq_el0), start, end;

    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(start)::"memory");
    loop(BATCH, function);
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(end)::"memory");
    return (end - start) * 1000000000 / frequency;
}

static u64 median_of(bench_loop *loop, u64 function)
{
    loop(BATCH / 10, function); /* the first use pays traps and page-table walks */
    for (u32 i = 0; i < BATCHES; i++)
        samples[i] = timed(loop, function);
    return bench_median(samples, BATCHES);
}

/* Something in every register the loop stands for: all zero would be cheaper to switch. */
static void use_fp(bench_loop *loop)
{
    static struct fp_image images[2];
    u32 index = (u32)this_cpu()->index;

    if (loop == bench_none)
        return;
    fp_open();
    fp_image_fill(&images[index], loop == bench_sve ? sve_set_vl(SVE_MAX_VL) : 0,
                  pattern_seed(index, 0xd00));
    fp_image_load(&images[index]);
    fpcr_write(0); /* the arithmetic of the loop is to be ordinary */
}

/* The other side of the ping-pong. In small batches, so that it notices the end. */
static void partner(void *argument)
{
    bench_loop *loop = *(bench_loop **)argument;

    use_fp(loop);
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
        loop(16, FERMATA_HC_YIELD);
}

static void ping_pong(const char *name, bench_loop *loop, bench_loop *empty)
{
    struct bench_counts before, after;
    if (loop != bench_none)
        fp_open();
    u64 calibration = median_of(empty, 0);

    stop = 0;
    cpu_job(1, partner, &loop);
    use_fp(loop);
    loop(BATCH / 10, FERMATA_HC_YIELD);
    u64 switches = stat(FERMATA_STAT_SWITCHES);
    bench_counts_read(&before);
    for (u32 i = 0; i < BATCHES; i++)
        samples[i] = timed(loop, FERMATA_HC_YIELD);
    bench_counts_read(&after);
    switches = stat(FERMATA_STAT_SWITCHES) - switches;
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    cpu_wait(1);
    /* Each yield is two switches, there and back, and two rounds of the loop. */
    bench_report(name, bench_cost(samples, BATCHES, 2 * calibration, 2 * BATCH));
    bench_counts_report(name, &before, &after, switches ? switches : 1);
    ok(switches >= BATCHES * BATCH, "bench: %s: %lu switches in %u yields", name,
       (unsigned long)switches, BATCHES * BATCH);
}

/* The loop above, as often as vCPU 1 lets it: what each first instruction took, in nanoseconds. */
static u64 first_of(bench_first *first, u64 function)
{
    for (u32 i = 0; i < BATCHES; i++)
        samples[i] = first(BATCH, function, scratch) * 1000000000 / sysreg_read(cntfrq_el0);
    return bench_median(samples, BATCHES);
}

/* Exit, load, gate, retry: the first instruction after the other vCPU ran, less the same when none
 * ran. And the loads alone, for what is to be loaded then. */
static void first_trap(const char *name, bench_first *first, const char *moves_name,
                       bench_loop *moves)
{
    static bench_loop *idle = bench_none;

    stop = 0;
    cpu_job(1, partner, &idle);
    u64 without = first_of(first, FERMATA_HC_VERSION), with = first_of(first, FERMATA_HC_YIELD);
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    cpu_wait(1);
    bench_report(name, with > without ? (with - without + BATCH / 2) / BATCH : 0);
    u64 empty = median_of(bench_moves_empty, 0);
    median_of(moves, (u64)scratch);
    bench_report(moves_name, bench_cost(samples, BATCHES, empty, BATCH));
}

static void first_traps(void)
{
    static struct fp_image image;

    fp_open();
    fp_image_fill(&image, 0, 0xd40);
    fp_image_load(&image);
    fpcr_write(0);
    first_trap("first-fpsimd-trap", bench_first_fpsimd, "moves-load-fpsimd",
               bench_moves_load_fpsimd);
    if (has_sve()) {
        use_fp(bench_sve);
        first_trap("first-sve-trap", bench_first_sve, "moves-load-sve", bench_moves_load_sve);
    }
    if (!has_sme())
        return;
    sme_open();
    if (sme_max_svl() == 64) { /* the row is about 4 KiB of ZA */
        sme_enter(sme_want(), SVCR_SM | SVCR_ZA, SVE_MAX_VL, SVE_MAX_VL, 0xd41);
        fpcr_write(0);
        first_trap("first-sme-trap", bench_first_sme, "moves-load-sme", bench_moves_load_sme);
        sme_open();
    }
    /* Used, and clean again: it is switched as if FPSIMD had always been all (BUGS 40). */
    sysreg_write(svcr, SVCR_SM | SVCR_ZA);
    sysreg_write(svcr, 0);
    fp_image_load(&image);
    fpcr_write(0);
    ping_pong("switch-clean", bench_fpsimd, bench_empty_fpsimd);
}

/* What a switch could not do without: every register of the kind saved once and loaded once, per
 * one way. */
static void bare_minimum(const char *name, bench_loop *moves, u64 empty)
{
    static struct fp_image memory;

    if (moves == bench_moves_sve)
        sve_set_vl(SVE_MAX_VL);
    median_of(moves, (u64)memory.z);
    bench_report(name, bench_cost(samples, BATCHES, empty, BATCH));
}

/* Last, because it uses FP on vCPU 0. */
static void bare_minima(void)
{
    u64 empty = median_of(bench_moves_empty, 0);

    bare_minimum("moves-nofp", bench_moves_none, empty);
    fp_open();
    bare_minimum("moves-fpsimd", bench_moves_fpsimd, empty);
    if (has_sve())
        bare_minimum("moves-sve", bench_moves_sve, empty);
}

void scenario_bench(void)
{
    u64 empty = median_of(bench_empty, 0);

    if (!on_fermata) {
        bare_minima();
        skip("no hypervisor", "bench: hypercall and switches");
        return;
    }
    median_of(bench_none, FERMATA_HC_VERSION);
    bench_report("hypercall", bench_cost(samples, BATCHES, empty, BATCH));
    if (cpus_online() < 2) {
        skip("one vCPU", "bench: switches");
        return;
    }
    ping_pong("switch-nofp", bench_none, bench_empty);
    ping_pong("switch-fpsimd", bench_fpsimd, bench_empty_fpsimd);
    if (has_sve())
        ping_pong("switch-sve", bench_sve, bench_empty_sve);
    else
        skip("no SVE", "bench: switch-sve");
    first_traps();
    bare_minima();
}
