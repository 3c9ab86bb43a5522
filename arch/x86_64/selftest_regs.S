/*
 * Fills and dumps FP registers by plain loads and stores, as the self-test's second opinion on the
 * movers: a save and a restore that share a mistake agree with each other. Like the movers these
 * open the hypervisor's CR0.TS for a moment.
 *
 * struct selftest_regs: st[8][16], then ymm[16][32].
 */
#include "x86.h"

    .macro close_ts
    mov     $HOST_CR0, %eax
    mov     %rax, %cr0
    .endm

    .text

/* void selftest_x87_fill(const u8 st[8][16]): pushes eight values, ST0 is st[0]. */
    .globl  selftest_x87_fill
selftest_x87_fill:
    clts
    fninit
    .irp    n, 7, 6, 5, 4, 3, 2, 1, 0
    fldt    16*\n(%rdi)
    .endr
    close_ts
    ret

/* void selftest_x87_dump(u8 st[8][16]): pops what it stores. */
    .globl  selftest_x87_dump
selftest_x87_dump:
    clts
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
    fstpt   16*\n(%rdi)
    .endr
    close_ts
    ret

    .macro each_16 instruction, register, store, stride
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    .if \store
    \instruction %\register\n, \stride*\n(%rdi)
    .else
    \instruction \stride*\n(%rdi), %\register\n
    .endif
    .endr
    .endm

/* void selftest_sse_fill(const u8 xmm[16][32]), selftest_sse_dump: the lower half of each row. */
    .globl  selftest_sse_fill
selftest_sse_fill:
    clts
    each_16 movups, xmm, 0, 32
    close_ts
    ret

    .globl  selftest_sse_dump
selftest_sse_dump:
    clts
    each_16 movups, xmm, 1, 32
    close_ts
    ret

/* void selftest_avx_fill(const u8 ymm[16][32]), selftest_avx_dump */
    .globl  selftest_avx_fill
selftest_avx_fill:
    clts
    each_16 vmovups, ymm, 0, 32
    close_ts
    ret

    .globl  selftest_avx_dump
selftest_avx_dump:
    clts
    each_16 vmovups, ymm, 1, 32
    close_ts
    ret

    .section .note.GNU-stack, "", @progbits
