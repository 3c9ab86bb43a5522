/*
 * Floating point in integers: the reference that arith compares the hardware with. Normal numbers
 * only, any precision up to 64 bits, every rounding mode; IEEE 754-2019, 4.3 and 5.4.
 */
#ifndef GUEST_X86_SOFT_H
#define GUEST_X86_SOFT_H

#include "guest/guest.h"

/* (-1)^sign * mant * 2^(exp - 63), bit 63 of mant set. */
struct soft {
    u32 sign;
    s32 exp;
    u64 mant;
};

/* As FCW.RC and MXCSR.RC encode them. */
enum rounding { TO_NEAREST, DOWN, UP, TO_ZERO };

/* Bits of precision of the three formats. */
enum { P32 = 24, P64 = 53, P80 = 64 };

typedef struct soft (*soft_fn)(struct soft a, struct soft b, u32 precision, enum rounding mode);
struct soft soft_add(struct soft a, struct soft b, u32 precision, enum rounding mode);
struct soft soft_sub(struct soft a, struct soft b, u32 precision, enum rounding mode);
struct soft soft_mul(struct soft a, struct soft b, u32 precision, enum rounding mode);
struct soft soft_div(struct soft a, struct soft b, u32 precision, enum rounding mode);
/* sqrt of b; b.sign must be 0. */
struct soft soft_sqrt(struct soft a, struct soft b, u32 precision, enum rounding mode);
/* a * b + c, one rounding. The bits of the product and of c must span less than 126. */
struct soft soft_fma(struct soft a, struct soft b, struct soft c, u32 precision,
                     enum rounding mode);

/* A random number of that precision, |exp| <= spread. */
struct soft soft_random(u64 *seed, u32 precision, u32 spread);

/* To and from the memory formats: 4, 8 and 10 bytes. */
void soft_put(void *to, struct soft value, u32 precision);

#endif
