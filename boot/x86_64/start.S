/* x86-64: from the firmware into C, and from the firmware's world into the hypervisor. */

    .text

/*
 * The image's entry: efi_start(RCX = image handle, RDX = system table), Microsoft's convention. RDI and
 * RSI are callee-saved there and argument registers in ours, so they are kept here. RAX = EFI status.
 */
    .globl efi_start
    .hidden efi_start
    .type efi_start, @function
efi_start:
    push %rdi
    push %rsi
    push %rcx
    push %rdx
    sub $8, %rsp /* entered at 8 modulo 16 */
    cld
debugger_hold: /* tools/debug sets the word in its copy of the image, finds us here, and clears it */
    pause
    cmpl $0, debugger_wait(%rip)
    jne debugger_hold
debugger_held:
    lea __image_start(%rip), %rdi
    lea __rela_start(%rip), %rsi
    lea __rela_end(%rip), %rdx
    call boot_relocate
    mov $0x8000000000000001, %rcx /* EFI_LOAD_ERROR */
    test %al, %al
    cmovz %rcx, %rax
    jz 1f
    mov 16(%rsp), %rdi
    mov 8(%rsp), %rsi
    call efi_main
1:  add $8, %rsp
    pop %rdx
    pop %rcx
    pop %rsi
    pop %rdi
    ret
    .size efi_start, . - efi_start

/*
 * boot_enter(RDI = struct boot_info *): after ExitBootServices. The firmware's stack is memory that is
 * about to be handed out, and its interrupt handlers are gone: our own stack, interrupts off, no return.
 */
    .globl boot_enter
    .hidden boot_enter
    .type boot_enter, @function
boot_enter:
    cli
    cld
    lea boot_stack_top(%rip), %rsp
    xor %ebp, %ebp /* the end of every backtrace */
    call hv_main
    ud2 /* hv_main does not return */
    .size boot_enter, . - boot_enter

    .data
    .balign 4
    .globl debugger_wait
    .hidden debugger_wait
debugger_wait:
    .long 0

    .section .bss.boot_stack, "aw", %nobits
    .balign 4096
    .skip 32768
boot_stack_top:

    .section .note.GNU-stack, "", %progbits
