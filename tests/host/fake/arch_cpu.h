/* The fake machine's CPU: its registers are plain words, and its gates really trap. */
#ifndef FAKE_ARCH_CPU_H
#define FAKE_ARCH_CPU_H

#include "hv/base.h"

#define FAKE_V   4
#define FAKE_E0  32
#define FAKE_E1  256
#define FAKE_ZHI 3 /* words of a Z register above its V */
#define FAKE_P   2
#define FAKE_ZA  128

#define FAKE_FCW_INIT 0x37full

/* Every FP register there is, in the order the numbering of fake.h uses. */
struct fake_regs {
    u64 v[FAKE_V];
    u64 fcw; /* its INIT value is not zero, as FCW's and MXCSR's */
    u64 e0[FAKE_E0];
    u64 e1[FAKE_E1];
    u64 z[FAKE_V][FAKE_ZHI];
    u64 p[FAKE_P];
    u64 za[FAKE_ZA];
};

struct pcpu;

struct arch_pcpu {
    struct fake_regs regs;
    u64 xcr; /* the CPU's own control registers, as the guest reads them */
    u64 ctrl;
    u32 gate; /* open units, when the gate is the CPU's (arm64's fashion) */
    u64 timer;
};

struct pcpu *arch_this_cpu(void);

#endif
