/* Operations of arith_ops.S (see there), and the integer model of single precision they are checked
 * against. */
#ifndef GUEST_ARM64_ARITH_H
#define GUEST_ARM64_ARITH_H

#include "guest/arm64/fp.h"

u64 fp_add32(u64 a, u64 b);
u64 fp_sub32(u64 a, u64 b);
u64 fp_mul32(u64 a, u64 b);
u64 fp_div32(u64 a, u64 b);
u64 fp_add64(u64 a, u64 b);
u64 fp_sub64(u64 a, u64 b);
u64 fp_mul64(u64 a, u64 b);
u64 fp_div64(u64 a, u64 b);
u64 fp_sqrt32(u64 a);
u64 fp_sqrt64(u64 a);
u64 fp_madd32(u64 a, u64 b, u64 c);
u64 fp_from_s64(u64 a);
u64 fp_to_s64(u64 a);
u64 fp_to_half(u64 a);
u64 fp_from_half(u64 a);

void vec_fadd(void *out, const void *a, const void *b);
void vec_fsub(void *out, const void *a, const void *b);
void vec_fmul(void *out, const void *a, const void *b);
void vec_fdiv(void *out, const void *a, const void *b);
void vec_add32(void *out, const void *a, const void *b);
void vec_mul32(void *out, const void *a, const void *b);
void vec_sqadd16(void *out, const void *a, const void *b);
void vec_umax8(void *out, const void *a, const void *b);
void vec_eor(void *out, const void *a, const void *b);
void vec_fmla(void *out, const void *a, const void *b);
void vec_fsqrt(void *out, const void *a);
void vec_tbl(void *out, const void *table, const void *index);
u64 vec_addv8(const void *a);

void sve_fadd(u32 *out, const u32 *a, const u32 *b, u64 n);
void sve_fmul(u32 *out, const u32 *a, const u32 *b, u64 n);
void sve_fdiv(u32 *out, const u32 *a, const u32 *b, u64 n);
void sve_mul32(u32 *out, const u32 *a, const u32 *b, u64 n);
void sve_umax32(u32 *out, const u32 *a, const u32 *b, u64 n);
void sve_fmla(u32 *out, const u32 *a, const u32 *b, u64 n);
void sve_gather(u32 *out, const u32 *table, const u32 *index, u64 n);
u64 sve_sum_odd(const u32 *a, u64 n);
u64 sve_fadda(const u32 *a, u64 n);
u64 sve_strlen(const char *s);

/* FPCR.RMode */
enum { RN, RP, RM, RZ };

/* softfloat.c: correctly rounded single precision, for normal operands and results, and zero
 * results. */
u32 soft_add(u32 a, u32 b, u32 mode);
u32 soft_mul(u32 a, u32 b, u32 mode);
u32 soft_div(u32 a, u32 b, u32 mode);
u32 soft_sqrt(u32 a, u32 mode);
u32 soft_fma(u32 a, u32 b, u32 c, u32 mode); /* a * b + c */

#endif
