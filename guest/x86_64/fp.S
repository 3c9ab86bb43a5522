/* Moves between FP registers and memory; each function is one group of instructions and touches nothing else. */
    .text

    .macro FUNCTION name
    .globl \name
\name:
    .endm

FUNCTION fp_fxsave
    fxsave64 (%rdi)
    ret

FUNCTION fp_fxrstor
    fxrstor64 (%rdi)
    ret

    .macro YMM_ALL mnemonic, store
    .set i, 0
    .rept 16
    .if \store
    YMM_STORE %i
    .else
    YMM_LOAD %i
    .endif
    .set i, i + 1
    .endr
    .endm
    .altmacro
    .macro YMM_STORE n
    vmovdqu %ymm\n, \n * 32(%rdi)
    .endm
    .macro YMM_LOAD n
    vmovdqu \n * 32(%rdi), %ymm\n
    .endm
    .macro XMM_STORE n
    movups %xmm\n, \n * 16(%rdi)
    .endm

FUNCTION fp_ymm_store
    YMM_ALL vmovdqu, 1
    ret

FUNCTION fp_ymm_load
    YMM_ALL vmovdqu, 0
    ret

FUNCTION fp_xmm_store
    .set i, 0
    .rept 16
    XMM_STORE %i
    .set i, i + 1
    .endr
    ret

FUNCTION fp_xsave
    mov %rsi, %rax
    mov %rsi, %rdx
    shr $32, %rdx
    xsave64 (%rdi)
    ret

FUNCTION fp_xrstor
    mov %rsi, %rax
    mov %rsi, %rdx
    shr $32, %rdx
    xrstor64 (%rdi)
    ret

FUNCTION fp_xgetbv
    mov %edi, %ecx
    xgetbv
    shl $32, %rdx
    mov %eax, %eax
    or %rdx, %rax
    ret

FUNCTION fp_xsetbv
    xor %ecx, %ecx
    mov %edi, %eax
    mov %rdi, %rdx
    shr $32, %rdx
    xsetbv
    ret

FUNCTION fp_rdpkru
    xor %ecx, %ecx
    rdpkru
    ret

FUNCTION fp_wrpkru
    mov %edi, %eax
    xor %ecx, %ecx
    xor %edx, %edx
    wrpkru
    ret

FUNCTION fp_fldcw
    fldcw (%rdi)
    ret

FUNCTION fp_fstcw
    push $0
    fnstcw (%rsp)
    pop %rax
    ret

FUNCTION fp_ldmxcsr
    ldmxcsr (%rdi)
    ret

FUNCTION fp_stmxcsr
    push $0
    stmxcsr (%rsp)
    pop %rax
    ret

FUNCTION fp_clts
    clts
    ret
