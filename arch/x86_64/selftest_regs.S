/*
 * Fills and dumps FP registers by plain loads and stores, as the self-test's second opinion on the
 * movers: a save and a restore that share a mistake agree with each other. Like the movers these
 * open the hypervisor's CR0.TS for a moment.
 *
 * Vectors: 32 rows of 64 bytes, of which SSE uses the first 16 bytes of 16 rows, AVX the first 32.
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

/* void selftest_sse_fill(const u8 vectors[32][64]), selftest_sse_dump */
    .globl  selftest_sse_fill
selftest_sse_fill:
    clts
    each_16 movups, xmm, 0, 64
    close_ts
    ret

    .globl  selftest_sse_dump
selftest_sse_dump:
    clts
    each_16 movups, xmm, 1, 64
    close_ts
    ret

/* void selftest_avx_fill(const u8 vectors[32][64]), selftest_avx_dump */
    .globl  selftest_avx_fill
selftest_avx_fill:
    clts
    each_16 vmovups, ymm, 0, 64
    close_ts
    ret

    .globl  selftest_avx_dump
selftest_avx_dump:
    clts
    each_16 vmovups, ymm, 1, 64
    close_ts
    ret

    .macro each_32 store
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, \
               24, 25, 26, 27, 28, 29, 30, 31
    .if \store
    vmovups %zmm\n, 64*\n(%rdi)
    .else
    vmovups 64*\n(%rdi), %zmm\n
    .endif
    .endr
    .endm

/* void selftest_avx512_fill(const u8 vectors[32][64], const u16 masks[8]), _dump: the 16 bits of a
 * mask that every AVX-512 has. */
    .globl  selftest_avx512_fill
selftest_avx512_fill:
    clts
    each_32 0
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
    kmovw   2*\n(%rsi), %k\n
    .endr
    close_ts
    ret

    .globl  selftest_avx512_dump
selftest_avx512_dump:
    clts
    each_32 1
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
    kmovw   %k\n, 2*\n(%rsi)
    .endr
    close_ts
    ret

/* bool selftest_sttilecfg(void *to), selftest_ldtilecfg(const void *from), selftest_tilezero(void): the first instruction may fault (exceptions_expect). */
    .globl  selftest_sttilecfg
selftest_sttilecfg:
    sttilecfg (%rdi)
    xor     %eax, %eax
    ret

    .globl  selftest_ldtilecfg
selftest_ldtilecfg:
    ldtilecfg (%rdi)
    xor     %eax, %eax
    ret

    .globl  selftest_tilezero
selftest_tilezero:
    tilezero %tmm0
    xor     %eax, %eax
    ret

    .section .note.GNU-stack, "", @progbits
