/* The CR0 x CR4 x instruction matrix of the lazy scenario. */
#ifndef GUEST_X86_MATRIX_H
#define GUEST_X86_MATRIX_H

#include "guest/x86_64/scenarios.h"

/*
 * Where QEMU TCG departs from the manuals. Each is measured once, the vCPU not having been away,
 * printed as
 * "# erratum NAME 0|1", and from then on expected exactly; the harness compares these lines and the
 * "# matrix" lines with a run on the bare emulator, so that a hypervisor's fault cannot pass for an
 * erratum.
 */
struct errata {
    bool xsave_ignores_ts;  /* XSAVE*, XRSTOR* with CR0.TS=1 do not raise #NM */
    bool emms_never_faults; /* EMMS with CR0.TS=1 or EM=1 does not */
    bool ts_before_em;      /* MMX, SSE with CR0.EM=1 and TS=1: #NM where the manual has #UD */
    bool vex_heeds_em; /* VEX instructions with CR0.EM=1 are #UD; by the manual EM is for legacy SSE
                        */
    bool fxsave_em_is_nm;     /* FXSAVE, FXRSTOR with CR0.EM=1: #NM where the manual has #UD */
    bool x87_ignores_pending; /* a waiting x87 instruction but FWAIT does not raise a pending #MF */
    bool mmx_ignores_pending; /* an MMX instruction does not */
    bool simd_never_raises;   /* unmasked SIMD exceptions are never #XM */
};
extern struct errata errata;
void errata_measure(void);

/* Fill scratch.area with a valid FXSAVE or XSAVE image of the registers as they are. */
void scratch_prepare(void);

void matrix_run(void);

#endif
