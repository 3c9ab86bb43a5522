/* What the hardware's FP state needs, beyond the contract of arch.h: errata and movers. */
#ifndef FERMATA_X86_FP_HW_H
#define FERMATA_X86_FP_HW_H

#include "hv/base.h"

/* Found by selftest.c, read by the movers. */
struct fp_hw {
    bool gate_incomplete; /* some class gets through the closed gate: every context is eager */
    bool emms_escapes;    /* EMMS ignores CR0.TS: contexts with x87 tags set are loaded early */
    bool pointers_leak;   /* AMD: FIP/FDP/FOP survive XRSTOR unless FSW.ES (XSA-52, XSA-172) */
    bool keep_selectors;  /* FCS and FDS still exist: 32-bit code needs the 32-bit form */
};
extern struct fp_hw fp_hw;

struct fp_ctx;
struct xsave_image;

/* XRSTOR from this gives INIT; MXCSR is read from the image whatever XSTATE_BV says. */
extern const struct xsave_image fp_init_image;

/* Recomputes what the movers go by (mask, bytes, slow) after xcr0, xcr0_ever or code32 changed. */
void fp_plan(struct fp_ctx *ctx);

/* The registers of `mask` to INIT, under an XCR0 that has them. */
void fp_hw_scrub(u32 mask);

/* The uncommon cases of load, save and scrub (arch_inline.h has the common one). */
size_t fp_load_slow(const struct fp_ctx *fp);
size_t fp_save_slow(struct fp_ctx *fp);
void fp_scrub_slow(const struct fp_ctx *fp);

/* XCR0 bits this machine can offer to a VM; x87 and SSE without XSAVE. */
u64 fp_hw_offered(void);

struct pcpu;

/* Once per CPU, before any vCPU: XCR0, PKRU and every managed register to known values. */
void fp_hw_init(struct pcpu *cpu);

/* fp_moves.S: each opens the hypervisor's own CR0.TS and closes it again. Areas: 64-byte aligned.
 */
void fp_move_xsave64(void *area, u32 mask);
void fp_move_xsave32(void *area, u32 mask);
void fp_move_xsaveopt64(void *area, u32 mask);
void fp_move_xsaveopt32(void *area, u32 mask);
void fp_move_xrstor64(const void *area, u32 mask);
void fp_move_xrstor32(const void *area, u32 mask);
void fp_move_fxsave64(void *area);
void fp_move_fxsave32(void *area);
void fp_move_fxrstor64(const void *area);
void fp_move_fxrstor32(const void *area);

#endif
