/*
 * Exception and interrupt entries, and the way from the firmware's stack to ours. One stub per
 * vector, 16 bytes apart, pushes what the CPU did not: the frame is struct exception_frame of
 * exceptions.c for every vector.
 */
    .text

    .macro stub vector
    .balign 16
    .if !(\vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17 || \vector == 21 || \
          \vector == 29 || \vector == 30)
    push    $0                  /* no error code: keep the frame's shape */
    .endif
    push    $\vector
    jmp     exception_common
    .endm

    .globl  exception_stubs
    .balign 16
exception_stubs:
    .altmacro
    .set    i, 0
    .rept   32
    stub    %i
    .set    i, i + 1
    .endr
    .noaltmacro

exception_common:
    cld
    push    %r15
    push    %r14
    push    %r13
    push    %r12
    push    %r11
    push    %r10
    push    %r9
    push    %r8
    push    %rdi
    push    %rsi
    push    %rbp
    push    %rbx
    push    %rdx
    push    %rcx
    push    %rax
    mov     %rsp, %rdi
    and     $-16, %rsp
    call    exception_handle    /* returns for NMI, #DB and a probe only */
    mov     %rax, %rsp          /* it gives the frame back */
    pop     %rax
    pop     %rcx
    pop     %rdx
    pop     %rbx
    pop     %rbp
    pop     %rsi
    pop     %rdi
    pop     %r8
    pop     %r9
    pop     %r10
    pop     %r11
    pop     %r12
    pop     %r13
    pop     %r14
    pop     %r15
    add     $16, %rsp
    iretq

/* The timer only ends a quantum: the run loop looks at the flag. */
    .macro interrupt name, handler
    .globl  \name
    .balign 16
\name:
    cld
    push    %rax
    push    %rcx
    push    %rdx
    push    %rsi
    push    %rdi
    push    %r8
    push    %r9
    push    %r10
    push    %r11
    call    \handler
    pop     %r11
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rdi
    pop     %rsi
    pop     %rdx
    pop     %rcx
    pop     %rax
    iretq
    .endm

    interrupt timer_entry, apic_timer_interrupt
    interrupt stray_entry, apic_stray_interrupt

/* The APIC's spurious vector wants no EOI. */
    .globl  spurious_entry
    .balign 16
spurious_entry:
    iretq

/* bool exceptions_probe_store(void *to): its first instruction may fault (exceptions.c) */
    .globl  exceptions_probe_store, exceptions_probe_faulted
exceptions_probe_store:
    movb    $0, (%rdi)
    xor     %eax, %eax
    ret
exceptions_probe_faulted:
    mov     $1, %eax
    ret

/* void gdt_activate(const void *gdtr, const void *idtr): ours, with reloaded selectors. */
    .globl  gdt_activate
gdt_activate:
    lgdt    (%rdi)
    lidt    (%rsi)
    mov     $0x10, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    xor     %eax, %eax
    mov     %eax, %fs
    mov     %eax, %gs
    lldt    %ax
    mov     $0x18, %eax
    ltr     %ax
    pop     %rax
    push    $0x08
    push    %rax
    lretq

/* _Noreturn void stack_switch(struct pcpu *cpu, u64 top) */
    .globl  stack_switch
stack_switch:
    mov     %rsi, %rsp
    xor     %ebp, %ebp          /* a backtrace ends here */
    push    $0
    push    %rbp
    mov     %rsp, %rbp
    call    hv_main_on_stack
    ud2

    .section .note.GNU-stack, "", @progbits
