/*
 * The world switch of SVM.
 *
 *   enum vcpu_event svm_loop(struct vcpu *v, u64 host_vmcb_pa)   until an exit wants the scheduler
 *   void svm_enter(struct arch_vcpu *a, u64 host_vmcb_pa)        once, for the self-test
 *
 * VMRUN itself exchanges RAX, RSP, RIP, RFLAGS, CR0-4, EFER and the segments it needs; VMLOAD and
 * VMSAVE move FS, GS, TR, LDTR and the syscall MSRs; the fourteen other registers move here. FP
 * registers never do: they are the gate's business.
 *
 * GIF is 0 from CLGI to STGI, but while the guest runs: so an NMI never meets a TR that is the
 * guest's (exceptions.c). IF is 1 for VMRUN, because with V_INTR_MASKING it is the hypervisor's
 * IF that decides whether a physical interrupt ends the guest's run.
 */
#include "gpr.inc"

#define VMCB_PA 136

    .macro enter_guest              /* RDI: struct arch_vcpu */
    clgi
    sti
    mov     VMCB_PA(%rdi), %rax
    vmload  %rax
    gprs_load
    mov     REG(7), %rdi
    vmrun   %rax
    .endm

    .macro leave_guest              /* (%rsp): struct arch_vcpu, 8(%rsp): host_vmcb_pa */
    vmsave  %rax
    mov     %rdi, %rax              /* the guest's */
    mov     (%rsp), %rdi
    mov     %rax, REG(7)
    gprs_save
    mov     8(%rsp), %rax
    vmload  %rax                    /* TR is ours again: now an NMI may come */
    cli
    stgi
    .endm

    .macro save_callee
    push    %rbp
    mov     %rsp, %rbp              /* for backtraces */
    push    %rbx
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    push    %rbp                    /* the guest's lands in RBP: found again here */
    push    %rsi
    push    %rdi
    .endm

    .macro restore_callee
    add     $24, %rsp
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbx
    pop     %rbp
    ret
    .endm

    .text
    .globl  svm_loop
    .balign 16
svm_loop:
    save_callee
1:  enter_guest
    leave_guest
    mov     16(%rsp), %rbp
    call    svm_exit
    test    %eax, %eax              /* VCPU_RESUME is 0 (svm.c checks) */
    mov     (%rsp), %rdi
    jz      1b
    restore_callee

    .globl  svm_enter
    .balign 16
svm_enter:
    save_callee
    enter_guest
    leave_guest
    restore_callee

    .section .note.GNU-stack, "", @progbits
