/* VMs and vCPUs: made, started, switched; the part that is the same for SVM and VMX. */
#include "vcpu.h"
#include "gdb_x86.h"
#include "cpuid_policy.h"
#include "fp_config.h"
#include "fp_hw.h"
#include "pvh.h"
#include "virt.h"
#include "xstate_layout.h"
#include "arch/arch.h"
#include "boot/boot_info.h"
#include "hv/console.h"

static struct cpuid_view view_of(const struct vcpu *v)
{
    const struct vm *vm = v->vm;
    u64 xcr0 = vm->arch.fp.xcr0;

    return (struct cpuid_view){
        .permitted = cpu_has.xsave ? xcr0 : 0,
        .avx = xcr0 & XCR0_AVX,
        .avx512 = xcr0 & XCR0_AVX512,
        .amx = xcr0 & XCR0_AMX,
        .pku = xcr0 & XCR0_PKRU,
        .cr4 = virt->get(v, GUEST_CR4),
        .xcr0 = v->fp.arch.xcr0,
        .vcpu = v->id,
        .vcpus = vm->nvcpus,
        .xfd = fp_xfd_offered(v),
        .xsaves = fp_xsaves_offered(),
        .layout = &xstate_layout,
    };
}

/* Less what the CPU has and a guest's instruction would not find. */
static struct cpuid_regs usable_cpuid(u32 leaf, u32 subleaf)
{
    struct cpuid_regs r = cpuid(leaf, subleaf);

    if (leaf == 7 && subleaf == 0 && cpu_has.invpcid_hidden)
        r.ebx &= ~(u32)BIT(10);
    return r;
}

struct cpuid_regs vcpu_cpuid(struct vcpu *v, u32 leaf, u32 subleaf)
{
    struct cpuid_view view = view_of(v);

    if (!cpuid_in_range(&view, leaf, cpu_has.max_leaf, cpu_has.max_extended))
        return (struct cpuid_regs){0};
    return cpuid_policy(&view, leaf, subleaf, usable_cpuid(leaf, subleaf));
}

u64 arch_vm_ram_base(void)
{
    return 0;
}

bool arch_image_check(const void *image, size_t bytes, u64 memory, char *why, size_t n)
{
    struct pvh_image found;

    return pvh_check(image, bytes, memory, &found, why, n);
}

bool arch_fp_config_parse(const char *list, struct arch_fp_config *config, char *why, size_t n)
{
    return fp_config_parse(list, fp_hw_offered(), config, why, n);
}

u64 arch_fp_quota(const struct vm *vm)
{
    u64 perm = vm->arch.fp.xcr0;
    size_t largest = XSTATE_LEGACY_BYTES;

    if (cpu_has.xsave)
        largest = xstate_bytes(&xstate_layout, perm & XSTATE_GATED, false);
    /* While growing, shrinking or importing, old and new are held at once. */
    return 2 * fp_area_cost(largest);
}

/* A fresh FP context: XCR0 as after reset, and nothing used yet. */
static void reset_fp(struct vcpu *v)
{
    struct arch_fp *fp = &v->fp.arch;
    u64 perm = cpu_has.xsave ? v->vm->arch.fp.xcr0 : 0;

    *fp = (struct arch_fp){
        .perm = perm,
        .xcr0 = XCR0_X87,
        /* SSE needs no XCR0 bit of the guest's: CR4.OSFXSR is enough to use it. */
        .enabled = XCR0_X87 | XCR0_SSE,
        .armed = fp_hw.xfd && (perm & XCR0_TILEDATA),
        .pku = (perm & XCR0_PKRU) != 0,
    };
    fp_plan(&v->fp);
    enum fp_policy policy =
        v->vm->config->policy == BOOT_POLICY_EAGER || fp_hw.gate_incomplete ? FP_EAGER : FP_LAZY;
    fp_init(v, FP_UNIT_BASE, policy);
}

void arch_vcpu_init(struct vcpu *v)
{
    v->arch.apic_base =
        0xfee00000 | APIC_BASE_ENABLE | APIC_BASE_EXTD | (v->id == 0 ? APIC_BASE_BSP : 0);
    v->arch.init_seen = v->id != 0; /* reset leaves the others waiting for SIPI: SDM 3, 10.4.1 */
    v->arch.apic_svr = 0xff;
    v->arch.apic_tpr = 0;
    reset_fp(v);
}

static bool init_vcpus(struct vm *vm, char *why, size_t n)
{
    for (u32 i = 0; i < vm->nvcpus; i++) {
        struct vcpu *v = vm->vcpus[i];
        arch_vcpu_init(v);
        if (!virt->vcpu_init(v)) {
            format_text(why, n, "no memory for its vCPUs: give the VMs less memory");
            return false;
        }
        virt->vcpu_reset(v, ENTRY_SIPI, 0xff);
    }
    struct cpuid_view view = view_of(vm->vcpus[0]);
    vm->arch.cr4_offered = cpuid_cr4_offered(
        &view, cpuid(1, 0), cpu_has.max_leaf >= 7 ? cpuid(7, 0) : (struct cpuid_regs){0});
    vm->arch.cr4_offered &= ~cpu_has.cr4_refused;
    return true;
}

bool arch_vm_init(struct vm *vm, char *why, size_t n)
{
    const struct boot_vm *config = vm->config;
    struct pvh_image image;

    if (!arch_fp_config_parse(config->fp, &vm->arch.fp, why, n))
        return false;
    const void *file = (const void *)(uintptr_t)config->image;
    if (!pvh_check(file, config->image_bytes, vm->ram_bytes, &image, why, n))
        return false;
    if (!virt->vm_init(vm)) {
        format_text(why, n, "no memory for its nested page tables: give the VMs less memory");
        return false;
    }
    if (!init_vcpus(vm, why, n))
        return false;

    u64 start_info = pvh_load(&image, file, vm->ram, vm->ram_bytes, config->cmdline);
    virt->vcpu_reset(vm->vcpus[0], ENTRY_PVH, image.entry);
    vm->vcpus[0]->arch.regs[RBX] = start_info;
    return true;
}

void arch_vm_free(struct vm *vm)
{
    for (u32 i = 0; i < vm->nvcpus; i++)
        virt->vcpu_free(vm->vcpus[i]);
    virt->vm_free(vm);
}

/*
 * DR0 to DR3 are the only registers that neither the world switch nor the FP gate moves. A vCPU
 * that never touched them has zeros there, and the CPU has zeros whenever none that did is current:
 * a stale address of another VM must not become a breakpoint of this one.
 */
static void debug_regs_write(const u64 *dr)
{
    write_dr0(dr[0]);
    write_dr1(dr[1]);
    write_dr2(dr[2]);
    write_dr3(dr[3]);
}

void vcpu_debug_regs_load(struct vcpu *v)
{
    gdb_points_yield(v);
    v->arch.dr_used = true;
    v->arch.switch_hook = true;
    virt->debug_regs_open(v);
    debug_regs_write(v->arch.dr);
}

void vcpu_debug_regs_borrow(struct vcpu *v, const u64 *dr, bool on)
{
    memcpy(v->arch.dr, dr, sizeof(v->arch.dr));
    v->arch.dr_used = on;
    v->arch.switch_hook |= on;
    virt->debug_regs_close(v);
    if (v->pcpu->current == v)
        debug_regs_write(dr);
}

void arch_vcpu_switch_out(struct vcpu *v)
{
    static const u64 zero[4];

    if (likely(!v->arch.switch_hook))
        return;
    if (virt->vcpu_leave)
        virt->vcpu_leave(v);
    if (!v->arch.dr_used)
        return;
    v->arch.dr[0] = read_dr0();
    v->arch.dr[1] = read_dr1();
    v->arch.dr[2] = read_dr2();
    v->arch.dr[3] = read_dr3();
    debug_regs_write(zero);
}

/*
 * What one VM taught the branch predictors must not steer another's speculation (Spectre, variant
 * 2): an IBPB between VMs, where the CPU has one. vCPUs of one VM trust each other.
 */
static __attribute__((noinline)) void predictors_barrier(struct vcpu *v)
{
    if (v->pcpu->arch.last_vm == v->vm)
        return;
    v->pcpu->arch.last_vm = v->vm;
    wrmsr(MSR_PRED_CMD, 1);
}

void arch_vcpu_switch_in(struct vcpu *v)
{
    virt->vcpu_arrive(v);
    if (unlikely(cpu_has.ibpb))
        predictors_barrier(v);
    if (unlikely(v->arch.dr_used))
        debug_regs_write(v->arch.dr);
}

enum vcpu_event arch_vcpu_run(struct vcpu *v)
{
    return virt->run(v);
}

u64 arch_vcpu_pc(const struct vcpu *v)
{
    return v->arch.vmcb || v->arch.vmx.vmcs_pa ? virt->get(v, GUEST_RIP) : 0;
}

bool arch_vcpu_interrupts_off(const struct vcpu *v)
{
    return !(virt->get(v, GUEST_RFLAGS) & RFLAGS_IF);
}
