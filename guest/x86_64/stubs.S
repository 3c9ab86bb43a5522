/*
 * Instruction stubs, one instruction of interest each, at the stub's own address so that a fault's RIP can be
 * checked. They live in .user: CPL 3 runs the very same bytes. RDI = scratch memory (struct scratch, stubs.h).
 */
#include "guest/x86_64/hypercall.inc"
#include "layout.h"
    .section .user, "ax"

    .macro STUB name, insn:vararg
    .globl insn_\name
insn_\name:
    \insn
    ret
    .endm

/* x87, MMX */
    STUB fnop, fnop
    STUB fninit, fninit
    STUB fnstcw, fnstcw 3072(%rdi)
    STUB fldcw, fldcw (%rdi)
    STUB fwait, fwait
    STUB fldz, fldz
    STUB mmx, movd %eax, %mm0
    STUB emms, emms

/* ST0 = 1/0 with ZM = 0: the exception is pending when this returns. */
    .globl insn_x87_pending
insn_x87_pending:
    push $0x37b
    fldcw (%rsp)
    pop %rax
    fld1
    fldz
    fdivrp
    ret
    STUB fldl, fldl (%rdi)

/* SSE */
    .globl insn_divps_setup
insn_divps_setup:
    movups one(%rip), %xmm0
    xorps %xmm1, %xmm1
    ret
    STUB divps, divps %xmm1, %xmm0
    .balign 4
one:
    .long 0x3f800000, 0x3f800000, 0x3f800000, 0x3f800000
    STUB movups_load, movups (%rdi), %xmm0
    STUB movups_store, movups %xmm0, 3072(%rdi)
    STUB addps, addps %xmm1, %xmm0
    STUB paddd, paddd %xmm1, %xmm0
    STUB pxor_xmm3, pxor %xmm3, %xmm3
    STUB ldmxcsr, ldmxcsr 24(%rdi)
    STUB stmxcsr, stmxcsr 3072(%rdi)
    STUB fxsave, fxsave64 (%rdi)
    STUB fxrstor, fxrstor64 (%rdi)
    STUB movnti, movnti %rax, 3072(%rdi)
    STUB sfence, sfence
    STUB popcnt, popcnt %rdi, %rax

/* VEX */
    STUB vmovups_load, vmovups (%rdi), %ymm0
    STUB vmovups_store, vmovups %ymm0, 3072(%rdi)
    STUB vaddps, vaddps %ymm1, %ymm0, %ymm0
    STUB vpxor_xmm5, vpxor %xmm5, %xmm5, %xmm5
    STUB vzeroupper, vzeroupper
    STUB vldmxcsr, vldmxcsr 24(%rdi)
    STUB vpxord_zmm20, vpxord %zmm20, %zmm20, %zmm20
    STUB kxnorw_k3, kxnorw %k3, %k3, %k3
    STUB kmovw, kmovw %k3, %eax
    STUB vmovups_zmm_load, vmovups (%rdi), %zmm0
    STUB vmovups_zmm_store, vmovups %zmm0, (%rdi)
    STUB vaddps_zmm, vaddps %zmm17, %zmm16, %zmm16

/* AMX */
    STUB ldtilecfg, ldtilecfg 3136(%rdi)
    STUB sttilecfg, sttilecfg 3200(%rdi)
    STUB tilerelease, tilerelease
    STUB tilezero, tilezero %tmm1
    STUB tdpbssd, tdpbssd %tmm2, %tmm1, %tmm0
    STUB tdpbf16ps, tdpbf16ps %tmm2, %tmm1, %tmm0
/* Two operands are one register, which assemblers refuse: VEX.128.F2.0F38.W0 5E /r, ModRM.reg, ModRM.rm, VEX.vvvv. */
    .macro TDPBSSD name, c, a, b
    STUB \name, .byte 0xc4, 0xe2, 0x03 | (15 - \b) << 3, 0x5e, 0xc0 | \c << 3 | \a
    .endm
    TDPBSSD tdp_a_is_b, 0, 1, 1
    TDPBSSD tdp_a_is_c, 0, 0, 1
    TDPBSSD tdp_b_is_c, 0, 1, 0
    STUB tileload_tmm5, tileloadd (%rdi,%rdx), %tmm5
    STUB andn, andn %rdi, %rdi, %rax

/*
 * Those that take a mask in EDX:EAX get it ready behind a jump-free prologue; insn_NAME_at is the instruction. XSAVE's
 * leave the tiles out: they have scenarios of their own.
 */
    .macro STUB_MASKED name, high, low, index, insn:vararg
    .globl insn_\name, insn_\name\()_at
insn_\name:
    mov \high, %edx
    mov \low, %eax
    mov \index, %ecx
insn_\name\()_at:
    \insn
    ret
    .endm

    STUB_MASKED xsave, $-1, $~0x60000, $0, xsave64 (%rdi)
    STUB_MASKED xsaveopt, $-1, $~0x60000, $0, xsaveopt64 (%rdi)
    STUB_MASKED xsavec, $-1, $~0x60000, $0, xsavec64 (%rdi)
    STUB_MASKED xsaves, $-1, $~0x60000, $0, xsaves64 (%rdi)
    STUB_MASKED xrstor, $-1, $~0x60000, $0, xrstor64 (%rdi)
    STUB_MASKED xrstors, $-1, $~0x60000, $0, xrstors64 (%rdi)
    STUB_MASKED xrstor_tiles, $0, $0x60000, $0, xrstor64 (%rdi)
    STUB_MASKED tileloadd, $0, $64, $0, tileloadd (%rdi,%rax), %tmm1
    STUB_MASKED tilestored, $0, $64, $0, tilestored %tmm1, (%rdi,%rax)
    STUB_MASKED xgetbv, $0, $0, $0, xgetbv
    STUB_MASKED xgetbv1, $0, $0, $1, xgetbv
    STUB_MASKED xgetbv2, $0, $0, $2, xgetbv
    STUB_MASKED xsetbv, 3092(%rdi), 3088(%rdi), 3096(%rdi), xsetbv
    STUB_MASKED xsetbv_zero, $0, $0, $0, xsetbv
    STUB_MASKED rdpkru, $0, $0, $0, rdpkru
    STUB_MASKED wrpkru, $0, 3088(%rdi), $0, wrpkru
    STUB_MASKED rdmsr, $0, $0, 3096(%rdi), rdmsr
    STUB_MASKED wrmsr, 3092(%rdi), 3088(%rdi), 3096(%rdi), wrmsr
    STUB_MASKED hypercall, $0, 3088(%rdi), $0, hypercall_insn

/* SVM, VMX and other privileged instructions */
    .macro STUB_RAX name, insn:vararg
    .globl insn_\name, insn_\name\()_at
insn_\name:
    mov 3088(%rdi), %rax
insn_\name\()_at:
    \insn
    ret
    .endm
    STUB_RAX vmrun, vmrun
    STUB_RAX vmload, vmload
    STUB_RAX vmsave, vmsave
    STUB_RAX invlpga, invlpga
    STUB_RAX cr0_write, mov %rax, %cr0
    STUB stgi, stgi
    STUB clgi, clgi
    STUB skinit, skinit
    STUB vmcall, vmcall
    STUB vmmcall, vmmcall
    STUB vmxoff, vmxoff
    STUB hlt, hlt
    STUB clts, clts
    STUB cr0_read, mov %cr0, %rax
    STUB smsw, smsw %rax
    .globl insn_lmsw
insn_lmsw:
    lmsw %di
    ret
    STUB out, out %al, $0xf8
    STUB ud2, ud2
    STUB nop, nop

/* The rest is for CPL 0; u64 insn_hypercall_preserves(u64 function): 1 if every register but RAX and RDX came back, x0..xf in each. */
    .text
    /* Not in .user: with CR4.SMEP just set, CPL 0 could not fetch the RET there. */
    STUB_RAX cr4_write, mov %rax, %cr4

    .globl insn_hypercall_preserves
insn_hypercall_preserves:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rdi, %rax
    .irp r, rbx, rcx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    mov $0x0123456789abcdef, %\r
    .endr
    not %rbx
    rol $4, %rcx
    rol $8, %rbp
    rol $12, %r8
    rol $16, %r9
    rol $20, %r10
    rol $24, %r11
    rol $28, %r12
    rol $32, %r13
    rol $36, %r14
    rol $40, %r15
    hypercall_insn
    not %rbx
    ror $4, %rcx
    ror $8, %rbp
    ror $12, %r8
    ror $16, %r9
    ror $20, %r10
    ror $24, %r11
    ror $28, %r12
    ror $32, %r13
    ror $36, %r14
    ror $40, %r15
    mov $1, %eax
    mov $0x0123456789abcdef, %rdx
    .irp r, rbx, rcx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    cmp %rdx, %\r
    je 1f
    xor %eax, %eax
1:
    .endr
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
