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

    .altmacro
    .macro YMM_STORE n
    vmovdqu %ymm\n, \n * 32(%rdi)
    .endm
    .macro YMM_LOAD n
    vmovdqu \n * 32(%rdi), %ymm\n
    .endm
    .macro ZMM_STORE n
    vmovdqu64 %zmm\n, \n * 64(%rdi)
    .endm
    .macro ZMM_LOAD n
    vmovdqu64 \n * 64(%rdi), %zmm\n
    .endm
    .macro K_STORE n
    kmovq %k\n, \n * 8(%rdi)
    .endm
    .macro K_LOAD n
    kmovq \n * 8(%rdi), %k\n
    .endm
    .macro XMM_STORE n
    movups %xmm\n, \n * 16(%rdi)
    .endm
    .macro EVERY name, insn, count
FUNCTION \name
    .set i, 0
    .rept \count
    \insn %i
    .set i, i + 1
    .endr
    ret
    .endm
    EVERY fp_ymm_store, YMM_STORE, 16
    EVERY fp_ymm_load, YMM_LOAD, 16
    EVERY fp_zmm_store, ZMM_STORE, 32
    EVERY fp_zmm_load, ZMM_LOAD, 32
    EVERY fp_k_store, K_STORE, 8
    EVERY fp_k_load, K_LOAD, 8
    EVERY fp_xmm_store, XMM_STORE, 16

/* fp_FORM(area, mask) */
    .irp form, xsave, xsaveopt, xsavec, xsaves, xrstor, xrstors
FUNCTION fp_\form
    mov %rsi, %rax
    mov %rsi, %rdx
    shr $32, %rdx
    \form\()64 (%rdi)
    ret
    .endr

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
