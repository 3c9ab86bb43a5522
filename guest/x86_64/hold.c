/*
 * hold: a pattern in every register of every component survives N preemptions, every kind of exit
 * and every choice of first instruction, while the VM's other vCPUs and the other VMs do the same
 * with theirs.
 */
#include "guest/x86_64/scenarios.h"

#define STEPS_PER_STAT 8      /* asking for the count is an exit too: not every time */
#define STALLED        200000 /* loops without a preemption after which none will come */
#define PATIENCE_LEAST 1024u
#define PATIENCE_MOST  (1u << 19)

/*
 * Change one thing with an instruction that is the first one after whatever happened before: the
 * rest of the registers must come along. *want follows.
 */
static void mutate(struct fp_image *want, u64 turn)
{
    u64 seed = turn * 0x10001 + want->pkru;
    u64 value = pattern_next(&seed);

    switch (turn % 7) {
    case 0: {
        u16 fcw = (u16)((value & 0x0f00) | 0x7f);
        fp_fldcw(&fcw);
        fx_put16(want->fx, FX_FCW, fcw);
        break;
    }
    case 1: {
        u32 mxcsr = ((u32)value | 0x1f80) & fx32(want->fx, FX_MASK) & 0xffff;
        fp_ldmxcsr(&mxcsr);
        fx_put32(want->fx, FX_MXCSR, mxcsr);
        break;
    }
    case 2: /* a legacy SSE write keeps the upper half */
        insn_pxor_xmm3(NULL);
        memset(want->fx + FX_XMM + 3 * 16, 0, 16);
        memset(want->ymm[3], 0, 16);
        memset(want->zmm[3], 0, features.avx512 ? 16 : 0);
        break;
    case 3: /* a VEX.128 write zeroes it */
        if (!features.avx)
            break;
        insn_vpxor_xmm5(NULL);
        memset(want->fx + FX_XMM + 5 * 16, 0, 16);
        memset(want->ymm[5], 0, 32);
        memset(want->zmm[5], 0, 64);
        break;
    case 4: /* ZMM16 to ZMM31 have no part that another component holds */
        if (!features.avx512)
            break;
        insn_vpxord_zmm20(NULL);
        memset(want->zmm[20], 0, 64);
        break;
    case 5:
        if (!features.avx512)
            break;
        insn_kxnorw_k3(NULL);
        want->k[3] = 0xffff;
        break;
    default:
        if (!features.pku)
            break;
        want->pkru = (u32)value;
        fp_wrpkru(want->pkru);
    }
}

/*
 * Turns of exit_take() among which there is a yield may never last a quantum, where that is many
 * instructions (Bochs: 440,000 in 200 us). So a counter that stands still gets a stretch without
 * exits, each time one twice as long.
 */
static void wait_for_timer(struct hold *hold)
{
    hold->patience = hold->patience ? hold->patience : PATIENCE_LEAST;
    for (volatile u32 i = 0; i < hold->patience; i++)
        cpu_pause();
    if (hold->patience < PATIENCE_MOST)
        hold->patience *= 2;
}

static bool hold_ended(struct hold *hold, u64 start)
{
    if (hold->stop)
        return true;
    if (!hold->preemptions)
        return false;
    if (!on_fermata) {
        hold->seen = hold->loops / STEPS_PER_STAT;
    } else if (hold->loops % STEPS_PER_STAT == 0) {
        u64 seen = stat(FERMATA_STAT_PREEMPTIONS) - start;
        if (seen != hold->seen)
            hold->progress = hold->loops;
        else
            wait_for_timer(hold);
        hold->seen = seen;
    }
    /* A counter that stands still fails the test, it must not hang it. */
    return hold->seen >= hold->preemptions || hold->loops - hold->progress > STALLED;
}

void hold_job(void *argument)
{
    struct hold *hold = argument;
    u64 start = stat(FERMATA_STAT_PREEMPTIONS);
    u64 seed = hold->seed;

    fp_pattern(&hold->want, seed);
    fp_load(&hold->want);
    for (hold->loops = 0; !hold_ended(hold, start); hold->loops++) {
        u64 turn = hold->loops;
        exit_take((u32)turn);
        if (turn % 3 == 1)
            mutate(&hold->want, turn / 3);
        if (!fp_holds(&hold->want, (enum fp_first)(turn % FIRST_WAYS), "hold")) {
            hold->errors++;
            fp_read(&hold->bad, FIRST_FXSAVE);
            fp_load(&hold->want);
        }
        if (turn % 64 == 63) { /* a new pattern now and then */
            fp_pattern(&hold->want, ++seed);
            fp_load(&hold->want);
        }
    }
}

/* BUGS 28: every reason to exit, alone, with every choice of the instruction that comes first
 * afterwards. */
static void every_exit(void)
{
    static struct fp_image want;

    for (u32 e = 0; e < EXITS; e++) {
        u32 bad = 0;
        for (u32 i = 0; i < 4 * FIRST_WAYS; i++) {
            fp_pattern(&want, pattern_seed(0, 600 + i));
            fp_load(&want);
            if (i & 1)
                yield(); /* take the exit with the gate closed, too */
            exit_take(e);
            bad += !fp_holds(&want, (enum fp_first)(i % FIRST_WAYS), exit_name(e));
        }
        ok(!bad, "every register is held across: %s", exit_name(e));
    }
}

static struct hold holds[MAX_CPUS];

static void hold_start(u32 id, u32 purpose, u64 preemptions)
{
    struct hold *hold = &holds[id];

    memset(hold, 0, sizeof(*hold));
    hold->seed = pattern_seed(id, purpose);
    hold->preemptions = preemptions;
    if (id)
        cpu_run(id, hold_job, hold);
}

void background_start(void)
{
    u32 cpus = cpus_start();

    for (u32 id = 1; id < cpus; id++)
        hold_start(id, 2, 0);
}

void background_stop(void)
{
    u32 cpus = cpus_start();

    for (u32 id = 1; id < cpus; id++) {
        while (!*(volatile u64 *)&holds[id].loops) /* it must have looked at least once */
            yield();
        holds[id].stop = true;
        cpu_wait(id);
        ok(!holds[id].errors && holds[id].loops,
           "vCPU %u kept its own registers meanwhile (%lu looks)", id,
           (unsigned long)holds[id].loops);
        if (holds[id].errors)
            diag("vCPU %u: %lu mismatches", id, (unsigned long)holds[id].errors);
    }
}

void scenario_hold(void)
{
    u64 preemptions = cmdline_u64("hold", 2000);
    u32 cpus;

    fp_first();
    /* Registers of vCPU 0 are full before a fresh vCPU starts: it must see nothing of them (BUGS
     * 4). */
    fp_pattern(&holds[0].want, pattern_seed(0, 3));
    fp_load(&holds[0].want);
    cpus = cpus_start();
    ok(fp_holds(&holds[0].want, FIRST_FXSAVE, "start"),
       "the start of other vCPUs leaves my registers alone");
    background_start();
    every_exit();
    background_stop();
    for (u32 id = cpus; id-- > 0;)
        hold_start(id, 1, preemptions);
    hold_job(&holds[0]);
    for (u32 id = 0; id < cpus; id++) {
        if (id)
            cpu_wait(id);
        ok(!holds[id].errors, "vCPU %u held every register", id);
        ok(holds[id].seen >= preemptions, "vCPU %u saw %lu of %lu preemptions", id,
           (unsigned long)holds[id].seen, (unsigned long)preemptions);
        if (id && holds[id].errors) {
            diag("vCPU %u: %lu mismatches, the last:", id, (unsigned long)holds[id].errors);
            pattern_diag("fx", holds[id].bad.fx, holds[id].want.fx, FX_BYTES);
            pattern_diag("ymm", holds[id].bad.ymm, holds[id].want.ymm, sizeof(holds[id].want.ymm));
            pattern_diag("zmm", holds[id].bad.zmm, holds[id].want.zmm, sizeof(holds[id].want.zmm));
        }
    }
}
