/* AMD SVM: the VMCB, its intercepts and exit codes (APM 2, appendices B and C). */
#ifndef FERMATA_X86_SVM_H
#define FERMATA_X86_SVM_H

#include "hv/vm.h"

/* intercept_misc1 */
#define INTERCEPT_INTR        BIT(0)
#define INTERCEPT_NMI         BIT(1)
#define INTERCEPT_INIT        BIT(3)
#define INTERCEPT_RDPMC       BIT(15)
#define INTERCEPT_CPUID       BIT(18)
#define INTERCEPT_INTN        BIT(21)
#define INTERCEPT_INVD        BIT(22)
#define INTERCEPT_HLT         BIT(24)
#define INTERCEPT_INVLPGA     BIT(26)
#define INTERCEPT_IO          BIT(27)
#define INTERCEPT_MSR         BIT(28)
#define INTERCEPT_TASK_SWITCH BIT(29)
#define INTERCEPT_FERR_FREEZE BIT(30)
#define INTERCEPT_SHUTDOWN    BIT(31)

/* intercept_misc2 */
#define INTERCEPT_VMRUN       BIT(0)
#define INTERCEPT_VMMCALL     BIT(1)
#define INTERCEPT_VMLOAD      BIT(2)
#define INTERCEPT_VMSAVE      BIT(3)
#define INTERCEPT_STGI        BIT(4)
#define INTERCEPT_CLGI        BIT(5)
#define INTERCEPT_SKINIT      BIT(6)
#define INTERCEPT_RDTSCP      BIT(7)
#define INTERCEPT_WBINVD      BIT(9)
#define INTERCEPT_MONITOR     BIT(10)
#define INTERCEPT_MWAIT       BIT(11)
#define INTERCEPT_MWAIT_ARMED BIT(12)
#define INTERCEPT_XSETBV      BIT(13)
#define INTERCEPT_RDPRU       BIT(14)

/* Exit codes. */
enum svm_exit {
    SVM_EXIT_READ_CR0 = 0x00,
    SVM_EXIT_READ_CR4 = 0x04,
    SVM_EXIT_READ_CR8 = 0x08,
    SVM_EXIT_WRITE_CR0 = 0x10,
    SVM_EXIT_WRITE_CR4 = 0x14,
    SVM_EXIT_READ_DR0 = 0x20,
    SVM_EXIT_WRITE_DR0 = 0x30,
    SVM_EXIT_EXCEPTION = 0x40,
    SVM_EXIT_EXCEPTION_DB = 0x41,
    SVM_EXIT_EXCEPTION_BP = 0x43,
    SVM_EXIT_EXCEPTION_UD = 0x46,
    SVM_EXIT_EXCEPTION_NM = 0x47,
    SVM_EXIT_EXCEPTION_AC = 0x51,
    SVM_EXIT_EXCEPTION_MC = 0x52,
    SVM_EXIT_INTR = 0x60,
    SVM_EXIT_NMI = 0x61,
    SVM_EXIT_SMI = 0x62,
    SVM_EXIT_INIT = 0x63,
    SVM_EXIT_RDPMC = 0x6f,
    SVM_EXIT_INTN = 0x75,
    SVM_EXIT_CPUID = 0x72,
    SVM_EXIT_INVD = 0x76,
    SVM_EXIT_HLT = 0x78,
    SVM_EXIT_INVLPGA = 0x7a,
    SVM_EXIT_IO = 0x7b,
    SVM_EXIT_MSR = 0x7c,
    SVM_EXIT_TASK_SWITCH = 0x7d,
    SVM_EXIT_FERR_FREEZE = 0x7e,
    SVM_EXIT_SHUTDOWN = 0x7f,
    SVM_EXIT_VMRUN = 0x80,
    SVM_EXIT_VMMCALL = 0x81,
    SVM_EXIT_VMLOAD = 0x82,
    SVM_EXIT_VMSAVE = 0x83,
    SVM_EXIT_STGI = 0x84,
    SVM_EXIT_CLGI = 0x85,
    SVM_EXIT_SKINIT = 0x86,
    SVM_EXIT_RDTSCP = 0x87,
    SVM_EXIT_WBINVD = 0x89,
    SVM_EXIT_MONITOR = 0x8a,
    SVM_EXIT_MWAIT = 0x8b,
    SVM_EXIT_MWAIT_ARMED = 0x8c,
    SVM_EXIT_XSETBV = 0x8d,
    SVM_EXIT_RDPRU = 0x8e,
    SVM_EXIT_NPF = 0x400,
};
#define SVM_EXIT_INVALID (~0ull)

/* Event injection, and EXITINTINFO with the same layout (APM 2, 15.20). */
#define EVENT_VECTOR    0xffull
#define EVENT_TYPE      BITS(10, 8)
#define EVENT_EXCEPTION (3ull << 8)
#define EVENT_SOFTWARE  (4ull << 8)
#define EVENT_ERROR     BIT(11)
#define EVENT_VALID     BIT(31)

#define TLB_FLUSH_ALL   1
#define TLB_FLUSH_GUEST 3

#define V_INTR_MASKING BIT(24)

/* Bits of VMCB.clean: set = unchanged since the last #VMEXIT (APM 2, 15.15.3). */
#define CLEAN_INTERCEPTS BIT(0)
#define CLEAN_ASID       BIT(2)
#define CLEAN_CRX        BIT(5)
#define CLEAN_DRX        BIT(6)
#define CLEAN_SEGMENTS   BIT(8)
#define CLEAN_CR2        BIT(9)
#define CLEAN_ALL        0xfffu

struct vmcb_segment {
    u16 selector;
    u16 attributes; /* descriptor bits 55-52 and 47-40, packed into 12 */
    u32 limit;
    u64 base;
};

struct vmcb {
    u32 intercept_cr; /* reads of CR0 to CR15 in the low half, writes in the high */
    u16 intercept_dr_read;
    u16 intercept_dr_write;
    u32 intercept_exceptions;
    u32 intercept_misc1;
    u32 intercept_misc2;
    u32 intercept_misc3;
    u8 reserved0[0x3c - 0x18];
    u16 pause_threshold;
    u16 pause_count;
    u64 iopm_pa;
    u64 msrpm_pa;
    u64 tsc_offset;
    u32 asid;
    u32 tlb_control;
    u64 v_intr;
    u64 interrupt_shadow;
    u64 exitcode;
    u64 exitinfo1;
    u64 exitinfo2;
    u64 exitintinfo;
    u64 np_enable;
    u64 avic_bar;
    u64 ghcb;
    u64 eventinj;
    u64 n_cr3;
    u64 lbr_enable;
    u32 clean;
    u32 reserved1;
    u64 nrip;
    u8 fetched_bytes;
    u8 fetched[15];
    u8 reserved2[0x400 - 0xe0];

    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    u8 reserved3[0x4cb - 0x4a0];
    u8 cpl;
    u32 reserved4;
    u64 efer;
    u8 reserved5[0x548 - 0x4d8];
    u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;
    u8 reserved6[0x5d8 - 0x580];
    u64 rsp;
    u8 reserved7[0x5f8 - 0x5e0];
    u64 rax;
    u64 star, lstar, cstar, sfmask, kernel_gs_base;
    u64 sysenter_cs, sysenter_esp, sysenter_eip;
    u64 cr2;
    u8 reserved8[0x668 - 0x648];
    u64 pat;
    u64 debugctl;
    u8 reserved9[0x1000 - 0x678];
};
_Static_assert(sizeof(struct vmcb) == 4096, "APM 2, B.1");
_Static_assert(offsetof(struct vmcb, exitcode) == 0x70, "APM 2, B.1");
_Static_assert(offsetof(struct vmcb, nrip) == 0xc8, "APM 2, B.1");
_Static_assert(offsetof(struct vmcb, tr) == 0x490, "APM 2, B.2");
_Static_assert(offsetof(struct vmcb, efer) == 0x4d0, "APM 2, B.2");
_Static_assert(offsetof(struct vmcb, rip) == 0x578, "APM 2, B.2");
_Static_assert(offsetof(struct vmcb, rax) == 0x5f8, "APM 2, B.2");
_Static_assert(offsetof(struct vmcb, cr2) == 0x640, "APM 2, B.2");
_Static_assert(offsetof(struct vmcb, pat) == 0x668, "APM 2, B.2");

/* Found by the self-test: a guest with RFLAGS.IF = 0 keeps the timer's interrupt pending. */
extern bool svm_timer_held_back;

struct virt_ops;
extern const struct virt_ops svm_ops;

/* intercept_cr. Reads of both CR0 and CR4 behind the gate: FACTS, QEMU's CR-read erratum. */
#define SVM_CR_READ(n)  BIT(n)
#define SVM_CR_WRITE(n) BIT(16 + (n))
#define SVM_CR_ALWAYS   ((u32)SVM_CR_WRITE(4))
#define SVM_CR_GATE     ((u32)(SVM_CR_READ(0) | SVM_CR_READ(4) | SVM_CR_WRITE(0)))

/* VMRUN and everything around it that VMRUN does not do (svm_enter.S). */
void svm_enter(struct arch_vcpu *a, u64 host_vmcb_pa);
enum vcpu_event svm_loop(struct vcpu *v, u64 host_vmcb_pa);

/*
 * After every exit of svm_loop(), before the next entry: what the exit asks for (svm_exits.c).
 * VCPU_RESUME: enter again.
 */
enum vcpu_event svm_exit(struct vcpu *v);

/* Exits of the control registers, XSETBV's among them (svm_cr.c). */
enum vcpu_event svm_exit_cr(struct vcpu *v, u64 code);
enum vcpu_event svm_exit_xsetbv(struct vcpu *v);

/* The gate was closed, and the guest touched what is behind it; `vector` is what it gets if
 * refused. */
enum vcpu_event svm_exit_gate(struct vcpu *v, u8 vector);

/*
 * Past the instruction that exited: `bytes` long, unless the CPU saved the next RIP itself. Raises
 * the single-step #DB that the instruction would have raised (TF).
 */
void svm_skip(struct vcpu *v, u32 bytes);

/*
 * Length of the instruction that exited, `bytes` without prefixes: where the CPU does not save the
 * next RIP they are counted in the guest's memory (66 CPUID, F3 WBINVD = WBNOINVD, ...).
 */
u32 svm_length(struct vcpu *v, u32 bytes);

/* The instruction at the guest's RIP, read through its own tables: up to n bytes; how many came. */
size_t svm_fetch(struct vcpu *v, u8 *bytes, size_t n);

/* Permission maps with everything intercepted but the MSRs that VMLOAD/VMSAVE switch; shared. */
bool svm_maps_init(void);
extern u64 svm_iopm_pa, svm_msrpm_pa;

#endif
