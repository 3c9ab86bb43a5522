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

/* struct wide_regs: ZMM_Hi256 at 0, Hi16_ZMM at 512, opmask at 1536, TILECFG at 1600, tiles at 1664. */
    .globl  zmm_set
zmm_set:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vinserti64x4 $1, 32 * \n(%rdi), %zmm\n, %zmm\n
    .endr
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmovdqu64 512 + 64 * (\n - 16)(%rdi), %zmm\n
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq   1536 + 8 * \n(%rdi), %k\n
    .endr
    ret

    .globl  zmm_get
zmm_get:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vextracti64x4 $1, %zmm\n, 32 * \n(%rdi)
    .endr
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmovdqu64 %zmm\n, 512 + 64 * (\n - 16)(%rdi)
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq   %k\n, 1536 + 8 * \n(%rdi)
    .endr
    ret

    .globl  tiles_set
tiles_set:
    ldtilecfg 1600(%rdi)
    mov     $64, %eax
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    test    $(1 << \n), %sil
    jz      1f
    tileloadd 1664 + 1024 * \n(%rdi,%rax), %tmm\n
1:
    .endr
    ret

    .globl  tiles_get
tiles_get:
    sttilecfg 1600(%rdi)
    mov     $64, %eax
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    test    $(1 << \n), %sil
    jz      1f
    tilestored %tmm\n, 1664 + 1024 * \n(%rdi,%rax)
1:
    .endr
    ret

    .globl  tiles_release
tiles_release:
    tilerelease
    ret

    .globl  tiles_configure
tiles_configure:
    ldtilecfg (%rdi)
    ret

    .section .note.GNU-stack, "", @progbits
