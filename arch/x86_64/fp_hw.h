/* What the hardware's FP state needs, beyond the contract of arch.h: errata and movers. */
#ifndef FERMATA_X86_FP_HW_H
#define FERMATA_X86_FP_HW_H

#include "hv/base.h"
#include "hv/fp.h"

/* How registers go to memory, from the worst to the best. The last two write the compacted format.
 */
enum fp_form { FP_FXSAVE, FP_XSAVE, FP_XSAVEOPT, FP_XSAVEC, FP_XSAVES };

/* Found by selftest*.c, read by the movers. */
struct fp_hw {
    u8 form;              /* enum fp_form: the best that works */
    bool gate_incomplete; /* some class gets through the closed gate: every context is eager */
    bool emms_escapes;    /* EMMS ignores CR0.TS: contexts with x87 tags set are loaded early */
    bool pointers_leak;   /* AMD: FIP/FDP/FOP survive XRSTOR unless FSW.ES (XSA-52, XSA-172) */
    bool keep_selectors;  /* FCS and FDS still exist: 32-bit code needs the 32-bit form */
    bool tiles_by_hand;   /* XSAVE of AMX is wrong: fp_tiles.c moves it by tile instructions */
    bool tilecfg_swapped; /* XSAVE's image of TILECFG has rows where colsb belongs */
    bool xsaves_hidden;   /* XSAVES of a guest would be #UD: VMX without the control for it */
    bool xfd;             /* IA32_XFD faults as it should: tiles are allocated by their first use */
    u32 mxcsr_mask;       /* bits of MXCSR that can be set */
    u64 refused;          /* components that no mover moves right: hidden from every VM */
};
extern struct fp_hw fp_hw;

struct pcpu;
struct xsave_image;

/* XRSTOR from this gives INIT; MXCSR is read from the image whatever XSTATE_BV says. */
extern const struct xsave_image fp_init_image;

/* For whoever needs an image that is no vCPU's, for as long as it calls no one: standard format,
 * room for everything. */
extern u8 fp_scratch[];

/* Recomputes what the movers go by (allocated, bytes, slow) after xcr0, enabled or code32 changed.
 */
void fp_plan(struct fp_ctx *ctx);

/* XCOMP_BV of an image of these components as this machine's form writes it; 0: standard format. */
u64 fp_xcomp(u64 components);

/* The registers of `set` to an image, from one, and to INIT, under an XCR0 that has them. */
void fp_hw_save(struct xsave_image *image, u32 set, bool code32);
void fp_hw_load(const struct xsave_image *image, u32 set, bool code32);
void fp_hw_scrub(u32 set);

/* The uncommon cases of load, save and scrub (arch_inline.h has the common one). */
size_t fp_load_slow(const struct fp_ctx *fp);
size_t fp_save_slow(struct fp_ctx *fp);
void fp_scrub_slow(const struct fp_ctx *fp);

/* Do guests have XSAVES, and IA32_XSS, in which no bit can be set? */
bool fp_xsaves_offered(void);

/* XCR0 bits this machine can offer to a VM; x87 and SSE without XSAVE. */
u64 fp_hw_offered(void);

/* fp_tiles.c: AMX by tile instructions, into and from an image whose other components XSAVE and
 * XRSTOR move. */
void fp_tiles_save(struct xsave_image *image, u32 set);
void fp_tiles_load(const struct xsave_image *image, u32 set);

/* A TILECFG that LDTILECFG takes: anything else would be a #GP of our own. Pure. */
bool fp_tilecfg_valid(const void *tilecfg);

struct vcpu;

/* ---- fp_xfd.c ---- */

/* Does the VM have IA32_XFD? */
bool fp_xfd_offered(const struct vcpu *v);

/* The guest's WRMSR to one of the two. False: #GP. */
bool fp_xfd_write(struct vcpu *v, u32 msr, u64 value);

/* What the register must hold while the vCPU's gate is open. */
static inline u64 fp_xfd_real(const struct arch_fp *fp)
{
    return (fp->xfd | (fp->armed ? XCR0_TILEDATA : 0)) & fp->enabled;
}

/* The register with its cache: written only when it changes. */
void fp_xfd_install(struct pcpu *cpu, u64 value);

/* Register and #NM intercept as they have to be, after `enabled`, `xfd` or `armed` changed. */
void fp_xfd_apply(struct vcpu *v);

/* The state was saved: if TILEDATA was given back, its memory may go. */
void fp_xfd_rearm(struct vcpu *v);

/*
 * #NM behind the open gate. FP_TRAP_RETRY: it was XFD's of ours, and the area has grown.
 * FP_TRAP_NOT_OURS: inject it, IA32_XFD_ERR is what hardware would have made it. FP_TRAP_NO_MEMORY:
 * as fp_trap().
 */
enum fp_trap_result fp_xfd_fault(struct vcpu *v);

/* Once per CPU, before any vCPU: XCR0, PKRU and every managed register to known values. */
void fp_hw_init(struct pcpu *cpu);

/* XCR0 with its cache: written only when it changes. */
void fp_xcr0_install(struct pcpu *cpu, u64 value);

/* fp_moves.S: each opens the hypervisor's own CR0.TS and closes it again. Areas: 64-byte aligned.
 */
void fp_move_xsave64(void *area, u32 mask);
void fp_move_xsave32(void *area, u32 mask);
void fp_move_xsaveopt64(void *area, u32 mask);
void fp_move_xsaveopt32(void *area, u32 mask);
void fp_move_xsavec64(void *area, u32 mask);
void fp_move_xsavec32(void *area, u32 mask);
void fp_move_xsaves64(void *area, u32 mask);
void fp_move_xsaves32(void *area, u32 mask);
void fp_move_xrstor64(const void *area, u32 mask);
void fp_move_xrstor32(const void *area, u32 mask);
void fp_move_xrstors64(const void *area, u32 mask);
void fp_move_xrstors32(const void *area, u32 mask);
void fp_move_fxsave64(void *area);
void fp_move_fxsave32(void *area);
void fp_move_fxrstor64(const void *area);
void fp_move_fxrstor32(const void *area);

/* Tiles: 1 KiB each, rows of 64 bytes; `tiles` has a bit for each configured one. AMX does not ask
 * CR0.TS. */
void fp_move_tiles_store(void *data, u32 tiles);
void fp_move_tiles_load(const void *data, u32 tiles);
void fp_move_ldtilecfg(const void *tilecfg);
void fp_move_tilerelease(void);

#endif
