/* 32-bit code of 64-bit mode's kernel: the x87 pointers it leaves have selectors. */
#include "guest/x86_64/hypercall.inc"
#include "layout.h"
    .text
/* Into 32-bit code at 1f; RSP is below 4 GiB. */
    .macro ENTER_COMPAT
    push $SEL_CODE32
    lea 1f(%rip), %rax
    push %rax
    lretq
    .code32
1:  mov $SEL_DATA, %eax             /* IRETQ to CPL 3 takes it away */
    mov %eax, %ds
    .endm
    .macro LEAVE_COMPAT
    ljmp $SEL_CODE64, $2f
    .code64
2:  ret
    .endm

    .globl compat_fld, compat_fld_at, compat_div_at, compat_fxsave
/* compat_fld(RDI = a double, RSI: divide by zero, unmasked) */
compat_fld:
    ENTER_COMPAT
    fninit
    test %esi, %esi
    jz compat_fld_at
    push $0x37b
    fldcw (%esp)
    pop %eax
    fld1
    fldz
compat_div_at:
    fdivrp
    jmp 3f
compat_fld_at:
    fldl (%edi)
3:  LEAVE_COMPAT

compat_fxsave:
    ENTER_COMPAT
    fxsave (%edi)
    LEAVE_COMPAT

/* compat_hypercall(RDI = function, argument 0): leaves while the CPU is in 32-bit code. */
    .globl compat_hypercall
compat_hypercall:
    push %rbx
    push %rsi
    ENTER_COMPAT
    mov %edi, %eax
    xor %edi, %edi
    xor %esi, %esi
    hypercall_insn
    ljmp $SEL_CODE64, $4f
    .code64
4:  pop %rsi
    pop %rbx
    ret
