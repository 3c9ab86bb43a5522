/* See vmx_world.h. */
#include "x86_64/vmx_world.h"

#define pause libc_pause /* <signal.h> may declare it, and cpu.h has one of its own */
#include <signal.h>
#include <ucontext.h>
#undef pause

const struct virt_ops *virt = &vmx_ops;

const struct vmx_msrs vmx_all = {
    .feature_control = 5,
    .basic = 1 | 0x1000ull << 32 | 6ull << 50 | 1ull << 55,
    .misc = 5,
    .cr0_fixed0 = 0x80000021,
    .cr4_fixed0 = 0x2000,
    .cr4_fixed1 = 0x17727ff,
    .ept_vpid = 1 << 6 | 1 << 14 | 1 << 16 | 1 << 20 | 1 << 25 | 1 << 26 | 1ull << 32 | 15ull << 40,
    .controls = {0xff00000016, 0xfff9fffe04006172, 0x173fff00000000, 0x01ffffff00036dfb,
                 0x3ffff000011fb},
};

/* ---- The CPU ---- */

#define VMCSS  20
#define FIELDS 0x7000

static struct fake_vmcs {
    u64 pa;
    u64 *fields;
} vmcss[VMCSS];

u64 fake_cr2, fake_dr[8];
bool timer_pending;
u64 current_vmcs, flush_type, flushed_vpid, flushed_eptp;
u32 flushes;
static u64 fake_cr4 = 0x2020;
static u64 vmxon_region;

static struct {
    u32 index;
    u64 value;
} msrs[32];

u64 *fake_msr(u32 index)
{
    for (u32 i = 0; i < ARRAY_SIZE(msrs); i++) {
        if (msrs[i].index == index || !msrs[i].index) {
            msrs[i].index = index;
            return &msrs[i].value;
        }
    }
    abort();
}

static u64 *fields_of(u64 pa)
{
    for (u32 i = 0; i < VMCSS; i++) {
        if (vmcss[i].pa == pa)
            return vmcss[i].fields;
    }
    abort();
}

u64 *field(u32 vcpu, u32 encoding)
{
    return &fields_of(vm.vcpus[vcpu]->arch.vmx.vmcs_pa)[encoding];
}

/* VMCLEAR makes a region a VMCS; its first word has to be the revision. */
static void vmclear(u64 pa)
{
    struct fake_vmcs *free_one = NULL;

    if (*(u32 *)(uintptr_t)pa != 1)
        abort();
    if (current_vmcs == pa)
        current_vmcs = 0;
    for (u32 i = 0; i < VMCSS; i++) {
        if (vmcss[i].pa == pa)
            return;
        if (!vmcss[i].pa && !free_one)
            free_one = &vmcss[i];
    }
    if (!free_one)
        abort();
    free_one->pa = pa;
    free_one->fields = calloc(FIELDS, sizeof(u64));
}

static void forget_vmcss(void)
{
    for (u32 i = 0; i < VMCSS; i++) {
        free(vmcss[i].fields);
        vmcss[i] = (struct fake_vmcs){0};
    }
    current_vmcs = 0;
}

/* Read-only: exit information (SDM 3, 25.11.2: type 1 of the encoding). */
static bool read_only(u64 encoding)
{
    return (encoding >> 10 & 3) == 1;
}

/* ---- Its instructions ---- */

static const int reg_index[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                  REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                  REG_R12, REG_R13, REG_R14, REG_R15};

struct decoded {
    greg_t *regs;
    const u8 *at;
    u8 rex, prefix;
    greg_t *reg; /* ModRM.reg */
    u8 reg_number;
    u64 *rm; /* ModRM.rm: a register or memory */
};

static void decode_modrm(struct decoded *d)
{
    u8 modrm = *d->at++, mod = modrm >> 6, rm = modrm & 7;
    u64 address = 0;

    d->reg_number = (u8)((modrm >> 3 & 7) | (d->rex & 4) << 1);
    d->reg = &d->regs[reg_index[d->reg_number]];
    if (mod == 3) {
        d->rm = (u64 *)&d->regs[reg_index[rm | (d->rex & 1) << 3]];
        return;
    }
    if (rm == 4) {
        u8 sib = *d->at++;
        u8 index = (u8)((sib >> 3 & 7) | (d->rex & 2) << 2);
        if (index != 4)
            address = (u64)d->regs[reg_index[index]] << (sib >> 6);
        if ((sib & 7) == 5 && mod == 0)
            mod = 4; /* no base, disp32 */
        else
            address += (u64)d->regs[reg_index[(sib & 7) | (d->rex & 1) << 3]];
    } else if (rm == 5 && mod == 0) {
        mod = 5; /* RIP-relative: nothing follows the displacement in what is done here */
        address = (u64)(uintptr_t)(d->at + 4);
    } else {
        address = (u64)d->regs[reg_index[rm | (d->rex & 1) << 3]];
    }
    if (mod == 1) {
        address += (u64)(s64)(signed char)*d->at++;
    } else if (mod >= 2) {
        s32 disp;
        memcpy(&disp, d->at, 4);
        d->at += 4;
        address += (u64)(s64)disp;
    }
    d->rm = (u64 *)(uintptr_t)address;
}

static void vmread_or_vmwrite(struct decoded *d, bool write)
{
    decode_modrm(d);
    u64 encoding = (u64)*d->reg;
    u64 *fields = fields_of(current_vmcs);

    if (encoding >= FIELDS || (write && read_only(encoding)))
        abort();
    if (write)
        fields[encoding] = *d->rm;
    else
        *d->rm = fields[encoding];
}

static void invalidate(struct decoded *d, u8 opcode)
{
    decode_modrm(d);
    flush_type = (u64)*d->reg;
    if (opcode == 0x81) {
        flushed_vpid = *d->rm;
        flushes++;
    } else {
        flushed_eptp = *d->rm;
    }
}

static void pointer(struct decoded *d)
{
    decode_modrm(d);
    if (d->reg_number % 8 != 6)
        abort();
    if (d->prefix == 0x66)
        vmclear(*d->rm);
    else if (d->prefix == 0xf3)
        vmxon_region = fake_cr4 & 0x2000 ? *d->rm : 0;
    else
        current_vmcs = *d->rm;
    if (!vmxon_region)
        abort();
}

static void move_register(struct decoded *d, u8 opcode)
{
    decode_modrm(d);
    u64 *value = opcode & 1           ? &fake_dr[d->reg_number]
                 : d->reg_number == 2 ? &fake_cr2
                 : d->reg_number == 4 ? &fake_cr4
                                      : NULL;

    if (!value)
        abort();
    if (opcode & 2)
        *value = *d->rm;
    else
        *d->rm = *value;
}

static void move_msr(struct decoded *d, bool write)
{
    u64 *value = fake_msr((u32)d->regs[REG_RCX]);

    if (write) {
        *value = (u64)d->regs[REG_RDX] << 32 | (u32)d->regs[REG_RAX];
        return;
    }
    d->regs[REG_RAX] = (greg_t)(u32)*value;
    d->regs[REG_RDX] = (greg_t)(*value >> 32);
}

static void two_bytes(struct decoded *d)
{
    u8 opcode = *d->at++;

    switch (opcode) {
    case 0x20 ... 0x23:
        move_register(d, opcode);
        break;
    case 0x30:
    case 0x32:
        move_msr(d, opcode == 0x30);
        break;
    case 0x38:
        opcode = *d->at++;
        invalidate(d, opcode);
        break;
    case 0x78:
    case 0x79:
        vmread_or_vmwrite(d, opcode == 0x79);
        break;
    case 0xc7:
        pointer(d);
        break;
    default:
        abort();
    }
}

static void emulate(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    struct decoded d = {.regs = uc->uc_mcontext.gregs};

    (void)signal;
    (void)info;
    d.at = (const u8 *)(uintptr_t)d.regs[REG_RIP];
    while (*d.at == 0x66 || *d.at == 0xf3)
        d.prefix = *d.at++;
    if ((*d.at & 0xf0) == 0x40)
        d.rex = *d.at++;
    switch (*d.at++) {
    case 0x0f:
        two_bytes(&d);
        break;
    case 0xfb: /* STI: what waits comes in */
        pcpus[0].arch.timer_fired |= timer_pending;
        timer_pending = false;
        break;
    case 0xfa:
        break;
    case 0xcd:
        if (*d.at++ != 2)
            abort();
        nmi_count++;
        break;
    default:
        abort();
    }
    d.regs[REG_EFL] &= ~0x41; /* CF, ZF: it succeeded */
    d.regs[REG_RIP] = (greg_t)(uintptr_t)d.at;
}

/* ---- What else the files under test call ---- */

struct pcpu *arch_this_cpu(void)
{
    return &pcpus[0];
}

void *vm_ram(struct vm *which, u64 gpa, u64 bytes)
{
    return gpa < which->ram_bytes && bytes <= which->ram_bytes - gpa ? ram + gpa : NULL;
}

bool vmx_selftest(struct pcpu *cpu, char *why, size_t n)
{
    (void)cpu, (void)why, (void)n;
    return true;
}

u32 vmx_probe(struct pcpu *cpu, const struct gate_class *class, enum probe_gate gate,
              bool *at_itself)
{
    (void)cpu, (void)class, (void)gate, (void)at_itself;
    return 0;
}

void vmx_host_state_init(void)
{
}

enum vcpu_event vmx_loop(struct vcpu *v)
{
    (void)v;
    return VCPU_PREEMPTED;
}

/* ---- A VM ---- */

/* Again in each function that cmocka calls: it puts its own handlers in before. */
static void catch_faults(void)
{
    struct sigaction action = {.sa_sigaction = emulate, .sa_flags = SA_SIGINFO | SA_NODEFER};

    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGILL, &action, NULL);
}

void vmx_run(void **state)
{
    void (*test)(void **) = *state;

    catch_faults();
    test(state);
}

int vmx_once(void **state)
{
    char why[256];

    (void)state;
    catch_faults();
    assert_true(vmx_decide(&vmx_all, &vmx_controls, why, sizeof(why)));
    vmx_ops.cpu_init(&pcpus[0]);
    pages_kept += 2; /* VMXON's region, the MSR bitmap */
    return 0;
}

u64 next_vectoring, next_length, next_qualification;

int vmx_setup(void **state)
{
    catch_faults();
    vmx_preemption = VMX_BY_INTERRUPT;
    fake_cr2 = 0;
    memset(msrs, 0, sizeof(msrs));
    memset(fake_dr, 0, sizeof(fake_dr));
    timer_pending = false;
    next_vectoring = next_qualification = 0;
    next_length = 2;
    flushes = 0;
    if (make_vm(state, 2))
        return 1;
    pcpus[0].arch.asid_max = 0xffff;
    cpu_has.physical_bits = 40;
    return 0;
}

int vmx_teardown(void **state)
{
    catch_faults();
    int result = teardown(state);

    forget_vmcss();
    return result;
}

enum vcpu_event vmx_exits(u32 reason)
{
    *field(0, 0x4402) = reason;
    *field(0, 0x4408) = next_vectoring;
    *field(0, 0x440c) = next_length;
    *field(0, 0x6400) = next_qualification;
    *field(0, F_ENTRY_EVENT) &= ~(1ull << 31); /* as every exit does */
    current_vmcs = pcpus[0].arch.vmcs_pa = vm.vcpus[0]->arch.vmx.vmcs_pa;
    return vmx_exit(vm.vcpus[0]);
}
