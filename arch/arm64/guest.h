/* What the files of arch/arm64 that serve guests share. */
#ifndef FERMATA_GUEST_H
#define FERMATA_GUEST_H

#include "hv/vm.h"

/* The platform a guest sees: QEMU virt's addresses. */
#define GUEST_RAM_BASE   0x40000000ull
#define GUEST_PL011_BASE 0x09000000ull

/* vectors.S: runs until a handler returns an event other than VCPU_RESUME, and returns that. */
u64 vcpu_enter(struct vcpu *v);
void el1_save(struct vcpu *v);
void el1_load(const struct vcpu *v);
void el1_save_vhe(struct vcpu *v);
void el1_load_vhe(const struct vcpu *v);

/* Called by vectors.S after the guest's registers are in `v`. */
u64 guest_sync_exit(struct vcpu *v);
void guest_fp_check(struct vcpu *v);
u64 guest_fp_failed(struct vcpu *v, enum fp_trap_result result);
u64 guest_irq_exit(struct vcpu *v);
u64 guest_serror_exit(struct vcpu *v);

/* Another vCPU of a VM arrives on this CPU: drops what the TLB holds of the last one, and brings
 * the debug registers if there is a debugger (vcpu.c). */
void vcpu_forget_sibling(struct vcpu *v);

/* HCR_EL2 while guests run, on this machine. */
u64 guest_hcr(void);

/* Every other trap control of EL2, once per CPU: debug, PMU, fine-grained traps. */
void guest_traps_init(void);

/* The guest gets an Undefined Instruction exception at EL1 (EC 0), at its present PC. */
void inject_undefined(struct vcpu *v);

/* Access by MSR/MRS that HCR_EL2, MDCR_EL2, ... made trap (EC 0x18). */
enum vcpu_event sysreg_trap(struct vcpu *v, u64 esr);

/* Stage-2 data abort (EC 0x24), and instruction abort (EC 0x20). */
enum vcpu_event data_abort(struct vcpu *v, u64 esr);
enum vcpu_event instruction_abort(struct vcpu *v, u64 esr);

/* HVC: SMCCC and PSCI. */
enum vcpu_event smccc_call(struct vcpu *v, u64 esr);

/* Register n of the guest as an instruction names it: 31 is XZR. */
static inline u64 guest_x(const struct vcpu *v, u32 n)
{
    return n < 31 ? v->arch.x[n] : 0;
}

static inline void guest_x_set(struct vcpu *v, u32 n, u64 value)
{
    if (n < 31)
        v->arch.x[n] = value;
}

/* The same for A64 and A32; a guest here runs A64, where every instruction is 4 bytes. */
static inline void skip_instruction(struct vcpu *v)
{
    v->arch.pc += 4;
    v->arch.pstate &= ~(3ull << 10 | 1ull << 21); /* BTYPE, and SS: it has been stepped over */
}

/* Stage 2: a table for vm->ram at vm->ram_gpa; false: no memory. Frees what it took. */
bool stage2_init(struct vm *vm);
void stage2_free(struct vm *vm);
void stage2_none(void); /* no VM's tables are installed */
u64 stage2_vtcr(void);
/* ID_AA64MMFR0_EL1.PARange for guests: what their stage 2 reaches. */
u64 stage2_parange(void);

/* image.c: copies kernel and device tree into RAM; entry PC and device tree address by pointer. */
bool image_load(struct vm *vm, u64 *entry, u64 *dtb, char *why, size_t n);
/* guest_dtb.c: writes the guest's device tree into `buffer`; bytes, or 0 if it does not fit. */
u32 guest_dtb(const struct vm *vm, void *buffer, u32 bytes);

#endif
