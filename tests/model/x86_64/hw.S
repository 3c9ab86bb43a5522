/*
 * One instruction of the CPU this runs on, between a state and what it made of it (hw.h).
 *
 * void hw_run(const void *from, void (*op)(void), void *operand, u64 mask, struct hw_seen *seen)
 */
    .text
    .globl hw_run
hw_run:
    push %rbx
    push %rbp
    push %r12
    push %r13
    mov %rsi, %rbx              /* op */
    mov %rdx, %rbp              /* its operand */
    mov %rcx, %r12
    mov %r8, %r13
    mov (%r13), %eax            /* seen->all: every component but PKRU */
    xor %edx, %edx
    xrstor64 (%rdi)
    cmpl $0, 4(%r13)            /* seen->xgetbv1 */
    je 1f
    mov $1, %ecx
    xgetbv
    mov %eax, 8(%r13)           /* seen->before */
1:  mov %r12d, %eax
    mov %r12, %rdx
    shr $32, %rdx
    mov %rbp, %rdi
    mov $64, %esi
    call *%rbx
    cmpl $0, 4(%r13)
    je 2f
    mov $1, %ecx
    xgetbv
    mov %eax, 16(%r13)          /* seen->after */
2:  mov (%r13), %eax
    xor %edx, %edx
    mov 24(%r13), %rdi          /* seen->dump */
    xsave64 (%rdi)
    mov 32(%r13), %rdi          /* seen->clean */
    xrstor64 (%rdi)
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/* void hw_clean(u32 all, const void *clean): after a fault. */
    .globl hw_clean
hw_clean:
    mov %edi, %eax
    xor %edx, %edx
    xrstor64 (%rsi)
    ret

    .macro op name:req, text:vararg
    .globl \name
\name:
    \text
    ret
    .endm
op hw_xsave64, xsave64 (%rdi)
op hw_xsave32, xsave (%rdi)
op hw_xsaveopt64, xsaveopt64 (%rdi)
op hw_xsaveopt32, xsaveopt (%rdi)
op hw_xsavec64, xsavec64 (%rdi)
op hw_xsavec32, xsavec (%rdi)
op hw_xrstor64, xrstor64 (%rdi)
op hw_xrstor32, xrstor (%rdi)
op hw_fxsave64, fxsave64 (%rdi)
op hw_fxsave32, fxsave (%rdi)
op hw_fxrstor64, fxrstor64 (%rdi)
op hw_fxrstor32, fxrstor (%rdi)
op hw_ldtilecfg, ldtilecfg (%rdi)
op hw_sttilecfg, sttilecfg (%rdi)
op hw_tilerelease, tilerelease
op hw_tdpbssd, tdpbssd %tmm2, %tmm1, %tmm0
op hw_tdpbsud, tdpbsud %tmm2, %tmm1, %tmm0
op hw_tdpbusd, tdpbusd %tmm2, %tmm1, %tmm0
op hw_tdpbuud, tdpbuud %tmm2, %tmm1, %tmm0


/* The tile is part of the encoding: eight of each, 16 bytes apart. */
    .macro tiles name:req, before:req, after
    .section .text
    .globl \name
    .balign 16
\name:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    .balign 16
    \before %tmm\n\after
    ret
    .endr
    .endm
tiles hw_tilezero, "tilezero"
tiles hw_tileloadd, "tileloadd (%rdi,%rsi),"
    .globl hw_tilestored
    .balign 16
hw_tilestored:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    .balign 16
    tilestored %tmm\n, (%rdi,%rsi)
    ret
    .endr
    .section .note.GNU-stack, "", @progbits
