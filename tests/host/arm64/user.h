/* For programs without a C library that run the hypervisor's FP code in user mode. */
#ifndef TESTS_USER_H
#define TESTS_USER_H

#include "hv/base.h"

#define REGS_MAX (16 + 33 * 256 + 17 * 32)

/* FPSR, FPCR, Z0-Z31, P0-P15, FFR at the current vector length. */
struct regs {
    u64 fpsr, fpcr;
    u8 bytes[REGS_MAX];
};

/* The whole of it; V, FPSR and FPCR alone (user.S). */
void regs_set(const struct regs *r);
void regs_get(struct regs *r);
void v_set(const struct regs *r, u64 vl);
void v_get(struct regs *r, u64 vl);

/* The vector length in bytes that regs_bytes() and those below go by. */
extern u32 user_vl;
size_t regs_bytes(void);
u8 *z_of(struct regs *r, u32 n);
u8 *p_of(struct regs *r, u32 n); /* 16: FFR */
void randomise(struct regs *r);
void clear_uppers(struct regs *r); /* Z above bit 127, P, FFR */
u64 user_random(void);

/* SME: ZA, SVCR (user.S), and its vector length by prctl(): leaves streaming mode, ZA off. */
void za_set(const u8 *za, u64 svl);
void za_get(u8 *za, u64 svl);
u64 user_svcr(void);
void user_svcr_set(u64 svcr);
u64 user_x12(void (*move)(void *, u64), void *at, u64 svl);
bool user_set_svl(u32 bytes);

/* Sets the vector length by prctl(). False: this CPU does not have it. */
bool user_set_vl(u32 bytes);

long user_main(void);
long user_call(long number, long a, long b, long c, long d);
void user_print(const char *fmt, ...) PRINTF_LIKE(1, 2);
NORETURN void user_fail(const char *what);

#endif
