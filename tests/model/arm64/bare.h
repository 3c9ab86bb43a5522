/* A program that runs at EL2 of a bare machine (QEMU's virt), and single instructions at any level.
 */
#ifndef MODEL_ARM64_BARE_H
#define MODEL_ARM64_BARE_H

#include "tests/model/arm64/cpu.h"

/* bare.S: at this exception level; ESR of what it took, at which level. */
struct bare_run {
    u64 pc, spsr, x0, x1, x12;
    u64 esr_el2, esr_el1;
    u64 sp;
};
void bare_enter(struct bare_run *run); /* EL1, EL0 */
void bare_call(struct bare_run *run);  /* EL2 */
extern u32 bare_code[4];

/* The instruction on the real CPU, as cpu_step() does it on the model. */
struct exc bare_step(u8 el, struct insn *insn);

/* What the machine has, by its ID registers and by trying. All gates are open after it. */
struct cpu_has bare_features(void);

#endif
