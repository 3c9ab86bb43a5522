/*
 * Exception entry, and the two ways to run a stub that is allowed to fault: try_call (CPL 0) and try_user
 * (CPL 3). A fault ends the stub: the handler records it and resumes behind the call.
 */
#include "layout.h"

    .text
    .macro VECTOR number, has_error
vector_\number:
    .if !\has_error
    push $0
    .endif
    push $\number
    jmp common
    .pushsection .rodata
    .quad vector_\number
    .popsection
    .endm

    .section .rodata
    .balign 8
    .globl vector_table
vector_table:
    .text
    .altmacro
    .macro ALL_VECTORS
    .set i, 0
    .rept 32
    /* Vectors with an error code: #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX. */
    .if (i == 8) || ((i >= 10) && (i <= 14)) || (i == 17) || (i == 21) || (i == 29) || (i == 30)
    VECTOR %i, 1
    .else
    VECTOR %i, 0
    .endif
    .set i, i + 1
    .endr
    .endm
    ALL_VECTORS
    VECTOR 48, 0                    /* VECTOR_USER_EXIT */

common:
    push %rax
    push %rcx
    push %rdx
    push %rbx
    push %rbp
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    cld
    mov %rsp, %rdi
    mov %rsp, %rbp
    and $-16, %rsp
    call trap
    mov %rbp, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rbp
    pop %rbx
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    iretq

    .macro TRY_ENTER
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, TRY_RSP(%rdi)
    movl $1, TRY_ARMED(%rdi)
    .endm

/* u64 try_call(struct try *, stub, arg): 0 = the stub returned; RAX of the stub is lost. */
    .globl try_call
try_call:
    TRY_ENTER
    push %rdi
    mov %rdx, %rdi
    call *%rsi
    pop %rdi
    movl $0, TRY_ARMED(%rdi)
    xor %eax, %eax
/* The handler comes here with RSP = try.rsp and RAX = 1 after a fault. */
    .globl try_resume
try_resume:
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/* u64 try_user(struct try *, stub, arg, u64 *tss_rsp0, user stack top): the same at CPL 3. */
    .globl try_user
try_user:
    TRY_ENTER
    mov %rsp, (%rcx)
    andq $-16, (%rcx)
    sub $8, %r8
    lea user_exit(%rip), %rax
    mov %rax, (%r8)                 /* the stub returns to user_exit */
    push $SEL_UDATA
    push %r8
    pushfq
    push $SEL_UCODE
    push %rsi
    mov %rdx, %rdi
    iretq

    .section .user, "ax"
user_exit:
    int $VECTOR_USER_EXIT
