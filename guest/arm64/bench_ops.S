/*
 * Loops of bench.c: void bench_NAME(u64 n, u64 function). Each makes n hypercalls `function`;
 * bench_empty* are the same loops without the HVC, for calibration. Nothing is touched but X0-X5
 * and the register that stands for "used FP".
 */
        .arch   armv8-a+sve+sme

        .macro  bench name, call, touch
        .globl  bench_\name
        .balign 64
bench_\name:
        mov     x4, x0
        mov     x5, x1
1:      mov     x0, x5
        .ifnb   \touch
        \touch
        .endif
        \call
        subs    x4, x4, #1
        b.ne    1b
        ret
        .endm

        .macro  all_v op, base
        \op     q0, q1, [\base, #0]
        \op     q2, q3, [\base, #32]
        \op     q4, q5, [\base, #64]
        \op     q6, q7, [\base, #96]
        \op     q8, q9, [\base, #128]
        \op     q10, q11, [\base, #160]
        \op     q12, q13, [\base, #192]
        \op     q14, q15, [\base, #224]
        \op     q16, q17, [\base, #256]
        \op     q18, q19, [\base, #288]
        \op     q20, q21, [\base, #320]
        \op     q22, q23, [\base, #352]
        \op     q24, q25, [\base, #384]
        \op     q26, q27, [\base, #416]
        \op     q28, q29, [\base, #448]
        \op     q30, q31, [\base, #480]
        .endm
        .macro  all_x op, base
        \op     x0, x1, [\base, #0]
        \op     x2, x3, [\base, #16]
        \op     x4, x5, [\base, #32]
        \op     x6, x7, [\base, #48]
        \op     x8, x9, [\base, #64]
        \op     x10, x11, [\base, #80]
        \op     x12, x13, [\base, #96]
        \op     x14, x15, [\base, #112]
        \op     x16, x17, [\base, #128]
        \op     x18, x19, [\base, #144]
        \op     x20, x21, [\base, #160]
        \op     x22, x23, [\base, #176]
        \op     x24, x25, [\base, #192]
        \op     x26, x27, [\base, #208]
        \op     x28, x29, [\base, #224]
        .endm
        .macro  all_z op, base
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        \op     z\n, [\base, #\n, mul vl]
        .endr
        .irp    n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        \op     z\n, [\base, #\n, mul vl]
        .endr
        .endm
        .macro  all_p op, base
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        \op     p\n, [\base, #\n, mul vl]
        .endr
        .endm

        .text
        bench   empty, "nop"
        bench   none, "hvc #0"
        bench   empty_fpsimd, "nop", "fadd v0.4s, v0.4s, v1.4s"
        bench   fpsimd, "hvc #0", "fadd v0.4s, v0.4s, v1.4s"
        bench   empty_sve, "nop", "add z0.s, z0.s, z1.s"
        bench   sve, "hvc #0", "add z0.s, z0.s, z1.s"

/*
 * The first instruction of a unit after a switch: u64 bench_first_NAME(u64 n, u64 function, void
 * *memory) makes n hypercalls and returns the ticks spent in the n instructions behind them. A tick
 * may be many instructions, so where in it one begins is varied.
 */
        .macro  first name, insn:vararg
        .globl  bench_first_\name
        .balign 64
bench_first_\name:
        mov     x4, x0
        mov     x5, x1
        mov     x6, #0
        mov     x9, x2
1:      mov     x0, x5
        hvc     #0
        and     x7, x4, #15
2:      subs    x7, x7, #1
        b.hi    2b
        isb
        mrs     x7, cntvct_el0
        \insn
        isb
        mrs     x8, cntvct_el0
        sub     x8, x8, x7
        add     x6, x6, x8
        subs    x4, x4, #1
        b.ne    1b
        mov     x0, x6
        ret
        .endm

        first   fpsimd, fadd v0.4s, v0.4s, v1.4s
        first   sve, add z0.s, z0.s, z1.s
        first   sme, str za[w12, 0], [x9]

/*
 * The bare minimum of a switch: void bench_moves_NAME(u64 n, void *memory) saves and loads every
 * register of one kind n times and does nothing else. The same values come back, the loop's own
 * registers included.
 */
        .macro  moves name
        .globl  bench_moves_\name
        .balign 64
bench_moves_\name:
        .endm

        moves   empty
1:      subs    x0, x0, #1
        b.ne    1b
        ret

        moves   none
1:      all_x   stp, x1
        str     x30, [x1, #240]
        all_x   ldp, x1
        ldr     x30, [x1, #240]
        subs    x0, x0, #1
        b.ne    1b
        ret

        moves   fpsimd
        add     x4, x1, #512
1:      all_v   stp, x1
        mrs     x2, fpcr
        mrs     x3, fpsr
        stp     x2, x3, [x4]
        ldp     x2, x3, [x4]
        msr     fpcr, x2
        msr     fpsr, x3
        all_v   ldp, x1
        subs    x0, x0, #1
        b.ne    1b
        ret

/* The loads alone: V, Z with P and FFR; ZA too, 64 vectors of 64 bytes. */
        .macro  load_status
        ldp     x2, x3, [x1]
        msr     fpcr, x2
        msr     fpsr, x3
        .endm

        moves   load_fpsimd
1:      load_status
        all_v   ldp, x1
        subs    x0, x0, #1
        b.ne    1b
        ret

        .macro  load_sve
        ldr     p0, [x4, #16, mul vl]
        wrffr   p0.b
        all_p   ldr, x4
        all_z   ldr, x1
        .endm

        moves   load_sve
        addvl   x4, x1, #16
        addvl   x4, x4, #16
1:      load_status
        load_sve
        subs    x0, x0, #1
        b.ne    1b
        ret

        moves   load_sme
        addvl   x4, x1, #16
        addvl   x4, x4, #16
1:      load_status
        .irp    row, 0, 16, 32, 48
        mov     w12, #\row
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        ldr     za[w12, \n], [x1, #\n, mul vl]
        .endr
        .endr
        load_sve
        subs    x0, x0, #1
        b.ne    1b
        ret

        moves   sve
        addvl   x4, x1, #16
        addvl   x4, x4, #16
1:      all_z   str, x1
        all_p   str, x4
        rdffr   p0.b
        str     p0, [x4, #16, mul vl]
        mrs     x2, fpcr
        mrs     x3, fpsr
        msr     fpcr, x2
        msr     fpsr, x3
        ldr     p0, [x4, #16, mul vl]
        wrffr   p0.b
        all_p   ldr, x4
        all_z   ldr, x1
        subs    x0, x0, #1
        b.ne    1b
        ret
