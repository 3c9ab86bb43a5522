/*
 * A streaming loop with live ZA, stopped behind each of its instructions: once for every position,
 * and once at all of them; then preempted by the timer wherever it strikes. Where instructions are
 * counted, so that a gap in time is a preemption and nothing else, `every` on the command line
 * demands that it struck between each two of them (sme_loop_seen). Its results are small integers
 * in single precision, so they are known exactly.
 */
#include "guest/arm64/sme_scenarios.h"

#define LANES 64
#define DEPTH 3
#define ROWS  5

#define PATIENCE 10000 /* batches of runs without a preemption */

static u32 a[DEPTH * LANES], b[DEPTH * LANES], want[ROWS * LANES] ALIGNED(8);
static u32 out[ROWS * LANES] ALIGNED(8);
static s64 a_value[DEPTH * LANES], b_value[DEPTH * LANES];

static void make(u32 rows, u32 columns)
{
    u64 state = pattern_seed(0, 0x2900);

    for (u32 i = 0; i < DEPTH * LANES; i++) {
        u64 r = pattern_next(&state);
        a_value[i] = (s64)(r % 15) - 7;
        b_value[i] = (s64)(r >> 8) % 8;
        a[i] = (u32)float_bits(a_value[i], 8, 23);
        b[i] = (u32)float_bits(b_value[i], 8, 23);
    }
    memset(want, 0, sizeof(want));
    for (u32 r = 0; r < rows; r++)
        for (u32 c = 0; c < columns; c++) {
            s64 sum = 0;
            for (u32 k = 0; k < DEPTH; k++)
                sum += (a_value[k * LANES + r] + b_value[k * LANES + c]) * b_value[k * LANES + c];
            want[r * LANES + c] = (u32)float_bits(sum, 8, 23);
        }
}

static bool run(u32 rows, u32 columns, u64 position, u64 reload, u64 *stops)
{
    /* By words: most of the time should go into the loop, for the timer to find it there. */
    for (u32 i = 0; i < sizeof(out) / 8; i++)
        ((u64 *)(void *)out)[i] = 0;
    *stops = sme_loop(out, a, b, rows, columns, DEPTH, position, reload);
    if (words_differ(out, want, sizeof(out)) == sizeof(out) && sysreg_read(svcr) == 0)
        return true;
    diag("stopped at %lu", (unsigned long)position);
    pattern_diag("the loop's result", out, want, sizeof(out));
    return false;
}

u64 sme_loop_gap;
u8 sme_loop_seen[SME_LOOP_STOPS];

/* Before stop 0 there is no instruction of the loop. */
static u32 places_seen(u64 stops)
{
    u32 seen = 1;

    for (u32 i = 1; i < stops; i++)
        seen += sme_loop_seen[i] != 0;
    return seen;
}

/*
 * Preempted inside the loop, not by its own doing, until `wanted` times; the time between two runs
 * is random, so that the timer finds it at any instruction.
 */
static bool preempted(u32 rows, u32 columns, u64 wanted, u64 *seen, u64 stops)
{
    u64 state = pattern_seed(0, 0x2901), idle = 0;
    bool every = cmdline_has("every");

    sme_loop_gap = sysreg_read(cntfrq_el0) / 2000000 | 1; /* 500 instructions */
    memset(sme_loop_seen, 0, sizeof(sme_loop_seen));
    for (*seen = 0; *seen < wanted || (every && places_seen(stops) < stops); idle++) {
        if (idle == PATIENCE || *seen > wanted + 1000 * stops) {
            for (u32 i = 1; every && i < stops; i++)
                if (!sme_loop_seen[i])
                    diag("never preempted before stop %u", i);
            return false;
        }
        u64 before = stat(FERMATA_STAT_PREEMPTIONS);
        for (u32 batch = 0; batch < 16; batch++) {
            for (volatile u32 n = (u32)pattern_next(&state) & 0x3f; n; n--)
                ;
            if (!run(rows, columns, 0, 0, &stops))
                return false;
        }
        u64 now = stat(FERMATA_STAT_PREEMPTIONS) - before;
        *seen += now;
        idle = now ? 0 : idle;
    }
    return true;
}

void sme_steps(u64 preemptions)
{
    u32 svls[SVLS_MAX];
    u32 count = sme_lengths(svls);

    fpcr_write(0);
    for (u32 i = 0; i < count; i++) {
        u32 columns = svls[i] / 4, rows = columns < ROWS ? columns : ROWS;
        u64 stops = 1;
        sme_set_svl(svls[i]);
        make(rows, columns);
        bool good = run(rows, columns, 0, 0, &stops);
        for (u64 position = 1; position <= stops && good; position++)
            good = run(rows, columns, position, 0, &stops);
        ok(good, "sme-hold: a streaming loop stopped at each of its %lu instructions, %u bits",
           (unsigned long)stops, svls[i] * 8);
        ok(run(rows, columns, 1, 1, &stops), "sme-hold: and at all of them at once, %u bits",
           svls[i] * 8);
        if (!on_fermata)
            continue;
        u64 wanted = i ? preemptions / 8 : preemptions, seen;
        good = preempted(rows, columns, wanted, &seen, stops);
        ok(good, "sme-hold: and preempted within it %lu times, at %u of %u places, %u bits",
           (unsigned long)seen, places_seen(stops), (u32)stops, svls[i] * 8);
    }
}
