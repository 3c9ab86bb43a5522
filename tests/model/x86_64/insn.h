/* Instructions as the model executes them: a class, what varies, a memory operand of
 * X86_AREA_BYTES. */
#ifndef MODEL_X86_INSN_H
#define MODEL_X86_INSN_H

#include "tests/model/x86_64/cpu.h"

enum op {
    OP_X87_LOAD, /* FRSTOR-like: all of x87, from `seed` */
    OP_X87_READ, /* a digest of x87 */
    OP_FNINIT,
    OP_FLD1, /* one that waits */
    OP_FWAIT,
    OP_MMX,
    OP_EMMS,
    OP_SSE_LOAD, /* XMM0 to 15 */
    OP_SSE_READ,
    OP_LDMXCSR,
    OP_STMXCSR,
    OP_AVX_LOAD,
    OP_AVX_READ,
    OP_VZEROALL,
    OP_EVEX_LOAD,
    OP_EVEX_READ,
    OP_KMOV_LOAD,
    OP_KMOV_READ,
    OP_SAVE,    /* which: enum x86_save; mask */
    OP_RESTORE, /* which: 1 is XRSTORS; mask */
    OP_FXSAVE,
    OP_FXRSTOR,
    OP_XGETBV, /* which: ECX */
    OP_RDPKRU,
    OP_WRPKRU,
    OP_LDTILECFG,
    OP_STTILECFG,
    OP_TILERELEASE,
    OP_TILEZERO, /* which: the tile */
    OP_TILELOADD,
    OP_TILESTORED,
    OP_TDP, /* which: enum x86_dot */
    OP_LAST_PLAIN = OP_TDP,
    /* What belongs to the system: world.c has them. */
    OP_XSETBV, /* mask, which: ECX */
    OP_READ_CR0,
    OP_WRITE_CR0, /* mask: the value */
    OP_CLTS,
    OP_READ_CR4,
    OP_WRITE_CR4,
    OP_RDMSR, /* which */
    OP_WRMSR, /* which, mask */
    OP_CPUID, /* which: 1 or 0xd; mask: subleaf */
    OP_MODE,  /* which: 1 is 64-bit code */
};

struct insn {
    enum op op;
    u32 which;
    u64 mask, seed;
    bool rexw;
};

/* One of the plain ones. Returns the vector or 0; *result is what it read, folded. */
int insn_execute(struct x86_cpu *cpu, const struct insn *insn, u8 *memory, u64 *result);

u64 insn_fold(const void *p, size_t n);

#endif
