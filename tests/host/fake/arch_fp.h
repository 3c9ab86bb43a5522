/*
 * The fake architecture's FP control state. One machine with the traits of both real ones: a base
 * unit whose size grows when the guest enables components (XCR0), a vector unit whose low halves
 * belong to the base unit (Z over V), a matrix unit that clears the vector registers (SMSTART).
 */
#ifndef FAKE_ARCH_FP_H
#define FAKE_ARCH_FP_H

#include "hv/base.h"

#define FAKE_UNIT_BASE 1u
#define FAKE_UNIT_VEC  2u
#define FAKE_UNIT_MAT  4u
#define FAKE_UNITS     7u

/* Components of the base unit, as bits of the fake XCR0. Bit 0 (V and FCW) is always set. */
#define FAKE_XCR_V  1u
#define FAKE_XCR_E0 2u
#define FAKE_XCR_E1 4u

struct arch_fp {
    u64 xcr;      /* what the guest has enabled now: readable without a trap */
    u64 xcr_ever; /* what it ever enabled: the mask of saves and scrubs (BUGS 35) */
    u64 ctrl;     /* PKRU's like: read and written by the guest without a trap */
    bool z_dirty; /* found out at save: Z above V, or P, is not zero */
};

struct arch_fp_config {
    u32 units;
    u32 xcr;
};

#endif
