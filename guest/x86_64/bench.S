/*
 * The measured loops. Each is the same loop around a different body, so that the empty one can be subtracted:
 * RDI = turns (> 0), RSI = memory for FP operands, RDX = hypercall number; RAX = TSC ticks taken.
 */
#include "layout.h"
    /* Several instructions are one quoted argument: a bare ";" would end the macro call. */
    .text

    .macro TICKS to
    lfence
    rdtsc
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, \to
    .endm

    .macro LOOP name, body
    .globl \name
\name:
    push %rbx
    push %r12
    mov %rdi, %rbx
    mov %rdx, %r8
    mov %rsi, %rdi
    TICKS %r9
1:  mov %r8d, %eax
    xor %edx, %edx                  /* EDX:EAX is the mask of the moves */
    \body
    dec %rbx
    jnz 1b
    TICKS %r10
    mov %r10, %rax
    sub %r9, %rax
    pop %r12
    pop %rbx
    ret
    .endm

    LOOP bench_empty
    LOOP bench_vmmcall, "vmmcall"
    LOOP bench_vmmcall_sse, "addps %xmm1, %xmm0; vmmcall"
    LOOP bench_vmmcall_avx, "addps %xmm1, %xmm0; vaddps %ymm1, %ymm0, %ymm0; vmmcall"
    LOOP bench_moves, "xsaveopt64 (%rdi); xrstor64 (%rdi)"
    LOOP bench_cpuid, "xor %eax, %eax; push %rbx; cpuid; pop %rbx"
