/* What one x86-64 VM and vCPU hold beyond the architecture-free part. */
#ifndef FERMATA_X86_ARCH_VM_H
#define FERMATA_X86_ARCH_VM_H

#include "hv/base.h"
#include "arch_fp.h"
#include "hv/uart16550.h"

struct vmcb;

/* General registers, by the number instructions encode them with. */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, GPRS };

/* MSRs that no VMCS holds: STAR, LSTAR, CSTAR, SFMASK, KERNEL_GS_BASE (vmx.c). */
enum { SYSCALL_KERNEL_GS = 4, SYSCALL_MSRS };

/* VMX: what of a vCPU is not in its VMCS. vmx_enter.S knows the offsets of the first two. */
struct vmx_vcpu {
    u64 host_rsp; /* what HOST_RSP holds */
    bool launched;
    u64 vmcs_pa; /* 0: none yet */
    u64 syscall_msrs[SYSCALL_MSRS];
    u64 cr2; /* while not current */
    u64 dr6; /* while not current, and before dr_used */
};

/* The debugger's break- and watchpoints in the debug registers of all vCPUs of a VM (gdb_points.c).
 */
struct gdb_points {
    u64 dr[4];
    u64 dr7; /* enable and condition bits; 0: none */
};

struct arch_vm {
    struct gdb_points points;
    u64 *npt;                 /* root of the nested page tables */
    u32 npt_pages;            /* pages of them, the root included */
    u64 cr4_offered;          /* CR4 bits its guests may set (cr.c) */
    struct arch_fp_config fp; /* what its vCPUs may use */
    struct uart16550 uart;    /* its console at I/O port 0x3f8 */
    bool port_said;           /* an access to an absent device was reported once */
    bool msr_said;            /* an unknown MSR was reported once */
};

/*
 * Registers the world switch moves by hand come first: svm_enter.S knows their offsets (checked in
 * svm.c). RAX and RSP live in the VMCB while the guest can run; regs[RAX] and regs[RSP] are unused.
 */
struct arch_vcpu {
    u64 regs[GPRS];
    struct vmcb *vmcb; /* NULL with VMX */
    u64 vmcb_pa;
    struct vmx_vcpu vmx;

    /*
     * The gate. Closed: the VMCB holds CR0 with TS and MP set and CR4 with OSXSAVE clear, and the
     * guest's own values are here. Open: the VMCB's are the guest's own, and these are stale.
     */
    u64 own_cr0;
    u64 own_cr4;
    bool gate_open;
    u32 open_exceptions; /* exceptions that exit while the gate is open */
    u32 bp_exception;    /* BIT(3) once the debugger has a breakpoint in its VM, else 0 */
    bool stepped;        /* the debugger steps it: RFLAGS.TF is set, */
    bool own_tf;         /* and was already */
    bool step_done;      /* the instruction it steps was carried out for it */

    bool switch_hook; /* arch_vcpu_switch_out() has something to do */
    bool dr_used;     /* the guest has its own DR0-3: they are switched from its first use on */
    bool init_seen;   /* INIT received, waits for SIPI */
    u32 asid;
    u64 dr[4];     /* while not current */
    u64 apic_base; /* IA32_APIC_BASE as read */
    u32 apic_svr;  /* x2APIC spurious vector register */
    u32 apic_tpr;
};

#endif
