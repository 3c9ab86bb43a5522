/*
 * A streaming loop with live ZA, stopped behind each of its instructions: once for every position,
 * and once at all of them (issue: "preempted at every instruction of a streaming loop and loses
 * nothing"). Its results are small integers in single precision, so they are known exactly.
 */
#include "guest/arm64/sme_scenarios.h"

#define LANES 64
#define DEPTH 3
#define ROWS  5

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

void sme_steps(void)
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
    }
}
