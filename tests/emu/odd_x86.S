/*
 * A PVH kernel of another make: 32-bit ELF, its own GDT and IDT, one scenario by the first letter of its command
 * line. What the built-in guest, a tidy 64-bit kernel, never does: other paging modes, prefixes nobody needs,
 * vCPUs reset while they run. Each letter ends the VM as passed or failed by port 0xf4.
 */
    .section .note.Xen, "a", @note
    .long 4, 4, 18
    .asciz "Xen"
    .long start
    .text
    .code32
    .globl start
start:
    cld
    mov $stack_top, %esp
    mov 24(%ebx), %esi      /* cmdline */
    movzbl (%esi), %eax
    lgdt gdtr
    mov $0x10, %ecx
    mov %ecx, %ds; mov %ecx, %es; mov %ecx, %ss
    ljmp $0x08, $1f
1:  lidt idtr
    /* IDT: 32 gates to fault_n */
    push %eax
    mov $idt, %edi
    mov $stubs, %esi
    mov $32, %ecx
2:  mov %esi, %eax
    mov %ax, (%edi)
    movw $0x08, 2(%edi)
    movw $0x8e00, 4(%edi)
    shr $16, %eax
    mov %ax, 6(%edi)
    add $8, %edi
    add $16, %esi
    loop 2b
    pop %eax
    cmp $'a', %al; je t_a
    cmp $'b', %al; je t_b
    cmp $'c', %al; je t_c
    cmp $'d', %al; je t_d
    cmp $'e', %al; je t_e
    cmp $'f', %al; je t_f
    cmp $'g', %al; je t_g
    cmp $'h', %al; je t_h
    jmp bad
/* a: a CS with L and D set, which legacy mode ignores; then paging with EFER.LME: #GP, no CPU runs in that */
t_a:
    call make_tables64
    movl $gpa, expect
    movl $13, expect_vector
    ljmp $0x18, $1f         /* CS.L = CS.D = 1 */
1:  mov $0x20, %eax
    mov %eax, %cr4
    mov $pml4, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x100, %eax
    wrmsr
    mov $0x80000011, %eax
    mov %eax, %cr0
    jmp bad
gpa:
    jmp good
/* b: string output, which is not emulated: the VM stops with one line */
t_b:
    mov $msg_b, %esi
    mov $msg_b_end - msg_b, %ecx
    mov $0x3f8, %dx
    cld
    rep outsb
    cmp $msg_b_end, %esi
    jne bad
    test %ecx, %ecx
    jne bad
    jmp good
/* c: prefixes before instructions that exit: F3 WBINVD is WBNOINVD, the others mean nothing */
t_c:
    mov $1, %eax; xor %ecx, %ecx
    .byte 0x66, 0x0f, 0xa2
    mov $1, %eax; xor %ecx, %ecx
    .byte 0xf3, 0x0f, 0xa2
    .byte 0xf3, 0x0f, 0x09          /* WBNOINVD */
    mov $0x1b, %ecx
    .byte 0x66, 0x0f, 0x32
    .byte 0x2e, 0x66, 0x0f, 0x32
    jmp good
/* d: 32-bit paging with 4 MiB pages, then PAE, with SSE used in both */
t_d:
    mov $pd32, %edi
    movl $0x83, (%edi)
    mov $0x10, %eax
    mov %eax, %cr4
    mov $pd32, %eax
    mov %eax, %cr3
    mov $0x80000011, %eax
    mov %eax, %cr0
    mov %cr4, %eax
    or $0x600, %eax
    mov %eax, %cr4
    movups msg_b, %xmm0
    mov $0x11, %eax
    mov %eax, %cr0
    call make_tables64
    movl $pd64 + 1, pdpt
    mov $0x620, %eax
    mov %eax, %cr4
    mov $pdpt, %eax
    mov %eax, %cr3
    mov $0x80000011, %eax
    mov %eax, %cr0
    movups msg_b, %xmm0
    mov %cr4, %eax
    or $0x80, %eax
    mov %eax, %cr4
    mov %cr4, %ebx
    cmp %eax, %ebx
    jne bad
    jmp good
/* e: single-stepping over what exits: a #DB after each of ten instructions, no more, no fewer */
t_e:
    movl $1, idt_db_count_on
    pushf
    orl $0x100, (%esp)
    popf
    mov $1, %eax        /* step 1 */
    cpuid               /* 2 */
    fninit              /* 3 (gate) */
    mov %cr4, %eax      /* 4 */
    mov %eax, %cr4      /* 5 */
    in $0x80, %al       /* 6 */
    nop                 /* 7 */
    pushf               /* 8 */
    andl $~0x100, (%esp)/* 9 */
    popf                /* 10 (TF still set at start: traps after) */
    nop
    mov db_count, %eax
    call hex
    cmp $10, %eax
    jne bad
    jmp good
/* f: the xAPIC's page, which is not there: the VM stops with one line */
t_f:
    mov 0xfee00030, %eax
    jmp good
/* g: vCPU 1 started, reset while it runs, started again; it powers off while vCPU 0 is halted */
t_g:
    call copy_ap
    call kick
1:  pause
    cmpl $1, ap_ran
    jb 1b
    call kick
1:  pause
    cmpl $2, ap_ran
    jb 1b
    movl $1, ap_end
    hlt
    jmp bad
kick:
    mov $0x830, %ecx
    mov $1, %edx
    mov $0x4500, %eax
    wrmsr
    mov $0x4608, %eax
    wrmsr
    wrmsr
    ret
copy_ap:
    mov $ap, %esi
    mov $0x8000, %edi
    mov $ap_e - ap, %ecx
    rep movsb
    ret
/* h: every x2APIC register a driver looks at; SIPI without INIT, to the vCPU's logical address */
t_h:
    mov $0x80a, %ecx; rdmsr
    mov $0x810, %ecx
1:  rdmsr
    inc %ecx
    cmp $0x828, %ecx
    jb 1b
    mov $0x838, %ecx; rdmsr
    mov $0x839, %ecx; rdmsr
    mov $0x83e, %ecx; rdmsr
    mov $0xb, %eax
    xor %edx, %edx
    wrmsr
    call copy_ap
    mov $0x830, %ecx
    mov $2, %edx            /* cluster 0, bit 1 */
    mov $0x4e08, %eax
    wrmsr
    movl $1, ap_end
    hlt
    jmp bad
good:
    mov $msg_good, %esi
    call puts
    mov $0x10, %al
    out %al, $0xf4
bad:
    mov $msg_bad, %esi
    call puts
    mov $0x11, %al
    out %al, $0xf4
    hlt
puts:
    lodsb
    test %al, %al
    jz 1f
    mov $0x3f8, %dx
    out %al, %dx
    jmp puts
1:  ret
hex: push %eax; push %ecx; push %ebx
    mov $8, %ecx
    mov %eax, %ebx
1:  rol $4, %ebx
    mov %bl, %al
    and $15, %al
    add $'0', %al
    cmp $'9', %al
    jbe 2f
    add $39, %al
2:  mov $0x3f8, %dx
    out %al, %dx
    loop 1b
    mov $10, %al
    out %al, %dx
    pop %ebx; pop %ecx; pop %eax
    ret
make_tables64:
    movl $pdpt + 3, pml4
    movl $pd64 + 3, pdpt
    movl $0x83, pd64
    ret
    .balign 16
stubs:
    .set i, 0
    .rept 32
    .balign 16
    push $i
    jmp fault
    .set i, i + 1
    .endr
fault:
    cmpl $1, (%esp)
    jne 1f
    cmpl $1, idt_db_count_on
    jne 1f
    incl db_count
    add $4, %esp
    iret
1:  pop %eax
    cmp expect_vector, %eax
    jne 2f
    mov $msg_exp, %esi
    call puts
    jmp *expect
2:  push %eax
    mov $msg_fault, %esi
    call puts
    pop %eax
    call hex
    mov 0(%esp), %eax; call hex
    mov 4(%esp), %eax; call hex
    jmp bad
    .code16
ap: mov %cr4, %eax
    or $0x10, %eax
    mov %eax, %cr4
    xor %ax, %ax
    mov %ax, %ds
    lock incl 0x7000        /* ap_ran */
1:  pause
    cmpl $1, 0x7004
    jne 1b
    mov $0x10, %al
    out %al, $0xf4
ap_e:
    .code32
    .data
    .set ap_ran, 0x7000
    .set ap_end, 0x7004
msg_b: .ascii "string output works here\n"
msg_b_end:
msg_good: .asciz "ok 1 - good\n1..1\n"
msg_bad: .asciz "not ok 1 - bad\n1..1\n"
msg_fault: .asciz "fault "
msg_exp: .asciz "expected fault\n"
expect: .long 0
expect_vector: .long 99
idt_db_count_on: .long 0
db_count: .long 0
    .balign 8
gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00ef9b000000ffff
gdtr: .word 31
    .long gdt
idtr: .word 255
    .long idt
    .bss
    .balign 4096
pml4: .skip 4096
pdpt: .skip 4096
pd64: .skip 4096
pd32: .skip 4096
idt: .skip 256
    .skip 4096
stack_top:
