/*
 * The self-test's trip to EL1 and back, and the snippets it runs there: one instruction of each
 * class, then HVC #0. Listed in tools/vector_allowed.txt; EL2 never runs a snippet itself.
 */
    .arch   armv8.2-a+sve+sme
    .section .text.selftest, "ax", %progbits

/*
 * u64 selftest_el1(const void *code, u64 x0, u64 *x0_after): runs `code` at EL1, MMU off, until an
 * exception comes to EL2, and returns its ESR_EL2. VBAR_EL2 must be selftest_vectors. Code may use
 * X0 to X18.
 */
    .globl  selftest_el1
    .type   selftest_el1, %function
selftest_el1:
    stp     x29, x30, [sp, #-112]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    str     x2, [sp, #96]
    mov     x3, #0x3c5              /* EL1h, all masked */
    msr     spsr_el2, x3
    msr     elr_el2, x0
    mov     x0, x1
    eret

selftest_back:
    ldr     x2, [sp, #96]
    str     x0, [x2]
    mrs     x0, esr_el2
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #112
    ret

/* From EL2 itself: as in the real vectors. From EL1: the answer. */
    .balign 2048
    .globl  selftest_vectors
selftest_vectors:
    .irp    slot, 0, 1, 2, 3, 4, 5, 6, 7
    .balign 128
    b       vectors_el2 + 128 * \slot
    .endr
    .balign 128
    b       selftest_back
    .irp    slot, 9, 10, 11, 12, 13, 14, 15
    .balign 128
    b       vectors_el2 + 128 * \slot
    .endr

/* EL1's own: an exception that EL1 takes itself says so by HVC #1. */
    .balign 2048
    .globl  selftest_vectors_el1
selftest_vectors_el1:
    .rept   16
    .balign 128
    hvc     #1
    .endr
    .balign 128

    .macro snippet name, code:vararg
    .globl  selftest_\name
selftest_\name:
    \code
    hvc     #0
    .endm

    snippet nothing, nop
    snippet fadd, fadd d0, d0, d0
    snippet simd, add v0.4s, v1.4s, v2.4s
    snippet fmov, fmov x0, d0
    snippet fpcr, mrs x0, fpcr
    snippet fpsr, msr fpsr, xzr
    snippet ldr_q, ldr q0, [x0]
    snippet sve_add, add z0.s, z1.s, z2.s
    snippet ptrue, ptrue p0.b
    snippet rdvl, rdvl x0, #1
    snippet rdffr, rdffr p0.b
    snippet ldr_z, ldr z0, [x0]
    snippet zcr_read, mrs x0, S3_0_C1_C2_0
    snippet zcr_write, msr S3_0_C1_C2_0, xzr
    snippet smstart, smstart
    snippet smstop, smstop
    snippet svcr_read, mrs x0, S3_3_C4_C2_2
    snippet svcr_write, msr S3_3_C4_C2_2, xzr
    snippet smcr_read, mrs x0, S3_0_C1_C2_6
    snippet smcr_write, msr S3_0_C1_C2_6, xzr
    snippet rdsvl, rdsvl x0, #1
    snippet zero_za, zero {za}
    snippet ldr_za, ldr za[w12, 0], [x0]
    snippet str_za, str za[w12, 0], [x0]
    snippet fmopa, fmopa za0.s, p0/m, p0/m, z0.s, z0.s
    snippet mova, mova z0.b, p0/m, za0h.b[w12, 0]
    snippet zero_zt0, .inst 0xc0480001
    snippet ldr_zt0, .inst 0xe11f8000
    snippet tpidr2, mrs x0, S3_3_C13_C0_5
    snippet smpri, mrs x0, S3_0_C1_C2_4
    snippet fpmr, mrs x0, S3_3_C4_C4_2
    .globl  selftest_snippets_end
selftest_snippets_end:

    .section .note.GNU-stack, "", %progbits
