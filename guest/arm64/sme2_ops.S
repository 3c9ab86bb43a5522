/*
 * Operations of SVE2.1, SME2, SME2.1 and FP8, spelt by number: binutils 2.40 knows none of them.
 * Prototypes: sme_ops.h.
 */
        .arch   armv9-a+sme

        .macro  function name
        .globl  \name
        .balign 16
\name:
        .endm

        .text

/* void sve_addqv(u8 *v, const u8 *z): V = the sums of Z's 32-bit elements over its 128-bit segments */
        function sve_addqv
        ptrue   p0.b
        ldr     z1, [x1]
        .inst   0x04852020              /* addqv v0.4s, p0, z1.s */
        str     q0, [x0]
        ret

/* void sve_copy4(u8 *to, const u8 *from): 4 vectors, by a predicate-as-counter */
        function sve_copy4
        .inst   0x25207810              /* ptrue pn8.b */
        .inst   0xa0408020              /* ld1b {z0.b-z3.b}, pn8/z, [x1] */
        .inst   0xa0608000              /* st1b {z0.b-z3.b}, pn8, [x0] */
        ret

/* u64 sve_count4(u64 from, u64 to): bytes below `to` that 4 vectors from `from` on hold */
        function sve_count4
        .inst   0x25216410              /* whilelt pn8.b, x0, x1, vlx4 */
        .inst   0x25208700              /* cntp x0, pn8.b, vlx4 */
        ret

/* void za_add4(u64 vector, const u8 *z): ZA.S[vector, vgx4] = Z0 to Z3, each with Z4 added */
        function za_add4
        mov     w8, w0
        .irp    n, 0, 1, 2, 3, 4
        ldr     z\n, [x1, #\n, mul vl]
        .endr
        .inst   0xc1341810              /* add za.s[w8, 0, vgx4], {z0.s-z3.s}, z4.s */
        ret

/* void za_take(u64 slice, u8 *out): a column of ZA0.S, which becomes zero */
        function za_take
        mov     w12, w0
        .inst   0xc0828200              /* movaz z0.s, za0v.s[w12, 0] */
        str     z0, [x1]
        ret

/* void za_zero4(u64 vector): 4 vectors a quarter of ZA apart */
        function za_zero4
        mov     w8, w0
        .inst   0xc00e0000              /* zero za.d[w8, 0, vgx4] */
        ret

/* void luti4_h4(u8 *out, const u8 *indices): 4 vectors looked up in ZT0 */
        function luti4_h4
        ldr     z4, [x1]
        .inst   0xc08a9080              /* luti4 {z0.h-z3.h}, zt0, z4[0] */
        .irp    n, 0, 1, 2, 3
        str     z\n, [x0, #\n, mul vl]
        .endr
        ret

/* u64 zt0_swap(u64 value): ZT0[8] */
        function zt0_swap
        mov     x1, x0
        .inst   0xc04c13e0              /* movt x0, zt0[8] */
        .inst   0xc04e13e1              /* movt zt0[8], x1 */
        ret

/* void fp8_widen_1(u8 *halves, const u8 *bytes), fp8_widen_2: 8 of each, as FPMR says */
        function fp8_widen_1
        ldr     d1, [x1]
        .inst   0x2e217820              /* f1cvtl v0.8h, v1.8b */
        str     q0, [x0]
        ret
        function fp8_widen_2
        ldr     d1, [x1]
        .inst   0x2e617820              /* f2cvtl v0.8h, v1.8b */
        str     q0, [x0]
        ret
