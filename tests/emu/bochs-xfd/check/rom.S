/*
 * From the reset vector to main() in 64-bit mode, page tables of 1 GiB, and an IDT whose handlers give the vector to
 * the one who was waiting for it (attempt). No firmware.
 */
    .section .reset, "ax"
    .code16
    ljmp $0xf000, $0

    .section .start, "ax"
start:
    cli
    cld
    lgdtl %cs:gdtr - 0xf0000
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $0x08, $1f
    .code32
1:  mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $0x100000, %edi         /* PML4, PDPT, PD; zeroed, as is what .bss is */
    xor %eax, %eax
    mov $(0x400000 / 4), %ecx
    rep stosl
    movl $0x101003, 0x100000
    movl $0x102003, 0x101000
    mov $0x102000, %edi
    mov $0x83, %eax
    mov $512, %ecx
2:  mov %eax, (%edi)
    add $0x200000, %eax
    add $8, %edi
    loop 2b
    mov $0x40620, %eax          /* PAE, OSFXSR, OSXMMEXCPT, OSXSAVE */
    mov %eax, %cr4
    mov $0x100000, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x100, %eax
    wrmsr
    mov $0x80000033, %eax       /* PG, NE, ET, MP, PE */
    mov %eax, %cr0
    ljmpl $0x18, $3f
    .code64
3:  mov $0x300000, %esp
    mov $0x103000, %edi         /* IDT: 32 gates to the stubs, which are 16 bytes each */
    mov $stubs, %eax
    mov $32, %ecx
4:  mov %ax, (%rdi)
    movl $0x8e000018, 2(%rdi)   /* selector; interrupt gate */
    mov %eax, %edx
    shr $16, %edx
    mov %dx, 6(%rdi)
    add $16, %edi
    add $16, %eax
    loop 4b
    lidt idtr
    call main
5:  mov $0x8900, %edx
    mov $bye, %esi
    mov $8, %ecx
    rep outsb
    hlt
    jmp 5b
bye:
    .ascii "Shutdown"
    .balign 8
gdt:
    .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00af9a000000ffff
gdtr:
    .word 31
    .long gdt
idtr:
    .word 32 * 16 - 1
    .quad 0x103000

    .text
    .balign 16
stubs:
    .rept 32
    .balign 16
    mov $(. - stubs) / 16, %eax
    jmp fault
    .endr
fault:
    mov waiting, %rsp
    cmpq $0, waiting
    je 5b                       /* nobody waits: an end without a plan says enough */
    movq $0, waiting
    jmp leave

/* int attempt(void (*f)(void *), void *arg): the vector of the exception f raises, or -1 */
    .globl attempt
attempt:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, waiting
    mov %rdi, %rax
    mov %rsi, %rdi
    call *%rax
    movq $0, waiting
    mov $-1, %eax
leave:
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
    .bss
    .balign 8
waiting:
    .quad 0
    .section .note.GNU-stack, "", @progbits
