/*
 * All registers of the FP units to and from memory, without disturbing one of them: storing leaves
 * every register as it was, so a scenario can look at its pattern in memory as often as it likes.
 * Prototypes: fp.h.
 */
        .arch   armv8-a+sve

        .macro  function name
        .globl  \name
        .balign 16
\name:
        .endm

        .text

/* void fp_store_v(u8 v[512]) */
        function fp_store_v
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        str     q\n, [x0, #16 * \n]
        .endr
        .irp    n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        str     q\n, [x0, #16 * \n]
        .endr
        ret

/* void fp_load_v(const u8 v[512]) */
        function fp_load_v
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        ldr     q\n, [x0, #16 * \n]
        .endr
        .irp    n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        ldr     q\n, [x0, #16 * \n]
        .endr
        ret

/* void sve_store_z(u8 *z): 32 registers of the current vector length each */
        function sve_store_z
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        str     z\n, [x0, #\n, mul vl]
        .endr
        .irp    n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        str     z\n, [x0, #\n, mul vl]
        .endr
        ret

/* void sve_store_p(u8 *p): P0-P15, then FFR, which is read through P0; P0 is put back */
        function sve_store_p
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        str     p\n, [x0, #\n, mul vl]
        .endr
        rdffr   p0.b
        str     p0, [x0, #16, mul vl]
        ldr     p0, [x0]
        ret

/* void sve_load(const u8 *z, const u8 *p): laid out as above */
        function sve_load
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        ldr     z\n, [x0, #\n, mul vl]
        .endr
        .irp    n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        ldr     z\n, [x0, #\n, mul vl]
        .endr
        ldr     p0, [x1, #16, mul vl]
        wrffr   p0.b
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        ldr     p\n, [x1, #\n, mul vl]
        .endr
        ret

/* void sve_clear_p(void): P0-P15 and FFR all false */
        function sve_clear_p
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        pfalse  p\n\().b
        .endr
        wrffr   p0.b
        ret

/* u64 sve_vl(void): bytes of a Z register now */
        function sve_vl
        rdvl    x0, #1
        ret

/* u64 fpcr_read(void), void fpcr_write(u64), u64 fpsr_read(void), void fpsr_write(u64) */
        function fpcr_read
        mrs     x0, fpcr
        ret
        function fpcr_write
        msr     fpcr, x0
        ret
        function fpsr_read
        mrs     x0, fpsr
        ret
        function fpsr_write
        msr     fpsr, x0
        ret
