/*
 * Intel VMX: the VMCS of a vCPU, and what stays in the CPU between exits. The VMCS is what VMREAD
 * says it is: everything here selects the vCPU's own first.
 */
#include "vmx.h"
#include "exits.h"
#include "npt.h"
#include "selftest.h"
#include "vcpu.h"
#include "virt.h"
#include "arch/arch.h"
#include "hv/pages.h"

_Static_assert(offsetof(struct arch_vcpu, vmx.host_rsp) == 144, "vmx_enter.S");
_Static_assert(offsetof(struct arch_vcpu, vmx.launched) == 152, "vmx_enter.S");
_Static_assert(HOST_RSP == 0x6c14, "vmx_enter.S");

enum vmx_preemption vmx_preemption;

NORETURN void vmx_write_failed(enum vmcs_field field, u64 value)
{
    panic("VMWRITE of 0x%lx to field 0x%x failed (instruction error %lu)", value, (u32)field,
          vmread(INSTRUCTION_ERROR));
}

void vmx_select(const struct vcpu *v)
{
    struct pcpu *cpu = arch_this_cpu();
    u64 pa = v->arch.vmx.vmcs_pa;
    bool failed;

    if (likely(cpu->arch.vmcs_pa == pa))
        return;
    __asm__ volatile("vmptrld %1" : "=@ccna"(failed) : "m"(pa) : "memory");
    CHECK(!failed);
    cpu->arch.vmcs_pa = pa;
}

/* Everything of one VPID, or of one EPT pointer, and where that cannot be asked for, everything
 * (SDM 3, 31.3). Without VPIDs entries and exits flush by themselves. */
static void invvpid(u16 vpid)
{
    const struct {
        u64 vpid, linear;
    } descriptor = {vpid, 0};

    if (likely(vmx_controls.invvpid))
        __asm__ volatile("invvpid %0, %1" ::"m"(descriptor), "r"((u64)vmx_controls.invvpid)
                         : "cc", "memory");
}

static void invept(u64 pointer)
{
    const struct {
        u64 pointer, reserved;
    } descriptor = {pointer, 0};

    __asm__ volatile("invept %0, %1" ::"m"(descriptor), "r"((u64)vmx_controls.invept)
                     : "cc", "memory");
}

static const u32 syscall_msrs[SYSCALL_MSRS] = {MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SFMASK,
                                               MSR_KERNEL_GS_BASE};

static void cpu_init(struct pcpu *cpu)
{
    void *region = pages_alloc(1, PAGE_SIZE, PAGES_HYPERVISOR);
    u64 pa = (u64)(uintptr_t)region;
    bool failed;

    CHECK(region && vmx_msr_bitmap_init());
    *(u32 *)region = vmx_controls.revision;
    write_cr4(read_cr4() | CR4_VMXE);
    __asm__ volatile("vmxon %1" : "=@ccna"(failed) : "m"(pa) : "memory");
    if (failed)
        panic("VMXON failed although the capability MSRs allow it (VMCS revision 0x%x)",
              vmx_controls.revision);
    fp_hw.xsaves_hidden = !(vmx_controls.secondary & SECONDARY_XSAVES);
    cpu->arch.asid_next = 1; /* VPIDs here */
    cpu->arch.asid_max = 0xffff;
    for (unsigned i = 0; i < SYSCALL_MSRS; i++)
        wrmsr(syscall_msrs[i], cpu->arch.syscall_msrs[i] = 0);
    write_cr2(0);
}

static u64 ept_pointer(const struct vm *vm)
{
    return (u64)(uintptr_t)vm->arch.npt | 3 << 3 | 6; /* walk of 4, write-back */
}

static bool stage2_init(struct vm *vm)
{
    if (!npt_create(vm))
        return false;
    invept(ept_pointer(vm)); /* a freed VM may have had its tables at the same address */
    return true;
}

static void set_controls(const struct vcpu *v)
{
    const struct vmx_controls *c = &vmx_controls;

    bool timer = vmx_preemption == VMX_BY_TIMER;

    vmwrite(PIN_CONTROLS, c->pin | (timer ? BIT(PIN_TIMER_BIT) : 0));
    vmwrite(PRIMARY_CONTROLS, c->primary);
    vmwrite(SECONDARY_CONTROLS, c->secondary);
    vmwrite(EXIT_CONTROLS, c->exit | (timer ? BIT(EXIT_SAVE_TIMER_BIT) : 0));
    vmwrite(ENTRY_CONTROLS, c->entry);
    vmwrite(EXIT_MSR_STORE_COUNT, 0);
    vmwrite(EXIT_MSR_LOAD_COUNT, 0);
    vmwrite(ENTRY_MSR_LOAD_COUNT, 0);
    vmwrite(CR3_TARGET_COUNT, 0);
    vmwrite(MSR_BITMAP, vmx_msr_bitmap_pa);
    vmwrite(VMCS_LINK_POINTER, ~0ull);
    if (c->secondary & SECONDARY_XSAVES)
        vmwrite(XSS_EXITING_BITMAP, 0); /* IA32_XSS is 0 */
    if (c->secondary & SECONDARY_VPID)
        vmwrite(VPID, v->arch.asid);
    vmwrite(EPT_POINTER, ept_pointer(v->vm));
    vmwrite(TSC_OFFSET, 0);
    vmwrite(VMCS_GUEST_PAT, 0x0007040600070406); /* reset value */
    vmwrite(GUEST_DEBUGCTL, 0);
}

/* The VMCS leaves the CPU's own cache: before its page may mean anything else. */
static void vmclear(u64 pa)
{
    bool failed;

    __asm__ volatile("vmclear %1" : "=@ccna"(failed) : "m"(pa) : "memory");
    CHECK(!failed);
    if (arch_this_cpu()->arch.vmcs_pa == pa)
        arch_this_cpu()->arch.vmcs_pa = 0;
}

static bool vcpu_init(struct vcpu *v)
{
    struct arch_pcpu *cpu = &v->pcpu->arch;
    void *page = pages_alloc(1, PAGE_SIZE, PAGES_HYPERVISOR);

    if (!page)
        return false;
    *(u32 *)page = vmx_controls.revision;
    v->arch.vmx.vmcs_pa = (u64)(uintptr_t)page;
    v->arch.vmx.dr6 = DR6_RESET;
    v->arch.switch_hook = true;
    vmx_trap_nm(v, false);
    v->arch.asid = cpu->asid_next < cpu->asid_max ? cpu->asid_next++ : cpu->asid_max;
    vmclear(v->arch.vmx.vmcs_pa);
    vmx_select(v);
    set_controls(v);
    vmx_host_state_init();
    invvpid((u16)v->arch.asid);
    return true;
}

static void vcpu_free(struct vcpu *v)
{
    u64 pa = v->arch.vmx.vmcs_pa;

    if (!pa)
        return;
    vmclear(pa);
    pages_free((void *)(uintptr_t)pa, 1, PAGES_HYPERVISOR);
    v->arch.vmx.vmcs_pa = 0;
}

struct segment {
    u16 selector;
    u32 limit, rights;
    u64 base;
};

static void set_segment(unsigned n, struct segment s)
{
    vmwrite((enum vmcs_field)(GUEST_ES + 2 * n), s.selector);
    vmwrite((enum vmcs_field)(GUEST_ES_LIMIT + 2 * n), s.limit);
    vmwrite((enum vmcs_field)(GUEST_ES_RIGHTS + 2 * n), s.rights);
    vmwrite((enum vmcs_field)(GUEST_ES_BASE + 2 * n), s.base);
}

static void set_segments(enum guest_entry entry, u64 where)
{
    struct segment data = {0, 0xffff, 0x93, 0};
    struct segment code = {(u16)(where << 8), 0xffff, 0x9b, where << 12};

    if (entry == ENTRY_PVH) { /* flat, 32 bit, 4 GiB; selectors are "unspecified" */
        data = (struct segment){0x10, 0xffffffff, 0xc093, 0};
        code = (struct segment){0x08, 0xffffffff, 0xc09b, 0};
    }
    for (unsigned i = SEG_ES; i <= SEG_GS; i++)
        set_segment(i, i == SEG_CS ? code : data);
    set_segment(SEG_LDTR, (struct segment){0, 0xffff, 0x82, 0});
    set_segment(SEG_TR, (struct segment){0, entry == ENTRY_PVH ? 0x67 : 0xffff, 0x8b, 0});
    vmwrite(GUEST_GDTR_LIMIT, 0xffff);
    vmwrite(GUEST_IDTR_LIMIT, 0xffff);
    vmwrite(GUEST_GDTR_BASE, 0);
    vmwrite(GUEST_IDTR_BASE, 0);
}

/* The state INIT leaves (SDM 3, table 10-1), or the one PVH asks for, with the gate closed. */
static void vcpu_reset(struct vcpu *v, enum guest_entry entry, u64 where)
{
    memset(v->arch.regs, 0, sizeof(v->arch.regs));
    vmx_select(v);
    set_segments(entry, where);
    vmwrite(VMCS_GUEST_RSP, 0);
    vmwrite(VMCS_GUEST_RIP, entry == ENTRY_PVH ? where : 0);
    vmwrite(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
    vmwrite(VMCS_GUEST_CR3, 0);
    vmwrite(VMCS_GUEST_EFER, 0);
    vmwrite(ENTRY_CONTROLS, vmx_controls.entry);
    vmwrite(ENTRY_EVENT, 0);
    vmwrite(VMCS_GUEST_DR7, DR7_RESET);
    vmwrite(GUEST_SYSENTER_CS, 0);
    vmwrite(GUEST_SYSENTER_ESP, 0);
    vmwrite(GUEST_SYSENTER_EIP, 0);
    vmwrite(GUEST_INTERRUPTIBILITY, 0);
    vmwrite(GUEST_ACTIVITY, 0);
    vmwrite(PENDING_DEBUG, 0);
    v->arch.vmx.cr2 = 0;
    v->arch.vmx.dr6 = DR6_RESET;
    vmx_gate_reset(v, entry == ENTRY_PVH ? CR0_ET | CR0_PE : CR0_ET | CR0_CD | CR0_NW);
}

/* What stays in the CPU between exits, and no VMCS holds: changed values only. */
static void vcpu_arrive(struct vcpu *v)
{
    struct arch_pcpu *cpu = &v->pcpu->arch;

    vmx_select(v);
    for (unsigned i = 0; i < SYSCALL_MSRS; i++) {
        if (unlikely(cpu->syscall_msrs[i] != v->arch.vmx.syscall_msrs[i]))
            wrmsr(syscall_msrs[i], cpu->syscall_msrs[i] = v->arch.vmx.syscall_msrs[i]);
    }
    if (unlikely(read_cr2() != v->arch.vmx.cr2))
        write_cr2(v->arch.vmx.cr2);
    if (unlikely(v->arch.dr_used))
        write_dr6(v->arch.vmx.dr6);
    if (unlikely(v->arch.asid == cpu->asid_max)) /* they ran out: this one is shared */
        invvpid((u16)v->arch.asid);
}

static void vcpu_leave(struct vcpu *v)
{
    u64 kernel_gs = rdmsr(MSR_KERNEL_GS_BASE);

    v->arch.vmx.syscall_msrs[SYSCALL_KERNEL_GS] = kernel_gs;
    v->pcpu->arch.syscall_msrs[SYSCALL_KERNEL_GS] = kernel_gs;
    v->arch.vmx.cr2 = read_cr2();
    if (unlikely(v->arch.dr_used)) {
        v->arch.vmx.dr6 = read_dr6();
        write_dr6(DR6_RESET);
    }
}

bool vmx_is_syscall_msr(u32 msr)
{
    return msr >= MSR_STAR && msr <= MSR_SFMASK;
}

bool vmx_syscall_msr_write(struct vcpu *v, u32 msr, u64 value)
{
    bool canonical = (u64)((s64)(value << 16) >> 16) == value;

    /* What the CPU would refuse is refused here: it would be our own #GP. */
    if ((msr == MSR_LSTAR || msr == MSR_CSTAR) && !canonical)
        return false;
    if (msr == MSR_SFMASK && value >> 32)
        return false;
    v->arch.vmx.syscall_msrs[msr - MSR_STAR] = value;
    v->pcpu->arch.syscall_msrs[msr - MSR_STAR] = value;
    wrmsr(msr, value);
    return true;
}

static enum vmcs_field field_of(enum guest_reg reg)
{
    switch (reg) {
    case GUEST_RIP:
        return VMCS_GUEST_RIP;
    case GUEST_RFLAGS:
        return VMCS_GUEST_RFLAGS;
    case GUEST_CR3:
        return VMCS_GUEST_CR3;
    case GUEST_EFER:
        return VMCS_GUEST_EFER;
    case GUEST_PAT:
        return VMCS_GUEST_PAT;
    case GUEST_TSC_OFFSET:
        return TSC_OFFSET;
    case GUEST_SP:
        return VMCS_GUEST_RSP;
    case GUEST_DR7:
        return VMCS_GUEST_DR7;
    default:
        panic("guest register %d has no field of its own", (int)reg);
    }
}

static u64 get(const struct vcpu *v, enum guest_reg reg)
{
    if (reg == GUEST_AX)
        return v->arch.regs[RAX];
    vmx_select(v);
    if (reg == GUEST_CR0)
        return vmx_cr0(v);
    if (reg == GUEST_CR4)
        return vmx_cr4(v);
    return vmread(field_of(reg));
}

static void set(struct vcpu *v, enum guest_reg reg, u64 value)
{
    vmx_select(v);
    if (reg == GUEST_AX)
        v->arch.regs[RAX] = value;
    else if (reg == GUEST_CR0)
        vmx_cr_install(v, value, get(v, GUEST_CR4));
    else if (reg == GUEST_CR4)
        vmx_cr_install(v, get(v, GUEST_CR0), value);
    else
        vmwrite(field_of(reg), value);
    if (reg == GUEST_RFLAGS && (value & RFLAGS_TF)) /* a debugger steps */
        vmx_unblock();
    if (reg == GUEST_EFER) /* the control has to agree with LMA (SDM 3, 27.3.1.1) */
        vmwrite(ENTRY_CONTROLS, value & EFER_LMA ? vmx_controls.entry | ENTRY_IA32E
                                                 : vmx_controls.entry & ~ENTRY_IA32E);
}

static struct guest_segment segment(const struct vcpu *v, unsigned n)
{
    vmx_select(v);
    return (struct guest_segment){(u16)vmread((enum vmcs_field)(GUEST_ES + 2 * n)),
                                  vmread((enum vmcs_field)(GUEST_ES_BASE + 2 * n))};
}

static unsigned cpl(const struct vcpu *v)
{
    vmx_select(v);
    return vmread(GUEST_SS_RIGHTS) >> 5 & 3;
}

static bool code64(const struct vcpu *v)
{
    vmx_select(v);
    return (vmread(VMCS_GUEST_EFER) & EFER_LMA) && (vmread(GUEST_CS_RIGHTS) & RIGHTS_L);
}

static void inject(struct vcpu *v, u8 vector, bool has_error, u32 error)
{
    vmx_select(v);
    /* Real mode pushes no error code, and an entry with one would be refused (SDM 3, 27.2.1.3). */
    if (!(vmread(VMCS_GUEST_CR0) & CR0_PE))
        has_error = false;
    vmwrite(ENTRY_EVENT,
            vector | VMX_EVENT_EXCEPTION | VMX_EVENT_VALID | (has_error ? VMX_EVENT_ERROR : 0));
    if (has_error)
        vmwrite(ENTRY_EVENT_ERROR, error);
}

static void flush_tlb(struct vcpu *v)
{
    invvpid((u16)v->arch.asid);
}

static void debug_regs_open(struct vcpu *v)
{
    vmx_select(v);
    vmwrite(PRIMARY_CONTROLS, vmx_controls.primary & ~(u32)PRIMARY_MOV_DR_EXITING);
    write_dr6(v->arch.vmx.dr6);
}

static void debug_regs_close(struct vcpu *v)
{
    vmx_select(v);
    vmwrite(PRIMARY_CONTROLS, vmx_controls.primary | PRIMARY_MOV_DR_EXITING);
}

void vmx_debug_exception(struct vcpu *v, u64 qualification)
{
    if (!v->arch.dr_used)
        vcpu_debug_regs_load(v);
    write_dr6((read_dr6() & ~0xfull) | (qualification & 0x600f));
    vmwrite(VMCS_GUEST_DR7, vmread(VMCS_GUEST_DR7) & ~BIT(13)); /* GD */
}

/* The instruction was about another vCPU, whose VMCS is selected now. */
static COLD void skip_from_other(struct vcpu *v)
{
    vmx_select(v);
    vmx_skip(v);
}

static COLD void skip_rare(struct vcpu *v, u64 rip, u64 blocked, u64 rflags)
{
    vmwrite(VMCS_GUEST_RIP, code64(v) ? rip : (u32)rip);
    if (blocked & INTERRUPTIBILITY_INSTR) {
        vmwrite(GUEST_INTERRUPTIBILITY, blocked & ~(u64)INTERRUPTIBILITY_INSTR);
        vmwrite(PENDING_DEBUG, 0); /* BS of a MOV SS before: it is due now */
    }
    vmwrite(VMCS_GUEST_RFLAGS, rflags & ~(u64)RFLAGS_RF); /* holds for one instruction */
    if (unlikely(v->arch.stepped)) {
        v->arch.step_done = true;
    } else if (rflags & RFLAGS_TF) {
        vmx_debug_exception(v, DR6_BS);
        inject(v, VECTOR_DB, false, 0);
    }
}

void vmx_skip(struct vcpu *v)
{
    if (unlikely(v->pcpu->arch.vmcs_pa != v->arch.vmx.vmcs_pa)) {
        skip_from_other(v);
        return;
    }
    u64 rip = vmread(VMCS_GUEST_RIP) + vmread(EXIT_INSTRUCTION_LENGTH);
    u64 blocked = vmread(GUEST_INTERRUPTIBILITY), rflags = vmread(VMCS_GUEST_RFLAGS);

    if (unlikely((rip >> 32) | (blocked & INTERRUPTIBILITY_INSTR) |
                 (rflags & (RFLAGS_TF | RFLAGS_RF))))
        skip_rare(v, rip, blocked, rflags);
    else
        vmwrite(VMCS_GUEST_RIP, rip);
}

/* Where an interrupt does not end the run of every guest. */
static COLD void start_quantum(struct vcpu *v)
{
    timer_forget(v->pcpu);
    if (vmx_preemption == VMX_BY_TIMER)
        vmwrite(PREEMPTION_TIMER, v->pcpu->quantum >> vmx_controls.timer_shift);
}

static enum vcpu_event run(struct vcpu *v)
{
    fp_enter(v, &v->fp);
    vmx_select(v);
    if (unlikely(vmx_preemption != VMX_BY_INTERRUPT))
        start_quantum(v);
    return vmx_loop(v);
}

/* The firmware's power-off may reset the CPU by INIT, which VMX operation would block. */
static void cpu_end(void)
{
    if (read_cr4() & CR4_VMXE)
        __asm__ volatile("vmxoff" ::: "cc", "memory");
}

const struct virt_ops vmx_ops = {
    .name = "VMX",
    .stage2_leaf = 0xb7, /* read, write, execute, write-back, 2 MiB (SDM 3, 29.3.2) */
    .stage2_levels = 4,
    .cpu_init = cpu_init,
    .cpu_end = cpu_end,
    .selftest = vmx_selftest,
    .probe = vmx_probe,
    .vm_init = stage2_init,
    .vm_free = npt_destroy,
    .vcpu_init = vcpu_init,
    .vcpu_free = vcpu_free,
    .vcpu_reset = vcpu_reset,
    .vcpu_arrive = vcpu_arrive,
    .vcpu_leave = vcpu_leave,
    .debug_regs_open = debug_regs_open,
    .debug_regs_close = debug_regs_close,
    .trap_bp = vmx_trap_bp,
    .segment = segment,
    .run = run,
    .get = get,
    .set = set,
    .cpl = cpl,
    .code64 = code64,
    .inject = inject,
    .flush_tlb = flush_tlb,
    .gate = vmx_gate,
    .trap_nm = vmx_trap_nm,
    .gate_open = vmx_gate_open,
};
