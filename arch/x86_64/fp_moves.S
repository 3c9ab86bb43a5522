/*
 * The only code that touches FP and vector registers, with selftest_*.S: everything else is
 * compiled not to, and the build scans for it. The hypervisor runs with CR0.TS set, so that a stray
 * use would fault (NOVA's habit); each mover clears it and sets it again. Interrupts are off here
 * always, and nothing in between can fault or exit: areas are our own memory, masks are within XCR0
 * (BUGS 30).
 *
 * void mover(area %rdi, u32 mask %esi)
 *
 * What is moved is EDX:EAX & XCR0, and XCR0 never has a bit above 31 set (arch_fp.h): EDX is left as
 * it comes.
 *
 * XSAVEOPT may leave out what it believes unmodified since the XRSTOR from this same address. What
 * it remembers is one linear address and a few mode bits, and a guest may XRSTOR from a linear
 * address equal to ours: that would make it believe that our stale area holds the guest's registers
 * (Intel SDM 1, 13.6: guest and hypervisor are told apart there; AMD promises nothing). So before
 * XSAVEOPT an XRSTOR with RFBM = 0 from another address: it restores nothing, and makes every
 * component "modified". The init optimisation, the one worth having, stays.
 */
#include "x86.h"

    .macro close_ts
    mov     $HOST_CR0, %eax
    mov     %rax, %cr0
    .endm

    .macro mover name, instruction
    .globl  \name
    .balign 16
\name:
    clts
    mov     %esi, %eax
    \instruction (%rdi)
    close_ts
    ret
    .endm

    .macro optimised name, instruction, restore
    .globl  \name
    .balign 16
\name:
    clts
    xor     %eax, %eax
    \restore nothing(%rip)
    mov     %esi, %eax
    \instruction (%rdi)
    close_ts
    ret
    .endm

    .text
    mover   fp_move_xsave64, xsave64
    mover   fp_move_xsave32, xsave
    mover   fp_move_xsavec64, xsavec64
    mover   fp_move_xsavec32, xsavec
    mover   fp_move_xrstor64, xrstor64
    mover   fp_move_xrstor32, xrstor
    mover   fp_move_xrstors64, xrstors64
    mover   fp_move_xrstors32, xrstors
    mover   fp_move_fxsave64, fxsave64
    mover   fp_move_fxsave32, fxsave
    mover   fp_move_fxrstor64, fxrstor64
    mover   fp_move_fxrstor32, fxrstor
    optimised fp_move_xsaveopt64, xsaveopt64, xrstor64
    optimised fp_move_xsaveopt32, xsaveopt, xrstor
    optimised fp_move_xsaves64, xsaves64, xrstor64
    optimised fp_move_xsaves32, xsaves, xrstor

/* void fp_move_tiles_*(data %rdi, u32 tiles %esi): AMX does not look at CR0.TS. */
    .macro each_tile name, store
    .globl  \name
    .balign 16
\name:
    mov     $64, %eax
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
    test    $(1 << \n), %sil
    jz      1f
    .if \store
    tilestored %tmm\n, 1024*\n(%rdi,%rax)
    .else
    tileloadd 1024*\n(%rdi,%rax), %tmm\n
    .endif
1:
    .endr
    ret
    .endm

    each_tile fp_move_tiles_store, 1
    each_tile fp_move_tiles_load, 0

    .globl  fp_move_ldtilecfg
    .balign 16
fp_move_ldtilecfg:
    ldtilecfg (%rdi)
    ret

    .globl  fp_move_tilerelease
    .balign 16
fp_move_tilerelease:
    tilerelease
    ret

    .section .rodata
    .balign 64
nothing:                        /* an XSAVE image of nothing */
    .skip   576

    .section .note.GNU-stack, "", @progbits
