/*
 * ZA, ZT0 and the streaming registers to and from memory, without disturbing what is stored.
 * Prototypes: sme.h. ZT0's instructions are spelt by number: binutils 2.40 knows no SME2.
 */
        .arch   armv9-a+sme

        .macro  function name
        .globl  \name
        .balign 16
\name:
        .endm

        .text

/* void za_store(u8 *za, u64 svl): ZA array vectors 0 to svl - 1 */
        function za_store
        mov     w12, #0
1:      str     za[w12, 0], [x0]
        add     x0, x0, x1
        add     w12, w12, #1
        cmp     w12, w1
        b.lo    1b
        ret

        function za_load
        mov     w12, #0
1:      ldr     za[w12, 0], [x0]
        add     x0, x0, x1
        add     w12, w12, #1
        cmp     w12, w1
        b.lo    1b
        ret

        function zt0_store
        .inst   0xe13f8000              /* str zt0, [x0] */
        ret
        function zt0_load
        .inst   0xe11f8000              /* ldr zt0, [x0] */
        ret

        function sve_store_p_only
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        str     p\n, [x0, #\n, mul vl]
        .endr
        ret

        function sve_load_no_ffr
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        ldr     z\n, [x0, #\n, mul vl]
        .endr
        .irp    n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        ldr     z\n, [x0, #\n, mul vl]
        .endr
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        ldr     p\n, [x1, #\n, mul vl]
        .endr
        ret

        function sme_svl
        rdsvl   x0, #1
        ret
