/*
 * The x2APIC a guest sees, by MSR only: identity, and the INIT and SIPI that start its other vCPUs
 * (Intel SDM 3, 11.12; 9.4). No interrupt is delivered to a guest in this release, so what would
 * ask for one is refused instead of forgotten.
 */
#include "msr.h"
#include "vcpu.h"
#include "virt.h"
#include "x86.h"
#include "hv/console.h"

enum {
    X2APIC_ID = 0x802,
    X2APIC_VERSION = 0x803,
    X2APIC_TPR = 0x808,
    X2APIC_PPR = 0x80a,
    X2APIC_EOI = 0x80b,
    X2APIC_LDR = 0x80d,
    X2APIC_SVR = 0x80f,
    X2APIC_ISR_FIRST = 0x810, /* ISR, TMR and IRR, 8 registers each */
    X2APIC_IRR_LAST = 0x827,
    X2APIC_ESR = 0x828,
    X2APIC_ICR = 0x830,
    X2APIC_LVT_TIMER = 0x832,
    X2APIC_LVT_ERROR = 0x837,
    X2APIC_TIMER_INITIAL = 0x838,
    X2APIC_TIMER_CURRENT = 0x839,
    X2APIC_TIMER_DIVIDE = 0x83e,
    X2APIC_SELF_IPI = 0x83f,
};

#define VERSION          0x00060015u /* integrated, LVT entries 0 to 6 */
#define LVT_MASKED       BIT(16)
#define ICR_MODE(v)      ((v) >> 8 & 7)
#define ICR_INIT         5u
#define ICR_STARTUP      6u
#define ICR_LEVEL        BIT(14)
#define ICR_TRIGGER      BIT(15)
#define ICR_LOGICAL      BIT(11)
#define ICR_SHORTHAND(v) ((v) >> 18 & 3)
#define ICR_RESERVED     (BITS(31, 20) | BITS(17, 16) | BITS(13, 12))

/* Cluster and bit in it: SDM 3, 11.12.10.2. */
static u32 logical_id(const struct vcpu *v)
{
    return (v->id >> 4) << 16 | 1u << (v->id & 15);
}

enum msr_result vapic_read(struct vcpu *v, u32 msr, u64 *value)
{
    switch (msr) {
    case X2APIC_ID:
        *value = v->id;
        return MSR_DONE;
    case X2APIC_VERSION:
        *value = VERSION;
        return MSR_DONE;
    case X2APIC_TPR:
    case X2APIC_PPR: /* nothing is in service: the task's priority is all there is */
        *value = v->arch.apic_tpr;
        return MSR_DONE;
    case X2APIC_LDR:
        *value = logical_id(v);
        return MSR_DONE;
    case X2APIC_SVR:
        *value = v->arch.apic_svr;
        return MSR_DONE;
    case X2APIC_ISR_FIRST ... X2APIC_IRR_LAST:
    case X2APIC_ESR:
    case X2APIC_ICR:
    case X2APIC_TIMER_INITIAL:
    case X2APIC_TIMER_CURRENT:
    case X2APIC_TIMER_DIVIDE:
        *value = 0;
        return MSR_DONE;
    case X2APIC_LVT_TIMER ... X2APIC_LVT_ERROR:
        *value = LVT_MASKED;
        return MSR_DONE;
    default:
        return MSR_GP;
    }
}

/*
 * INIT puts a vCPU into wait-for-SIPI wherever it was. Its FP registers keep what they hold (SDM 3,
 * table 10-1), and everything else is reset when the SIPI comes.
 */
static enum msr_result send_init(struct vcpu *v, struct vcpu *to)
{
    if (to == v) {
        vcpu_crash(v,
                   "INIT sent to itself: this release resets other vCPUs only; power off instead");
        return MSR_STOPPED;
    }
    if (to->state != VCPU_OFF)
        vcpu_off(to);
    to->arch.init_seen = true;
    return MSR_DONE;
}

/* The second SIPI of the usual pair finds the vCPU running and is ignored, as by hardware. */
static void send_sipi(struct vcpu *to, u8 vector)
{
    if (to->state != VCPU_OFF || !to->arch.init_seen)
        return;
    to->arch.init_seen = false;
    virt->vcpu_reset(to, ENTRY_SIPI, vector);
    virt->flush_tlb(to); /* it may have run before, with paging */
    memset(to->arch.dr, 0, sizeof(to->arch.dr));
    to->arch.regs[RDX] = vcpu_cpuid(to, 1, 0).eax; /* as after reset: SDM 3, 10.1.2 */
    to->arch.apic_svr = 0xff;
    to->arch.apic_tpr = 0;
    vcpu_start(to);
}

static enum msr_result refuse(struct vcpu *v, u32 msr, u64 value)
{
    vcpu_crash(v,
               "x2APIC MSR 0x%x = 0x%lx asks for an interrupt; this release delivers INIT and SIPI "
               "to other vCPUs, and no interrupts: let the guest poll",
               msr, value);
    return MSR_STOPPED;
}

static bool addressed(const struct vcpu *v, const struct vcpu *to, u64 icr)
{
    u32 destination = (u32)(icr >> 32), logical = logical_id(to);

    if (ICR_SHORTHAND(icr) == 3 || destination == 0xffffffff)
        return to != v;
    if (icr & ICR_LOGICAL)
        return destination >> 16 == logical >> 16 && (destination & logical & 0xffff);
    return to->id == destination;
}

static enum msr_result write_icr(struct vcpu *v, u64 icr)
{
    u32 mode = (u32)ICR_MODE(icr), shorthand = (u32)ICR_SHORTHAND(icr);

    if (icr & ICR_RESERVED)
        return MSR_GP;
    if (mode != ICR_INIT && mode != ICR_STARTUP)
        return refuse(v, X2APIC_ICR, icr);
    /* "INIT level de-assert" is history: it does nothing (SDM 3, 11.6.1). */
    if (mode == ICR_INIT && (icr & ICR_TRIGGER) && !(icr & ICR_LEVEL))
        return MSR_DONE;
    if (shorthand == 1 || shorthand == 2)
        return refuse(v, X2APIC_ICR, icr); /* to oneself: not with INIT or SIPI */

    for (u32 i = 0; i < v->vm->nvcpus; i++) {
        struct vcpu *to = v->vm->vcpus[i];
        if (!addressed(v, to, icr))
            continue;
        if (mode == ICR_STARTUP)
            send_sipi(to, (u8)icr);
        else if (send_init(v, to) != MSR_DONE)
            return MSR_STOPPED;
    }
    return MSR_DONE;
}

enum msr_result vapic_write(struct vcpu *v, u32 msr, u64 value)
{
    switch (msr) {
    case X2APIC_TPR:
        if (value > 0xff)
            return MSR_GP;
        v->arch.apic_tpr = (u32)value;
        return MSR_DONE;
    case X2APIC_EOI: /* nothing is ever in service */
    case X2APIC_ESR:
        return value ? MSR_GP : MSR_DONE;
    case X2APIC_SVR:
        if (value & ~0x13ffull)
            return MSR_GP;
        v->arch.apic_svr = (u32)value;
        return MSR_DONE;
    case X2APIC_ICR:
        return write_icr(v, value);
    case X2APIC_LVT_TIMER ... X2APIC_LVT_ERROR:
        /* Masking what is masked is fine; unmasking would promise an interrupt. */
        return value & LVT_MASKED ? MSR_DONE : refuse(v, msr, value);
    case X2APIC_TIMER_DIVIDE:
        return value & ~0xbull ? MSR_GP : MSR_DONE;
    case X2APIC_TIMER_INITIAL: /* 0 stops the timer, which never runs */
        return value ? refuse(v, msr, value) : MSR_DONE;
    case X2APIC_SELF_IPI:
        return value > 0xff ? MSR_GP : refuse(v, msr, value);
    default:
        return MSR_GP; /* read-only, or not there */
    }
}
