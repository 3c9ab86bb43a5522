/*
 * What a virtualisation technique does for the rest of arch/x86_64: SVM and VMX. One table is
 * picked at boot; these are the only function pointers of Fermata.
 */
#ifndef FERMATA_X86_VIRT_H
#define FERMATA_X86_VIRT_H

#include "hv/vm.h"
#include "selftest.h"
#include "svm.h"

/* Guest registers that are read or written off the measured path. CR0 and CR4 are the guest's own.
 */
enum guest_reg {
    GUEST_RIP,
    GUEST_RFLAGS,
    GUEST_CR0,
    GUEST_CR3,
    GUEST_CR4,
    GUEST_EFER,
    GUEST_PAT,
    GUEST_TSC_OFFSET,
    GUEST_SP,
    GUEST_AX,
    GUEST_DR7,
};

/* By the number instructions encode them with: ES, CS, SS, DS, FS, GS. */
struct guest_segment {
    u16 selector;
    u64 base;
};

/* Where a vCPU starts: the two ways there are on a PC that knows no firmware. */
enum guest_entry {
    ENTRY_PVH,  /* 32-bit protected mode, flat; `where` = RIP */
    ENTRY_SIPI, /* real mode; `where` = vector, CS:IP = vector << 8 : 0 */
};

struct virt_ops {
    const char *name;
    u64 stage2_leaf;        /* rights and type of a 2 MiB entry of the stage-2 tables */
    unsigned stage2_levels; /* of their walk; 0: as many as the hypervisor's own tables have */
    void (*cpu_init)(struct pcpu *cpu);
    void (*cpu_end)(void); /* before the firmware's last service */
    bool (*selftest)(struct pcpu *cpu, char *why, size_t n); /* as arch_selftest() */
    /* Runs one instruction as a guest; returns how that ended (selftest.h), and whether at itself.
     */
    u32 (*probe)(struct pcpu *cpu, const struct gate_class *class, enum probe_gate gate,
                 bool *at_itself);
    bool (*vm_init)(struct vm *vm); /* stage 2; false: no memory */
    void (*vm_free)(struct vm *vm);
    bool (*vcpu_init)(struct vcpu *v); /* everything but the entry state; false: no memory */
    void (*vcpu_free)(struct vcpu *v);
    void (*vcpu_reset)(struct vcpu *v, enum guest_entry entry, u64 where);
    void (*vcpu_arrive)(struct vcpu *v);      /* on a CPU that may not have run it last */
    void (*vcpu_leave)(struct vcpu *v);       /* called if arch.switch_hook is set */
    void (*debug_regs_open)(struct vcpu *v);  /* DR0-3 are the guest's own from now on */
    void (*debug_regs_close)(struct vcpu *v); /* or the debugger's: the guest's accesses exit */
    void (*trap_bp)(struct vcpu *v);          /* #BP exits from now on */
    enum vcpu_event (*run)(struct vcpu *v);

    u64 (*get)(const struct vcpu *v, enum guest_reg reg);
    void (*set)(struct vcpu *v, enum guest_reg reg, u64 value);
    struct guest_segment (*segment)(const struct vcpu *v, unsigned n);
    unsigned (*cpl)(const struct vcpu *v);
    bool (*code64)(const struct vcpu *v); /* 64-bit code; SVM's is vcpu_in_64bit_mode() itself */

    /* The exception arrives when the guest runs next; has_error as the vector demands. */
    void (*inject)(struct vcpu *v, u8 vector, bool has_error, u32 error);
    void (*flush_tlb)(struct vcpu *v);

    void (*gate)(struct vcpu *v, fp_units open); /* 0: closed */
    void (*trap_nm)(struct vcpu *v, bool trap);  /* does #NM exit while the gate is open? */
    bool (*gate_open)(const struct vcpu *v);     /* as the hardware will see it */
};

extern const struct virt_ops *virt;

/* 64-bit code as opposed to compatibility, legacy and real mode. Inline: every FP save asks. */
ARCH_INLINE bool vcpu_in_64bit_mode(const struct vcpu *v)
{
    const struct vmcb *c = v->arch.vmcb;

    if (unlikely(!c))
        return virt->code64(v);
    return (c->efer & 0x400) && (c->cs.attributes & BIT(9)); /* LMA, CS.L */
}

static inline void inject_ud(struct vcpu *v)
{
    virt->inject(v, 6, false, 0);
}

static inline void inject_gp(struct vcpu *v)
{
    virt->inject(v, 13, true, 0);
}

#endif
