/*
 * EL2 of QEMU's virt machine, MMU off: start, output, and one instruction at EL0, EL1 or EL2 with
 * whatever exception it takes. EL1 passes on what comes to it: HVC #1 with its ESR in X9.
 */
    .section .text.start, "ax"
    .globl  _start
_start:
    ldr     x0, =stack_top
    mov     sp, x0
    mov     x0, #1 << 31            /* HCR_EL2.RW, and E2H=0 */
    msr     hcr_el2, x0
    isb
    adr     x0, vectors_2
    msr     vbar_el2, x0
    adr     x0, vectors_1
    msr     vbar_el1, x0
    bl      user_main
    ldr     x0, =0x84000008         /* PSCI SYSTEM_OFF */
    smc     #0
    b       .

/* user_call(number, a, b, c, d) for user.c: write(1, text, bytes) to the PL011, or exit. */
    .globl  user_call
user_call:
    cmp     x0, #64
    b.ne    2f
    mov     x4, #0x09000000
    mov     x0, x3
    cbz     x3, 3f
1:  ldrb    w5, [x2], #1
    str     w5, [x4]
    sub     x3, x3, #1
    cbnz    x3, 1b
3:  ret
2:  ldr     x0, =0x84000008
    smc     #0
    b       .

/* struct bare_run */
#define RUN_PC      0
#define RUN_X0      16
#define RUN_X12     32
#define RUN_ESR_EL2 40
#define RUN_SP      56

    .macro keep
    stp     x29, x30, [sp, #-96]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    mov     x1, sp
    str     x1, [x0, #RUN_SP]
    msr     tpidr_el2, x0
    .endm

    .globl  bare_enter
bare_enter:
    keep
    ldp     x1, x2, [x0, #RUN_PC]
    msr     elr_el2, x1
    msr     spsr_el2, x2
    ldr     x12, [x0, #RUN_X12]
    ldp     x0, x1, [x0, #RUN_X0]
    eret

    .globl  bare_call
bare_call:
    keep
    ldr     x3, [x0, #RUN_PC]
    ldr     x12, [x0, #RUN_X12]
    ldp     x0, x1, [x0, #RUN_X0]
    blr     x3
    mov     x3, #0x16 << 26         /* as HVC #0: nothing happened */
    b       back

    .balign 2048
vectors_2:
    .rept   16
    .balign 128
    mrs     x3, esr_el2
    b       back
    .endr
    .balign 128
back:
    mrs     x2, tpidr_el2
    str     x1, [x2, #RUN_X0 + 8]
    stp     x3, x9, [x2, #RUN_ESR_EL2]
    ldr     x1, [x2, #RUN_SP]
    mov     sp, x1
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    ret

    .balign 2048
vectors_1:
    .rept   16
    .balign 128
    mrs     x9, esr_el1
    hvc     #1
    .endr
    .balign 128

    .bss
    .balign 4096
stack:
    .skip   65536
stack_top:
    .section .note.GNU-stack, "", %progbits
