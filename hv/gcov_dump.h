/* Coverage counters of the hypervisor itself, written to the console at the end of a BUILD=coverage
 * run. */
#ifndef FERMATA_GCOV_DUMP_H
#define FERMATA_GCOV_DUMP_H

#ifdef FERMATA_COVERAGE
/* Prints every translation unit's counters between "@gcda NAME" and "@end" lines; tools/coverage
 * reads them. */
void gcov_dump(void);
#else
static inline void gcov_dump(void)
{
}
#endif

#endif
