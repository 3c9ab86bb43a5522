/*
 * The hypercall instruction in assembly: VMMCALL as assembled, VMCALL once platform.c has found an
 * Intel CPU. Each place is listed in .hypercalls, and both are three bytes that differ in the last.
 */
.macro hypercall_insn 7777 : vmmcall.pushsection.hypercalls, "a".quad 7777b.popsection.endm
