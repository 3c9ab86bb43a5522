/*
 * The x2APIC a guest sees, by MSR only: identity, and the INIT and SIPI that start its other vCPUs
 * (Intel SDM 3, 11.12; 9.4). No interrupt is delivered to a guest in this release, so what would
 * ask for one is refused instead of forgotten.
 */
#include "msr.h"
#include "virt.h"
#include "x86.h"
#include "hv/console.h"

enum {
    X2APIC_ID = 0x802,
    X2APIC_VERSION = 0x803,
    X2APIC_TPR = 0x808,
    X2APIC_EOI = 0x80b,
    X2APIC_LDR = 0x80d,
    X2APIC_SVR = 0x80f,
    X2APIC_ESR = 0x828,
    X2APIC_ICR = 0x830,
    X2APIC_LVT_TIMER = 0x832,
    X2APIC_LVT_ERROR = 0x837,
    X2APIC_SELF_IPI = 0x83f,
};

#define VERSION          0x00060015u /* integrated, LVT entries 0 to 6 */
#define LVT_MASKED       BIT(16)
#define ICR_MODE(v)      ((v) >> 8 & 7)
#define ICR_INIT         5u
#define ICR_STARTUP      6u
#define ICR_LEVEL        BIT(14)
#define ICR_TRIGGER      BIT(15)
#define ICR_SHORTHAND(v) ((v) >> 18 & 3)
#define ICR_RESERVED     (BITS(31, 20) | BITS(17, 16) | BITS(13, 12))

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
        *value = v->arch.apic_tpr;
        return MSR_DONE;
    case X2APIC_LDR:
        *value = (v->id >> 4) << 16 | 1u << (v->id & 15);
        return MSR_DONE;
    case X2APIC_SVR:
        *value = v->arch.apic_svr;
        return MSR_DONE;
    case X2APIC_ESR:
    case X2APIC_ICR:
        *value = 0;
        return MSR_DONE;
    case X2APIC_LVT_TIMER ... X2APIC_LVT_ERROR:
        *value = LVT_MASKED;
        return MSR_DONE;
    default:
        return MSR_GP;
    }
}

/* INIT puts a stopped vCPU into wait-for-SIPI; one that runs would lose its state, which nobody
 * here wants to happen unseen. */
static enum msr_result send_init(struct vcpu *v, struct vcpu *to)
{
    if (to->state != VCPU_OFF) {
        vcpu_crash(v,
                   "INIT sent to vCPU %u, which is running; only a vCPU that is off can be "
                   "started, remove the reset from the guest",
                   to->id);
        return MSR_STOPPED;
    }
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
    vcpu_start(to);
}

static enum msr_result refuse(struct vcpu *v, u64 icr)
{
    vcpu_crash(v,
               "x2APIC ICR = 0x%lx asks for an interrupt; this release delivers INIT and SIPI to "
               "one vCPU or to all others, and no interrupts: let the guest poll",
               icr);
    return MSR_STOPPED;
}

static enum msr_result write_icr(struct vcpu *v, u64 icr)
{
    u32 mode = (u32)ICR_MODE(icr), shorthand = (u32)ICR_SHORTHAND(icr);
    u32 destination = (u32)(icr >> 32);

    if (icr & ICR_RESERVED)
        return MSR_GP;
    if (mode != ICR_INIT && mode != ICR_STARTUP)
        return refuse(v, icr);
    /* "INIT level de-assert" is history: it does nothing (SDM 3, 11.6.1). */
    if (mode == ICR_INIT && (icr & ICR_TRIGGER) && !(icr & ICR_LEVEL))
        return MSR_DONE;
    if (shorthand == 1 || shorthand == 2)
        return refuse(v, icr); /* to oneself: not with INIT or SIPI */

    for (u32 i = 0; i < v->vm->nvcpus; i++) {
        struct vcpu *to = v->vm->vcpus[i];
        if (shorthand == 3 || destination == 0xffffffff ? to == v : i != destination)
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
        return value & LVT_MASKED ? MSR_DONE : refuse(v, value);
    default:
        return MSR_GP; /* read-only, self-IPI without interrupts, or not there */
    }
}
