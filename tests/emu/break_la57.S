/*
 * void enter_la57(u32 pml5): from 4-level to 5-level paging under running firmware. CR4.LA57 cannot change while
 * paging is on (SDM 3A, 4.1.2), nor can paging be off in 64-bit mode: so through 32-bit code, which is why this
 * program, its stack and the table must be below 4 GiB.
 */
    .text
    .globl enter_la57
enter_la57:
    pushfq
    cli
    pushq %rbx
    sgdt firmware_gdt(%rip)
    movw %cs, firmware_cs(%rip)
    leaq gdt(%rip), %rax
    movq %rax, own_gdt + 2(%rip)
    lgdt own_gdt(%rip)
    leaq back(%rip), %rbx
    leaq without_paging(%rip), %rax
    pushq $0x08
    pushq %rax
    lretq

    .code32
without_paging:
    movl %cr0, %eax
    andl $0x7fffffff, %eax
    movl %eax, %cr0
    movl %cr4, %eax
    orl $0x1000, %eax
    movl %eax, %cr4
    movl %edi, %cr3
    movl %cr0, %eax
    orl $0x80000000, %eax
    movl %eax, %cr0
    pushl $0x10
    pushl %ebx
    lret

    .code64
back:
    lgdt firmware_gdt(%rip)
    movzwl firmware_cs(%rip), %eax
    pushq %rax
    leaq 1f(%rip), %rax
    pushq %rax
    lretq
1:  popq %rbx
    popfq
    ret

    .data
    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff /* 0x08: 32-bit code */
    .quad 0x00af9b000000ffff /* 0x10: 64-bit code */
own_gdt:
    .short 3 * 8 - 1
    .quad 0
firmware_gdt:
    .short 0
    .quad 0
firmware_cs:
    .short 0

    .section .note.GNU-stack, "", %progbits
