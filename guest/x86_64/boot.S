/*
 * From the boot protocols to 64-bit C: PVH for vCPU 0 (32-bit protected mode, paging off, EBX = start info),
 * SIPI for the others (real mode at TRAMPOLINE). No FP instruction here: the reset values must still be there
 * when the reset scenario looks.
 */
#include "layout.h"

    .section .note.Xen, "a", @note
    .long 4, 8, 18                  /* name, descriptor bytes, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad pvh_start

    .text
    .code32
    .globl pvh_start
pvh_start:
    cli
    cld
    mov %ebx, boot_start_info
    mov %cr0, %eax
    mov %eax, boot_cr0
    mov %cr4, %eax
    mov %eax, boot_cr4
    mov $cpu_blocks + STACK_BYTES, %esp
    call build_page_tables
    xor %ebp, %ebp                  /* vCPU index */
    jmp enter_long_mode

/*
 * Identity map of 4 GiB: 4 KiB pages below 4 MiB (only .user and .user_bss with U/S = 1), 2 MiB above.
 */
build_page_tables:
    movl $pdpt + 7, pml4
    mov $4, %ecx
    mov $pdpt, %edi
    mov $pd + 7, %eax
1:  mov %eax, (%edi)
    add $4096, %eax
    add $8, %edi
    loop 1b

    mov $2048, %ecx                 /* PDEs: present, writable, 2 MiB */
    mov $pd, %edi
    mov $0x83, %eax
1:  mov %eax, (%edi)
    add $0x200000, %eax
    add $8, %edi
    loop 1b
    movl $pt + 7, pd
    movl $pt + 4096 + 7, pd + 8

    mov $1024, %ecx
    mov $pt, %edi
    mov $3, %eax
1:  mov %eax, (%edi)
    cmp $user_begin, %eax
    jb 2f
    cmp $user_end, %eax
    jae 2f
    /* .data lies between the two user sections; it is not the user's. */
    cmp $user_code_end, %eax
    jb 3f
    cmp $user_data_begin, %eax
    jb 2f
3:  orl $4, (%edi)
2:  add $4096, %eax
    add $8, %edi
    loop 1b
    ret

/* 32-bit protected mode, EBP = vCPU index. CR4 gets no more than paging needs: cpu.c does the rest. */
enter_long_mode:
    mov $CR4_PAE, %eax
    mov %eax, %cr4
    mov $pml4, %eax
    mov %eax, %cr3
    mov $MSR_EFER, %ecx
    rdmsr
    or $EFER_LME, %eax
    wrmsr
    mov $CR0_NORMAL, %eax
    mov %eax, %cr0
    lgdt boot_gdtr
    ljmp $SEL_CODE64, $long_mode

    .code64
long_mode:
    mov $SEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov %ebp, %edi
    lea 1(%rdi), %eax
    shl $STACK_SHIFT, %eax
    lea cpu_blocks(%rax), %rsp
    push $0                         /* alignment, and no return from here */
    call cpu_main
    ud2

    .code32
ap_protected:
    mov $SEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    /* x2APIC ID = vCPU index; the 8-bit initial APIC ID of leaf 1 is enough for MAX_CPUS. */
    mov $1, %eax
    cpuid
    shr $24, %ebx
    mov %ebx, %ebp
    mov trampoline_cr0 - trampoline_begin + TRAMPOLINE, %eax
    mov %eax, boot_cr0(,%ebp,4)
    mov trampoline_cr4 - trampoline_begin + TRAMPOLINE, %eax
    mov %eax, boot_cr4(,%ebp,4)
    jmp enter_long_mode

/* Copied to TRAMPOLINE: position matters, so every address is written relative to it. */
    .section .rodata
    .globl trampoline_begin, trampoline_end
    .code16
trampoline_begin:
    cli
    cld
    mov %cs, %ax
    mov %ax, %ds
    mov %cr0, %eax
    mov %eax, trampoline_cr0 - trampoline_begin
    mov %cr4, %eax
    mov %eax, trampoline_cr4 - trampoline_begin
    lgdtl trampoline_gdtr - trampoline_begin
    mov $CR0_ET | CR0_PE, %eax      /* INIT leaves CD and NW set; a guest has no use for them */
    mov %eax, %cr0
    ljmpl $SEL_CODE32, $ap_protected
    .balign 4
trampoline_cr0:
    .long 0
trampoline_cr4:
    .long 0
trampoline_gdtr:
    .word GDT_BYTES - 1
    .long boot_gdt
trampoline_end:

    .balign 8
boot_gdt:
    .quad 0, DESC_CODE32, DESC_DATA, DESC_CODE64, DESC_UDATA, DESC_UCODE, 0, 0
boot_gdtr:
    .word GDT_BYTES - 1
    .quad boot_gdt

    .bss
    .globl boot_start_info, boot_cr0, boot_cr4, cpu_blocks
    .balign 4096
pml4:
    .skip 4096
pdpt:
    .skip 4096
pd:
    .skip 4 * 4096
pt:
    .skip 2 * 4096
    .balign STACK_BYTES
cpu_blocks:
    .skip MAX_CPUS * STACK_BYTES
boot_start_info:
    .skip 8
boot_cr0:
    .skip 4 * MAX_CPUS
boot_cr4:
    .skip 4 * MAX_CPUS
