/*
 * A streaming loop with live ZA, stopped behind each of its instructions: once for every position,
 * and once at all of them; then preempted by the timer wherever it strikes, many times as often as
 * the loop has instructions. Its results are small integers in single precision, so they are known
 * exactly.
 */
#include "guest/arm64/sme_scenarios.h"

#define LANES 64
#define DEPTH 3
#define ROWS  5

#define PATIENCE 100000 /* runs without a preemption */

static u32 a[DEPTH * LANES], b[DEPTH * LANES], out[ROWS * LANES], want[ROWS * LANES];
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
    memset(out, 0, sizeof(out));
    *stops = sme_loop(out, a, b, rows, columns, DEPTH, position, reload);
    if (words_differ(out, want, sizeof(out)) == sizeof(out) && sysreg_read(svcr) == 0)
        return true;
    diag("stopped at %lu", (unsigned long)position);
    pattern_diag("the loop's result", out, want, sizeof(out));
    return false;
}

/*
 * Preempted inside the loop, not by its own doing, until `wanted` times; the time between two runs
 * is random, so that the timer finds it at any instruction.
 */
static bool preempted(u32 rows, u32 columns, u64 wanted, u64 *seen)
{
    u64 state = pattern_seed(0, 0x2901), stops, idle = 0;

    for (*seen = 0; *seen < wanted && idle < PATIENCE; idle++) {
        for (volatile u32 n = (u32)pattern_next(&state) & 0xff; n; n--)
            ;
        u64 before = stat(FERMATA_STAT_PREEMPTIONS);
        if (!run(rows, columns, 0, 0, &stops))
            return false;
        u64 now = stat(FERMATA_STAT_PREEMPTIONS) - before;
        *seen += now;
        idle = now ? 0 : idle;
    }
    return *seen >= wanted;
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
        good = preempted(rows, columns, wanted, &seen);
        ok(good, "sme-hold: and preempted within it %lu times, %u bits", (unsigned long)seen,
           svls[i] * 8);
    }
}
