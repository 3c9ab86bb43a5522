/*
 * Parts of `hold` that C cannot write: general registers and flags under preemption, and FP
 * registers held at EL0.
 */
#define REGISTERS 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, \
                  21, 22, 23, 24, 25, 26, 27, 28, 29, 30

        .arch   armv8-a+sve

        .text
/*
 * u64 gpr_hold(u64 count, u64 seed): X2 to X30 and NZCV hold values made from seed while X0 counts
 * down; nothing but the counter changes meanwhile. Returns a mask of the registers that differ
 * afterwards, bit 31 = NZCV.
 */
        .globl  gpr_hold
        .balign 16
gpr_hold:
        stp     x29, x30, [sp, #-112]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        stp     x23, x24, [sp, #48]
        stp     x25, x26, [sp, #64]
        stp     x27, x28, [sp, #80]
        str     x1, [sp, #96]
        .irp    n, REGISTERS
        add     x\n, x1, #\n * 101
        .endr
        and     x1, x1, #0xf0000000
        msr     nzcv, x1
1:      sub     x0, x0, #1
        cbnz    x0, 1b
        mrs     x0, nzcv
        eor     x1, x0, x1
        lsl     x0, x1, #3              /* any of bits 31-28 differing shows in bit 31 or above */
        orr     x0, x0, x1
        orr     x0, x0, x1, lsl #1
        orr     x0, x0, x1, lsl #2
        and     x0, x0, #0x80000000
        ldr     x1, [sp, #96]
        .irp    n, REGISTERS
        sub     x\n, x\n, #\n * 101
        cmp     x\n, x1
        b.eq    2f
        orr     x0, x0, #(1 << \n)
2:
        .endr
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     x29, x30, [sp], #112
        ret

/*
 * u64 el0_hold_v(const struct el0_hold *), el0_hold_z: run at EL0. Load everything, spin, store
 * everything. struct el0_hold: spins, z in, p in, z out, p out; the addresses are EL0's.
 */
        .globl  el0_hold_v, el0_hold_z
        .balign 16
el0_hold_v:
        stp     x29, x30, [sp, #-32]!
        str     x19, [sp, #16]
        mov     x19, x0
        ldr     x0, [x19, #8]
        bl      fp_load_v
        ldr     x0, [x19]
1:      subs    x0, x0, #1
        b.ne    1b
        ldr     x0, [x19, #24]
        bl      fp_store_v
        ldr     x19, [sp, #16]
        ldp     x29, x30, [sp], #32
        ret

        .balign 16
el0_hold_z:
        stp     x29, x30, [sp, #-32]!
        str     x19, [sp, #16]
        mov     x19, x0
        ldp     x0, x1, [x19, #8]
        bl      sve_load
        ldr     x0, [x19]
1:      subs    x0, x0, #1
        b.ne    1b
        ldr     x0, [x19, #24]
        bl      sve_store_z
        ldr     x0, [x19, #32]
        bl      sve_store_p
        ldr     x19, [sp, #16]
        ldp     x29, x30, [sp], #32
        ret
