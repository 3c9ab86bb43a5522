/*
 * The operations arith checks, in three steps so that the vCPU can be away in between: operands into registers, the
 * operation register to register, the result to memory.
 */
    /* Several instructions are one quoted argument: a bare ";" would end the macro call. */
    .text
    .macro OP name, insns
    .globl op_\name
op_\name:
    \insns
    ret
    .endm

/* void arith_load_x87(a, b): a in ST1, b in ST0 (10 bytes each). */
    OP load_x87, "fldt (%rdi); fldt (%rsi)"
    OP store_x87, "fstpt (%rdx); fninit"
/* Encoded by hand: assemblers disagree about the operand order of the popping forms. All are ST1 := ST1 op ST0. */
    OP fadd, ".byte 0xde, 0xc1"
    OP fsub, ".byte 0xde, 0xe9"
    OP fmul, ".byte 0xde, 0xc9"
    OP fdiv, ".byte 0xde, 0xf9"
    OP fsqrt, "fsqrt"
/* Known constants and functions; operands as loaded. */
    OP fldpi, "fldpi"
    OP fldl2e, "fldl2e"
    OP fldl2t, "fldl2t"
    OP fldlg2, "fldlg2"
    OP fldln2, "fldln2"
    OP fpatan, "fpatan"
    OP fyl2x, "fxch; fyl2x"
    OP f2xm1, "f2xm1"
    OP fscale, "fxch; fscale"
    OP fprem, "fxch; fprem"
    OP frndint, "frndint"
    OP fcos, "fcos"
    OP fsin, "fsin"

/* a in XMM0, b in XMM1 */
    OP load_sse, "movups (%rdi), %xmm0; movups (%rsi), %xmm1"
    OP store_sse, "movups %xmm0, (%rdx)"
    .irp insn, addpd, subpd, mulpd, divpd, addps, subps, mulps, divps, paddd, psubb, pmuludq, pmaddwd, psadbw, pshufb
    .globl op_\insn
op_\insn:
    \insn %xmm1, %xmm0
    ret
    .endr
    OP sqrtpd, "sqrtpd %xmm1, %xmm0"
    OP sqrtps, "sqrtps %xmm1, %xmm0"

/* a in YMM0, b in YMM1, and for FMA c in YMM2 (a * b + c) */
    OP load_avx, "vmovups (%rdi), %ymm0; vmovups (%rsi), %ymm1"
    OP load_fma, "vmovups (%rdi), %ymm0; vmovups (%rsi), %ymm1; vmovups (%rcx), %ymm2"
    OP store_avx, "vmovups %ymm0, (%rdx)"
    .irp insn, vaddpd, vsubpd, vmulpd, vdivpd, vaddps, vsubps, vmulps, vdivps, vpaddq, vpmulld, vpmaxub, vpsubw
    .globl op_\insn
op_\insn:
    \insn %ymm1, %ymm0, %ymm0
    ret
    .endr
    OP vsqrtpd, "vsqrtpd %ymm1, %ymm0"
    OP vsqrtps, "vsqrtps %ymm1, %ymm0"
    OP vpermd, "vpermd %ymm0, %ymm1, %ymm0"
    OP vfmadd_pd, "vfmadd213pd %ymm2, %ymm1, %ymm0"
    OP vfmadd_ps, "vfmadd213ps %ymm2, %ymm1, %ymm0"
