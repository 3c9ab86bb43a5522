/* Operations of sme_ops.S and sme2_ops.S (see there). All but sme_loop need the vCPU in streaming
 * mode with ZA on. */
#ifndef GUEST_ARM64_SME_OPS_H
#define GUEST_ARM64_SME_OPS_H

#include "guest/arm64/sme.h"

typedef void outer_product(const u8 *rows, const u8 *columns, const u8 *row_p, const u8 *column_p);
#define OUTER(name, last) outer_product mopa_##name##_0, mopa_##name##_##last
OUTER(fmopa_s, 3);
OUTER(fmops_s, 3);
OUTER(fmopa_h, 3);
OUTER(bfmopa, 3);
OUTER(bfmops, 3);
OUTER(smopa, 3);
OUTER(smops, 3);
OUTER(umopa, 3);
OUTER(sumopa, 3);
OUTER(usmopa, 3);
OUTER(fmopa_d, 7);
OUTER(smopa_d, 7);
OUTER(umops_d, 7);
OUTER(smopa_h, 3);
OUTER(umopa_h, 3);
OUTER(bmopa, 3);
OUTER(fmopa_hh, 1);
OUTER(bfmopa_h, 1);
OUTER(fmopa_b, 3);
OUTER(fmopa_hb, 1);

/* 62 functions of SLICE_CODE bytes each. */
#define SLICE_CODE 16
extern const u8 za_reads[], za_writes[];
void za_st1b_v(u64 slice, u8 *out);
void za_ld1w_v(u64 slice, const u8 *in);
void za_zero_tiles(void);
void za_addha(const u8 *z);
void za_addva(const u8 *z);
void sve_ptrue(void);
u64 sve_cntp(void);

typedef void lookup(u8 *out, const u8 *indices);
lookup luti2_b_0, luti2_b_3, luti2_s_15, luti4_b_1, luti4_h_3, luti4_s_7;

void sve_addqv(u8 *v, const u8 *z);
void sve_copy4(u8 *to, const u8 *from);
u64 sve_count4(u64 from, u64 to);
void za_add4(u64 vector, const u8 *z);
void za_take(u64 slice, u8 *out);
void za_zero4(u64 vector);
void luti4_h4(u8 *out, const u8 *indices);
u64 zt0_swap(u64 value);
void fp8_widen_1(u8 *halves, const u8 *bytes);
void fp8_widen_2(u8 *halves, const u8 *bytes);

#define SME_LOOP_STOPS 256
extern u64 sme_loop_gap; /* odd */
extern u8 sme_loop_seen[SME_LOOP_STOPS];
u64 sme_loop(u32 *out, const u32 *a, const u32 *b, u64 rows, u64 columns, u64 depth, u64 position,
             u64 reload);

/* IEEE-like bits of a small integer with `exponent` and `mantissa` bits; value must fit exactly. */
u64 float_bits(s64 value, u32 exponent, u32 mantissa);

void sme_outer_products(u32 svl);     /* sme_outer.c */
void sme_slices(u32 svl);             /* sme_za.c */
void sme_lookups(u32 svl);            /* sme_za.c */
void sme_predicates(u32 vl, bool on); /* sme_arith.c */
void sme2_check(u32 svl);             /* sme2.c */
void sve21_check(u32 vl, bool streaming);

#endif
