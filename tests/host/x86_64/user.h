/* For programs without a C library that run the hypervisor's FP code in user mode. */
#ifndef TESTS_USER_H
#define TESTS_USER_H

#include "hv/base.h"
#include "hv/pages.h"
#include "cpu.h"

/* Protected-mode image of FNSTENV (SDM 1, 8.1.10). */
struct fp_env {
    u16 fcw, reserved0, fsw, reserved1, ftw, reserved2;
    u32 fip;
    u16 fcs, fop;
    u32 fdp;
    u16 fds, reserved3;
};
_Static_assert(sizeof(struct fp_env) == 28, "user.S knows the offsets");

struct regs {
    struct fp_env env;
    u32 mxcsr;
    u8 st[8][16];
    u8 ymm[16][32];
    u8 scratch[512] ALIGNED(16);
} ALIGNED(32);
_Static_assert(offsetof(struct regs, ymm) == 160, "user.S knows the offsets");
_Static_assert(offsetof(struct regs, scratch) == 672, "user.S knows the offsets");

/* AVX-512 and AMX, where the CPU has them: the upper halves of ZMM0-15, ZMM16-31, k0-7 and tiles.
 */
struct wide_regs {
    u8 zmm_hi256[16][32];
    u8 hi16_zmm[16][64];
    u64 opmask[8];
    u8 tilecfg[64];
    u8 tiles[8][1024];
} ALIGNED(64);

void zmm_set(const struct wide_regs *r);
void zmm_get(struct wide_regs *r);
void tiles_set(const struct wide_regs *r, u32 tiles); /* LDTILECFG, then the tiles of the mask */
void tiles_get(struct wide_regs *r, u32 tiles);
void tiles_release(void);
void tiles_configure(const void *tilecfg);

void regs_set(const struct regs *r, u32 wide);
void regs_get(struct regs *r, u32 wide);
bool wide_vectors(void);

struct user_test {
    const char *name;
    bool (*run)(void);
};

long user_main(void);
long user_call(long number, long a, long b, long c, long d);
void user_restorer(void);
void user_print(const char *fmt, ...) PRINTF_LIKE(1, 2);
NORETURN void user_fail(const char *what);

/* CR0 and XCR0 as the privileged instructions left them: they fault here, and are done by hand. */
extern u64 user_cr0;
extern u64 user_xcr0;
extern u64 user_xfd, user_xfd_err; /* storage only: nothing faults by them */
extern u32 user_xsetbvs;           /* XSETBVs so far */
/* Instructions run while user_step(true): but for memcpy and its kin, and those. */
extern u32 user_steps, user_copy_steps;
void user_step(bool on);
void user_catch_faults(void);

/* At each CLTS: is the mover's mask within XCR0? Not for FXSAVE's, which have none. */
extern bool user_masks_checked;

/*
 * Makes CLTS and MOV CR0 in [first, first + n) do nothing, without a fault: from then on no signal,
 * and so no XSAVE and XRSTOR of the kernel's, comes between a guest's instruction and a mover's.
 */
void user_patch(void *first, size_t n);

#endif
