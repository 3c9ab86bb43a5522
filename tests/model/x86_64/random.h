/* Random numbers, states and images. SEED=n in the environment repeats a run, STEPS=n makes it
 * longer. */
#ifndef MODEL_X86_RANDOM_H
#define MODEL_X86_RANDOM_H

#include "tests/model/x86_64/cpu.h"

u64 random_seed(void); /* SEED, or 1 */
u64 random_steps(u64 otherwise);
void random_start(u64 seed);
u64 random64(void);
u32 random_below(u32 n);
bool one_in(u32 n);
void random_bytes(void *to, size_t n);

/* Contents of component n, mostly not INIT; MXCSR too with n = 1. What a CPU can hold, and no more.
 */
void random_component(struct x86_cpu *cpu, unsigned n);
void random_tilecfg(struct x86_tilecfg *c); /* mostly one that LDTILECFG takes */

#endif
