/* Hypercalls (abi.h), architecture-free part: arch/ decodes registers, this decides. */
#ifndef FERMATA_HYPERCALL_H
#define FERMATA_HYPERCALL_H

#include "hv/vm.h"

struct hypercall_result {
    s64 status; /* FERMATA_OK or a negative number of abi.h */
    u64 value;
};

/* `function` as the guest wrote it (with FERMATA_HC_BASE). The event tells arch_vcpu_run() what to
 * do next. */
enum vcpu_event hypercall(struct vcpu *v, u64 function, u64 argument,
                          struct hypercall_result *result);

#endif
