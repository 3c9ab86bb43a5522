/*
 * Entry of the arm64 guest. Linux's arm64 boot protocol (Documentation/arch/arm64/booting.rst): X0
 * = physical address of the device tree, MMU off, EL1, interrupts masked, loaded at a multiple of 2
 * MiB.
 *
 * The MMU goes on before anything else is written: with it off every access is Device memory, where
 * the compiler's unaligned accesses fault, and stores would bypass the caches.
 */
#include "guest/arm64/layout.h"

        .arch   armv8-a

        .section .head, "ax"
        .globl  _start
_start:
        b       primary_entry
        .long   0
        .quad   0                       /* text_offset: 0, any 2 MiB boundary will do */
        .quad   __image_end - _start    /* image_size, with .bss, tables and stacks */
        .quad   0xa                     /* flags: little endian, 4 KiB pages, anywhere in memory */
        .quad   0, 0, 0
        .ascii  "ARM\x64"
        .long   0

        .text
        /* X23 = everything found in X1 to X30: the boot protocol and PSCI give zero, or nothing at all. */
        .macro  fold_registers
        orr     x1, x1, x2
        .irp    n, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24
        orr     x1, x1, x\n
        .endr
        .irp    n, 25, 26, 27, 28, 29, 30
        orr     x1, x1, x\n
        .endr
        mov     x23, x1
        .endm

primary_entry:
        fold_registers
        mov     x20, x0
        bl      build_table
        mov     x21, #0                 /* index of this vCPU */
        bl      mmu_on

        /*
         * The words that hold addresses, as ELF's RELR: an even entry is the offset of such a word,
         * an odd one has a bit for each of the 63 words that follow; 0 ends it. It lies where .bss
         * will be.
         */
        adrp    x0, _start
        adrp    x1, __image_file_end
        add     x1, x1, :lo12:__image_file_end
1:      ldr     x2, [x1], #8
        cbz     x2, 5f
        tbnz    x2, #0, 2f
        add     x3, x0, x2
        ldr     x4, [x3]
        add     x4, x4, x0
        str     x4, [x3], #8
        b       1b
2:      mov     x5, x3
        add     x3, x3, #63 * 8
3:      lsr     x2, x2, #1
        cbz     x2, 1b
        tbz     x2, #0, 4f
        ldr     x4, [x5]
        add     x4, x4, x0
        str     x4, [x5]
4:      add     x5, x5, #8
        b       3b

5:      adrp    x0, __bss_start
        add     x0, x0, :lo12:__bss_start
        adrp    x1, __bss_end
        add     x1, x1, :lo12:__bss_end
1:      cmp     x0, x1
        b.hs    2f
        stp     xzr, xzr, [x0], #16
        b       1b

2:      bl      own_stack
        mov     x0, x20
        bl      guest_main
        b       .

/*
 * Entry of the other vCPUs, by PSCI CPU_ON: MMU off, X0 = context = this vCPU's index.
 */
        .globl  secondary_entry
secondary_entry:
        fold_registers
        mov     x21, x0
        bl      mmu_on
        bl      own_stack
        bl      secondary_main
        b       .

/*
 * Take the stack of vCPU X21 and note there, before anything changes them, registers as they were
 * found.
 */
own_stack:
        adrp    x0, stacks
        add     x0, x0, x21, lsl #STACK_SHIFT
        add     x1, x0, #STACK_SIZE
        mov     sp, x1
        str     x21, [x0, #CPU_INDEX]
        mrs     x1, cpacr_el1
        mrs     x3, tpidr_el0
        stp     x1, x22, [x0, #CPU_RESET]
        mrs     x4, tpidrro_el0
        stp     x3, x4, [x0, #CPU_RESET + 16]
        mrs     x3, tpidr_el1
        mrs     x4, contextidr_el1
        stp     x3, x4, [x0, #CPU_RESET + 32]
        str     x23, [x0, #CPU_RESET + 48]
        add     x0, x0, #CPU_ASM_BYTES  /* the rest of the stack and struct cpu start as zero */
        mov     x1, sp
1:      str     xzr, [x0], #8
        cmp     x0, x1
        b.lo    1b
        adrp    x1, vectors
        add     x1, x1, :lo12:vectors
        msr     vbar_el1, x1
        isb
        mov     x29, xzr
        ret

/*
 * One table of 512 blocks of 1 GiB (39-bit addresses): gigabyte 0 is Device memory, the Image's own
 * and the one after it are Normal memory for EL1, and once more for EL0 at EL0_ALIAS. Everything
 * else is not mapped.
 */
#define DESC_BLOCK  0x1
#define DESC_AF     (1 << 10)
#define DESC_SH     (3 << 8)
#define DESC_EL0    (1 << 6)
#define DESC_NORMAL (1 << 2)

build_table:
        adrp    x0, table
        add     x1, x0, #4096
        mov     x2, x0
1:      dc      ivac, x2                /* no line here is dirty; drop stale ones */
        add     x2, x2, #16
        cmp     x2, x1
        b.lo    1b
        dsb     sy
        mov     x2, x0
2:      stp     xzr, xzr, [x2], #16
        cmp     x2, x1
        b.lo    2b

        mov     x2, #(DESC_BLOCK | DESC_AF)
        movk    x2, #0x60, lsl #48      /* UXN, PXN */
        str     x2, [x0]
        adrp    x3, _start
        lsr     x3, x3, #30
        lsl     x4, x3, #30
        mov     x2, #(DESC_BLOCK | DESC_AF | DESC_SH | DESC_NORMAL)
        add     x5, x4, x2
        movk    x5, #0x40, lsl #48      /* UXN */
        add     x6, x0, x3, lsl #3
        str     x5, [x6]
        movz    x7, #0x4000, lsl #16    /* the gigabyte after it: never executed */
        add     x5, x5, x7
        movk    x5, #0x60, lsl #48
        str     x5, [x6, #8]
        orr     x5, x4, x2
        orr     x5, x5, #DESC_EL0
        movk    x5, #0x20, lsl #48      /* PXN */
        str     x5, [x6, #(EL0_ALIAS >> 30) * 8]
        dsb     sy
        mov     x2, x0
3:      dc      ivac, x2
        add     x2, x2, #16
        cmp     x2, x1
        b.lo    3b
        dsb     sy
        ret

/*
 * Turn the MMU on with `table`. Leaves the SCTLR_EL1 that was found in X22.
 */
mmu_on:
        mrs     x22, sctlr_el1
        adrp    x0, table
        msr     ttbr0_el1, x0
        msr     ttbr1_el1, xzr
        mov     x0, #0xff00             /* attribute 0: Device-nGnRnE, 1: Normal write-back */
        msr     mair_el1, x0
        mrs     x1, id_aa64mmfr0_el1
        and     x1, x1, #0xf            /* PARange */
        mov     x2, #5
        cmp     x1, x2
        csel    x1, x1, x2, lo
        ldr     x0, =0x80993519         /* TG1 4K, EPD1, T1SZ 25, SH0, ORGN0, IRGN0, T0SZ 25 */
        orr     x0, x0, x1, lsl #32
        msr     tcr_el1, x0
        isb
        tlbi    vmalle1
        ic      iallu
        dsb     nsh
        isb
        ldr     x0, =0x30d5183d         /* RES1 bits, nTWE, nTWI, I, SA, C, CP15BEN, M */
        msr     sctlr_el1, x0
        isb
        ret
        .ltorg

        .section .tables, "aw", %nobits
        .balign 4096
        .globl  table
table:  .skip   4096

        .section .stacks, "aw", %nobits
        .balign STACK_SIZE
        .globl  stacks
stacks: .skip   MAX_CPUS * STACK_SIZE
