/* The tile instructions, each function a group of one of them. AMX has no register-indirect forms: a function per tile. */
    .text
    .altmacro
    .macro FUNCTION name
    .globl \name
\name:
    .endm

    .macro TILE_LOAD n
    tileloadd \n * 1024(%rdi,%rax), %tmm\n
    .endm
    .macro TILE_STORE n
    tilestored %tmm\n, \n * 1024(%rdi,%rax)
    .endm
    .macro TILE_ZERO n
    tilezero %tmm\n
    .endm
/* Those of the tiles in the mask, in ESI. RAX: bytes from row to row. */
    .macro MASKED name, insn
FUNCTION \name
    mov $64, %eax
    .set i, 0
    .rept 8
    bt $i, %esi
    jnc 1f
    \insn %i
1:
    .set i, i + 1
    .endr
    ret
    .endm

FUNCTION tile_ldcfg
    ldtilecfg (%rdi)
    ret
FUNCTION tile_stcfg
    sttilecfg (%rdi)
    ret
FUNCTION tile_release
    tilerelease
    ret
    MASKED tile_load, TILE_LOAD
    MASKED tile_store, TILE_STORE
FUNCTION tile_zero
    mov %edi, %esi
    MASKED tile_zero_masked, TILE_ZERO

/* tile_dots[2 * enum dot + set], 16 bytes each */
    .balign 16
FUNCTION tile_dots
    .irp insn, tdpbssd, tdpbsud, tdpbusd, tdpbuud, tdpbf16ps
    .balign 16
    \insn %tmm2, %tmm1, %tmm0
    ret
    .balign 16
    \insn %tmm5, %tmm6, %tmm7
    ret
    .endr
