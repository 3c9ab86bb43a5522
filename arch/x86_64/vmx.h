/* Intel VMX: fields of the VMCS, controls, exit reasons (SDM 3, appendices A, B and C). */
#ifndef FERMATA_X86_VMX_H
#define FERMATA_X86_VMX_H

#include "hv/vm.h"
#include "cpu.h"
#include "x86.h"

/* Field encodings, SDM 3, appendix B. */
enum vmcs_field {
    VPID = 0x0000,
    GUEST_ES = 0x0800, /* selectors of ES, CS, SS, DS, FS, GS, LDTR, TR follow by 2 */
    HOST_ES = 0x0c00,  /* ES, CS, SS, DS, FS, GS, TR */
    MSR_BITMAP = 0x2004,
    XSS_EXITING_BITMAP = 0x202c,
    TSC_OFFSET = 0x2010,
    EPT_POINTER = 0x201a,
    GUEST_PHYSICAL_ADDRESS = 0x2400,
    VMCS_LINK_POINTER = 0x2800,
    GUEST_DEBUGCTL = 0x2802,
    VMCS_GUEST_PAT = 0x2804,
    VMCS_GUEST_EFER = 0x2806,
    GUEST_PDPTE0 = 0x280a, /* four of them, by 2 */
    HOST_PAT = 0x2c00,
    HOST_EFER = 0x2c02,
    PIN_CONTROLS = 0x4000,
    PRIMARY_CONTROLS = 0x4002,
    EXCEPTION_BITMAP = 0x4004,
    CR3_TARGET_COUNT = 0x400a,
    EXIT_CONTROLS = 0x400c,
    EXIT_MSR_STORE_COUNT = 0x400e,
    EXIT_MSR_LOAD_COUNT = 0x4010,
    ENTRY_CONTROLS = 0x4012,
    ENTRY_MSR_LOAD_COUNT = 0x4014,
    ENTRY_EVENT = 0x4016,
    ENTRY_EVENT_ERROR = 0x4018,
    ENTRY_INSTRUCTION_LENGTH = 0x401a,
    SECONDARY_CONTROLS = 0x401e,
    INSTRUCTION_ERROR = 0x4400,
    EXIT_REASON = 0x4402,
    EXIT_EVENT = 0x4404,
    IDT_VECTORING = 0x4408,
    IDT_VECTORING_ERROR = 0x440a,
    EXIT_INSTRUCTION_LENGTH = 0x440c,
    GUEST_ES_LIMIT = 0x4800, /* as the selectors, then GDTR, IDTR */
    GUEST_GDTR_LIMIT = 0x4810,
    GUEST_IDTR_LIMIT = 0x4812,
    GUEST_ES_RIGHTS = 0x4814, /* as the selectors */
    GUEST_CS_RIGHTS = 0x4816,
    GUEST_SS_RIGHTS = 0x4818,
    GUEST_TR_RIGHTS = 0x4822,
    GUEST_INTERRUPTIBILITY = 0x4824,
    GUEST_ACTIVITY = 0x4826,
    GUEST_SYSENTER_CS = 0x482a,
    PREEMPTION_TIMER = 0x482e,
    HOST_SYSENTER_CS = 0x4c00,
    CR0_MASK = 0x6000,
    CR4_MASK = 0x6002,
    CR0_SHADOW = 0x6004,
    CR4_SHADOW = 0x6006,
    EXIT_QUALIFICATION = 0x6400,
    VMCS_GUEST_CR0 = 0x6800,
    VMCS_GUEST_CR3 = 0x6802,
    VMCS_GUEST_CR4 = 0x6804,
    GUEST_ES_BASE = 0x6806, /* as the selectors, then GDTR, IDTR */
    VMCS_GUEST_CS_BASE = 0x6808,
    GUEST_GDTR_BASE = 0x6816,
    GUEST_IDTR_BASE = 0x6818,
    VMCS_GUEST_DR7 = 0x681a,
    VMCS_GUEST_RSP = 0x681c,
    VMCS_GUEST_RIP = 0x681e,
    VMCS_GUEST_RFLAGS = 0x6820,
    PENDING_DEBUG = 0x6822,
    GUEST_SYSENTER_ESP = 0x6824,
    GUEST_SYSENTER_EIP = 0x6826,
    HOST_CR0_FIELD = 0x6c00,
    HOST_CR3_FIELD = 0x6c02,
    HOST_CR4_FIELD = 0x6c04,
    HOST_FS_BASE = 0x6c06,
    HOST_GS_BASE = 0x6c08,
    HOST_TR_BASE = 0x6c0a,
    HOST_GDTR_BASE = 0x6c0c,
    HOST_IDTR_BASE = 0x6c0e,
    HOST_SYSENTER_ESP = 0x6c10,
    HOST_SYSENTER_EIP = 0x6c12,
    HOST_RSP = 0x6c14,
    HOST_RIP = 0x6c16,
};

/* In the rights of a segment. */
#define RIGHTS_L        BIT(13)
#define RIGHTS_TYPE     15u
#define TYPE_TSS16_BUSY 3u

/* Segments, in the order of their fields. */
enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEGS };

/* Basic exit reasons, SDM 3, appendix C. */
enum vmx_reason {
    REASON_EXCEPTION = 0, /* or NMI */
    REASON_INTERRUPT = 1,
    REASON_TRIPLE_FAULT = 2,
    REASON_INIT = 3,
    REASON_TASK_SWITCH = 9,
    REASON_CPUID = 10,
    REASON_GETSEC = 11,
    REASON_HLT = 12,
    REASON_INVD = 13,
    REASON_RDPMC = 15,
    REASON_VMCALL = 18,
    REASON_VMCLEAR = 19, /* to VMXON, 27: the instructions of VMX itself */
    REASON_VMXOFF = 26,
    REASON_VMXON = 27,
    REASON_CR = 28,
    REASON_DR = 29,
    REASON_IO = 30,
    REASON_RDMSR = 31,
    REASON_WRMSR = 32,
    REASON_BAD_STATE = 33,
    REASON_BAD_MSRS = 34,
    REASON_MWAIT = 36,
    REASON_MONITOR = 39,
    REASON_MACHINE_CHECK = 41,
    REASON_EPT_VIOLATION = 48,
    REASON_EPT_MISCONFIGURED = 49,
    REASON_INVEPT = 50,
    REASON_PREEMPTION_TIMER = 52,
    REASON_INVVPID = 53,
    REASON_WBINVD = 54,
    REASON_XSETBV = 55,
    REASON_VMFUNC = 59,
    REASON_SEAMCALL = 76,
    REASON_TDCALL = 77,
};
#define REASON_ENTRY_FAILED BIT(31)

/* Events, in and out (SDM 3, 25.8.3, 25.9.2 and 25.9.3). */
#define VMX_EVENT_VECTOR    0xffu
#define VMX_EVENT_TYPE      0x700u
#define VMX_EVENT_NMI       0x200u
#define VMX_EVENT_EXCEPTION 0x300u
#define VMX_EVENT_SOFTWARE  0x400u /* 4, 5 and 6 come from an instruction and need its length */
#define VMX_EVENT_INT1      0x500u
#define VMX_EVENT_ERROR     (1u << 11)
#define VMX_EVENT_RESERVED  (1u << 12) /* "NMI unblocking due to IRET": undefined on the way in */
#define VMX_EVENT_VALID     (1u << 31)

#define ENTRY_IA32E            BIT(9)
#define INTERRUPTIBILITY_INSTR 3u /* blocking by STI, by MOV SS */

#define SECONDARY_EPT_UNRESTRICTED (BIT(1) | BIT(7))
#define SECONDARY_VPID             BIT(5)
#define SECONDARY_XSAVES           BIT(20)
#define SECONDARY_INVPCID          BIT(12)
#define PRIMARY_MOV_DR_EXITING     BIT(23)
#define PIN_TIMER_BIT              6  /* activate VMX-preemption timer */
#define EXIT_SAVE_TIMER_BIT        22 /* save VMX-preemption timer value */

/* The five groups of controls, each with its capability MSR (SDM 3, A.3 to A.5). */
enum vmx_group { VMX_PIN, VMX_PRIMARY, VMX_SECONDARY, VMX_EXIT, VMX_ENTRY, VMX_GROUPS };

/* The MSRs that say what this CPU's VMX can do; 0 for one that does not exist (SDM 3, A). */
struct vmx_msrs {
    u64 feature_control, basic, misc, cr0_fixed0, cr4_fixed0, cr4_fixed1, ept_vpid;
    u64 controls[VMX_GROUPS]; /* the TRUE ones where there are such */
};

/* What follows from them. */
struct vmx_controls {
    u32 pin, primary, secondary, exit, entry;
    u32 revision;
    u8 invept, invvpid; /* the type to flush with: 1 one context, 2 all; 0: there are no VPIDs */
    bool timer;         /* there is a VMX-preemption timer, and exits save it */
    u8 timer_shift;     /* it counts TSC >> this */
};
extern struct vmx_controls vmx_controls;

/*
 * Decides the controls from the MSRs alone. False: `why` names what is missing and what to do.
 * Pure.
 */
bool vmx_decide(const struct vmx_msrs *m, struct vmx_controls *c, char *why, size_t n);

/* Reads the MSRs and decides vmx_controls. Safe in the firmware. */
bool vmx_usable(char *why, size_t n);

/* A line for each optional control that is missing, with what is done instead. */
void vmx_report_missing(void);

/* IA32_VMX_EPT_VPID_CAP, SDM 3, A.10. */
#define EPT_CAP_4_LEVELS    BIT(6)
#define EPT_CAP_WB          BIT(14)
#define EPT_CAP_2M          BIT(16)
#define EPT_CAP_INVEPT      BIT(20)
#define EPT_CAP_INVEPT_ONE  BIT(25)
#define EPT_CAP_INVEPT_ALL  BIT(26)
#define EPT_CAP_INVVPID     BIT(32)
#define EPT_CAP_INVVPID_ONE BIT(41)
#define EPT_CAP_INVVPID_ALL BIT(42)

static inline u64 vmread(enum vmcs_field field)
{
    u64 value;

    __asm__ volatile("vmread %1, %0" : "=rm"(value) : "r"((u64)field) : "cc", "memory");
    return value;
}

NORETURN void vmx_write_failed(enum vmcs_field field, u64 value);

static inline void vmwrite(enum vmcs_field field, u64 value)
{
    bool failed;

    __asm__ volatile("vmwrite %2, %1" : "=@ccna"(failed) : "r"((u64)field), "rm"(value) : "memory");
#ifdef FERMATA_DEBUG
    if (unlikely(failed))
        vmx_write_failed(field, value);
#else
    (void)failed;
#endif
}

/*
 * The VMCS that VMREAD and VMWRITE mean becomes this vCPU's. Whoever may be working on another vCPU
 * than the one that runs (SIPI, creation, messages) calls it first; vmx_exit() calls it last.
 */
void vmx_select(const struct vcpu *v);

/*
 * The self-test found that the APIC's timer does not end the run of a guest with RFLAGS.IF = 0:
 * the VMX-preemption timer does it, if there is one (SDM 3, 26.5.1).
 */
enum vmx_preemption { VMX_BY_INTERRUPT, VMX_BY_TIMER, VMX_BY_EXITS };
extern enum vmx_preemption vmx_preemption;

/* The world switch (vmx_enter.S). Until an exit wants the scheduler. */
enum vcpu_event vmx_loop(struct vcpu *v);
extern const u8 vmx_exit_entry[]; /* HOST_RIP */

/* One entry into the selected VMCS, for the self-test. False: it did not enter. */
bool vmx_enter(struct arch_vcpu *a);

/* The same for every vCPU: one MSR bitmap, made once (vmx_maps.c; false: no memory); and the
 * host's fields of the selected VMCS (vmx_setup.c). */
bool vmx_msr_bitmap_init(void);
extern u64 vmx_msr_bitmap_pa;
void vmx_host_state_init(void);

/* Called by vmx_enter.S: after every exit, VCPU_RESUME enters again; and when an entry failed. */
enum vcpu_event vmx_exit(struct vcpu *v);
enum vcpu_event vmx_entry_failed(struct vcpu *v);

/* Exits of the control registers (vmx_cr.c). */
enum vcpu_event vmx_exit_cr(struct vcpu *v);

/*
 * The gate (vmx_gate.c), as virt_ops has it; closed, with the guest's CR0 `cr0` and CR4 0; and
 * CR0 and CR4 as the guest reads them, and as it wrote them: all of them select its VMCS.
 */
void vmx_gate(struct vcpu *v, fp_units open);
bool vmx_gate_open(const struct vcpu *v);
/* #BP exits from now on, for the debugger. */
void vmx_trap_bp(struct vcpu *v);
void vmx_trap_nm(struct vcpu *v, bool trap);
void vmx_gate_reset(struct vcpu *v, u64 cr0);
u64 vmx_cr0(const struct vcpu *v);
u64 vmx_cr4(const struct vcpu *v);
void vmx_cr_install(const struct vcpu *v, u64 cr0, u64 cr4);

/*
 * What STI or MOV SS blocks in the selected VMCS is over. With it in place and RFLAGS.TF set an
 * entry wants a single step pending (SDM 3, 27.3.1.5): whoever sets TF, or takes the step, says so.
 */
static inline void vmx_unblock(void)
{
    vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) & ~(u64)INTERRUPTIBILITY_INSTR);
}

/* Past the instruction that exited, with the single-step #DB it would have raised. */
void vmx_skip(struct vcpu *v);

/* The guest's DR6 gets what an intercepted #DB would have put there, DR7.GD goes (SDM 3, 18.2). */
void vmx_debug_exception(struct vcpu *v, u64 qualification);

/* STAR, LSTAR, CSTAR, SFMASK, KERNEL_GS_BASE: a write by the guest. False: #GP. */
bool vmx_is_syscall_msr(u32 msr);
bool vmx_syscall_msr_write(struct vcpu *v, u32 msr, u64 value);

struct virt_ops;
extern const struct virt_ops vmx_ops;

#endif
