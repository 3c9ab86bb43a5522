/*
 * The current vCPU's EL1 registers, in the CPU: what vcpu.c and traps.c need of them one by one.
 * With E2H=1 they are reached as *_EL12 (sysreg.h).
 */
#ifndef FERMATA_GUEST_EL1_H
#define FERMATA_GUEST_EL1_H

#include "sysreg.h"

#define GUEST_EL1_REGISTER(name, reg, reg_vhe)                                                     \
    static inline u64 guest_##name(void)                                                           \
    {                                                                                              \
        return features.e2h ? sysreg_read(reg_vhe) : sysreg_read(reg);                             \
    }                                                                                              \
    static inline void guest_##name##_set(u64 value)                                               \
    {                                                                                              \
        if (features.e2h)                                                                          \
            sysreg_write(reg_vhe, value);                                                          \
        else                                                                                       \
            sysreg_write(reg, value);                                                              \
    }

GUEST_EL1_REGISTER(sctlr, sctlr_el1, S3_5_C1_C0_0)
GUEST_EL1_REGISTER(vbar, vbar_el1, S3_5_C12_C0_0)
GUEST_EL1_REGISTER(esr, esr_el1, S3_5_C5_C2_0)
GUEST_EL1_REGISTER(elr, elr_el1, S3_5_C4_C0_1)
GUEST_EL1_REGISTER(spsr, spsr_el1, S3_5_C4_C0_0)

#define SCTLR_SPAN  BIT(23)
#define SCTLR_DSSBS BIT(44)

#endif
