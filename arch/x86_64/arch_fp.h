/* The FP part of x86-64: what a VM may use, and the control state of one context. */
#ifndef FERMATA_X86_ARCH_FP_H
#define FERMATA_X86_ARCH_FP_H

#include "hv/base.h"

/* XCR0 bits (Intel SDM 1, 13.1; AMD APM 2, 11.5.2). */
#define XCR0_X87  BIT(0)
#define XCR0_SSE  BIT(1)
#define XCR0_AVX  BIT(2)
#define XCR0_PKRU BIT(9)

/* What fermata.conf's `fp` list of one VM says, cut down to what the CPU has and Fermata manages.
 */
struct arch_fp_config {
    u64 xcr0; /* components the VM may use, as XCR0 bits; XCR0_X87 | XCR0_SSE always */
};

struct arch_fp {
    /* What the movers go by, kept current by fp_plan(). */
    u32 mask;  /* RFBM of save, load and scrub: xcr0_ever without PKRU, which is eager */
    u32 bytes; /* of the area for `mask` */
    bool slow; /* not simply XSAVEOPT64 and XRSTOR64 under the XCR0 that is installed */

    bool code32;   /* outside 64-bit mode when last saved: keeps FCS and FDS (BUGS 36) */
    u64 permitted; /* XCR0 bits that XSETBV accepts, XCR0_PKRU among them; 0 without XSAVE */
    u64 xcr0;      /* the guest's XCR0: the real one while it runs (FACTS: XGETBV cannot trap) */
    u64 xcr0_ever; /* everything it ever enabled: what save and scrub work under (BUGS 35) */
    u32 pkru;      /* while not current; while current the register holds it (BUGS 11) */
    bool pku;      /* PKRU belongs to this guest; without it the register stays 0 */
};

#endif
