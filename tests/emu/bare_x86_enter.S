/*
 * From the firmware's 64-bit world to the state in which PVH starts a kernel: 32-bit, paging off, CR4 = 0, and every FP
 * register as after power-on (the firmware has used them). Position independent: it is copied below 4 GiB.
 */
    .section .rodata
    .globl bare_enter, bare_enter_end
    .hidden bare_enter
    .hidden bare_enter_end
    .balign 64
/* bare_enter(EDI = entry, ESI = start info) */
bare_enter:
    cli
    lea gdt(%rip), %rax
    mov %rax, gdtr + 2(%rip)
    mov %esi, %ebp
    mov $1, %eax
    cpuid
    mov %ecx, %r8d
    mov %cr4, %rax
    or $0x200, %eax                 /* OSFXSR */
    mov %rax, %cr4
    fninit
    lea area(%rip), %rsi
    bt $26, %r8d                    /* XSAVE */
    jnc no_xsave
    mov %cr4, %rax
    bts $18, %rax
    mov %rax, %cr4
    mov $0xd, %eax
    xor %ecx, %ecx
    cpuid                           /* EDX:EAX: all of XCR0 */
    xor %ecx, %ecx
    xsetbv
    mov $-1, %eax
    mov $-1, %edx
    xrstor (%rsi)                   /* XSTATE_BV = 0: everything to INIT */
    xor %edx, %edx
    xor %ecx, %ecx
    mov $1, %eax
    xsetbv
    jmp fp_done
no_xsave:
    fxrstor (%rsi)
fp_done:
    lgdt gdtr(%rip)
    lea protected(%rip), %rax
    push $8
    push %rax
    lretq
    .code32
protected:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
    mov $0x11, %eax                 /* PE, ET */
    mov %eax, %cr0
    xor %eax, %eax
    mov %eax, %cr4
    mov $0xc0000080, %ecx           /* EFER */
    xor %edx, %edx
    wrmsr
    mov %ebp, %ebx
    jmp *%edi
    .code64

    .balign 8
gdt:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr:
    .word 23
    .quad 0
    .balign 64
area:                               /* an XSAVE area, or an FXSAVE area: FCW, MXCSR */
    .short 0x37f
    .skip 22
    .long 0x1f80
    .skip 832 - 28
bare_enter_end:
    .section .note.GNU-stack, "", %progbits
