/* The FP part of x86-64: what a VM may use, and the control state of one context. */
#ifndef FERMATA_X86_ARCH_FP_H
#define FERMATA_X86_ARCH_FP_H

#include "hv/base.h"

/* XCR0 bits (Intel SDM 1, 13.1; AMD APM 2, 11.5.2). What each is: fp_components.c. */
#define XCR0_X87      BIT(0)
#define XCR0_SSE      BIT(1)
#define XCR0_AVX      BIT(2)
#define XCR0_AVX512   (BIT(5) | BIT(6) | BIT(7)) /* opmask, ZMM_Hi256, Hi16_ZMM */
#define XCR0_PKRU     BIT(9)
#define XCR0_TILECFG  BIT(17)
#define XCR0_TILEDATA BIT(18)
#define XCR0_AMX      (XCR0_TILECFG | XCR0_TILEDATA)

/* What fermata.conf's `fp` list of one VM says, cut down to what the CPU has and Fermata manages.
 */
struct arch_fp_config {
    u64 xcr0; /* components the VM may use, as XCR0 bits; XCR0_X87 | XCR0_SSE always */
};

/*
 * Three sets of components (XCR0 bits), each within the one before: `perm`, what the VM may ever
 * have; `enabled`, what this vCPU ever switched on; `allocated`, what its area has room for.
 */
struct arch_fp {
    /* What the movers go by, kept current by fp_plan(). */
    u32 allocated; /* RFBM of save, load and scrub; without PKRU, which is eager */
    u32 bytes;     /* of the area for `allocated` */
    bool slow;     /* not simply XSAVEOPT64 and XRSTOR64 under the XCR0 that is installed */

    bool code32; /* outside 64-bit mode when last saved: keeps FCS and FDS (BUGS 36) */
    u64 perm;    /* XCR0 bits that XSETBV accepts, XCR0_PKRU among them; 0 without XSAVE */
    u64 enabled; /* everything it ever enabled: what save and scrub work under (BUGS 35) */
    u64 xcr0;    /* the guest's XCR0: the real one while it runs (FACTS: XGETBV cannot trap) */
    u32 pkru;    /* while not current; while current the register holds it (BUGS 11) */
    bool armed;  /* TILEDATA is not allocated, and IA32_XFD says so to the CPU (fp_xfd.c) */
    u64 xfd;     /* the guest's own IA32_XFD and IA32_XFD_ERR */
    u64 xfd_err;
    bool pku; /* PKRU belongs to this guest; without it the register stays 0 */
};

#endif
