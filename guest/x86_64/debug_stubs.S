/*
 * Stubs that set RFLAGS.TF and run one instruction: the #DB has to come right behind it, also when
 * a hypervisor did the instruction. 3088(%rdi) is scratch.value, 3096(%rdi) scratch.index.
 */
#include "guest/x86_64/hypercall.inc"
    .text

    .macro STEP name, insn:vararg
    .globl step_\name, step_\name\()_next
step_\name:
    mov     3088(%rdi), %rax
    mov     3096(%rdi), %ecx
    mov     3096(%rdi), %edx
    pushfq
    orq     $0x100, (%rsp)
    popfq
    \insn
step_\name\()_next:
    nop
    pushfq
    andq    $~0x100, (%rsp)
    popfq
    ret
    .endm

    STEP nop, nop
    STEP cpuid, cpuid
    STEP rdmsr, rdmsr
    STEP in, in %dx, %al
    STEP out, out %al, %dx
    STEP read_cr0, mov %cr0, %rax
    STEP read_cr4, mov %cr4, %rax
    STEP write_cr0, mov %rax, %cr0
    STEP write_cr4, mov %rax, %cr4
    STEP wbinvd, wbinvd
    STEP vmmcall, hypercall_insn
    STEP fld1, fld1
    STEP sti, sti

    .globl debug_here
debug_break:
    .globl debug_break
    nop
debug_here:
    nop
    ret

    .section .note.GNU-stack, "", @progbits
