#ifndef FAKE_ARCH_VM_H
#define FAKE_ARCH_VM_H

#include "hv/base.h"
#include "hv/fp.h"

struct arch_vm {
    struct arch_fp_config fp;
};

struct arch_vcpu {
    u32 gate; /* open units, when the gate is the vCPU's (x86's fashion: in the VMCB) */
    u64 pc;
    bool interrupts_off;
};

#endif
