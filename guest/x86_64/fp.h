/*
 * The guest's FP registers as one comparable image, and the stubs that touch them.
 *
 * C here is compiled without FP; only fp.S and stubs.S execute FP instructions, so a scenario knows
 * which one comes first after a preemption.
 */
#ifndef GUEST_X86_FP_H
#define GUEST_X86_FP_H

#include "guest/x86_64/cpu.h"

#define XCR0_X87      BIT(0)
#define XCR0_SSE      BIT(1)
#define XCR0_AVX      BIT(2)
#define XCR0_AVX512   (BIT(5) | BIT(6) | BIT(7)) /* opmask, ZMM_Hi256, Hi16_ZMM */
#define XCR0_PKRU     BIT(9)
#define XCR0_AMX      (XCR0_TILECFG | XCR0_TILEDATA)
#define XCR0_TILECFG  BIT(17)
#define XCR0_TILEDATA BIT(18)

#define FX_FCW           0
#define FX_FSW           2
#define FX_FTW           4
#define FX_FOP           6
#define FX_FIP           8
#define FX_FDP           16
#define FX_MXCSR         24
#define FX_MASK          28
#define FX_ST            32
#define FX_XMM           160
#define FX_BYTES         416   /* what FXSAVE64 writes */
#define XSAVE_MAX        12288 /* with AMX: 11008 */
#define XSAVE_SMALL      3072  /* without AMX: 2696 */
#define XSTATE_BV        512   /* byte offsets of the XSAVE header's fields */
#define XCOMP_BV         520
#define XSAVE_HEADER_END 576
#define XCOMP_COMPACTED  BIT(63)

/* All an XSAVE form stores here but the tiles: those have scenarios of their own (tiles.h). */
#define FP_NOT_TILES (~(u64)XCR0_AMX)

/*
 * Every register a guest has but the tiles. ymm[i][0..15] equals XMMi in fx, zmm[i][0..31] equals
 * ymm[i]; what the CPU has not stays zero.
 */
struct fp_image {
    u8 fx[512];
    u8 ymm[16][32];
    u8 zmm[32][64];
    u64 k[8];
    u32 pkru;
    u32 reserved;
    u64 xcr0;
    u8 reserved2[48]; /* images are compared byte for byte */
} ALIGNED(64);
_Static_assert(sizeof(struct fp_image) == 3200, "no padding");

/* What a vCPU held before it touched anything: the first dump, taken by fp_first(). */
struct fp_dump {
    u8 xsave[XSAVE_MAX]; /* XSAVE64 over zeroes with all of XCR0 offered enabled; FXSAVE64 without
                            XSAVE */
    struct fp_image image;
    u64 xcr0;     /* before the first XSETBV */
    u64 cr0, cr4; /* as the boot protocol left them */
} ALIGNED(64);
extern struct fp_dump fp_dumps[MAX_CPUS];

/* Which instruction touches the state first when an image is read. */
enum fp_first {
    FIRST_FXSAVE,
    FIRST_XSAVE,
    FIRST_VMOV,
    FIRST_MOVUPS,
    FIRST_XGETBV,
    FIRST_ZMOV,
    FIRST_KMOV,
    FIRST_XSAVEC,
    FIRST_XSAVEOPT,
    FIRST_XSAVES,
    FIRST_WAYS
};

/* Offset of component n >= 2 in an XSAVE area, of the form its header names. */
u32 xsave_offset(const u8 *area, u32 n);

/* Dump this vCPU's untouched registers, then enable all of XCR0 and CR4.PKE. Once per vCPU. */
void fp_first(void);

/* XCR0 values that are legal here, one of each class, from small to all. Returns how many. */
#define XCR0_VALUES 9
u32 legal_xcr0(u64 *values);

/* A legal image for seed: random data, exceptions masked (so nothing is pending). xcr0: all
 * offered. */
void fp_pattern(struct fp_image *image, u64 seed);

/* Load all of it; what the CPU does not keep (FIP/FDP in some forms) is read back into *image. */
void fp_load(struct fp_image *image);

/* Read every register, `first` deciding the first instruction (one that does not exist: FXSAVE). */
void fp_read(struct fp_image *image, enum fp_first first);

/* True if the registers equal *want; else one diagnostic line with `what` (vCPU 0 only). */
bool fp_holds(const struct fp_image *want, enum fp_first first, const char *what);

/* 16-bit and 32-bit fields of an FXSAVE area. */
u16 fx16(const u8 *fx, u32 at);
u32 fx32(const u8 *fx, u32 at);
void fx_put16(u8 *fx, u32 at, u16 value);
void fx_put32(u8 *fx, u32 at, u32 value);

/* fp.S: one group of instructions each. XSETBV and XGETBV take ECX = 0 unless said. */
void fp_fxsave(void *area);
void fp_fxrstor(const void *area);
void fp_ymm_store(void *sixteen);
void fp_ymm_load(const void *sixteen);
void fp_xmm_store(void *sixteen_xmm);
void fp_zmm_store(void *thirtytwo);
void fp_zmm_load(const void *thirtytwo);
void fp_k_store(void *eight);
void fp_k_load(const void *eight);
void fp_xsave(void *area, u64 mask);
void fp_xsaveopt(void *area, u64 mask);
void fp_xsavec(void *area, u64 mask);
void fp_xsaves(void *area, u64 mask);
void fp_xrstor(const void *area, u64 mask);
void fp_xrstors(const void *area, u64 mask);
u64 fp_xgetbv(u32 index);
void fp_xsetbv(u64 value);
u32 fp_rdpkru(void);
void fp_wrpkru(u32 value);
void fp_fldcw(const u16 *value);
u16 fp_fstcw(void);
void fp_ldmxcsr(const u32 *value);
u32 fp_stmxcsr(void);
void fp_clts(void);

/* background.c: the other vCPUs scribble and check their own patterns while vCPU 0 tests something.
 */
void background_start(void);
void background_stop(void); /* reports one TAP line per vCPU */

/* exits.c: one way of leaving for the hypervisor and coming back, without an FP instruction (BUGS
 * 28). */
#define EXITS 22
void exit_take(u32 which); /* modulo EXITS */
const char *exit_name(u32 which);
void away(u64 random); /* a yield mostly; else one of the exits, or a while for the timer */

/* hold.c: what the background does until *stop; counts mismatches. */
struct hold {
    u64 seed;
    u64 preemptions; /* end after so many (or loops on the bare machine), 0 = at stop */
    volatile bool stop;
    u64 seen, loops, errors;
    u64 progress; /* loops when `seen` last moved */
    u32 patience; /* turns of a loop that gives the timer a chance */
    struct fp_image want, bad;
    const char *bad_when;
};
void hold_job(void *hold);

#endif
