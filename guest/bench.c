/* Arithmetic of the benchmarks: medians of batches, an empty loop subtracted. */
#include "guest/guest.h"

u64 bench_median(u64 *samples, u32 count)
{
    /* Insertion sort: a few dozen samples, and nothing to allocate. */
    for (u32 i = 1; i < count; i++) {
        u64 value = samples[i];
        u32 at = i;
        for (; at && samples[at - 1] > value; at--)
            samples[at] = samples[at - 1];
        samples[at] = value;
    }
    return samples[(count - 1) / 2];
}

u64 bench_cost(u64 *samples, u32 count, u64 empty, u64 per)
{
    u64 median = bench_median(samples, count);

    return median > empty ? (median - empty + per / 2) / per : 0;
}

void bench_report(const char *name, u64 value)
{
    diag("bench %s %lu", name, (unsigned long)value);
}

void bench_counts_read(struct bench_counts *counts)
{
    counts->traps = stat(FERMATA_STAT_FP_TRAPS);
    counts->loads = stat(FERMATA_STAT_FP_LOADS);
    counts->saves = stat(FERMATA_STAT_FP_SAVES);
    counts->scrubs = stat(FERMATA_STAT_FP_SCRUBS);
    counts->bytes = stat(FERMATA_STAT_FP_BYTES);
}

static void print_hundredths(u64 total, u64 operations)
{
    u64 value = (total * 100 + operations / 2) / operations;

    print(" %lu.%02lu", (unsigned long)(value / 100), (unsigned long)(value % 100));
}

void bench_counts_report(const char *name, const struct bench_counts *before,
                         const struct bench_counts *after, u64 operations)
{
    print("# bench-count %s", name);
    print_hundredths(after->traps - before->traps, operations);
    print_hundredths(after->loads - before->loads, operations);
    print_hundredths(after->saves - before->saves, operations);
    print_hundredths(after->scrubs - before->scrubs, operations);
    print_hundredths(after->bytes - before->bytes, operations);
    print("\n");
}
