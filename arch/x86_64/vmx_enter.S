/*
 * The world switch of VMX.
 *
 *   enum vcpu_event vmx_loop(struct vcpu *v)     until an exit wants the scheduler
 *
 * VMLAUNCH and VMRESUME exchange RSP, RIP, RFLAGS, CR0, CR3, CR4, DR7, EFER, PAT, the segments and
 * the SYSENTER MSRs; the fifteen other registers move here. CR2, DR0-3, DR6, KERNEL_GS_BASE and the
 * syscall MSRs stay in the CPU until another vCPU arrives (vmx.c): the hypervisor uses none of
 * them. FP registers never move: they are the gate's business.
 */
#define REG(n)    (8 * n)(%rdi)
#define HOST_RSP_CACHE 144
#define LAUNCHED       152
#define FIELD_HOST_RSP 0x6c14

    .text
    .globl  vmx_loop
    .balign 16
vmx_loop:
    push    %rbp
    mov     %rsp, %rbp              /* for backtraces */
    push    %rbx
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    push    %rdi
    /* An exit continues with this stack; where it is changes with the caller only. */
    cmp     %rsp, HOST_RSP_CACHE(%rdi)
    je      1f
    mov     %rsp, HOST_RSP_CACHE(%rdi)
    mov     $FIELD_HOST_RSP, %eax
    vmwrite %rsp, %rax
1:
    cmpb    $0, LAUNCHED(%rdi)      /* the moves leave the flags alone */
    mov     REG(0), %rax
    mov     REG(1), %rcx
    mov     REG(2), %rdx
    mov     REG(3), %rbx
    mov     REG(5), %rbp
    mov     REG(6), %rsi
    mov     REG(8), %r8
    mov     REG(9), %r9
    mov     REG(10), %r10
    mov     REG(11), %r11
    mov     REG(12), %r12
    mov     REG(13), %r13
    mov     REG(14), %r14
    mov     REG(15), %r15
    mov     REG(7), %rdi
    je      2f
    vmresume
    jmp     3f
2:  vmlaunch
3:  /* Only a refused entry comes here: no guest register has changed. */
    lea     48(%rsp), %rbp
    mov     (%rsp), %rdi
    call    vmx_entry_failed
    jmp     4f

    .globl  vmx_exit_entry
    .balign 16
vmx_exit_entry:
    push    %rdi                    /* the guest's */
    mov     8(%rsp), %rdi
    mov     %rax, REG(0)
    mov     %rcx, REG(1)
    mov     %rdx, REG(2)
    mov     %rbx, REG(3)
    mov     %rbp, REG(5)
    mov     %rsi, REG(6)
    mov     %r8, REG(8)
    mov     %r9, REG(9)
    mov     %r10, REG(10)
    mov     %r11, REG(11)
    mov     %r12, REG(12)
    mov     %r13, REG(13)
    mov     %r14, REG(14)
    mov     %r15, REG(15)
    pop     %rcx
    mov     %rcx, REG(7)
    lea     48(%rsp), %rbp          /* the guest's was there */
    call    vmx_exit
    test    %eax, %eax              /* VCPU_RESUME is 0 (svm.c checks) */
    mov     (%rsp), %rdi
    jz      1b
4:  add     $8, %rsp
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbx
    pop     %rbp
    ret

    .section .note.GNU-stack, "", @progbits
