/*
 * Numbers that the arm64 guest's assembly and C must agree on. Plain #defines only.
 */
#ifndef GUEST_ARM64_LAYOUT_H
#define GUEST_ARM64_LAYOUT_H

#define MAX_CPUS 8

/*
 * Each vCPU's stack is STACK_SIZE bytes, aligned to its size, and its struct cpu lies at the lowest
 * address: the stack pointer alone finds it. No TPIDR_ELx is used, because scenarios hold patterns
 * in those.
 */
#define STACK_SHIFT 14
#define STACK_SIZE  (1 << STACK_SHIFT)

/* struct cpu, as start.S fills it (cpu.h asserts the offsets). */
#define CPU_INDEX     0
#define CPU_RESET     8 /* struct reset_regs */
#define CPU_ASM_BYTES 64

/* struct frame, as vectors.S fills it. */
#define FRAME_SP    248
#define FRAME_ELR   256
#define FRAME_SPSR  264
#define FRAME_ESR   272
#define FRAME_FAR   280
#define FRAME_BYTES 288

/*
 * EL0 sees all of the kernel's gigabyte once more, 256 GiB higher, readable, writable and
 * executable: PC-relative code runs there as it is. (A page that EL0 may write is never executable
 * at EL1, hence the alias.)
 */
#define EL0_ALIAS 0x4000000000

#endif
