/*
 * One instruction of each class the gate must stop, as guest code for the self-test (selftest_gate.c):
 * the instruction, then VMMCALL, which exits with SVM and is #UD with VMX. RDI is a 64-byte aligned buffer of 1 KiB that
 * holds a valid XSAVE image, RAX and RDX are 0 unless the test says otherwise.
 */
#include "selftest_buffer.h"

    .text

    .macro class name, instruction:vararg
    .globl  selftest_\name
    .balign 16
selftest_\name:
    \instruction
    vmmcall
    .endm

    /* Behind CR0.TS. */
    class   x87, fld1
    class   fnstcw, fnstcw (%rdi)
    class   fwait, fwait
    class   mmx, movd %eax, %mm0
    class   emms, emms
    class   sse, movups (%rdi), %xmm0
    class   sse_int, pxor %xmm1, %xmm1
    class   ldmxcsr, ldmxcsr 24(%rdi)
    class   fxsave, fxsave64 (%rdi)
    class   fxrstor, fxrstor64 (%rdi)

    /* Behind CR4.OSXSAVE. */
    class   avx, vmovups (%rdi), %ymm0
    class   xsave, xsave64 (%rdi)
    class   xsaveopt, xsaveopt64 (%rdi)
    class   xsavec, xsavec64 (%rdi)
    class   xsaves, xsaves64 (%rdi)
    class   xrstor, xrstor64 (%rdi)
    class   xrstors, xrstors64 (%rdi)   /* #GP, behind the open gate: no compacted image */
    class   xgetbv, xgetbv
    class   xgetbv1, xgetbv
    class   evex, vmovups (%rdi), %zmm16
    class   kmov, kmovw %eax, %k1
    /* In this order: the first leaves three tiles configured, the last takes it away. */
    class   tile_ldcfg, ldtilecfg TILECFG(%rdi)
    class   tile_zero, tilezero %tmm0
    class   tile_load, tileloadd (%rdi,%rcx), %tmm0
    class   tile_dp, tdpbssd %tmm2, %tmm1, %tmm0
    class   tile_store, tilestored %tmm0, (%rdi,%rcx)
    class   tile_stcfg, sttilecfg TILECFG(%rdi)
    class   tile_release, tilerelease

    /* Intercepts. */
    class   xsetbv, xsetbv
    class   read_cr0, mov %cr0, %rax
    class   smsw, smsw %eax
    class   read_cr4, mov %cr4, %rax
    class   write_cr0, mov %rax, %cr0
    class   clts, clts
    class   lmsw, lmsw %ax
    class   write_cr4, mov %rax, %cr4
    class   cpuid, cpuid
    class   rdmsr, rdmsr
    class   wrmsr, wrmsr
    class   rdtscp, rdtscp
    class   monitor, monitor
    class   mwait, mwait
    class   io, in $0x80, %al
    class   cr8, mov %cr8, %rax
    class   dr, mov %dr0, %rax
    class   hlt, hlt
    class   vmcall, vmcall
    class   vmxoff, vmxoff
    class   rdpmc, rdpmc

/* Spins until the timer takes the CPU away, which it must although the guest's IF is 0; bounded. */
    .globl  selftest_spin
    .balign 16
selftest_spin:
    dec     %rcx
    jnz     selftest_spin
    vmmcall

/* 32-bit protected mode without paging: a jump to the TSS at selector 0x18, whose EIP is the VMMCALL. */
    .globl  selftest_task, selftest_task_target
    .balign 16
    .code32
selftest_task:
    ljmp    $0x18, $0
selftest_task_target:
    vmmcall
    .code64

    .section .note.GNU-stack, "", @progbits
