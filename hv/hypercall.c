/* Hypercalls: what abi.h promises. */
#include "hv/hypercall.h"
#include "hv/abi.h"
#include "hv/console.h"
#include "hv/fp_transfer.h"

/* The counter of abi.h's FERMATA_STAT_*, or false: there is none of that number. Out of line, for
 * its table is built on the stack and the other calls need none. */
static __attribute__((noinline)) bool stat(const struct vcpu *v, u64 which, u64 *value)
{
    const struct fp_stats *fp = &v->fp.stats;
    const u64 counters[FERMATA_STATS] = {
        [FERMATA_STAT_EXITS] = v->stats.exits,
        [FERMATA_STAT_PREEMPTIONS] = v->stats.preemptions,
        [FERMATA_STAT_SWITCHES] = v->stats.switches,
        [FERMATA_STAT_FP_TRAPS] = fp->traps,
        [FERMATA_STAT_FP_LOADS] = fp->loads,
        [FERMATA_STAT_FP_SAVES] = fp->saves,
        [FERMATA_STAT_FP_SCRUBS] = fp->scrubs,
        [FERMATA_STAT_FP_GROWS] = fp->grows,
        [FERMATA_STAT_FP_BYTES] = fp->bytes,
        [FERMATA_STAT_FP_CYCLES] = fp->cycles,
        [FERMATA_STAT_FP_AREA] = v->fp.area.bytes,
    };

    if (which >= FERMATA_STATS)
        return false;
    *value = counters[which];
    return true;
}

static __attribute__((noinline)) enum vcpu_event transfer(struct vcpu *v, bool import, u64 gpa,
                                                          struct hypercall_result *result)
{
    result->status = fp_transfer_call(v, import, gpa, &result->value);
    return v->state == VCPU_STOPPED ? VCPU_VM_ENDED : VCPU_RESUME;
}

/* Out of line: the calls that happen on every switch stay small. */
static __attribute__((noinline)) void undefined(struct vcpu *v, u64 function)
{
    if (v->vm->undefined_hypercall_said)
        return;
    v->vm->undefined_hypercall_said = true;
    say_info("vm %s: vCPU %u made hypercall 0x%lx, which does not exist: answered NOT_SUPPORTED "
             "(said once)",
             vm_name(v->vm), v->id, function);
}

enum vcpu_event hypercall(struct vcpu *v, u64 function, u64 argument,
                          struct hypercall_result *result)
{
    *result = (struct hypercall_result){.status = FERMATA_OK, .value = 0};
    if (likely(function == FERMATA_HC_YIELD)) /* before the jump table: it is on every switch */
        return VCPU_YIELDED;
    switch (function) {
    case FERMATA_HC_VERSION:
        result->value = FERMATA_ABI_VERSION;
        return VCPU_RESUME;
    case FERMATA_HC_STAT:
        if (!stat(v, argument, &result->value))
            result->status = FERMATA_INVALID;
        return VCPU_RESUME;
    case FERMATA_HC_POWER_OFF:
        vm_end(v->vm, argument);
        return VCPU_VM_ENDED;
    case FERMATA_HC_FP_EXPORT:
    case FERMATA_HC_FP_IMPORT:
        return transfer(v, function == FERMATA_HC_FP_IMPORT, argument, result);
    default:
        undefined(v, function);
        result->status = FERMATA_NOT_SUPPORTED;
        return VCPU_RESUME;
    }
}
