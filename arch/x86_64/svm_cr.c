/*
 * Control register exits of SVM. CR4 writes always come here; CR0 writes and the reads of CR0 and
 * CR4 while the gate is closed, because then the real registers are not what the guest wrote. A
 * plain MOV is done on the guest's own values and leaves the gate as it is: a vCPU that sets up
 * paging, or runs its own lazy FP, has not used the FP for that. Whatever else is behind such an
 * exit (CLTS, LMSW, SMSW) opens the gate and is retried: no decoder has to be complete.
 */
#include "svm.h"
#include "cpu.h"
#include "cr.h"
#include "decode_cr.h"
#include "exits.h"
#include "guest_walk.h"
#include "virt.h"
#include "arch/arch.h"

static u64 gpr_get(const struct vcpu *v, unsigned n)
{
    const struct vmcb *c = v->arch.vmcb;

    return n == RAX ? c->rax : n == RSP ? c->rsp : v->arch.regs[n];
}

static void gpr_set(struct vcpu *v, unsigned n, u64 value)
{
    struct vmcb *c = v->arch.vmcb;

    if (n == RAX)
        c->rax = value;
    else if (n == RSP)
        c->rsp = value;
    else
        v->arch.regs[n] = value;
}

/* The instruction that exited, read back through the guest's own tables. Returns its bytes. */
size_t svm_fetch(struct vcpu *v, u8 *bytes, size_t n)
{
    struct vmcb *c = v->arch.vmcb;
    struct guest_memory m = {
        v->vm->ram, v->vm->ram_gpa,          v->vm->ram_bytes, virt->get(v, GUEST_CR0),
        c->cr3,     virt->get(v, GUEST_CR4), c->efer};
    u64 linear = vcpu_in_64bit_mode(v) ? c->rip : (u32)(c->cs.base + c->rip);

    return guest_read(&m, linear, bytes, n);
}

/* False: what exited is no MOV. */
static bool decode_from_memory(struct vcpu *v, struct cr_access *access)
{
    u8 bytes[15];
    size_t n = svm_fetch(v, bytes, sizeof(bytes));

    return decode_cr_access(bytes, n, vcpu_in_64bit_mode(v), access);
}

u32 svm_length(struct vcpu *v, u32 bytes)
{
    u8 code[15];

    if (likely(cpu_has.nrip))
        return bytes; /* svm_skip() goes by NRIP */
    size_t n = svm_fetch(v, code, sizeof(code));
    return (u32)decode_prefixes(code, n, vcpu_in_64bit_mode(v)) + bytes;
}

/* From the CPU where it tells (APM 2, 15.33.1), else from the instruction. */
static bool decode(struct vcpu *v, u64 code, struct cr_access *access)
{
    const struct vmcb *c = v->arch.vmcb;

    if (!cpu_has.decode_assists || !cpu_has.nrip)
        return decode_from_memory(v, access);
    *access = (struct cr_access){.write = code >= SVM_EXIT_WRITE_CR0,
                                 .cr = (u8)(code & 0xf),
                                 .gpr = (u8)(c->exitinfo1 & 0xf),
                                 .length = 3}; /* svm_skip() goes by NRIP */
    return c->exitinfo1 >> 63;
}

/* QEMU exits with code 0 for a read of any control register (FACTS), so all of them are here. */
static bool cr_read(struct vcpu *v, unsigned cr, u64 *value)
{
    switch (cr) {
    case 0:
        *value = virt->get(v, GUEST_CR0);
        return true;
    case 2:
        *value = v->arch.vmcb->cr2;
        return true;
    case 3:
        *value = v->arch.vmcb->cr3;
        return true;
    case 4:
        *value = virt->get(v, GUEST_CR4);
        return true;
    default:
        return false;
    }
}

static bool cr_write(struct vcpu *v, unsigned cr, u64 value)
{
    /* Paging that makes long mode active under a CS with L set is #GP (APM 2, 14.6.1), and VMRUN
     * would refuse it. Outside long mode a guest may have such a CS: L means nothing there. */
    if (cr == 0 && (value & CR0_PG) &&
        (virt->get(v, GUEST_EFER) & (EFER_LME | EFER_LMA)) == EFER_LME &&
        (v->arch.vmcb->cs.attributes & BIT(9)))
        return false;
    return cr == 0 ? cr0_write(v, value) : cr4_write(v, value);
}

enum vcpu_event svm_exit_cr(struct vcpu *v, u64 code)
{
    struct cr_access access;
    u64 value;

    bool plain = decode(v, code, &access);
    if (plain && !access.write && cr_read(v, access.cr, &value)) {
        gpr_set(v, access.gpr, value);
        svm_skip(v, access.length);
        return VCPU_RESUME;
    }
    if (plain && access.write && access.cr == code - SVM_EXIT_WRITE_CR0) {
        value = gpr_get(v, access.gpr);
        if (!vcpu_in_64bit_mode(v))
            value = (u32)value;
        if (cr_write(v, access.cr, value))
            svm_skip(v, access.length);
        else
            inject_gp(v);
        return VCPU_RESUME;
    }
    if (code != SVM_EXIT_WRITE_CR4)
        return svm_exit_gate(v, VECTOR_GP);
    /* Only MOV writes CR4, and it must not go unchecked. */
    vcpu_crash(v,
               "a write to CR4 whose instruction cannot be read back; was the code changed while "
               "it ran?");
    return VCPU_VM_ENDED;
}

enum vcpu_event svm_exit_xsetbv(struct vcpu *v)
{
    enum vcpu_event event;

    if (exit_xsetbv(v, v->arch.vmcb->rax, &event))
        svm_skip(v, svm_length(v, 3));
    return event;
}
