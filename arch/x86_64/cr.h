/* CR4 and XCR0 as a guest may write them. */
#ifndef FERMATA_X86_CR_H
#define FERMATA_X86_CR_H

#include "hv/vm.h"

/* CR4 bits this VM is offered: everything else is #GP, whatever the CPU itself would accept. */
u64 cr4_offered(const struct vm *vm);

/* The checks of the CPU, in pure form. False: #GP. */
bool cr4_valid(u64 value, u64 old, u64 offered, u64 efer, u64 cr3);

/*
 * CR0 likewise. Bits that do not exist are ignored by the CPU, and ET is always 1: what the
 * register will hold is cr0_value(). `code64`: the guest runs 64-bit code.
 */
bool cr0_valid(u64 value, u64 old, u64 efer, u64 cr4, bool code64);
u64 cr0_value(u64 written);

/* The guest writes CR0 by MOV behind the closed gate. False: #GP. */
bool cr0_write(struct vcpu *v, u64 value);

/* The guest writes CR4, or XCR0 by XSETBV. False: #GP. */
bool cr4_write(struct vcpu *v, u64 value);

enum xsetbv_result { XSETBV_DONE, XSETBV_UD, XSETBV_GP, XSETBV_STOP };
enum xsetbv_result xsetbv_write(struct vcpu *v, u32 index, u64 value);

#endif
