/* fp_moves.S for programs that look at memory only: nothing is moved. */
#include "fp_hw.h"

#define SAVER(name)                                                                                \
    void fp_move_##name(void *area, u32 mask)                                                      \
    {                                                                                              \
        (void)area;                                                                                \
        (void)mask;                                                                                \
    }
#define LOADER(name)                                                                               \
    void fp_move_##name(const void *area, u32 mask)                                                \
    {                                                                                              \
        (void)area;                                                                                \
        (void)mask;                                                                                \
    }
#define LEGACY(name, qualifier)                                                                    \
    void fp_move_##name(qualifier void *area)                                                      \
    {                                                                                              \
        (void)area;                                                                                \
    }
SAVER(xsave64)
SAVER(xsave32)
SAVER(xsaveopt64)
SAVER(xsaveopt32)
SAVER(xsavec64)
SAVER(xsavec32)
SAVER(xsaves64)
SAVER(xsaves32)
LOADER(xrstor64)
LOADER(xrstor32)
LOADER(xrstors64)
LOADER(xrstors32)
LOADER(tiles_load)
SAVER(tiles_store)
LEGACY(fxsave64, )
LEGACY(fxsave32, )
LEGACY(fxrstor64, const)
LEGACY(fxrstor32, const)
LEGACY(ldtilecfg, const)

void fp_move_tilerelease(void)
{
}
