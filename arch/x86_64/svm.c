/* AMD SVM: the VMCB of a vCPU, the gate in it, and the run loop. */
#include "svm.h"
#include "exits.h"
#include "cpu.h"
#include "npt.h"
#include "paging.h"
#include "selftest.h"
#include "virt.h"
#include "arch/arch.h"
#include "hv/pages.h"

_Static_assert(offsetof(struct vcpu, arch) == 0, "svm_enter.S");
_Static_assert(offsetof(struct arch_vcpu, vmcb_pa) == 136, "svm_enter.S");
_Static_assert(VCPU_RESUME == 0, "svm_enter.S");

/* Exceptions that would let a guest keep the CPU for ever (an endless #AC or #DB: CVE-2015-5307,
 * CVE-2015-8104), and the machine's own. */
#define EXCEPTIONS_ALWAYS (BIT(1) | BIT(17) | BIT(18))
#define EXCEPTIONS_GATE   (BIT(6) | BIT(7)) /* #UD, #NM */
#define DR_LAZY           0x000f            /* DR0 to DR3 */

static void cpu_init(struct pcpu *cpu)
{
    void *save = pages_alloc(1, PAGE_SIZE, PAGES_HYPERVISOR);
    void *host = pages_alloc(1, PAGE_SIZE, PAGES_HYPERVISOR);

    CHECK(save && host && svm_maps_init());
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
    wrmsr(MSR_VM_HSAVE_PA, (u64)(uintptr_t)save);
    cpu->arch.host_vmcb_pa = (u64)(uintptr_t)host;
    cpu->arch.asid_next = 1;
    cpu->arch.asid_max = cpu_has.asids - 1;
    /* Once is enough: nothing of what VMSAVE saves changes in the hypervisor from here on. */
    __asm__ volatile("vmsave %0" ::"a"(host) : "memory");
}

static bool stage2_init(struct vm *vm)
{
    return npt_create(vm);
}

static void stage2_free(struct vm *vm)
{
    npt_destroy(vm);
}

static void set_intercepts(struct vmcb *c)
{
    c->intercept_cr = SVM_CR_ALWAYS;
    c->intercept_dr_read = DR_LAZY;
    c->intercept_dr_write = DR_LAZY;
    c->intercept_exceptions = EXCEPTIONS_ALWAYS;
    c->intercept_misc1 =
        (u32)(INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_INIT | INTERCEPT_RDPMC | INTERCEPT_CPUID |
              INTERCEPT_INVD | INTERCEPT_HLT | INTERCEPT_INVLPGA | INTERCEPT_IO | INTERCEPT_MSR |
              INTERCEPT_TASK_SWITCH | INTERCEPT_FERR_FREEZE | INTERCEPT_SHUTDOWN);
    c->intercept_misc2 =
        (u32)(INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD | INTERCEPT_VMSAVE |
              INTERCEPT_STGI | INTERCEPT_CLGI | INTERCEPT_SKINIT | INTERCEPT_RDTSCP |
              INTERCEPT_WBINVD | INTERCEPT_MONITOR | INTERCEPT_MWAIT | INTERCEPT_MWAIT_ARMED |
              INTERCEPT_XSETBV | INTERCEPT_RDPRU);
}

/*
 * An ASID of its own for every vCPU, for good: an entry never flushes, and nothing is shared. When
 * they run out, the last is shared and each arrival flushes it (vcpu_arrive).
 */
static u32 take_asid(struct pcpu *cpu)
{
    if (cpu->arch.asid_next < cpu->arch.asid_max)
        return cpu->arch.asid_next++;
    return cpu->arch.asid_max;
}

static bool vcpu_init(struct vcpu *v)
{
    struct vmcb *c = pages_alloc(1, PAGE_SIZE, PAGES_HYPERVISOR);

    if (!c)
        return false;
    v->arch.vmcb = c;
    v->arch.vmcb_pa = (u64)(uintptr_t)c;
    v->arch.asid = take_asid(v->pcpu);
    set_intercepts(c);
    v->arch.open_exceptions = EXCEPTIONS_ALWAYS;
    c->iopm_pa = svm_iopm_pa;
    c->msrpm_pa = svm_msrpm_pa;
    c->asid = v->arch.asid;
    c->tlb_control = TLB_FLUSH_ALL; /* whoever had this ASID before, it is not him any more */
    c->v_intr = V_INTR_MASKING;
    c->np_enable = 1;
    c->n_cr3 = (u64)(uintptr_t)v->vm->arch.npt;
    c->pat = 0x0007040600070406; /* reset value */
    return true;
}

static void vcpu_free(struct vcpu *v)
{
    if (v->arch.vmcb)
        pages_free(v->arch.vmcb, 1, PAGES_HYPERVISOR);
    v->arch.vmcb = NULL;
}

static void set_segments(struct vmcb *c, enum guest_entry entry, u64 where)
{
    struct vmcb_segment data = {0, 0x093, 0xffff, 0};
    struct vmcb_segment code = {0, 0x09b, 0xffff, 0};

    if (entry == ENTRY_PVH) { /* flat, 32 bit, 4 GiB; selectors are "unspecified" */
        data = (struct vmcb_segment){0x10, 0xc93, 0xffffffff, 0};
        code = (struct vmcb_segment){0x08, 0xc9b, 0xffffffff, 0};
    } else {
        code.selector = (u16)(where << 8);
        code.base = where << 12;
    }
    c->cs = code;
    c->ss = c->ds = c->es = c->fs = c->gs = data;
    c->gdtr = c->idtr = (struct vmcb_segment){0, 0, 0xffff, 0};
    c->ldtr = (struct vmcb_segment){0, 0x082, 0xffff, 0};
    c->tr = (struct vmcb_segment){0, 0x08b, entry == ENTRY_PVH ? 0x67 : 0xffff, 0};
}

/* The state INIT leaves (APM 2, 14.1.3), or the one PVH asks for, with the gate closed. */
static void vcpu_reset(struct vcpu *v, enum guest_entry entry, u64 where)
{
    struct vmcb *c = v->arch.vmcb;

    memset(v->arch.regs, 0, sizeof(v->arch.regs));
    set_segments(c, entry, where);
    c->rax = 0;
    c->rsp = 0;
    c->rip = entry == ENTRY_PVH ? where : 0;
    c->rflags = RFLAGS_FIXED;
    c->cr2 = 0;
    c->cr3 = 0;
    c->cpl = 0;
    c->efer = EFER_SVME; /* VMRUN demands it; the guest neither sees nor reaches it (msr.c) */
    c->dr6 = DR6_RESET;
    c->dr7 = DR7_RESET;
    c->cr0 = entry == ENTRY_PVH ? CR0_ET | CR0_PE : CR0_ET | CR0_CD | CR0_NW;
    c->cr4 = 0;
    c->eventinj = 0;
    c->interrupt_shadow = 0;
    c->clean = 0;
    v->arch.gate_open = true; /* as far as the VMCB goes */
    virt->gate(v, 0);
}

static void vcpu_arrive(struct vcpu *v)
{
    if (unlikely(v->arch.asid == v->pcpu->arch.asid_max))
        v->arch.vmcb->tlb_control = TLB_FLUSH_ALL;
}

/*
 * THE GATE. Closed: TS and MP set, OSXSAVE clear, #NM and #UD ours, and nobody sees it: reads of
 * CR0 and CR4 and writes of CR0 exit too, and are retried once it is open. Open: all of it is the
 * guest's own again.
 */
static void gate(struct vcpu *v, fp_units open)
{
    struct arch_vcpu *a = &v->arch;
    struct vmcb *c = a->vmcb;

    if (open && !a->gate_open) {
        c->cr0 = a->own_cr0;
        c->cr4 = a->own_cr4;
        c->intercept_cr = SVM_CR_ALWAYS;
        c->intercept_exceptions = a->open_exceptions;
        a->gate_open = true;
    } else if (!open && a->gate_open) {
        a->own_cr0 = c->cr0;
        a->own_cr4 = c->cr4;
        c->cr0 |= CR0_TS | CR0_MP;
        c->cr4 &= ~(u64)CR4_OSXSAVE;
        c->intercept_cr = SVM_CR_ALWAYS | SVM_CR_GATE;
        c->intercept_exceptions = (u32)(EXCEPTIONS_ALWAYS | EXCEPTIONS_GATE) | a->bp_exception;
        a->gate_open = false;
    } else {
        return;
    }
    c->clean &= ~(u32)(CLEAN_CRX | CLEAN_INTERCEPTS);
}

static void trap_nm(struct vcpu *v, bool trap)
{
    struct vmcb *c = v->arch.vmcb;

    v->arch.open_exceptions =
        (u32)(EXCEPTIONS_ALWAYS | (trap ? BIT(VECTOR_NM) : 0)) | v->arch.bp_exception;
    if (!v->arch.gate_open)
        return;
    c->intercept_exceptions = v->arch.open_exceptions;
    c->clean &= ~(u32)CLEAN_INTERCEPTS;
}

static void trap_bp(struct vcpu *v)
{
    v->arch.bp_exception = BIT(VECTOR_BP);
    v->arch.open_exceptions |= BIT(VECTOR_BP);
    v->arch.vmcb->intercept_exceptions |= BIT(VECTOR_BP);
    /* QEMU has INT3 exit as INT n does, and never as #BP (tests/emu/ERRATA.md, int3-intn). */
    v->arch.vmcb->intercept_misc1 |= INTERCEPT_INTN;
    v->arch.vmcb->clean &= ~(u32)CLEAN_INTERCEPTS;
}

/* Not from our own flag: from what VMRUN will load. */
static bool gate_open(const struct vcpu *v)
{
    const struct vmcb *c = v->arch.vmcb;
    u64 ts_mp = CR0_TS | CR0_MP;
    bool closed = (c->cr0 & ts_mp) == ts_mp && !(c->cr4 & CR4_OSXSAVE) &&
                  (c->intercept_exceptions & EXCEPTIONS_GATE) == EXCEPTIONS_GATE &&
                  (c->intercept_cr & SVM_CR_GATE) == SVM_CR_GATE;

    return !closed;
}

/* Where the guest's own value of a register is: the VMCB, but for CR0 and CR4 behind the gate. */
static u64 *reg_of(struct vcpu *v, enum guest_reg reg)
{
    struct vmcb *c = v->arch.vmcb;

    switch (reg) {
    case GUEST_RIP:
        return &c->rip;
    case GUEST_RFLAGS:
        return &c->rflags;
    case GUEST_CR0:
        return v->arch.gate_open ? &c->cr0 : &v->arch.own_cr0;
    case GUEST_CR3:
        return &c->cr3;
    case GUEST_CR4:
        return v->arch.gate_open ? &c->cr4 : &v->arch.own_cr4;
    case GUEST_EFER:
        return &c->efer;
    case GUEST_PAT:
        return &c->pat;
    case GUEST_TSC_OFFSET:
        return &c->tsc_offset;
    case GUEST_SP:
        return &c->rsp;
    case GUEST_AX:
        return &c->rax;
    case GUEST_DR7:
        return &c->dr7;
    }
    panic("guest register %d", (int)reg);
}

static u64 get(const struct vcpu *v, enum guest_reg reg)
{
    u64 value = *reg_of((struct vcpu *)(uintptr_t)v, reg);

    return reg == GUEST_EFER ? value & ~(u64)EFER_SVME : value;
}

static void set(struct vcpu *v, enum guest_reg reg, u64 value)
{
    u64 *where = reg_of(v, reg);

    *where = reg == GUEST_EFER ? value | EFER_SVME : value;
    /* Behind the gate the hardware's registers follow, but for what the gate holds back. */
    if (!v->arch.gate_open) {
        v->arch.vmcb->cr0 = v->arch.own_cr0 | CR0_TS | CR0_MP;
        v->arch.vmcb->cr4 = v->arch.own_cr4 & ~(u64)CR4_OSXSAVE;
    }
    v->arch.vmcb->clean = 0;
}

static struct guest_segment segment(const struct vcpu *v, unsigned n)
{
    const struct vmcb *c = v->arch.vmcb;
    const struct vmcb_segment *const segments[] = {&c->es, &c->cs, &c->ss, &c->ds, &c->fs, &c->gs};

    return (struct guest_segment){segments[n]->selector, segments[n]->base};
}

static unsigned cpl(const struct vcpu *v)
{
    return v->arch.vmcb->cpl;
}

static void inject(struct vcpu *v, u8 vector, bool has_error, u32 error)
{
    v->arch.vmcb->eventinj =
        vector | EVENT_EXCEPTION | EVENT_VALID | (has_error ? EVENT_ERROR | (u64)error << 32 : 0);
}

static void flush_tlb(struct vcpu *v)
{
    v->arch.vmcb->tlb_control = cpu_has.flush_by_asid ? TLB_FLUSH_GUEST : TLB_FLUSH_ALL;
}

void svm_skip(struct vcpu *v, u32 bytes)
{
    struct vmcb *c = v->arch.vmcb;

    c->rip = cpu_has.nrip && c->nrip ? c->nrip : c->rip + bytes;
    if (!vcpu_in_64bit_mode(v))
        c->rip &= 0xffffffff;
    c->interrupt_shadow = 0;
    if (likely(!(c->rflags & (RFLAGS_TF | RFLAGS_RF))))
        return;
    c->rflags &= ~(u64)RFLAGS_RF; /* holds for one instruction */
    if (unlikely(v->arch.stepped)) {
        v->arch.step_done = true;
    } else if (c->rflags & RFLAGS_TF) {
        c->dr6 |= DR6_BS;
        c->clean &= ~(u32)CLEAN_DRX;
        inject(v, VECTOR_DB, false, 0);
    }
}

static void debug_regs_open(struct vcpu *v)
{
    v->arch.vmcb->intercept_dr_read = 0;
    v->arch.vmcb->intercept_dr_write = 0;
    v->arch.vmcb->clean &= ~(u32)CLEAN_INTERCEPTS;
}

static void debug_regs_close(struct vcpu *v)
{
    v->arch.vmcb->intercept_dr_read = DR_LAZY;
    v->arch.vmcb->intercept_dr_write = DR_LAZY;
    v->arch.vmcb->clean &= ~(u32)CLEAN_INTERCEPTS;
}

static enum vcpu_event run(struct vcpu *v)
{
    fp_enter(v, &v->fp);
    if (unlikely(svm_timer_held_back))
        timer_forget(v->pcpu);
    return svm_loop(v, v->pcpu->arch.host_vmcb_pa);
}

const struct virt_ops svm_ops = {
    .name = "SVM",
    .stage2_leaf = PTE_P | PTE_W | PTE_U | PTE_PS,
    .cpu_init = cpu_init,
    .selftest = svm_selftest,
    .probe = svm_probe,
    .vm_init = stage2_init,
    .vm_free = stage2_free,
    .vcpu_init = vcpu_init,
    .vcpu_free = vcpu_free,
    .vcpu_reset = vcpu_reset,
    .vcpu_arrive = vcpu_arrive,
    .debug_regs_open = debug_regs_open,
    .debug_regs_close = debug_regs_close,
    .trap_bp = trap_bp,
    .segment = segment,
    .run = run,
    .get = get,
    .set = set,
    .cpl = cpl,
    .inject = inject,
    .flush_tlb = flush_tlb,
    .gate = gate,
    .trap_nm = trap_nm,
    .gate_open = gate_open,
};
