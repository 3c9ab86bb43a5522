/*
 * AMX: the tile registers, what they must hold, and the instructions on them (Intel SDM vol. 1,
 * chapter 18).
 *
 * A struct tiles is the model of one vCPU's (or one thread's) tiles: every operation is done to the
 * registers and to the model, and the registers are compared with it.
 */
#ifndef GUEST_X86_TILES_H
#define GUEST_X86_TILES_H

#include "guest/x86_64/stubs.h"

/* Palette 1, as CPUID leaf 0x1D must describe it. */
#define TILES      8
#define TILE_ROWS  16
#define TILE_COLSB 64
#define TILE_BYTES (TILE_ROWS * TILE_COLSB)

/* The memory operand of LDTILECFG and STTILECFG, and component 17 of an XSAVE area. */
struct tilecfg {
    u8 palette, start_row, reserved[14];
    u16 colsb[16];
    u8 rows[16];
};
_Static_assert(sizeof(struct tilecfg) == 64, "SDM vol. 1, 18.2");

/* Rows 64 bytes apart, as in component 18; what lies beyond the configured rows and bytes is zero.
 */
struct tiles {
    struct tilecfg cfg; /* palette 0: INIT, nothing is configured */
    u8 data[TILES][TILE_BYTES];
} ALIGNED(64);

/* What this CPU does otherwise than the manual says (Bochs 3.0); measured once, printed like struct
 * errata. */
struct amx_errata {
    bool sttilecfg_ud;         /* STTILECFG is #UD */
    bool image;                /* the XSAVE forms store or load something else than the tiles */
    bool inuse;                /* XGETBV(1) is wrong about the tiles */
    bool int8_unsigned;        /* TDPBSSD, TDPBSUD, TDPBUSD take signed bytes for unsigned ones */
    bool tilecfg_alone_clears; /* XRSTOR of component 17 alone clears component 18 */
};
extern struct amx_errata amx_errata;
void amx_errata_measure(void);

/* tiles.S. A mask has a bit for each tile; tiles that are not usable are #UD. */
void tile_ldcfg(const struct tilecfg *cfg);
void tile_stcfg(struct tilecfg *cfg);
void tile_release(void);
void tile_load(const void *data, u32 mask);
void tile_store(void *data, u32 mask);
void tile_zero(u32 mask);

/* tile_dots.c: the products. `set` 0 is tmm0 += tmm1 * tmm2, 1 is tmm7 += tmm6 * tmm5. */
enum dot { TDPBSSD, TDPBSUD, TDPBUSD, TDPBUUD, TDPBF16PS, DOTS };
bool dot_offered(enum dot dot);
const char *dot_name(enum dot dot);
void dot_run(enum dot dot, u32 set);
/* The same to the model. Where `normal` values only are in BF16 tiles: no infinity, no NaN. */
void dot_reference(enum dot dot, u32 set, struct tiles *tiles);
/* Fill the operands of TDPBF16PS with numbers it can be compared on: normal, zero, denormal, tiny.
 */
void dot_fill_bf16(u32 set, struct tiles *tiles, u64 *seed);

/* tiles.c */
/* A legal configuration: shapes of both products fit, the two other tiles are anything, also
 * nothing. */
void tiles_configure(struct tiles *tiles, u64 *seed);
/* Random data in every usable tile of the model, zeroes around it. */
void tiles_fill(struct tiles *tiles, u64 *seed);
/* Those that can be loaded: with rows, and these a whole number of dwords (else #UD: AMX-E3, -E4).
 */
u32 tiles_usable(const struct tiles *tiles);
/* Model to registers: LDTILECFG and TILELOADD, or TILERELEASE. */
void tiles_load(const struct tiles *tiles);
/* True if TILESTORED of every usable tile gives the model. The configuration is not looked at.
 */
bool tiles_match(const struct tiles *tiles, const char *what);

/* tile_walk.c: one random step, to the registers and to the model; NULL, or the name of what did
 * not agree. */
const char *tile_step(struct tiles *tiles, u64 *seed);

/* One vCPU's random walk over everything that touches tiles, each step first thing after being
 * away. */
struct tile_walk {
    u64 seed, preemptions; /* end after so many; 0: at stop */
    volatile bool stop;
    u64 seen, steps, errors;
    const char *bad;
    struct fp_image other; /* its other registers, which must come along */
    struct tiles want;
};
void tile_walk(void *argument); /* struct tile_walk */

/* The XSAVE image of tiles: true if it is the model's (header and both components). */
bool tiles_image_is(const u8 *area, const struct tiles *want, const char *what);

#endif
