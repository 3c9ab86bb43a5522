/*
 * For test_moves_arm64.c: a program without a C library, and its own way of setting and reading the
 * vector registers: register by register, with an address of its own each, so that a mistake in
 * fp_moves.S cannot be made here a second time by the same macro.
 */
    .arch   armv8.2-a+sve+sme
    .text

    .globl  _start
_start:
    bl      user_main
    mov     x8, #93                 /* exit */
    svc     #0

/* long user_call(long number, long a, long b, long c, long d) */
    .globl  user_call
user_call:
    mov     x8, x0
    mov     x0, x1
    mov     x1, x2
    mov     x2, x3
    mov     x3, x4
    svc     #0
    ret

/* struct regs: FPSR, FPCR (8 bytes each), then 32 Z, 16 P, FFR, each at the vector length. */
    .globl  regs_set
regs_set:
    ldr     x9, [x0]
    msr     fpsr, x9
    ldr     x9, [x0, #8]
    msr     fpcr, x9
    rdvl    x10, #1
    lsr     x11, x10, #3
    mov     x13, #32
    mul     x13, x13, x10
    mov     x14, #16
    madd    x13, x14, x11, x13
    add     x13, x13, #16
    add     x9, x0, x13
    ldr     p7, [x9]
    wrffr   p7.b
    add     x9, x0, #16
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    ldr     z\n, [x9]
    add     x9, x9, x10
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    ldr     p\n, [x9]
    add     x9, x9, x11
    .endr
    ret

    .globl  regs_get
regs_get:
    mrs     x9, fpsr
    str     x9, [x0]
    mrs     x9, fpcr
    str     x9, [x0, #8]
    rdvl    x10, #1
    lsr     x11, x10, #3
    add     x9, x0, #16
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    str     z\n, [x9]
    add     x9, x9, x10
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    str     p\n, [x9]
    add     x9, x9, x11
    .endr
    rdffr   p0.b
    str     p0, [x9]
    sub     x9, x9, x11, lsl #4     /* P0 as it was */
    ldr     p0, [x9]
    ret

/* FPSIMD only: FPSR, FPCR and V, whose values lie where those of Z do. x1: the vector length. */
    .globl  v_set
v_set:
    ldr     x9, [x0]
    msr     fpsr, x9
    ldr     x9, [x0, #8]
    msr     fpcr, x9
    add     x9, x0, #16
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    ldr     q\n, [x9]
    add     x9, x9, x1
    .endr
    ret

    .globl  v_get
v_get:
    mrs     x9, fpsr
    str     x9, [x0]
    mrs     x9, fpcr
    str     x9, [x0, #8]
    add     x9, x0, #16
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    str     q\n, [x9]
    add     x9, x9, x1
    .endr
    ret

/* ZA, one vector after the other. x1: the streaming vector length. */
    .globl  za_set
za_set:
    mov     w13, #0
1:  ldr     za[w13, 0], [x0]
    add     x0, x0, x1
    add     w13, w13, #1
    cmp     w13, w1
    b.ne    1b
    ret

    .globl  za_get
za_get:
    mov     w13, #0
1:  str     za[w13, 0], [x0]
    add     x0, x0, x1
    add     w13, w13, #1
    cmp     w13, w1
    b.ne    1b
    ret

    .globl  user_svcr
user_svcr:
    mrs     x0, S3_3_C4_C2_2
    ret

    .globl  user_svcr_set
user_svcr_set:
    msr     S3_3_C4_C2_2, x0
    ret

/* u64 user_x12(move, x0, x1): what comes of X12 where move(x0, x1) is called. */
    .globl  user_x12
user_x12:
    str     x30, [sp, #-16]!
    mov     x9, x0
    mov     x0, x1
    mov     x1, x2
    movz    x12, #0x1234, lsl #48
    blr     x9
    mov     x0, x12
    ldr     x30, [sp], #16
    ret

    .section .note.GNU-stack, "", %progbits
