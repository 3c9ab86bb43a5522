/*
 * FP and vector registers to memory, from memory, and to zero. Listed in tools/vector_allowed.txt;
 * fp_moves.h says what each needs. No stack, no calls: X registers of the caller-saved set only.
 */
    .arch   armv8.2-a+sve
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

    .macro pair_v op, base
    \op q0, q1, [\base]
    \op q2, q3, [\base, #32]
    \op q4, q5, [\base, #64]
    \op q6, q7, [\base, #96]
    \op q8, q9, [\base, #128]
    \op q10, q11, [\base, #160]
    \op q12, q13, [\base, #192]
    \op q14, q15, [\base, #224]
    \op q16, q17, [\base, #256]
    \op q18, q19, [\base, #288]
    \op q20, q21, [\base, #320]
    \op q22, q23, [\base, #352]
    \op q24, q25, [\base, #384]
    \op q26, q27, [\base, #416]
    \op q28, q29, [\base, #448]
    \op q30, q31, [\base, #480]
    .endm

function fp_move_save_v
    pair_v  stp, x0
    ret

function fp_move_load_v
    pair_v  ldp, x0
    ret

    .macro str_z n
    str     z\n, [x0, #\n, mul vl]
    .endm
    .macro ldr_z n
    ldr     z\n, [x0, #\n, mul vl]
    .endm
    .macro str_p n
    str     p\n, [x1, #\n, mul vl]
    .endm
    .macro ldr_p n
    ldr     p\n, [x1, #\n, mul vl]
    .endm

/* FFR goes through a predicate: last when saving, first when loading, and P0 is put back. */
function fp_move_save_z
    each_v  str_z
    each_p  str_p
    rdffr   p0.b
    str     p0, [x1, #16, mul vl]
    ldr     p0, [x1]
    ret

function fp_move_load_z
    ldr     p0, [x1, #16, mul vl]
    wrffr   p0.b
    each_p  ldr_p
    each_v  ldr_z
    ret

    .macro zero_v n
    movi    v\n\().2d, #0
    .endm

function fp_move_scrub_v
    each_v  zero_v
    msr     fpcr, xzr
    msr     fpsr, xzr
    ret

    .macro zero_p n
    pfalse  p\n\().b
    .endm

function fp_move_scrub_p
    each_p  zero_p
    wrffr   p0.b
    ret

function fp_move_status
    mrs     x0, fpsr
    mrs     x1, fpcr
    orr     x0, x0, x1, lsl #32
    ret

/* A write of FPCR may be expensive, and most contexts have the same. */
function fp_move_status_set
    lsr     x1, x0, #32
    mov     w0, w0
    msr     fpsr, x0
    mrs     x2, fpcr
    cmp     x1, x2
    b.eq    1f
    msr     fpcr, x1
1:  ret

    .macro or_z n
    orr     z30.d, z30.d, z\n\().d
    .endm

/*
 * Predicates first: who uses SVE has one set nearly always, so the dear part below is rarely run.
 * PTEST changes only flags, and P0 is written only where it is known to be all zero.
 */
function fp_move_uppers
    mov     x2, x0
    rdvl    x3, #1
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

    .section .note.GNU-stack, "", %progbits
