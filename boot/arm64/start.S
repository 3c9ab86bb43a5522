/* arm64: from the firmware into C, and from the firmware's world into the hypervisor. */

    .text

/*
 * The image's entry: efi_start(X0 = image handle, X1 = system table), AAPCS64. X0 = EFI status.
 * Only data is relocated, so no instruction cache needs to hear of it.
 */
    .globl efi_start
    .hidden efi_start
    .type efi_start, %function
efi_start:
    stp x29, x30, [sp, #-32]!
    mov x29, sp
    stp x0, x1, [sp, #16]
debugger_hold: /* tools/debug sets the word in its copy of the image, finds us here, and clears it */
    yield
    adrp x2, debugger_wait
    ldr w2, [x2, :lo12:debugger_wait]
    cbnz w2, debugger_hold
debugger_held:
    adrp x0, __image_start
    add x0, x0, :lo12:__image_start
    adrp x1, __rela_start
    add x1, x1, :lo12:__rela_start
    adrp x2, __rela_end
    add x2, x2, :lo12:__rela_end
    bl boot_relocate
    tst w0, #0xff
    mov x0, #0x8000000000000000
    orr x0, x0, #1 /* EFI_LOAD_ERROR */
    b.eq 1f
    ldp x0, x1, [sp, #16]
    bl efi_main
1:  ldp x29, x30, [sp], #32
    ret
    .size efi_start, . - efi_start

/*
 * boot_enter(X0 = struct boot_info *): after ExitBootServices. The firmware's stack is memory that is
 * about to be handed out, and its handlers are gone: our own stack, every exception masked, no return.
 */
    .globl boot_enter
    .hidden boot_enter
    .type boot_enter, %function
boot_enter:
    msr daifset, #0xf
    msr spsel, #1
    adrp x1, boot_stack_top
    add x1, x1, :lo12:boot_stack_top
    mov sp, x1
    mov x29, xzr /* the end of every backtrace */
    mov x30, xzr
    bl hv_main
    brk #0 /* hv_main does not return */
    .size boot_enter, . - boot_enter

    .data
    .balign 4
    .globl debugger_wait
    .hidden debugger_wait
debugger_wait:
    .word 0

    .section .bss.boot_stack, "aw", %nobits
    .balign 4096
    .skip 32768
boot_stack_top:

    .section .note.GNU-stack, "", %progbits
