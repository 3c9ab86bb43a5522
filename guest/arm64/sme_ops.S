/*
 * The operations that sme_arith.c and sme_steps.c check: outer products, slices of ZA as rows and
 * columns, look-up through ZT0, and a streaming loop with a stop behind each instruction.
 * Prototypes: sme_ops.h.
 */
        .arch   armv9-a+sme+sme-i64+sme-f64

        .macro  function name
        .globl  \name
        .balign 16
\name:
        .endm

        .text

/*
 * void mopa_NAME_TILE(const u8 *rows, const u8 *columns, const u8 *row_p, const u8 *column_p):
 * Z0, Z1, P0 and P1 from memory, then one outer product into the tile.
 */
        .macro  outer name, tile, instruction, shape, source
        function mopa_\name\()_\tile
        ldr     z0, [x0]
        ldr     z1, [x1]
        ldr     p0, [x2]
        ldr     p1, [x3]
        \instruction za\tile\().\shape, p0/m, p1/m, z0.\source, z1.\source
        ret
        .endm
        .macro  outers name, last, instruction, shape, source
        outer   \name, 0, \instruction, \shape, \source
        outer   \name, \last, \instruction, \shape, \source
        .endm

        outers  fmopa_s, 3, fmopa, s, s
        outers  fmops_s, 3, fmops, s, s
        outers  fmopa_h, 3, fmopa, s, h
        outers  bfmopa, 3, bfmopa, s, h
        outers  bfmops, 3, bfmops, s, h
        outers  smopa, 3, smopa, s, b
        outers  smops, 3, smops, s, b
        outers  umopa, 3, umopa, s, b
        outers  sumopa, 3, sumopa, s, b
        outers  usmopa, 3, usmopa, s, b
        outers  fmopa_d, 7, fmopa, d, d
        outers  smopa_d, 7, smopa, d, h
        outers  umops_d, 7, umops, d, h

/* Those of SME2 and FP8, which binutils 2.40 does not know: the word with ZA0, Z0, Z1, P0, P1. */
        .macro  outers_word name, last, word
        .irp    tile, 0, \last
        function mopa_\name\()_\tile
        ldr     z0, [x0]
        ldr     z1, [x1]
        ldr     p0, [x2]
        ldr     p1, [x3]
        .inst   \word | \tile
        ret
        .endr
        .endm
        outers_word smopa_h, 3, 0xa0812008
        outers_word umopa_h, 3, 0xa1812008
        outers_word bmopa, 3, 0x80812008
        outers_word fmopa_hh, 1, 0x81812008
        outers_word bfmopa_h, 1, 0x81a12008
        outers_word fmopa_b, 3, 0x80a12000
        outers_word fmopa_hb, 1, 0x80a12008

/*
 * One function of 16 bytes for each element size, tile and direction, in that order; horizontal
 * first. za_reads: (u64 slice, u8 *out), za_writes: (u64 slice, const u8 *in). P0 must be all true.
 */
        .macro  reader size, tile, direction
        mov     w12, w0
        mova    z0.\size, p0/m, za\tile\direction\().\size[w12, 0]
        str     z0, [x1]
        ret
        .endm
        .macro  writer size, tile, direction
        mov     w12, w0
        ldr     z0, [x1]
        mova    za\tile\direction\().\size[w12, 0], p0/m, z0.\size
        ret
        .endm
        .macro  all_tiles kind
        \kind   b, 0, h
        \kind   b, 0, v
        .irp    t, 0, 1
        \kind   h, \t, h
        \kind   h, \t, v
        .endr
        .irp    t, 0, 1, 2, 3
        \kind   s, \t, h
        \kind   s, \t, v
        .endr
        .irp    t, 0, 1, 2, 3, 4, 5, 6, 7
        \kind   d, \t, h
        \kind   d, \t, v
        .endr
        .irp    t, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        \kind   q, \t, h
        \kind   q, \t, v
        .endr
        .endm

        function za_reads
        all_tiles reader
        function za_writes
        all_tiles writer

/* Load and store of slices themselves: void za_st1b_v(u64 slice, u8 *out), and za_ld1w_v into ZA2.S */
        function za_st1b_v
        mov     w12, w0
        st1b    {za0v.b[w12, 0]}, p0, [x1]
        ret
        function za_ld1w_v
        mov     w12, w0
        ld1w    {za2v.s[w12, 0]}, p0/z, [x1]
        ret

        function sve_ptrue
        ptrue   p0.b
        ret
        /* u64 sve_cntp(void): active bytes of P0 */
        function sve_cntp
        cntp    x0, p0, p0.b
        ret
        /* void za_zero_tiles(void): ZA0.D and ZA3.D alone */
        function za_zero_tiles
        zero    {za0.d, za3.d}
        ret
        /* void za_addha(const u8 *z): ZA1.S += Z0 for each row; P0 all true */
        function za_addha
        ldr     z0, [x0]
        addha   za1.s, p0/m, p0/m, z0.s
        ret
        function za_addva
        ldr     z0, [x0]
        addva   za1.s, p0/m, p0/m, z0.s
        ret

/* void lut_N(u8 *out, const u8 *indices): Z0 = look-up in ZT0 of Z1[last or 0] */
        .macro  lookup name, word
        function \name
        ldr     z1, [x1]
        .inst   \word | 1 << 5
        str     z0, [x0]
        ret
        .endm
        lookup  luti2_b_0, 0xc0cc0000
        lookup  luti2_b_3, 0xc0ccc000
        lookup  luti2_s_15, 0xc0cfe000
        lookup  luti4_b_1, 0xc0ca4000
        lookup  luti4_h_3, 0xc0cad000   /* index 3 of 4 */
        lookup  luti4_s_7, 0xc0cbe000

/*
 * u64 sme_loop(u32 *out, const u32 *a, const u32 *b, u64 rows, u64 columns, u64 depth, u64 position,
 * u64 reload): enters streaming mode with ZA, adds `depth` outer products of a[k] and b[k] (vectors
 * of 64 floats) in ZA0.S, and the squares of b[k] in Z2, and stores each row plus Z2 to out (rows
 * of 64 floats); leaves both modes. Behind each instruction is a stop: the position-th of them
 * yields, and then every reload-th (0: none). Returns how many stops were passed.
 *
 * A stop that comes more than sme_loop_gap ticks of the virtual counter after the one before it is
 * noted in sme_loop_seen[its number]: someone else ran in between.
 */
        .macro  stop
        mrs     x22, cntvct_el0
        sub     x24, x22, x24
        sub     x24, x25, x24
        tbz     x24, #63, 7f
        strb    w25, [x26, x21]
7:      mov     x24, x22
        add     x21, x21, #1
        sub     x19, x19, #1
        cbnz    x19, 8f
        bl      loop_yield
8:
        .endm

        function sme_loop
        stp     x29, x30, [sp, #-80]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        stp     x24, x25, [sp, #48]
        str     x26, [sp, #64]
        mov     x19, x6
        mov     x20, x7
        mov     x21, #0
        adrp    x25, sme_loop_gap
        ldr     x25, [x25, :lo12:sme_loop_gap]
        adrp    x26, sme_loop_seen
        add     x26, x26, :lo12:sme_loop_seen
        mrs     x24, cntvct_el0
        stop
        smstart sm
        stop
        smstart za
        stop
        whilelt p0.s, xzr, x3
        stop
        whilelt p1.s, xzr, x4
        stop
        zero    {za}
        stop
        dup     z2.s, #0
        stop
1:      ld1w    {z0.s}, p0/z, [x1]
        stop
        ld1w    {z1.s}, p1/z, [x2]
        stop
        fmopa   za0.s, p0/m, p1/m, z0.s, z1.s
        stop
        fmla    z2.s, p1/m, z1.s, z1.s
        stop
        add     x1, x1, #256
        add     x2, x2, #256
        subs    x5, x5, #1
        stop
        b.ne    1b
        mov     w12, #0
        stop
2:      mova    z3.s, p1/m, za0h.s[w12, 0]
        stop
        fadd    z3.s, p1/m, z3.s, z2.s
        stop
        mova    za1v.s[w12, 0], p1/m, z3.s
        stop
        mova    z4.s, p1/m, za1v.s[w12, 0]
        stop
        st1w    {z4.s}, p1, [x0]
        stop
        add     x0, x0, #256
        add     w12, w12, #1
        cmp     w12, w3
        stop
        b.lo    2b
        smstop  za
        stop
        smstop  sm
        stop
        mov     x0, x21
        ldr     x26, [sp, #64]
        ldp     x24, x25, [sp, #48]
        ldp     x21, x22, [sp, #32]
        ldp     x19, x20, [sp, #16]
        ldp     x29, x30, [sp], #80
        ret

/* yield() that keeps every register and the flags: what the hypervisor may lose is all that is lost. */
loop_yield:
        mov     x19, x20
        stp     x29, x30, [sp, #-176]!
        stp     x0, x1, [sp, #16]
        stp     x2, x3, [sp, #32]
        stp     x4, x5, [sp, #48]
        stp     x6, x7, [sp, #64]
        stp     x8, x9, [sp, #80]
        stp     x10, x11, [sp, #96]
        stp     x12, x13, [sp, #112]
        stp     x14, x15, [sp, #128]
        stp     x16, x17, [sp, #144]
        mrs     x0, nzcv
        stp     x18, x0, [sp, #160]
        bl      yield
        ldp     x18, x0, [sp, #160]
        msr     nzcv, x0
        ldp     x16, x17, [sp, #144]
        ldp     x14, x15, [sp, #128]
        ldp     x12, x13, [sp, #112]
        ldp     x10, x11, [sp, #96]
        ldp     x8, x9, [sp, #80]
        ldp     x6, x7, [sp, #64]
        ldp     x4, x5, [sp, #48]
        ldp     x2, x3, [sp, #32]
        ldp     x0, x1, [sp, #16]
        ldp     x29, x30, [sp], #176
        ret
