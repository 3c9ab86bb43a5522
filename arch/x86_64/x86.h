/* Names of the architecture: control registers, MSRs, vectors, selectors. No code. */
#ifndef FERMATA_X86_X86_H
#define FERMATA_X86_X86_H

#define CR0_PE 0x00000001
#define CR0_MP 0x00000002
#define CR0_EM 0x00000004
#define CR0_TS 0x00000008
#define CR0_ET 0x00000010
#define CR0_NE 0x00000020
#define CR0_WP 0x00010000
#define CR0_AM 0x00040000
#define CR0_NW 0x20000000
#define CR0_CD 0x40000000
#define CR0_PG 0x80000000

/* What the hypervisor itself runs with: WP, and TS so that a stray FP instruction faults. */
#define HOST_CR0 0x8001003b /* PG WP NE ET TS MP PE */

#define CR4_VME        0x00000001
#define CR4_PVI        0x00000002
#define CR4_TSD        0x00000004
#define CR4_DE         0x00000008
#define CR4_PSE        0x00000010
#define CR4_PAE        0x00000020
#define CR4_MCE        0x00000040
#define CR4_PGE        0x00000080
#define CR4_PCE        0x00000100
#define CR4_OSFXSR     0x00000200
#define CR4_OSXMMEXCPT 0x00000400
#define CR4_UMIP       0x00000800
#define CR4_LA57       0x00001000
#define CR4_VMXE       0x00002000
#define CR4_SMXE       0x00004000
#define CR4_FSGSBASE   0x00010000
#define CR4_PCIDE      0x00020000
#define CR4_OSXSAVE    0x00040000
#define CR4_SMEP       0x00100000
#define CR4_SMAP       0x00200000
#define CR4_PKE        0x00400000
#define CR4_CET        0x00800000
#define CR4_PKS        0x01000000

#define EFER_SCE   0x0001
#define EFER_LME   0x0100
#define EFER_LMA   0x0400
#define EFER_NXE   0x0800
#define EFER_SVME  0x1000
#define EFER_LMSLE 0x2000
#define EFER_FFXSR 0x4000

#define RFLAGS_FIXED 0x00000002
#define RFLAGS_CF    0x00000001
#define RFLAGS_TF    0x00000100
#define RFLAGS_IF    0x00000200
#define RFLAGS_RF    0x00010000
#define RFLAGS_VM    0x00020000

#define DR6_RESET 0xffff0ff0
#define DR6_BS    0x00004000
#define DR7_RESET 0x00000400

#define MSR_APIC_BASE      0x0000001b
#define MSR_PRED_CMD       0x00000049
#define MSR_MTRR_CAP       0x000000fe
#define MSR_SYSENTER_CS    0x00000174
#define MSR_SYSENTER_ESP   0x00000175
#define MSR_SYSENTER_EIP   0x00000176
#define MSR_MTRR_PHYS_BASE 0x00000200
#define MSR_MTRR_FIX_FIRST 0x00000250
#define MSR_MTRR_FIX_LAST  0x0000026f
#define MSR_PAT            0x00000277
#define MSR_MTRR_DEF_TYPE  0x000002ff
#define MSR_TSC            0x00000010
#define MSR_XFD            0x000001c4
#define MSR_XFD_ERR        0x000001c5
#define MSR_TSC_DEADLINE   0x000006e0
#define MSR_X2APIC_FIRST   0x00000800
#define MSR_X2APIC_LAST    0x000008ff
#define MSR_XSS            0x00000da0
#define MSR_EFER           0xc0000080
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_CSTAR          0xc0000083
#define MSR_SFMASK         0xc0000084
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX        0xc0000103
#define MSR_FP_CFG         0xc0011028
#define MSR_DE_CFG         0xc0011029
#define MSR_VM_CR          0xc0010114
#define MSR_VM_HSAVE_PA    0xc0010117

#define APIC_BASE_BSP    0x0100
#define APIC_BASE_EXTD   0x0400
#define APIC_BASE_ENABLE 0x0800

#define VECTOR_DE  0
#define VECTOR_DB  1
#define VECTOR_NMI 2
#define VECTOR_BP  3
#define VECTOR_OF  4
#define VECTOR_UD  6
#define VECTOR_NM  7
#define VECTOR_DF  8
#define VECTOR_TS  10
#define VECTOR_GP  13
#define VECTOR_PF  14
#define VECTOR_MC  18

/* Our own interrupt vectors. */
#define VECTOR_TIMER    0x40
#define VECTOR_SPURIOUS 0xff

/* Our own GDT. */
#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS  0x18

#endif
