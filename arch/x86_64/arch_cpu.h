/* What one physical x86-64 CPU needs of its own. */
#ifndef FERMATA_X86_ARCH_CPU_H
#define FERMATA_X86_ARCH_CPU_H

#include "hv/base.h"

struct pcpu;
struct vm;

/* For functions declared elsewhere without static, and what they use: never out of line. */
#define ARCH_INLINE extern inline __attribute__((gnu_inline, always_inline))

struct arch_pcpu {
    u64 xcr0;            /* cached XCR0: always what the register holds (BUGS 7) */
    u64 xfd;             /* likewise IA32_XFD: 0 unless a live vCPU needs it otherwise */
    u32 pkru;            /* last PKRU written or read back; exact whenever no vCPU is current */
    u32 asid_next;       /* SVM: ASIDs are handed out per vCPU and never shared */
    u32 asid_max;        /* CPUID 8000_000A EBX - 1 */
    u64 vmcs_pa;         /* VMX: the VMCS that VMREAD and VMWRITE mean; 0: none */
    u64 syscall_msrs[5]; /* VMX: what the registers hold (arch_vm.h); all but the last are exact */
    u64 host_vmcb_pa;    /* SVM: VMSAVE image of the hypervisor's FS, GS, TR, LDTR, syscall MSRs */
    const struct vm *last_vm;  /* whose branches the predictors have learnt */
    volatile bool timer_fired; /* set by the timer's handler, read after an INTR exit */
};

/* The CPU this code runs on. */
struct pcpu *arch_this_cpu(void);

#endif
