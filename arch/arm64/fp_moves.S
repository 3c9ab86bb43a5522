/*
 * FP and vector registers to memory, from memory, and to zero. Listed in tools/vector_allowed.txt;
 * fp_moves.h says what each needs. No stack, no calls: X registers of the caller-saved set only.
 */
#include "offsets.h"

    .arch   armv8.2-a+sve+sme
    .section .text.fp_moves, "ax", %progbits

    .macro function name
    .balign 16
    .globl  \name
    .type   \name, %function
\name:
    .endm

/* Does \op for the numbers 0 to 31 (or 15). */
    .macro each_v op:vararg
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \op \n
    .endr
    .endm
    .macro each_p op:vararg
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \op \n
    .endr
    .endm

/* Four registers an instruction: the fewest there are for 512 bytes. */
    .macro all_v op, base:vararg
    \op {v0.2d, v1.2d, v2.2d, v3.2d}, \base
    \op {v4.2d, v5.2d, v6.2d, v7.2d}, \base
    \op {v8.2d, v9.2d, v10.2d, v11.2d}, \base
    \op {v12.2d, v13.2d, v14.2d, v15.2d}, \base
    \op {v16.2d, v17.2d, v18.2d, v19.2d}, \base
    \op {v20.2d, v21.2d, v22.2d, v23.2d}, \base
    \op {v24.2d, v25.2d, v26.2d, v27.2d}, \base
    \op {v28.2d, v29.2d, v30.2d, v31.2d}, \base
    .endm

function fp_move_save_v
    add     x1, x0, #VEC_V_OFFSET
    all_v   st1, [x1], #64
    mrs     x2, fpsr
    mrs     x3, fpcr
    str     xzr, [x0]               /* form VEC_FPSIMD, vl 0 */
    stp     w2, w3, [x0, #VEC_STATUS_OFFSET]
    mov     w0, #1                  /* FP_UNIT_FPSIMD */
    ret

/* FPCR is 0 here and nearly always in the image: a write of it can be slow. */
function fp_move_load_v
    ldp     w2, w3, [x0, #VEC_STATUS_OFFSET]
    add     x1, x0, #VEC_V_OFFSET
    all_v   ld1, [x1], #64
    msr     fpsr, x2
    cbz     w3, 1f
    msr     fpcr, x3
1:  ret

    .macro str_z n
    str     z\n, [x0, #\n + VEC_P_VECTORS, mul vl]
    .endm
    .macro ldr_z n
    ldr     z\n, [x0, #\n + VEC_P_VECTORS, mul vl]
    .endm
    .macro str_p n
    str     p\n, [x0, #\n, mul vl]
    .endm
    .macro ldr_p n
    ldr     p\n, [x0, #\n, mul vl]
    .endm

/* FFR goes through a predicate: last when saving, first when loading, and P0 is put back. */
function fp_move_save_z
    mrs     x2, fpsr
    mrs     x3, fpcr
    str     x1, [x0]                /* form, vl */
    stp     w2, w3, [x0, #VEC_STATUS_OFFSET]
    add     x0, x0, #VEC_P_OFFSET
    each_p  str_p
    rdffr   p0.b
    str     p0, [x0, #16, mul vl]
    ldr     p0, [x0]
.Lsave_all_z:
    each_v  str_z
    mov     w0, #3                  /* FP_UNIT_FPSIMD, FP_UNIT_SVE */
    ret

/* P0 is asked first: who uses SVE has it set nearly always. */
function fp_move_save_sve
    ptest   p0, p0.b
    b.ne    fp_move_save_z
    mov     x4, x0
    mov     x5, x30
    add     x0, x0, #VEC_P_OFFSET
    bl      fp_move_uppers          /* changes X0, X2 and X3 only */
    mov     x30, x5
    mov     x2, x0
    mov     x0, x4
    cbnz    x2, fp_move_save_z
    b       fp_move_save_v

function fp_move_load_z
    ldp     w2, w3, [x0, #VEC_STATUS_OFFSET]
    add     x0, x0, #VEC_P_OFFSET
    ldr     p0, [x0, #16, mul vl]
    wrffr   p0.b
.Lload_all_pz:
    each_p  ldr_p
    each_v  ldr_z
    msr     fpsr, x2
    cbz     w3, 1f
    msr     fpcr, x3
1:  ret

/*
 * Zeroes are loaded rather than moved: four registers an instruction, from one cache line. They lie
 * among the code, where one ADR reaches them.
 */
    .balign 64
zeroes:
    .skip   64
    .macro scrub_v
    adr     x0, zeroes
    all_v   ld1, [x0]
    msr     fpcr, xzr
    msr     fpsr, xzr
    .endm

    .macro zero_p n
    pfalse  p\n\().b
    .endm

function fp_move_scrub_v
    scrub_v
    ret

function fp_move_scrub_z
    scrub_v
    each_p  zero_p
    wrffr   p0.b
    ret

function fp_move_status
    mrs     x0, fpsr
    mrs     x1, fpcr
    orr     x0, x0, x1, lsl #32
    ret

function fp_move_status_set
    lsr     x1, x0, #32
    mov     w0, w0
    msr     fpsr, x0
    msr     fpcr, x1
    ret

    .macro or_z n
    orr     z30.d, z30.d, z\n\().d
    .endm

/*
 * Predicates first: who uses SVE has one set nearly always, so the dear part below is rarely run.
 * PTEST changes only flags, and P0 is written only where it is known to be all zero.
 */
function fp_move_uppers
    mov     x2, x0
    mov     x0, #1
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    ptest   p\n, p\n\().b
    b.ne    2f
    .endr
    rdffr   p0.b                    /* P0 is all zero here, and so again at 1 */
    ptest   p0, p0.b
    pfalse  p0.b
    b.ne    2f
    mov     x0, #0
    rdvl    x3, #1
    cmp     x3, #16
    b.eq    2f                      /* there is nothing above bit 127 */
    str     z30, [x2]
    str     z31, [x2, #1, mul vl]
    orr     z30.d, z30.d, z31.d
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
    or_z    \n
    .endr
    index   z31.d, #0, #1
    ptrue   p0.d
    cmphi   p0.d, p0/z, z31.d, #1   /* elements above bit 127 */
    orv     d31, p0, z30.d
    fmov    x0, d31
    pfalse  p0.b
    ldr     z30, [x2]
    ldr     z31, [x2, #1, mul vl]
2:  ret

    .macro or_v n
    orr     v30.16b, v30.16b, v\n\().16b
    .endm

function fp_move_any_v
    mov     x2, x0
    stp     q30, q31, [x2]
    orr     v30.16b, v30.16b, v31.16b
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
    or_v    \n
    .endr
    mov     x0, v30.d[0]
    mov     x1, v30.d[1]
    orr     x0, x0, x1
    ldp     q30, q31, [x2]
    ret

function fp_move_rdvl
    rdvl    x0, #1
    ret

/*
 * Streaming mode. Without FEAT_SME_FA64 there is no FFR in it, and none of the AdvSIMD instructions
 * above are legal: what is here needs neither.
 */
function fp_move_save_streaming
    cbnz    w2, fp_move_save_z
    mrs     x2, fpsr
    mrs     x3, fpcr
    str     x1, [x0]                /* form, vl */
    stp     w2, w3, [x0, #VEC_STATUS_OFFSET]
    add     x0, x0, #VEC_P_OFFSET
    each_p  str_p
    b       .Lsave_all_z

function fp_move_load_streaming
    cbnz    w1, fp_move_load_z
    ldp     w2, w3, [x0, #VEC_STATUS_OFFSET]
    add     x0, x0, #VEC_P_OFFSET
    b       .Lload_all_pz

/*
 * Sixteen vectors of ZA a round: there are as many as a vector has bytes, and that is 16 times
 * something. The immediate counts for both, the vector and the place. X12 to X15 alone can be the
 * index, and are the guest's (vectors.S): X12 is put back.
 */
    .macro za_vectors op
    mov     x2, x12
    mov     w12, #0
1:  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \op     za[w12, \n], [x0, #\n, mul vl]
    .endr
    add     w12, w12, #16
    add     x0, x0, x1, lsl #4
    cmp     w12, w1
    b.lo    1b
    mov     x12, x2
    .endm

function fp_move_save_za
    za_vectors str
    ret

function fp_move_load_za
    za_vectors ldr
    ret

/* binutils 2.40 knows no SME2. */
function fp_move_save_zt0
    .inst   0xe13f8000              /* str zt0, [x0] */
    ret

function fp_move_load_zt0
    .inst   0xe11f8000              /* ldr zt0, [x0] */
    ret

function fp_move_svcr
    mrs     x0, S3_3_C4_C2_2
    ret

function fp_move_svcr_set
    msr     S3_3_C4_C2_2, x0
    ret

function fp_move_fpmr
    mrs     x0, S3_3_C4_C4_2
    ret

function fp_move_fpmr_set
    msr     S3_3_C4_C4_2, x0
    ret

function fp_move_rdsvl
    rdsvl   x0, #1
    ret

    .section .note.GNU-stack, "", %progbits
