/* Operations of arith_ops.S: loads take (a, b, result, c), the operations nothing. */
#ifndef GUEST_X86_ARITH_H
#define GUEST_X86_ARITH_H

#include "guest/x86_64/matrix.h"
#include "guest/x86_64/soft.h"

typedef void (*move_fn)(const void *a, const void *b, void *result, const void *c);
typedef void (*op_fn)(void);

void op_load_x87(const void *a, const void *b, void *result, const void *c);
void op_store_x87(const void *a, const void *b, void *result, const void *c);
void op_load_sse(const void *a, const void *b, void *result, const void *c);
void op_store_sse(const void *a, const void *b, void *result, const void *c);
void op_load_avx(const void *a, const void *b, void *result, const void *c);
void op_load_fma(const void *a, const void *b, void *result, const void *c);
void op_store_avx(const void *a, const void *b, void *result, const void *c);

/* clang-format gives up on a macro that is a list. */
/* clang-format off */
#define OPS(X) \
    X(fadd) X(fsub) X(fmul) X(fdiv) X(fsqrt) X(fldpi) X(fldl2e) X(fldl2t) X(fldlg2) X(fldln2) \
    X(fpatan) X(fyl2x) X(f2xm1) X(fscale) X(fprem) X(frndint) X(fcos) X(fsin) X(addpd) \
    X(subpd) X(mulpd) X(divpd) X(sqrtpd) X(addps) X(subps) X(mulps) X(divps) X(sqrtps) \
    X(paddd) X(psubb) X(pmuludq) X(pmaddwd) X(psadbw) X(pshufb) X(vaddpd) X(vsubpd) X(vmulpd) \
    X(vdivpd) X(vsqrtpd) X(vaddps) X(vsubps) X(vmulps) X(vdivps) X(vsqrtps) X(vpaddq) \
    X(vpmulld) X(vpmaxub) X(vpsubw) X(vpermd) X(vfmadd_pd) X(vfmadd_ps)
/* clang-format on */
#define DECLARE_OP(name) void op_##name(void);
OPS(DECLARE_OP)

/* Away before, between and after the three steps. */
void arith_step(move_fn load, op_fn op, move_fn store, const void *a, const void *b, void *result,
                const void *c);

/* arith_int.c: integer SIMD, SSE and AVX2. */
void arith_integers(void);

#endif
