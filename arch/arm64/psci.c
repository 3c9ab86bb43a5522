/*
 * What a guest asks by HVC #0: SMCCC 1.1 (Arm DEN0028), PSCI 1.1 (DEN0022) and Fermata's own calls
 * (hv/abi.h). Only X0-X3 may change, and only where a call returns something in them.
 */
#include "arch/arch.h"
#include "guest.h"
#include "hv/abi.h"
#include "hv/hypercall.h"
#include "sysreg.h"

#define SMCCC_VERSION       0x80000000u
#define SMCCC_ARCH_FEATURES 0x80000001u
#define SMCCC_VENDOR_UID    0x8600ff01u
#define SMCCC_VENDOR_REV    0x8600ff03u
#define SMCCC_VERSION_1_1   0x10001u

#define PSCI_64                0x40000000u /* the SMC64 form of a call */
#define PSCI_VERSION           0x84000000u
#define PSCI_CPU_OFF           0x84000002u
#define PSCI_CPU_ON            0x84000003u
#define PSCI_AFFINITY_INFO     0x84000004u
#define PSCI_MIGRATE_INFO_TYPE 0x84000006u
#define PSCI_SYSTEM_OFF        0x84000008u
#define PSCI_SYSTEM_RESET      0x84000009u
#define PSCI_FEATURES          0x8400000au
#define PSCI_VERSION_1_1       0x10001u
#define PSCI_NO_MIGRATION      2

#define PSCI_SUCCESS         0
#define PSCI_INVALID_PARAMS  (-2)
#define PSCI_ALREADY_ON      (-4)
#define PSCI_INVALID_ADDRESS (-9)
#define PSCI_ON              0
#define PSCI_OFF             1

#define MPIDR_AFFINITY (BITS(39, 32) | BITS(23, 0))

static enum vcpu_event answer(struct vcpu *v, s64 status)
{
    v->arch.x[0] = (u64)status;
    return VCPU_RESUME;
}

/* The vCPU a target affinity names: Aff0 is its index, Aff1 to Aff3 are 0. */
static struct vcpu *target(struct vcpu *v, u64 affinity)
{
    return (affinity & ~MPIDR_AFFINITY) ? NULL : vm_vcpu(v->vm, affinity);
}

static s64 cpu_on(struct vcpu *v, u64 affinity, u64 entry, u64 context)
{
    struct vcpu *other = target(v, affinity);

    if (!other)
        return PSCI_INVALID_PARAMS;
    if (!vm_ram(v->vm, entry, 4) || entry % 4)
        return PSCI_INVALID_ADDRESS;
    if (other->state != VCPU_OFF)
        return PSCI_ALREADY_ON;
    fp_release(other); /* what was imported while it was off */
    arch_vcpu_init(other);
    other->arch.pc = entry;
    other->arch.x[0] = context;
    vcpu_start(other);
    return PSCI_SUCCESS;
}

/* Its FP state dies with it, and its control state too: without its area, SVCR.ZA would lie to who
 * exports it. */
static enum vcpu_event cpu_off(struct vcpu *v)
{
    fp_release(v);
    fp_init_context(&v->fp.arch, &v->vm->arch.fp);
    arch_fp_controls(v); /* what is eager is read back when it leaves */
    v->state = VCPU_OFF;
    return VCPU_BLOCKED;
}

/* Lowest affinity level 0 only: a "cluster" of a guest is all its vCPUs, and nobody asks. */
static s64 affinity_info(struct vcpu *v, u64 affinity, u64 level)
{
    const struct vcpu *other = target(v, affinity);

    if (!other || level != 0)
        return PSCI_INVALID_PARAMS;
    return other->state == VCPU_OFF ? PSCI_OFF : PSCI_ON;
}

static s64 psci_features(u32 function)
{
    switch (function) {
    case PSCI_VERSION:
    case PSCI_CPU_OFF:
    case PSCI_CPU_ON:
    case PSCI_CPU_ON | PSCI_64:
    case PSCI_AFFINITY_INFO:
    case PSCI_AFFINITY_INFO | PSCI_64:
    case PSCI_MIGRATE_INFO_TYPE:
    case PSCI_SYSTEM_OFF:
    case PSCI_SYSTEM_RESET:
    case PSCI_FEATURES:
    case SMCCC_VERSION:
        return PSCI_SUCCESS;
    default:
        return FERMATA_NOT_SUPPORTED;
    }
}

static enum vcpu_event power(struct vcpu *v, u32 function)
{
    if (function == PSCI_SYSTEM_OFF)
        vm_end(v->vm, 0);
    else
        vcpu_crash(v, "it asked for PSCI SYSTEM_RESET: Fermata does not restart VMs; let it power "
                      "off instead");
    return VCPU_VM_ENDED;
}

static enum vcpu_event vendor_uid(struct vcpu *v)
{
    v->arch.x[0] = FERMATA_UID_0;
    v->arch.x[1] = FERMATA_UID_1;
    v->arch.x[2] = FERMATA_UID_2;
    v->arch.x[3] = FERMATA_UID_3;
    return VCPU_RESUME;
}

static s64 smccc_features(u32 function)
{
    bool have = function == SMCCC_VERSION || function == SMCCC_ARCH_FEATURES;

    return have ? 0 : FERMATA_NOT_SUPPORTED;
}

/* Everything but Fermata's own calls. The 32-bit forms look at the low halves of their arguments.
 */
static enum vcpu_event standard_call(struct vcpu *v, u32 function)
{
    u64 mask = function & PSCI_64 ? ~0ull : 0xffffffffull;
    u64 a1 = v->arch.x[1] & mask, a2 = v->arch.x[2] & mask, a3 = v->arch.x[3] & mask;

    switch (function) {
    case PSCI_VERSION:
        return answer(v, PSCI_VERSION_1_1);
    case PSCI_CPU_ON:
    case PSCI_CPU_ON | PSCI_64:
        return answer(v, cpu_on(v, a1, a2, a3));
    case PSCI_CPU_OFF:
        return cpu_off(v);
    case PSCI_AFFINITY_INFO:
    case PSCI_AFFINITY_INFO | PSCI_64:
        return answer(v, affinity_info(v, a1, a2));
    case PSCI_MIGRATE_INFO_TYPE:
        return answer(v, PSCI_NO_MIGRATION);
    case PSCI_SYSTEM_OFF:
    case PSCI_SYSTEM_RESET:
        return power(v, function);
    case PSCI_FEATURES:
        return answer(v, psci_features((u32)a1));
    case SMCCC_VERSION:
        return answer(v, SMCCC_VERSION_1_1);
    case SMCCC_ARCH_FEATURES:
        return answer(v, smccc_features((u32)a1));
    case SMCCC_VENDOR_UID:
        return vendor_uid(v);
    case SMCCC_VENDOR_REV:
        v->arch.x[1] = FERMATA_ABI_VERSION & 0xffff;
        return answer(v, FERMATA_ABI_VERSION >> 16);
    default:
        return answer(v, FERMATA_NOT_SUPPORTED);
    }
}

enum vcpu_event smccc_call(struct vcpu *v, u64 esr)
{
    u32 function = (u32)v->arch.x[0]; /* W0: SMCCC 2.5 */
    struct hypercall_result result;

    if (unlikely(esr & 0xffff)) /* HVC #0 only: SMCCC 2.9 */
        return answer(v, FERMATA_NOT_SUPPORTED);
    if (unlikely((function & 0xffff0000u) != (u32)FERMATA_HC_BASE))
        return standard_call(v, function);

    enum vcpu_event event = hypercall(v, function, v->arch.x[1], &result);
    v->arch.x[0] = (u64)result.status;
    v->arch.x[1] = result.value;
    v->arch.x[2] = 0;
    v->arch.x[3] = 0;
    return event;
}
