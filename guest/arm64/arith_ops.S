/*
 * The operations that arith.c checks. Scalar ones take and return bit patterns in X registers;
 * vector ones work on memory. Prototypes: arith.h.
 */
        .arch   armv8-a+sve

        .macro  function name
        .globl  \name
        .balign 16
\name:
        .endm

        /* u64 NAME32(u64 a, u64 b) and NAME64 */
        .macro  scalar name, instruction
        function fp_\name\()32
        fmov    s0, w0
        fmov    s1, w1
        \instruction s0, s0, s1
        fmov    w0, s0
        ret
        function fp_\name\()64
        fmov    d0, x0
        fmov    d1, x1
        \instruction d0, d0, d1
        fmov    x0, d0
        ret
        .endm

        .text
        scalar  add, fadd
        scalar  sub, fsub
        scalar  mul, fmul
        scalar  div, fdiv

        function fp_sqrt32
        fmov    s0, w0
        fsqrt   s0, s0
        fmov    w0, s0
        ret
        function fp_sqrt64
        fmov    d0, x0
        fsqrt   d0, d0
        fmov    x0, d0
        ret
        /* u64 fp_madd32(u64 a, u64 b, u64 c): a * b + c, rounded once */
        function fp_madd32
        fmov    s0, w0
        fmov    s1, w1
        fmov    s2, w2
        fmadd   s0, s0, s1, s2
        fmov    w0, s0
        ret

        /* conversions by FPCR's rounding mode: 64-bit integer and double, single and half */
        function fp_from_s64
        scvtf   d0, x0
        fmov    x0, d0
        ret
        function fp_to_s64
        fmov    d0, x0
        frinti  d0, d0
        fcvtzs  x0, d0
        ret
        function fp_to_half
        fmov    s0, w0
        fcvt    h0, s0
        fmov    w0, s0
        ret
        function fp_from_half
        fmov    s0, w0
        fcvt    s0, h0
        fmov    w0, s0
        ret

        /* void vec_NAME(u32 out[4], const u32 a[4], const u32 b[4]) */
        .macro  vector name, instruction, shape
        function vec_\name
        ldr     q0, [x1]
        ldr     q1, [x2]
        \instruction v2.\shape, v0.\shape, v1.\shape
        str     q2, [x0]
        ret
        .endm
        vector  fadd, fadd, 4s
        vector  fsub, fsub, 4s
        vector  fmul, fmul, 4s
        vector  fdiv, fdiv, 4s
        vector  add32, add, 4s
        vector  mul32, mul, 4s
        vector  sqadd16, sqadd, 8h
        vector  umax8, umax, 16b
        vector  eor, eor, 16b

        /* void vec_fmla(u32 out[4], a, b): out += a * b, rounded once */
        function vec_fmla
        ldr     q0, [x1]
        ldr     q1, [x2]
        ldr     q2, [x0]
        fmla    v2.4s, v0.4s, v1.4s
        str     q2, [x0]
        ret
        function vec_fsqrt
        ldr     q0, [x1]
        fsqrt   v2.4s, v0.4s
        str     q2, [x0]
        ret
        /* void vec_tbl(u8 out[16], const u8 table[32], const u8 index[16]) */
        function vec_tbl
        ldp     q30, q31, [x1]
        ldr     q2, [x2]
        tbl     v2.16b, {v30.16b, v31.16b}, v2.16b
        str     q2, [x0]
        ret
        /* u64 vec_addv8(const u8 a[16]): sum of the bytes */
        function vec_addv8
        ldr     q0, [x0]
        uaddlv  h0, v0.16b
        fmov    w0, s0
        and     w0, w0, #0xffff
        ret

        /* void sve_NAME32(u32 *out, const u32 *a, const u32 *b, u64 n): a WHILELT loop */
        .macro  sve_loop name, instruction
        function sve_\name
        mov     x4, #0
        whilelt p0.s, x4, x3
1:      ld1w    {z0.s}, p0/z, [x1, x4, lsl #2]
        ld1w    {z1.s}, p0/z, [x2, x4, lsl #2]
        \instruction z0.s, p0/m, z0.s, z1.s
        st1w    {z0.s}, p0, [x0, x4, lsl #2]
        incw    x4
        whilelt p0.s, x4, x3
        b.first 1b
        ret
        .endm
        sve_loop fadd, fadd
        sve_loop fmul, fmul
        sve_loop fdiv, fdiv
        sve_loop mul32, mul
        sve_loop umax32, umax

        function sve_fmla
        mov     x4, #0
        whilelt p0.s, x4, x3
1:      ld1w    {z0.s}, p0/z, [x1, x4, lsl #2]
        ld1w    {z1.s}, p0/z, [x2, x4, lsl #2]
        ld1w    {z2.s}, p0/z, [x0, x4, lsl #2]
        fmla    z2.s, p0/m, z0.s, z1.s
        st1w    {z2.s}, p0, [x0, x4, lsl #2]
        incw    x4
        whilelt p0.s, x4, x3
        b.first 1b
        ret

        /* void sve_gather(u32 *out, const u32 *table, const u32 *index, u64 n) */
        function sve_gather
        mov     x4, #0
        whilelt p0.s, x4, x3
1:      ld1w    {z1.s}, p0/z, [x2, x4, lsl #2]
        ld1w    {z0.s}, p0/z, [x1, z1.s, uxtw #2]
        st1w    {z0.s}, p0, [x0, x4, lsl #2]
        incw    x4
        whilelt p0.s, x4, x3
        b.first 1b
        ret

        /* u64 sve_sum_odd(const u32 *a, u64 n): compare, then reduce what is odd */
        function sve_sum_odd
        mov     x4, #0
        dup     z2.d, #0
        whilelt p0.s, x4, x1
1:      ld1w    {z0.s}, p0/z, [x0, x4, lsl #2]
        mov     z1.d, z0.d
        and     z1.s, z1.s, #1
        cmpne   p1.s, p0/z, z1.s, #0
        uaddv   d3, p1, z0.s
        add     z2.d, z2.d, z3.d
        incw    x4
        whilelt p0.s, x4, x1
        b.first 1b
        fmov    x0, d2
        ret

        /* u64 sve_fadda(const u32 *a, u64 n): strictly ordered single-precision sum */
        function sve_fadda
        mov     x4, #0
        fmov    s2, wzr
        whilelt p0.s, x4, x1
1:      ld1w    {z0.s}, p0/z, [x0, x4, lsl #2]
        fadda   s2, p0, s2, z0.s
        incw    x4
        whilelt p0.s, x4, x1
        b.first 1b
        fmov    w0, s2
        ret

        /* u64 sve_strlen(const u8 *s): first-fault loads, FFR and BRKB */
        function sve_strlen
        mov     x1, #0
        ptrue   p0.b
1:      setffr
        ldff1b  {z0.b}, p0/z, [x0, x1]
        rdffrs  p1.b, p0/z
        b.nlast 2f
        cmpeq   p2.b, p0/z, z0.b, #0
        b.any   3f
        incb    x1
        b       1b
2:      cmpeq   p2.b, p1/z, z0.b, #0
        b.any   4f
        incp    x1, p1.b
        b       1b
4:      mov     p0.b, p1.b
3:      brkb    p2.b, p0/z, p2.b
        incp    x1, p2.b
        mov     x0, x1
        ret
