/*
 * A hardware task switch: only outside long mode, so back to 32-bit protected mode without paging, and a far jump
 * to a second TSS. On bare hardware the new task arrives and ends the machine as passed; under a hypervisor that
 * intercepts task switches the VM stops at the jump.
 */
#include "layout.h"

    .text
    .globl bad_task_switch
bad_task_switch:
    cli
    lgdt gdtr32
    push $SEL_CODE32
    lea 1f(%rip), %rax
    push %rax
    lretq
    .code32
1:  mov $SEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %cr0, %eax
    and $~CR0_PG, %eax
    mov %eax, %cr0
    mov $MSR_EFER, %ecx
    rdmsr
    and $~EFER_LME, %eax
    wrmsr
    /* Descriptors of the two TSSs: present, available 32-bit TSS (type 9), limit 0x67. */
    mov $tss_a, %eax
    mov $gdt32 + 0x18, %edi
    call set_tss
    mov $tss_b, %eax
    mov $gdt32 + 0x20, %edi
    call set_tss
    movl $arrived, tss_b + 32       /* EIP */
    movl $2, tss_b + 36             /* EFLAGS */
    movl $cpu_blocks + STACK_BYTES, tss_b + 56
    movl $SEL_DATA, tss_b + 72      /* ES */
    movl $SEL_CODE32, tss_b + 76
    movl $SEL_DATA, tss_b + 80
    movl $SEL_DATA, tss_b + 84
    mov $0x18, %ax
    ltr %ax
    ljmp $0x20, $0
arrived:
    mov $0x10, %al
    out %al, $0xf4
1:  hlt
    jmp 1b

set_tss:
    movw $0x67, (%edi)
    mov %ax, 2(%edi)
    shr $16, %eax
    mov %al, 4(%edi)
    movb $0x89, 5(%edi)
    movb $0, 6(%edi)
    mov %ah, 7(%edi)
    ret

    .data
    .balign 8
gdt32:
    .quad 0, DESC_CODE32, DESC_DATA, 0, 0
gdtr32:
    .word 0x27
    .quad gdt32

    .bss
    .balign 128
tss_a:
    .skip 128
tss_b:
    .skip 128
