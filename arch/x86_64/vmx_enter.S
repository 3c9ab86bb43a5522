/*
 * The world switch of VMX.
 *
 *   enum vcpu_event vmx_loop(struct vcpu *v)     until an exit wants the scheduler
 *   bool vmx_enter(struct arch_vcpu *a)          once, for the self-test; false: no entry
 *
 * VMLAUNCH and VMRESUME exchange RSP, RIP, RFLAGS, CR0, CR3, CR4, DR7, EFER, PAT, the segments and
 * the SYSENTER MSRs; the fifteen other registers move here. CR2, DR0-3, DR6, KERNEL_GS_BASE and the
 * syscall MSRs stay in the CPU until another vCPU arrives (vmx.c): the hypervisor uses none of
 * them. FP registers never move: they are the gate's business.
 */
#include "gpr.inc"

#define HOST_RSP_CACHE 144
#define LAUNCHED       152
#define FIELD_HOST_RSP 0x6c14
#define FIELD_HOST_RIP 0x6c16

    .macro save_callee
    push    %rbp
    mov     %rsp, %rbp              /* for backtraces */
    push    %rbx
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    push    %rdi
    .endm

    .macro restore_callee
    add     $8, %rsp
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbx
    pop     %rbp
    ret
    .endm

    .text
    .globl  vmx_loop
    .balign 16
vmx_loop:
    save_callee
    /* An exit continues with this stack; where it is changes with the caller only. */
    cmp     %rsp, HOST_RSP_CACHE(%rdi)
    je      1f
    mov     %rsp, HOST_RSP_CACHE(%rdi)
    mov     $FIELD_HOST_RSP, %eax
    vmwrite %rsp, %rax
1:
    cmpb    $0, LAUNCHED(%rdi)      /* the moves leave the flags alone */
    mov     REG(0), %rax
    gprs_load
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
    gprs_save
    pop     %rcx
    mov     %rcx, REG(7)
    lea     48(%rsp), %rbp          /* the guest's was there */
    call    vmx_exit
    test    %eax, %eax              /* VCPU_RESUME is 0 (svm.c checks) */
    mov     (%rsp), %rdi
    jz      1b
4:  restore_callee

    .globl  vmx_enter
    .balign 16
vmx_enter:
    save_callee
    mov     $FIELD_HOST_RSP, %eax
    vmwrite %rsp, %rax
    lea     5f(%rip), %rcx
    mov     $FIELD_HOST_RIP, %eax
    vmwrite %rcx, %rax
    cmpb    $0, LAUNCHED(%rdi)
    mov     REG(0), %rax
    gprs_load
    mov     REG(7), %rdi
    je      1f
    vmresume
    jmp     2f
1:  vmlaunch
2:  xor     %eax, %eax
    restore_callee
    .balign 16
5:  push    %rdi                    /* the guest's */
    mov     8(%rsp), %rdi
    mov     %rax, REG(0)
    gprs_save
    pop     REG(7)
    movb    $1, LAUNCHED(%rdi)
    mov     $1, %eax
    restore_callee

    .section .note.GNU-stack, "", @progbits
