/* XSAVE state as an Intel CPU with AMX describes it in CPUID 0xD; TILECFG
 * and TILEDATA are aligned in the compacted format, TILEDATA has XFD. */
#ifndef SAPPHIRE_RAPIDS_H
#define SAPPHIRE_RAPIDS_H

#include "xstate_layout.h"

static const struct xstate_cpuid sapphire_rapids = {
    .xcr0 = 0x602e7,
    .all_bytes = 11008,
    .leaf = {[2] = {256, 576, 0},
             [5] = {64, 1088, 0},
             [6] = {512, 1152, 0},
             [7] = {1024, 1664, 0},
             [9] = {8, 2688, 0},
             [17] = {64, 2752, 2},
             [18] = {8192, 2816, 6}},
};

#endif
