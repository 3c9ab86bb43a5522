/* Numbers that C and assembly of the guest share. Assembly-safe: plain #defines. */
#ifndef GUEST_X86_LAYOUT_H
#define GUEST_X86_LAYOUT_H

#define MAX_CPUS 8
#define STACK_BYTES                                                                                \
    16384 /* one block per vCPU, aligned to its size: struct cpu, then the stack                   \
           */
#define STACK_SHIFT 14
#define TRAMPOLINE  0x8000 /* real-mode start of the other vCPUs; SIPI vector 8 */

/* Selectors, the same in every vCPU's GDT. 32-bit segments are for the way in (and run=taskswitch).
 */
#define SEL_CODE32 0x08
#define SEL_DATA   0x10
#define SEL_CODE64 0x18
#define SEL_UDATA  (0x20 | 3)
#define SEL_UCODE  (0x28 | 3)
#define SEL_TSS    0x30 /* 16 bytes */
#define GDT_BYTES  0x40

#define DESC_CODE32 0x00cf9b000000ffff
#define DESC_DATA   0x00cf93000000ffff
#define DESC_CODE64 0x00af9b000000ffff
#define DESC_UDATA  0x00cff3000000ffff
#define DESC_UCODE  0x00affb000000ffff

#define CR0_PE     0x1
#define CR0_MP     0x2
#define CR0_EM     0x4
#define CR0_TS     0x8
#define CR0_ET     0x10
#define CR0_NE     0x20
#define CR0_WP     0x10000
#define CR0_PG     0x80000000
#define CR0_NORMAL (CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE)

#define CR4_PAE        0x20
#define CR4_OSFXSR     0x200
#define CR4_OSXMMEXCPT 0x400
#define CR4_OSXSAVE    0x40000
#define CR4_PKE        0x400000

#define MSR_EFER 0xc0000080
#define EFER_LME 0x100

#define VECTOR_USER_EXIT 0x30 /* INT from CPL 3: the stub came to its end */

/* struct try (cpu.h), for vectors.S */
#define TRY_RSP   0
#define TRY_ARMED 8

#endif
