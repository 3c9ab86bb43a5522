/* A vCPU's life: reset state, the switch of its EL1 registers, running. */
#include "arch/arch.h"
#include "boot/boot_info.h"
#include "fp_arm64.h"
#include "gdb_arm64.h"
#include "guest.h"
#include "hv/console.h"
#include "sysreg.h"

#define SCTLR_RESET    0x30d00800ull /* RES1 of DDI 0487 D19.2; MMU, caches and traps off */
#define VMPIDR_RES1    BIT(31)
#define LAST_VCPU_NONE (~0u)
#define LAST_VCPU_ANY  (LAST_VCPU_NONE - 1) /* one of them, and none is taken for it */

void arch_vcpu_init(struct vcpu *v)
{
    struct vm *vm = v->vm;
    struct fp_stats stats = v->fp.stats; /* a vCPU that is turned on again goes on counting */

    v->arch = (struct arch_vcpu){
        .pstate = PSTATE_EL1H | PSTATE_DAIF,
        .el1[EL1_SCTLR] = SCTLR_RESET,
        .vmpidr = VMPIDR_RES1 | v->id,
    };
    fp_init(v, fp_offered(&vm->arch.fp),
            vm->config->policy == BOOT_POLICY_EAGER ? FP_EAGER : FP_LAZY);
    v->fp.stats = stats;
    fp_init_context(&v->fp.arch, &vm->arch.fp);
}

/*
 * Debug registers go with the vCPU. They come this way, which is then taken by every arrival, so
 * that a switch without a debugger has nothing to ask.
 */
static __attribute__((noinline)) void carry_debug_registers(struct vcpu *v)
{
    gdb_points_install(v);
    v->vm->arch.last_vcpu = LAST_VCPU_ANY;
}

/*
 * vCPUs of one VM share a VMID, but each may use the same ASID for tables of its own: what the TLB
 * holds of a sibling must not be met.
 */
void vcpu_forget_sibling(struct vcpu *v)
{
    struct arch_vm *vm = &v->vm->arch;

    if (vm->last_vcpu != LAST_VCPU_NONE) {
        isb();
        __asm__ volatile("tlbi vmalle1" : : : "memory");
        dsb(nsh);
    }
    vm->last_vcpu = v->id;
    if (unlikely(gdb_on))
        carry_debug_registers(v);
}

enum vcpu_event arch_vcpu_run(struct vcpu *v)
{
    fp_enter(v, &v->fp);
    return (enum vcpu_event)vcpu_enter(v);
}

u64 arch_vcpu_pc(const struct vcpu *v)
{
    return v->arch.pc;
}

bool arch_vcpu_interrupts_off(const struct vcpu *v)
{
    return (v->arch.pstate & PSTATE_I) != 0;
}

u64 arch_vm_ram_base(void)
{
    return GUEST_RAM_BASE;
}

bool arch_vm_init(struct vm *vm, char *why, size_t n)
{
    u64 entry, dtb;

    vm->arch.last_vcpu = LAST_VCPU_NONE;
    if (!arch_fp_config_parse(vm->config->fp, &vm->arch.fp, why, n))
        return false;
    if (!stage2_init(vm)) {
        format_text(why, n, "memory = %luM does not fit the stage-2 tables: give it less",
                    vm->ram_bytes >> 20);
        return false;
    }
    for (u32 i = 0; i < vm->nvcpus; i++)
        arch_vcpu_init(vm->vcpus[i]);
    if (!image_load(vm, &entry, &dtb, why, n))
        return false;
    vm->vcpus[0]->arch.pc = entry;
    vm->vcpus[0]->arch.x[0] = dtb;
    return true;
}

void arch_vm_free(struct vm *vm)
{
    stage2_free(vm);
}
