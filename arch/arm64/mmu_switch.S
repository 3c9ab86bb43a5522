/* From the firmware's translation to ours. */
    .section .text.mmu_switch, "ax", %progbits

/*
 * void mmu_switch(ttbr, tcr, mair, sctlr, hcr). Nothing here touches memory: between the two
 * translations there is none, code and tables are identity mapped in both, and the tables are
 * written back before, for walks by an observer whose attributes differ.
 */
    .balign 64
    .globl  mmu_switch
    .type   mmu_switch, %function
mmu_switch:
    dsb     sy
    mrs     x5, sctlr_el2
    bic     x5, x5, #1          /* M; instruction fetches stay cacheable by I */
    msr     sctlr_el2, x5
    isb
    msr     hcr_el2, x4
    isb
    msr     mair_el2, x2
    msr     tcr_el2, x1
    msr     ttbr0_el2, x0
    isb
    tlbi    alle2
    tlbi    alle1
    ic      iallu
    dsb     nsh
    isb
    msr     sctlr_el2, x3
    isb
    ret

    .section .note.GNU-stack, "", %progbits
