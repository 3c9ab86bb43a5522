/* u64 gpr_hold(u64 turns, u64 pattern): every general register but RCX (the count) and RSP carries its own value. */
    .text
    .globl gpr_hold
gpr_hold:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rsi                       /* 0(%rsp): the pattern */
    mov %rdi, %rcx
    mov %rsi, %rax
    .set i, 1
    .irp r, rbx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    lea i(%rax), %\r
    rol $i, %\r
    .set i, i + 1
    .endr
    std                             /* a flag nobody expects: DF */
1:  pause
    dec %rcx
    jnz 1b
    mov $1, %ecx                    /* the verdict */
    pushf
    testl $0x400, (%rsp)
    jnz 2f
    xor %ecx, %ecx
2:  add $8, %rsp
    cld
    cmp (%rsp), %rax
    je 3f
    xor %ecx, %ecx
3:
    .set i, 1
    .irp r, rbx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    ror $i, %\r
    sub (%rsp), %\r
    cmp $i, %\r
    je 4f
    xor %ecx, %ecx
4:
    .set i, i + 1
    .endr
    mov %ecx, %eax
    pop %rsi
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
