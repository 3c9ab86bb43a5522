/* Single instructions of the bare machine for attempt() (tests/emu/bochs-xfd/check). */
#include "tests/model/x86_64/bare.h"

#define TAKES(name, text)                                                                          \
    static void name(void *arg)                                                                    \
    {                                                                                              \
        const struct bare_op *o = arg;                                                             \
        __asm__ volatile(text                                                                      \
                         :                                                                         \
                         : "D"(o->memory), "S"(64ul), "a"((u32)o->mask),                           \
                           "d"((u32)(o->mask >> 32)), "c"(o->index)                                \
                         : "memory");                                                              \
    }
TAKES(xsave64, "xsave64 (%0)")
TAKES(xsave32, "xsave (%0)")
TAKES(xsaveopt64, "xsaveopt64 (%0)")
TAKES(xsaveopt32, "xsaveopt (%0)")
TAKES(xsavec64, "xsavec64 (%0)")
TAKES(xsavec32, "xsavec (%0)")
TAKES(xsaves64, "xsaves64 (%0)")
TAKES(xsaves32, "xsaves (%0)")
TAKES(xrstor64, "xrstor64 (%0)")
TAKES(xrstor32, "xrstor (%0)")
TAKES(xrstors64, "xrstors64 (%0)")
TAKES(xrstors32, "xrstors (%0)")
TAKES(fxsave64, "fxsave64 (%0)")
TAKES(fxsave32, "fxsave (%0)")
TAKES(fxrstor64, "fxrstor64 (%0)")
TAKES(fxrstor32, "fxrstor (%0)")
TAKES(xsetbv, "xsetbv")
TAKES(ldtilecfg, "ldtilecfg (%0)")
TAKES(sttilecfg, "sttilecfg (%0)")
TAKES(tilerelease, "tilerelease")
TAKES(tilezero, "tilezero %%tmm1")
TAKES(tileloadd, "tileloadd (%0,%1), %%tmm1")
TAKES(tilestored, "tilestored %%tmm1, (%0,%1)")
TAKES(tdpbssd, "tdpbssd %%tmm2, %%tmm1, %%tmm0")
TAKES(tdpbsud, "tdpbsud %%tmm2, %%tmm1, %%tmm0")
TAKES(tdpbusd, "tdpbusd %%tmm2, %%tmm1, %%tmm0")
TAKES(tdpbuud, "tdpbuud %%tmm2, %%tmm1, %%tmm0")
/* Of these only the exception is of interest: they change nothing. */
TAKES(x87, "fnstcw (%0)")
TAKES(waits, "fnop")
TAKES(fwait, "fwait")
TAKES(sse, "movmskps %%xmm0, %%eax")
TAKES(vex, "vmovmskps %%xmm0, %%eax")
TAKES(evex, "vmovdqu64 %%zmm16, %%zmm16")
TAKES(kmov, "kmovw %%k1, %%eax")

static void xgetbv_op(void *arg)
{
    struct bare_op *o = arg;
    u32 low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(o->index));
    o->mask = low | (u64)high << 32;
}

void (*bare_function(const struct insn *i))(void *)
{
    static void (*const saves[][2])(void *) = {
        {xsave32, xsave64}, {xsaveopt32, xsaveopt64}, {xsavec32, xsavec64}, {xsaves32, xsaves64}};
    static void (*const dots[])(void *) = {tdpbssd, tdpbsud, tdpbusd, tdpbuud};

    switch (i->op) {
    case OP_SAVE:
        return saves[i->which][i->rexw];
    case OP_RESTORE:
        return i->which ? (i->rexw ? xrstors64 : xrstors32) : (i->rexw ? xrstor64 : xrstor32);
    case OP_FXSAVE:
        return i->rexw ? fxsave64 : fxsave32;
    case OP_FXRSTOR:
        return i->rexw ? fxrstor64 : fxrstor32;
    case OP_XGETBV:
        return xgetbv_op;
    case OP_XSETBV:
        return xsetbv;
    case OP_LDTILECFG:
        return ldtilecfg;
    case OP_STTILECFG:
        return sttilecfg;
    case OP_TILERELEASE:
        return tilerelease;
    case OP_TILEZERO:
        return tilezero;
    case OP_TILELOADD:
        return tileloadd;
    case OP_TILESTORED:
        return tilestored;
    case OP_TDP:
        return dots[i->which];
    case OP_X87_READ:
        return x87;
    case OP_FLD1:
        return waits;
    case OP_FWAIT:
        return fwait;
    case OP_SSE_READ:
        return sse;
    case OP_AVX_READ:
        return vex;
    case OP_EVEX_READ:
        return evex;
    default:
        return kmov;
    }
}
