/*
 * The EL2 vectors, the way into a guest and out of it, and the move of its EL1 registers.
 *
 * While a guest runs, SP_EL2 points at a 16-byte slot that holds its struct vcpu *; the registers
 * the C caller wants kept (X19-X30) lie above it. An exit that needs no scheduler never unwinds
 * that far: the C handler is called on the same stack and the guest is entered again.
 */
#include "offsets.h"

    .section .text.vectors, "ax", %progbits

/* ---- In and out of the guest ---- */

/* u64 vcpu_enter(struct vcpu *): runs the guest until a handler returns other than 0
 * (VCPU_RESUME), which is returned. */
    .globl  vcpu_enter
    .type   vcpu_enter, %function
vcpu_enter:
    stp     x29, x30, [sp, #-96]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    stp     x0, xzr, [sp, #-16]!
    /* fall through: x0 = vcpu */

guest_enter:
    ldp     x2, x3, [x0, #VCPU_PC]
    msr     elr_el2, x2
    msr     spsr_el2, x3
    ldp     x2, x3, [x0, #VCPU_X + 16]
    ldp     x4, x5, [x0, #VCPU_X + 32]
    ldp     x6, x7, [x0, #VCPU_X + 48]
    ldp     x8, x9, [x0, #VCPU_X + 64]
    ldp     x10, x11, [x0, #VCPU_X + 80]
    ldp     x12, x13, [x0, #VCPU_X + 96]
    ldp     x14, x15, [x0, #VCPU_X + 112]
    ldp     x16, x17, [x0, #VCPU_X + 128]
    ldp     x18, x19, [x0, #VCPU_X + 144]
    ldp     x20, x21, [x0, #VCPU_X + 160]
    ldp     x22, x23, [x0, #VCPU_X + 176]
    ldp     x24, x25, [x0, #VCPU_X + 192]
    ldp     x26, x27, [x0, #VCPU_X + 208]
    ldp     x28, x29, [x0, #VCPU_X + 224]
    ldr     x30, [x0, #VCPU_X30]
    ldp     x0, x1, [x0, #VCPU_X]
    eret
    dsb     nsh             /* no speculation past ERET */
    isb

/*
 * The rest of an exit, after X0-X19 are in the vcpu (x0): what only a handler that looks at them, or
 * a switch, needs. Then \handler(vcpu) returns an event.
 */
    .macro full_exit handler
    stp     x20, x21, [x0, #VCPU_X + 160]
    stp     x22, x23, [x0, #VCPU_X + 176]
    stp     x24, x25, [x0, #VCPU_X + 192]
    stp     x26, x27, [x0, #VCPU_X + 208]
    stp     x28, x29, [x0, #VCPU_X + 224]
    mrs     x4, elr_el2
    mrs     x5, spsr_el2
    mrs     x6, esr_el2
    stp     x30, x4, [x0, #VCPU_X30]
    stp     x5, x6, [x0, #VCPU_PSTATE]
    add     x29, sp, #16    /* the frame of vcpu_enter: backtraces go on there */
    mov     x19, x0
    bl      \handler
    mov     x1, x0
    mov     x0, x19
    cbz     w1, guest_enter
    b       guest_leave
    .endm

    .macro save_rest
    stp     x8, x9, [x0, #VCPU_X + 64]
    stp     x10, x11, [x0, #VCPU_X + 80]
    stp     x12, x13, [x0, #VCPU_X + 96]
    stp     x14, x15, [x0, #VCPU_X + 112]
    stp     x16, x17, [x0, #VCPU_X + 128]
    stp     x18, x19, [x0, #VCPU_X + 144]
    .endm

/* Any synchronous exit but a closed gate. */
guest_sync:
    save_rest
    full_exit guest_sync_exit

/*
 * A closed gate is the exit that laziness adds, so it is the shortest. C keeps X19-X29 and does not
 * use X10-X15 and X18 at all (-ffixed-*, Makefile): they stay where they are, and so do ELR_EL2 and
 * SPSR_EL2, for the instruction is run again. If it is not, the exit is completed as any other.
 */
guest_fp:
    stp     x8, x9, [x0, #VCPU_X + 64]
    stp     x16, x17, [x0, #VCPU_X + 128]
    ldr     x2, [x0, #VCPU_EXITS]
    str     x30, [x0, #VCPU_X30]
    add     w1, w1, #3              /* EC 0x07: FP_UNIT_FPSIMD, 0x19: that and FP_UNIT_SVE, */
    lsr     w1, w1, #3              /* 0x1D: FP_UNIT_SME */
    add     x2, x2, #1
    str     x2, [x0, #VCPU_EXITS]
    bl      fp_trap
    mov     x1, x0
    ldr     x0, [sp]
    cbnz    w1, 1f
#ifdef FERMATA_DEBUG
    bl      guest_fp_check
    ldr     x0, [sp]
#endif
    strb    wzr, [x0, #VCPU_FP_IN_SYNC]     /* fp_enter() */
    ldp     x2, x3, [x0, #VCPU_X + 16]
    ldp     x4, x5, [x0, #VCPU_X + 32]
    ldp     x6, x7, [x0, #VCPU_X + 48]
    ldp     x8, x9, [x0, #VCPU_X + 64]
    ldp     x16, x17, [x0, #VCPU_X + 128]
    ldr     x30, [x0, #VCPU_X30]
    ldp     x0, x1, [x0, #VCPU_X]
    eret
    dsb     nsh
    isb

/* x1 = what fp_trap() said. */
1:  stp     x10, x11, [x0, #VCPU_X + 80]
    stp     x12, x13, [x0, #VCPU_X + 96]
    stp     x14, x15, [x0, #VCPU_X + 112]
    stp     x18, x19, [x0, #VCPU_X + 144]
    ldr     x30, [x0, #VCPU_X30]
    full_exit guest_fp_failed

guest_irq:
    save_rest
    full_exit guest_irq_exit

guest_serror:
    save_rest
    full_exit guest_serror_exit

/* x1 = the event. */
guest_leave:
    mov     x0, x1
    add     sp, sp, #16
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    ret

/* ---- The vectors ---- */

    .macro guest_vector target
    .balign 128
    stp     x0, x1, [sp, #-16]!
    ldr     x0, [sp, #16]
    stp     x2, x3, [x0, #VCPU_X + 16]
    ldp     x2, x3, [sp], #16
    stp     x2, x3, [x0, #VCPU_X]
    stp     x4, x5, [x0, #VCPU_X + 32]
    stp     x6, x7, [x0, #VCPU_X + 48]
    .ifc    \target, guest_sync
    mrs     x1, esr_el2
    lsr     x1, x1, #26
    cmp     x1, #0x07               /* EC_FP */
    ccmp    x1, #0x19, #4, ne       /* EC_SVE */
    ccmp    x1, #0x1d, #4, ne       /* EC_SME */
    b.eq    guest_fp
    .endif
    b       \target
    .endm

/*
 * From EL2 itself: fatal, and perhaps the stack is what is broken. So a stack of its own, found
 * without a free register: TPIDR_EL0 and TPIDRRO_EL0 belong to a guest that will not run again.
 */
    .macro crash_vector slot
    .balign 128
    msr     tpidr_el0, x0
    mov     x0, sp
    msr     tpidrro_el0, x0
    adrp    x0, crash_stack_top
    add     x0, x0, :lo12:crash_stack_top
    mov     sp, x0
    sub     sp, sp, #CRASH_BYTES
    mov     x0, #\slot
    b       crash_common
    .endm

    .balign 2048
    .globl  vectors_el2
vectors_el2:
    crash_vector 0
    crash_vector 1
    crash_vector 2
    crash_vector 3
    crash_vector 4
    crash_vector 5
    crash_vector 6
    crash_vector 7
    guest_vector guest_sync
    guest_vector guest_irq
    guest_vector guest_irq      /* FIQ: nothing is routed so; counted as spurious there */
    guest_vector guest_serror
    crash_vector 12
    crash_vector 13
    crash_vector 14
    crash_vector 15
    .balign 128

/* x0 = slot, the rest as interrupted; x0 itself in TPIDR_EL0, SP in TPIDRRO_EL0. */
crash_common:
    stp     x2, x3, [sp, #CRASH_X + 16]
    stp     x4, x5, [sp, #CRASH_X + 32]
    stp     x6, x7, [sp, #CRASH_X + 48]
    stp     x8, x9, [sp, #CRASH_X + 64]
    stp     x10, x11, [sp, #CRASH_X + 80]
    stp     x12, x13, [sp, #CRASH_X + 96]
    stp     x14, x15, [sp, #CRASH_X + 112]
    stp     x16, x17, [sp, #CRASH_X + 128]
    stp     x18, x19, [sp, #CRASH_X + 144]
    stp     x20, x21, [sp, #CRASH_X + 160]
    stp     x22, x23, [sp, #CRASH_X + 176]
    stp     x24, x25, [sp, #CRASH_X + 192]
    stp     x26, x27, [sp, #CRASH_X + 208]
    stp     x28, x29, [sp, #CRASH_X + 224]
    mrs     x2, tpidr_el0
    stp     x2, x1, [sp, #CRASH_X]
    mrs     x2, tpidrro_el0
    stp     x30, x2, [sp, #CRASH_X + 240]
    mrs     x2, elr_el2
    mrs     x3, spsr_el2
    mrs     x4, esr_el2
    mrs     x5, far_el2
    stp     x2, x3, [sp, #CRASH_PC]
    stp     x4, x5, [sp, #CRASH_PC + 16]
    mov     x1, x0
    mov     x0, sp
    b       exception_fatal

/* ---- The guest's EL1 registers: one list, two instantiations (E2H) ---- */

    .macro move_out a, b, slot
    mrs     x2, \a
    mrs     x3, \b
    stp     x2, x3, [x0, #VCPU_EL1 + 16 * \slot]
    .endm

    .macro move_out_last a
    mrs     x2, \a
    str     x2, [x0, #VCPU_EL1 + 8 * (VCPU_EL1_N - 1)]
    .endm

    .macro move_in_last a
    ldr     x2, [x0, #VCPU_EL1 + 8 * (VCPU_EL1_N - 1)]
    msr     \a, x2
    .endm

    .macro move_in a, b, slot
    ldp     x2, x3, [x0, #VCPU_EL1 + 16 * \slot]
    msr     \a, x2
    msr     \b, x3
    .endm

/* The order is that of enum el1_register. \o is op1 of the guest's EL1 registers (0, or 5 for
 * *_EL12), \t that of its virtual timer (3, or 5 for *_EL02). */
    .macro el1_context move, o, t
    \move   S3_\o\()_C1_C0_0, S3_\o\()_C2_C0_2, 0       /* SCTLR, TCR */
    \move   S3_\o\()_C2_C0_0, S3_\o\()_C2_C0_1, 1       /* TTBR0, TTBR1 */
    \move   S3_\o\()_C10_C2_0, S3_\o\()_C10_C3_0, 2     /* MAIR, AMAIR */
    \move   S3_\o\()_C12_C0_0, S3_\o\()_C13_C0_1, 3     /* VBAR, CONTEXTIDR */
    \move   S3_\o\()_C5_C2_0, S3_\o\()_C6_C0_0, 4       /* ESR, FAR */
    \move   S3_\o\()_C5_C1_0, S3_\o\()_C5_C1_1, 5       /* AFSR0, AFSR1 */
    \move   S3_\o\()_C4_C0_1, S3_\o\()_C4_C0_0, 6       /* ELR, SPSR */
    \move   S3_\o\()_C14_C1_0, S3_\t\()_C14_C3_1, 7     /* CNTKCTL, CNTV_CTL */
    \move   S3_\t\()_C14_C3_2, sp_el0, 8                /* CNTV_CVAL */
    \move   sp_el1, par_el1, 9
    \move   tpidr_el1, tpidr_el0, 10
    \move   tpidrro_el0, csselr_el1, 11
    \move\()_last S3_\o\()_C1_C0_2                        /* CPACR */
    ret
    .endm

    .macro context_function name, move, o, t
    .balign 16
    .globl  \name
    .type   \name, %function
\name:
    el1_context \move, \o, \t
    .endm

/* void el1_save(struct vcpu *) and el1_load(const struct vcpu *): for E2H=0, and _vhe for E2H=1. */
    context_function el1_save, move_out, 0, 3
    context_function el1_load, move_in, 0, 3
    context_function el1_save_vhe, move_out, 5, 5
    context_function el1_load_vhe, move_in, 5, 5

    .bss
    .balign 4096
    .globl  crash_stack
    .globl  crash_stack_top
crash_stack:                    /* the first page is its guard */
    .skip   4096 + 16384
crash_stack_top:
    .section .note.GNU-stack, "", %progbits
