/* What an arm64 VM and its vCPUs hold. */
#ifndef FERMATA_ARCH_VM_H
#define FERMATA_ARCH_VM_H

#include "hv/base.h"
#include "hv/pl011.h"
#include "arch_fp.h"

/*
 * The EL1 and EL0 system registers a vCPU owns, in the order vectors.S moves them (pairs). What is
 * not here is either trapped (HCR_EL2, MDCR_EL2, CPTR_EL2), the same for all, or moved with the FP
 * state (ZCR_EL1). CNTV_* too: a guest may use its virtual timer without an exit.
 */
enum el1_register {
    EL1_SCTLR,
    EL1_TCR,
    EL1_TTBR0,
    EL1_TTBR1,
    EL1_MAIR,
    EL1_AMAIR,
    EL1_VBAR,
    EL1_CONTEXTIDR,
    EL1_ESR,
    EL1_FAR,
    EL1_AFSR0,
    EL1_AFSR1,
    EL1_ELR,
    EL1_SPSR,
    EL1_CNTKCTL,
    EL1_CNTV_CTL,
    EL1_CNTV_CVAL,
    EL1_SP_EL0,
    EL1_SP_EL1,
    EL1_PAR,
    EL1_TPIDR_EL1,
    EL1_TPIDR_EL0,
    EL1_TPIDRRO,
    EL1_CSSELR,
    EL1_CPACR,
    EL1_REGISTERS
};

struct arch_vcpu {
    u64 x[31]; /* X0-X30; vectors.S knows these offsets (offsets.h) */
    u64 pc;
    u64 pstate; /* SPSR_EL2 */
    u64 esr;    /* of the last exit */
    u64 el1[EL1_REGISTERS];
    u64 vmpidr;   /* MPIDR_EL1 as the guest reads it */
    u64 cntp_ctl; /* the physical timer is emulated: it never fires, but its registers work */
    u64 cntp_cval;
    u64 vdisr;    /* FEAT_RAS: what the guest's DISR_EL1 is while HCR_EL2.AMO=1 */
    bool stepped; /* the debugger steps it */
};

/* The debugger's points in the breakpoint and watchpoint registers of all vCPUs of a VM
 * (gdb_points.c). control 0: unused. */
#define ARM64_GDB_POINTS 4
struct gdb_hardware_point {
    u64 address, control;
};
struct gdb_points {
    struct gdb_hardware_point execute[ARM64_GDB_POINTS], data[ARM64_GDB_POINTS];
    bool breaks; /* it has had a software breakpoint */
};

struct arch_vm {
    u64 vttbr;         /* VTTBR_EL2: stage-2 root and VMID */
    u64 *stage2;       /* root table(s) */
    u32 stage2_pages;  /* concatenated root tables */
    u32 last_vcpu;     /* whose translations the TLB may hold under this VMID */
    u32 vpidr;         /* MIDR_EL1 as the guest reads it */
    bool smc_said;     /* one line per VM about each thing refused */
    struct pl011 uart; /* at 0x0900_0000; hv/pl011.h */
    struct arch_fp_config fp;
    struct gdb_points points;
};

#endif
