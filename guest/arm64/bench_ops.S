/*
 * Loops of bench.c: void bench_NAME(u64 n, u64 function). Each makes n hypercalls `function`; bench_empty* are the same
 * loops without the HVC, for calibration. Nothing is touched but X0-X5 and the register that stands for "used FP".
 */
        .arch   armv8-a+sve

        .macro  bench name, call:vararg
        .globl  bench_\name
        .balign 64
bench_\name:
        mov     x4, x0
        mov     x5, x1
1:      mov     x0, x5
        \call
        subs    x4, x4, #1
        b.ne    1b
        ret
        .endm

        .text
        bench   empty, nop
        bench   none, hvc #0
        bench   fpsimd, fadd v0.4s, v0.4s, v1.4s; hvc #0
        bench   empty_fpsimd, fadd v0.4s, v0.4s, v1.4s; nop
        bench   sve, add z0.s, z0.s, z1.s; hvc #0
        bench   empty_sve, add z0.s, z0.s, z1.s; nop
