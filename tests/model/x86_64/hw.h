/* hw.S: single instructions of the CPU this runs on. */
#ifndef MODEL_X86_HW_H
#define MODEL_X86_HW_H

#include "hv/base.h"

struct hw_seen { /* hw.S knows the offsets */
    u32 all; /* mask of what is moved: XCR0 without PKRU, which would take our own memory away */
    u32 xgetbv1;       /* is there XGETBV(1)? */
    u64 before, after; /* XINUSE around the instruction */
    void *dump;        /* XSAVE64 of everything afterwards */
    const void *clean; /* what C code needs: INIT */
};

void hw_run(const void *from, void (*op)(void), void *operand, u64 mask, struct hw_seen *seen);
void hw_clean(u32 all, const void *clean);

void hw_xsave64(void);
void hw_xsave32(void);
void hw_xsaveopt64(void);
void hw_xsaveopt32(void);
void hw_xsavec64(void);
void hw_xsavec32(void);
void hw_xrstor64(void);
void hw_xrstor32(void);
void hw_fxsave64(void);
void hw_fxsave32(void);
void hw_fxrstor64(void);
void hw_fxrstor32(void);
void hw_ldtilecfg(void);
void hw_sttilecfg(void);
void hw_tilerelease(void);
void hw_tilezero(void); /* and seven more, each 16 bytes on */
void hw_tileloadd(void);
void hw_tilestored(void);
void hw_tdpbssd(void);
void hw_tdpbsud(void);
void hw_tdpbusd(void);
void hw_tdpbuud(void);

#endif
