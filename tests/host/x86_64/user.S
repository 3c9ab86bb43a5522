/*
 * For test_moves_x86.c: a program without a C library, and its own way of setting and reading the FP
 * registers: one by one, with FNSTENV for what FXSAVE and XSAVE leave out on AMD (FIP, FDP, FOP).
 */
    .text
    .globl  _start
_start:
    xor     %ebp, %ebp
    and     $-16, %rsp
    call    user_main
    mov     %eax, %edi
    mov     $60, %eax               /* exit */
    syscall

/* long user_call(long number, long a, long b, long c, long d) */
    .globl  user_call
user_call:
    mov     %rdi, %rax
    mov     %rsi, %rdi
    mov     %rdx, %rsi
    mov     %rcx, %rdx
    mov     %r8, %r10
    syscall
    ret

    .globl  user_restorer
user_restorer:
    mov     $15, %eax               /* rt_sigreturn */
    syscall

/*
 * struct regs: env 28 bytes (FNSTENV), MXCSR at 28, ST0-7 at 32 (16 bytes each), YMM0-15 at 160
 * (32 bytes each), scratch of 512 bytes, 16-byte aligned, at 672. %esi: 0 without AVX.
 */
    .globl  regs_set
regs_set:
    fninit
    .irp n, 7, 6, 5, 4, 3, 2, 1, 0
    fldt    32 + 16 * \n(%rdi)
    .endr
    ldmxcsr 28(%rdi)
    test    %esi, %esi
    jz      1f
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu 160 + 32 * \n(%rdi), %ymm\n
    .endr
    jmp     2f
1:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movdqu  160 + 32 * \n(%rdi), %xmm\n
    .endr
2:  fldenv  (%rdi)                  /* last: an exception may be pending from here on */
    ret

    .globl  regs_get
regs_get:
    fnstenv (%rdi)
    fldenv  (%rdi)                  /* FNSTENV masked everything */
    fxsave64 672(%rdi)
    stmxcsr 28(%rdi)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    mov     672 + 32 + 16 * \n(%rdi), %rax
    mov     %rax, 32 + 16 * \n(%rdi)
    movzwl  672 + 40 + 16 * \n(%rdi), %eax
    mov     %rax, 40 + 16 * \n(%rdi)
    .endr
    test    %esi, %esi
    jz      1f
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu %ymm\n, 160 + 32 * \n(%rdi)
    .endr
    ret
1:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movdqu  %xmm\n, 160 + 32 * \n(%rdi)
    movq    $0, 176 + 32 * \n(%rdi)
    movq    $0, 184 + 32 * \n(%rdi)
    .endr
    ret

    .section .note.GNU-stack, "", @progbits
