/*
 * What every host test has: panic() that a test can expect, deterministic random numbers, the
 * counters of time, and what C needs besides.
 */
#ifndef FAKE_SUPPORT_H
#define FAKE_SUPPORT_H

#include <setjmp.h>
#include "hv/base.h"

/* What panic() does: a test that expects one says so with expect_panic(). */
extern jmp_buf fake_panic_jump;
extern bool fake_panic_expected;
extern char fake_panic_text[256];
#define expect_panic(statement)                                                                    \
    do {                                                                                           \
        fake_panic_expected = true;                                                                \
        if (setjmp(fake_panic_jump) == 0) {                                                        \
            statement;                                                                             \
            fake_panic_expected = false;                                                           \
            fail_msg("no panic from: %s", #statement);                                             \
        }                                                                                          \
        fake_panic_expected = false;                                                               \
    } while (0)

/* arch_ticks() and arch_cycles(): one more at each look; a test may make it more. */
extern u64 fake_now;

/* Deterministic random numbers; SEED=n in the environment repeats a run. */
u64 fake_seed(void);
void fake_srand(u64 seed);
u64 fake_rand(void);
u32 fake_below(u32 n);

/* Are all n bytes 0? */
bool fake_zero(const void *p, size_t n);

#endif
