#ifndef FAKE_ARCH_VM_H
#define FAKE_ARCH_VM_H

#include "hv/base.h"
#include "hv/fp.h"

struct arch_vm {
    struct arch_fp_config fp;
    u32 inited; /* arch_vm_init() and arch_vm_free() come in pairs */
};

struct oracle;

struct arch_vcpu {
    u32 gate; /* open units, when the gate is the vCPU's (x86's fashion: in the VMCB) */
    struct oracle *oracle; /* what its guest must see: world.h */
    u64 pc;
    u64 steps;     /* instructions its program has run */
    u64 transfers; /* exports and imports it asked for */
    bool interrupts_off;
};

#endif
