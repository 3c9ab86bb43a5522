/*
 * The measured loops. Each is the same loop around a different body, so that the empty one can be subtracted:
 * RDI = turns (> 0), RSI = memory for FP operands, RDX = hypercall number; RAX = TSC ticks taken.
 */
#include "guest/x86_64/hypercall.inc"
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
    LOOP bench_vmmcall, "hypercall_insn"
    LOOP bench_vmmcall_sse, "addps %xmm1, %xmm0; hypercall_insn"
    LOOP bench_vmmcall_avx, "addps %xmm1, %xmm0; vaddps %ymm1, %ymm0, %ymm0; hypercall_insn"
    LOOP bench_moves, "xsaveopt64 (%rdi); xrstor64 (%rdi)"

    /* Every general register but RSP to memory and back: what a world switch cannot do without. */
    .macro EACH_GPR to:req
    .set slot, 0
    .irp reg, rax, rcx, rdx, rbx, rbp, rsi, r8, r9, r10, r11, r12, r13, r14, r15, rdi
    .if \to
    mov %\reg, slot(%rdi)
    .else
    mov slot(%rdi), %\reg
    .endif
    .set slot, slot + 8
    .endr
    .endm
    LOOP bench_moves_none, "EACH_GPR 1; EACH_GPR 0"
    LOOP bench_cpuid, "xor %eax, %eax; push %rbx; cpuid; pop %rbx"

/*
 * Another vCPU's turn, then one SSE instruction, and only that is timed: u64 bench_first_trap(turns, memory,
 * function). With a function that does not switch, the gate is open: what remains is what timing costs.
 */
    .globl bench_first_trap
bench_first_trap:
    push %rbx
    push %r12
    mov %rdi, %rbx
    mov %rdx, %r8
    xor %r12d, %r12d
1:  mov %r8d, %eax
    xor %edi, %edi
    hypercall_insn
    TICKS %r9
    addps %xmm1, %xmm0
    TICKS %r10
    sub %r9, %r10
    add %r10, %r12
    dec %rbx
    jnz 1b
    mov %r12, %rax
    pop %r12
    pop %rbx
    ret
