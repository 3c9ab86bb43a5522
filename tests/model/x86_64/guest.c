/* A guest on a CPU: what exits by SVM's rules (APM 2, 15.7 to 15.15), and what its reference does.
 */
#include "tests/model/x86_64/world.h"
#include "virt.h"
#include "arch/arch.h"

#define DONE 0x1000u /* no exit code */
#define GPR  RBX     /* of MOV from and to control registers */

static struct {
    struct guest *g;
    const struct insn *insn;
    int vector;
    u64 result;
} now;

/* ---- The reference: a bare CPU ---- */

static int ref_msr(struct x86_cpu *cpu, const struct insn *insn, u64 *result)
{
    if (insn->op == OP_WRMSR)
        return x86_wrmsr(cpu, insn->which, insn->mask) ? X86_NONE : X86_GP;
    return x86_rdmsr(cpu, insn->which, result) ? X86_NONE : X86_GP;
}

static int ref_cr4(struct guest *g, u64 value)
{
    if (value & ~g->v.vm->arch.cr4_offered || !(value & CR4_PAE))
        return X86_GP;
    g->ref.cr4 = value;
    return X86_NONE;
}

/* CR4.OSXSAVE as CPUID mirrors it; sizes by XCR0. */
static u64 ref_cpuid(const struct guest *g, const struct insn *insn)
{
    const struct x86_config *config = &g->config;

    if (insn->which == 1)
        return g->ref.cr4 & CR4_OSXSAVE ? 1 : 0;
    if (!config->xcr0)
        return 0;
    return insn->mask == 0 ? x86_bytes(config, g->ref.xcr0, false)
                           : (config->xsavec ? x86_bytes(config, g->ref.xcr0, true) : 0);
}

static int on_reference(struct guest *g, const struct insn *insn, u64 *result)
{
    struct x86_cpu *cpu = &g->ref;

    *result = 0;
    switch (insn->op) {
    case OP_XSETBV:
        return x86_xsetbv(cpu, insn->which, insn->mask);
    case OP_READ_CR0:
        *result = cpu->cr0;
        return X86_NONE;
    case OP_WRITE_CR0:
        cpu->cr0 = insn->mask;
        return X86_NONE;
    case OP_CLTS:
        cpu->cr0 &= ~(u64)CR0_TS;
        return X86_NONE;
    case OP_READ_CR4:
        *result = cpu->cr4;
        return X86_NONE;
    case OP_WRITE_CR4:
        return ref_cr4(g, insn->mask);
    case OP_RDMSR:
    case OP_WRMSR:
        return ref_msr(cpu, insn, result);
    case OP_CPUID:
        *result = ref_cpuid(g, insn);
        return X86_NONE;
    case OP_MODE:
        cpu->long64 = insn->which;
        return X86_NONE;
    default:
        return insn_execute(cpu, insn, g->ref_memory, result);
    }
}

/* ---- The guest: the exit code, or DONE ---- */

static u64 raised(const struct vmcb *c, int vector)
{
    now.vector = vector;
    return vector && (c->intercept_exceptions >> vector & 1) ? SVM_EXIT_EXCEPTION + (u64)vector
                                                             : DONE;
}

static u64 plain(struct vmcb *c)
{
    struct x86_cpu *cpu = model_this();
    u64 cr0 = cpu->cr0, cr4 = cpu->cr4;

    cpu->cr0 = c->cr0, cpu->cr4 = c->cr4;
    cpu->long64 = (c->cs.attributes & BIT(9)) != 0;
    int vector = insn_execute(cpu, now.insn, now.g->memory, &now.result);
    cpu->cr0 = cr0, cpu->cr4 = cr4;
    cpu->long64 = true;
    return raised(c, vector);
}

static u64 move_to(struct vmcb *c, u32 cr, u64 value)
{
    u64 *reg = cr == 0 ? &c->cr0 : &c->cr4;

    c->exitinfo1 = BIT(63) | GPR;
    now.g->v.arch.regs[GPR] = value;
    if (c->intercept_cr & SVM_CR_WRITE(cr))
        return SVM_EXIT_WRITE_CR0 + cr;
    *reg = value;
    return DONE;
}

static u64 move_from(struct vmcb *c, u32 cr)
{
    c->exitinfo1 = BIT(63) | GPR;
    if (c->intercept_cr & SVM_CR_READ(cr))
        return SVM_EXIT_READ_CR0 + cr;
    now.result = cr == 0 ? c->cr0 : c->cr4;
    return DONE;
}

static u64 clts(struct vmcb *c)
{
    c->exitinfo1 = 0;
    if (c->intercept_cr & SVM_CR_WRITE(0))
        return SVM_EXIT_WRITE_CR0;
    c->cr0 &= ~(u64)CR0_TS;
    return DONE;
}

static void load_regs(struct vmcb *c, u64 rax_rdx, u64 rcx)
{
    c->rax = (u32)rax_rdx;
    now.g->v.arch.regs[RDX] = rax_rdx >> 32;
    now.g->v.arch.regs[RCX] = rcx;
}

static u64 on_guest(struct vmcb *c)
{
    const struct insn *insn = now.insn;

    now.vector = X86_NONE;
    now.result = 0;
    switch (insn->op) {
    case OP_XSETBV:
        if (!world.machine.xcr0 || !(c->cr4 & CR4_OSXSAVE))
            return raised(c, X86_UD);
        load_regs(c, insn->mask, insn->which);
        return SVM_EXIT_XSETBV;
    case OP_READ_CR0:
        return move_from(c, 0);
    case OP_READ_CR4:
        return move_from(c, 4);
    case OP_WRITE_CR0:
        return move_to(c, 0, insn->mask);
    case OP_WRITE_CR4:
        return move_to(c, 4, insn->mask);
    case OP_CLTS:
        return clts(c);
    case OP_RDMSR:
    case OP_WRMSR:
        load_regs(c, insn->mask, insn->which);
        c->exitinfo1 = insn->op == OP_WRMSR;
        return SVM_EXIT_MSR;
    case OP_CPUID:
        load_regs(c, insn->which, insn->mask);
        return SVM_EXIT_CPUID;
    case OP_MODE:
        c->cs.attributes = (u16)((c->cs.attributes & ~BIT(9)) | (insn->which ? BIT(9) : 0));
        return DONE;
    default:
        return plain(c);
    }
}

/* What an instruction that the hypervisor carried out left in the registers. */
static u64 result_of(const struct vmcb *c)
{
    const struct insn *insn = now.insn;
    const u64 *regs = now.g->v.arch.regs;

    switch (insn->op) {
    case OP_READ_CR0:
    case OP_READ_CR4:
        return regs[GPR];
    case OP_RDMSR:
        return c->rax | regs[RDX] << 32;
    case OP_CPUID:
        return insn->which == 1 ? regs[RCX] >> 27 & 1 : (u32)regs[RBX];
    default:
        return 0;
    }
}

/* VMRUN until the instruction is done, however often it exits: svm_enter.S. */
enum vcpu_event svm_loop(struct vcpu *v, u64 host_vmcb_pa)
{
    struct vmcb *c = v->arch.vmcb;

    (void)host_vmcb_pa;
    for (u32 tries = 0; tries < 8; tries++) {
        u64 rip = c->rip, code = on_guest(c);
        if (code == DONE)
            return VCPU_PREEMPTED;
        c->exitcode = code;
        c->nrip = c->rip + 3;
        enum vcpu_event event = svm_exit(v);
        if (event != VCPU_RESUME)
            return event;
        if (c->eventinj & EVENT_VALID) {
            now.vector = (int)(c->eventinj & EVENT_VECTOR);
            c->eventinj = 0;
            return VCPU_PREEMPTED;
        }
        if (c->rip != rip) {
            now.vector = X86_NONE;
            now.result = result_of(c);
            return VCPU_PREEMPTED;
        }
    }
    model_fail(__FILE__, __LINE__, "operation %d exits for ever", (int)now.insn->op);
}

static bool writes_memory(const struct insn *insn)
{
    return insn->op == OP_SAVE || insn->op == OP_FXSAVE || insn->op == OP_STMXCSR ||
           insn->op == OP_STTILECFG || insn->op == OP_TILESTORED;
}

void world_execute(struct guest *g, const struct insn *insn)
{
    struct vcpu *v = &g->v;
    u64 result;

    world.step++;
    int vector = on_reference(g, insn, &result);
    now.g = g;
    now.insn = insn;
    enum vcpu_event event = arch_vcpu_run(v);
    REQUIRE(event == VCPU_PREEMPTED, "operation %d ends the VM", (int)insn->op);
    REQUIRE(now.vector == vector, "operation %d (%u, 0x%lx): exception %d, not %d", (int)insn->op,
            insn->which, insn->mask, now.vector, vector);
    REQUIRE(vector || now.result == result, "operation %d (%u, 0x%lx): reads 0x%lx, not 0x%lx",
            (int)insn->op, insn->which, insn->mask, now.result, result);
    if (!vector && writes_memory(insn))
        REQUIRE(!memcmp(g->memory, g->ref_memory, X86_AREA_BYTES),
                "operation %d (%u, 0x%lx) stores something else", (int)insn->op, insn->which,
                insn->mask);
}
