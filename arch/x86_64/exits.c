/* What SVM and VMX do alike with an exit: see exits.h. None of it is on the measured path. */
#include "exits.h"
#include "cr.h"
#include "exceptions.h"
#include "fp_hw.h"
#include "io.h"
#include "msr.h"

#define APIC_PAGE 0xfee00000ull

enum vcpu_event exit_fault(struct vcpu *v, u8 vector, bool has_error)
{
    virt->inject(v, vector, has_error, 0);
    return VCPU_RESUME;
}

enum vcpu_event exit_stop(struct vcpu *v, const char *what)
{
    vcpu_crash(v, "%s", what);
    return VCPU_VM_ENDED;
}

enum vcpu_event exit_triple_fault(struct vcpu *v)
{
    return exit_stop(v, "triple fault: an exception whose handlers fault too; look at the guest's "
                        "IDT and stack");
}

enum vcpu_event exit_task_switch(struct vcpu *v)
{
    return exit_stop(v, "a hardware task switch, which this release does not emulate: use software "
                        "switching in the guest");
}

enum vcpu_event exit_stage2(struct vcpu *v, u64 gpa, bool write, bool fetch)
{
    const char *what = fetch ? "fetched from" : write ? "wrote to" : "read";

    if ((gpa & PAGE_MASK) == APIC_PAGE)
        vcpu_crash(v,
                   "it %s the page of the xAPIC (0x%lx), which it does not have: its APIC is an "
                   "x2APIC, reached by MSRs 0x800 and up; let the guest use those",
                   what, gpa);
    else
        vcpu_crash(v,
                   "it %s guest-physical 0x%lx, where it has no memory (its RAM ends at 0x%lx) and "
                   "no device; give it more memory, or mend the guest",
                   what, gpa, v->vm->ram_gpa + v->vm->ram_bytes);
    return VCPU_VM_ENDED;
}

enum vcpu_event exit_gate_closed(struct vcpu *v, u8 vector, enum fp_trap_result result)
{
    if (result == FP_TRAP_NOT_OURS && vector == VECTOR_NM)
        result = fp_xfd_fault(v);
    if (result == FP_TRAP_RETRY)
        return VCPU_RESUME;
    if (result == FP_TRAP_NO_MEMORY)
        return exit_stop(v,
                         "no memory for its FP save area: leave overcommit out, or give the VM a "
                         "shorter fp list, or the machine more memory");
    /* With the gate open only XFD has a claim on either vector: this is the guest's own. */
    return exit_fault(v, vector, vector == VECTOR_GP);
}

enum vcpu_event exit_nmi_said(void)
{
    static u32 said;

    if (nmi_count != said) {
        said = nmi_count;
        say_info("NMI %u on this CPU, for no one: ignored", said);
    }
    return VCPU_RESUME;
}

enum vcpu_event exit_halted(struct vcpu *v)
{
    v->state = VCPU_HALTED;
    return VCPU_BLOCKED;
}

void exit_cpuid(struct vcpu *v, u64 *rax)
{
    struct cpuid_regs r = vcpu_cpuid(v, (u32)*rax, (u32)v->arch.regs[RCX]);

    *rax = r.eax;
    v->arch.regs[RBX] = r.ebx;
    v->arch.regs[RCX] = r.ecx;
    v->arch.regs[RDX] = r.edx;
}

static bool msr_done(struct vcpu *v, enum msr_result result, enum vcpu_event *event)
{
    *event = result == MSR_STOPPED ? VCPU_VM_ENDED : VCPU_RESUME;
    if (result == MSR_GP)
        inject_gp(v);
    return result == MSR_DONE;
}

bool exit_rdmsr(struct vcpu *v, u64 *rax, enum vcpu_event *event)
{
    u64 value = 0;

    if (!msr_done(v, msr_read(v, (u32)v->arch.regs[RCX], &value), event))
        return false;
    *rax = (u32)value;
    v->arch.regs[RDX] = value >> 32;
    return true;
}

bool exit_wrmsr(struct vcpu *v, u64 rax, enum vcpu_event *event)
{
    u64 value = v->arch.regs[RDX] << 32 | (u32)rax;

    return msr_done(v, msr_write(v, (u32)v->arch.regs[RCX], value), event);
}

bool exit_xsetbv(struct vcpu *v, u64 rax, enum vcpu_event *event)
{
    u64 value = v->arch.regs[RDX] << 32 | (u32)rax;

    *event = VCPU_RESUME;
    switch (xsetbv_write(v, (u32)v->arch.regs[RCX], value)) {
    case XSETBV_DONE:
        return true;
    case XSETBV_UD:
        inject_ud(v);
        return false;
    case XSETBV_STOP:
        vcpu_crash(v,
                   "XSETBV 0x%lx: no memory for a larger FP save area: give the VM a shorter fp "
                   "list, or the machine more memory",
                   value);
        *event = VCPU_VM_ENDED;
        return false;
    default:
        inject_gp(v);
        return false;
    }
}

bool exit_io(struct vcpu *v, struct port_access io, u64 *rax, enum vcpu_event *event)
{
    u64 mask = BITS(8 * io.bytes - 1, 0);
    u32 value = (u32)(*rax & mask);

    if (io.string) {
        vcpu_crash(v, "string I/O to port 0x%x: not emulated, let the guest use IN and OUT",
                   io.port);
        *event = VCPU_VM_ENDED;
        return false;
    }
    *event = io_access(v, io.port, io.bytes, io.in, &value);
    if (io.in) /* a 32-bit result clears the upper half, narrower ones leave it */
        *rax = io.bytes == 4 ? value : (*rax & ~mask) | value;
    return true;
}
