/*
 * reset and nofp: what a vCPU finds before it touched anything, and what it costs while it never
 * does.
 *
 * nofp comes first in the table of scenarios: after thousands of yields and preemptions, with other
 * VMs writing their patterns, reset still has to find reset values (BUGS 1, 4).
 */
#include "guest/x86_64/scenarios.h"

static bool all_zero(const u8 *p, size_t bytes)
{
    while (bytes--)
        if (*p++)
            return false;
    return true;
}

/*
 * x87 control: either the INIT configuration (FCW 0x37F, every register empty) or the power-on one
 * (FCW 0x40, every register valid: abridged FTW 0xFF); APM vol. 2, 14.1.3.
 */
static bool x87_control_reset(const u8 *fx)
{
    u16 fcw = fx16(fx, FX_FCW), ftw = fx16(fx, FX_FTW);

    return (fcw == 0x37f && ftw == 0) || (fcw == 0x40 && ftw == 0xff);
}

static void reset_fx(u32 id, const u8 *fx, const char *how)
{
    ok(x87_control_reset(fx) && fx16(fx, FX_FSW) == 0, "vCPU %u %s: FCW 0x%x FSW 0x%x FTW 0x%x", id,
       how, fx16(fx, FX_FCW), fx16(fx, FX_FSW), fx16(fx, FX_FTW));
    ok(fx16(fx, FX_FOP) == 0 && all_zero(fx + FX_FIP, 16), "vCPU %u %s: FOP, FIP and FDP are 0", id,
       how);
    ok_eq(fx32(fx, FX_MXCSR), 0x1f80, "vCPU %u %s: MXCSR", id, how);
    ok(all_zero(fx + FX_ST, 128), "vCPU %u %s: ST0 to ST7 are 0", id, how);
    ok(all_zero(fx + FX_XMM, 256), "vCPU %u %s: XMM0 to XMM15 are 0", id, how);
}

static void reset_one(u32 id)
{
    const struct fp_dump *dump = &fp_dumps[id];
    u64 cr0 =
        id ? 0x60000010 : 0x11; /* after INIT: CD, NW, ET; PVH: PE, and ET which is always 1 */

    ok_eq(dump->cr0, cr0, "vCPU %u: CR0 at the start", id);
    ok_eq(dump->cr4, 0, "vCPU %u: CR4 at the start", id);
    reset_fx(id, dump->image.fx, "FXSAVE");
    if (!features.xsave)
        return;
    reset_fx(id, dump->xsave, "XSAVE");
    ok_eq(dump->xcr0, XCR0_X87, "vCPU %u: XCR0", id);
    if (features.avx)
        ok(all_zero(&dump->image.ymm[0][0], sizeof(dump->image.ymm)),
           "vCPU %u: YMM0 to YMM15 are 0", id);
    if (features.avx512)
        ok(all_zero(&dump->image.zmm[0][0], sizeof(dump->image.zmm)) &&
               all_zero((const u8 *)dump->image.k, sizeof(dump->image.k)),
           "vCPU %u: ZMM0 to ZMM31 and k0 to k7 are 0", id);
    /* All other components of the standard form: zeroes were stored, or nothing (INIT). */
    ok(all_zero(dump->xsave + 576, XSAVE_MAX - 576), "vCPU %u: every extended component is in INIT",
       id);
    if (features.pku)
        ok_eq(dump->image.pkru, 0, "vCPU %u: PKRU", id);
}

void scenario_reset(void)
{
    static struct fp_image mine;
    u32 cpus;

    fp_first();
    reset_one(0);
    fp_pattern(&mine, pattern_seed(0, 4));
    fp_load(&mine);
    cpus = cpus_start(); /* each dumps first thing, my pattern being live */
    for (u32 id = 1; id < cpus; id++)
        reset_one(id);
}

void scenario_nofp(void)
{
    u64 loops = cmdline_u64("hold", 2000), last = 0, area = 0;
    static const char *const names[] = {"traps",   "loads", "saves", "scrubs",
                                        "growths", "bytes", "cycles"};
    u64 preempted = stat(FERMATA_STAT_PREEMPTIONS);

    if (cmdline_has("eager")) {
        skip("policy eager moves state for every vCPU", "a vCPU that never touches FP");
        return;
    }
    if (this_cpu()->fp_ready) {
        skip("this vCPU has used FP already: give run=nofp", "a vCPU that never touches FP");
        return;
    }
    for (u64 i = 0; i < loops; i++) {
        yield();
        for (volatile u32 spin = 0; spin < 500; spin++)
            cpu_pause();
    }
    if (!on_fermata) {
        skip("no hypervisor", "a vCPU that never touches FP moves no FP state");
        return;
    }
    last = stat(FERMATA_STAT_PREEMPTIONS);
    area = stat(FERMATA_STAT_FP_AREA);
    diag("%lu yields, %lu preemptions, %lu switches", (unsigned long)loops,
         (unsigned long)(last - preempted), (unsigned long)stat(FERMATA_STAT_SWITCHES));
    for (u32 i = 0; i < ARRAY_SIZE(names); i++)
        ok_eq(stat(FERMATA_STAT_FP_TRAPS + i), 0, "no FP touched: %s", names[i]);
    ok_eq(area, 0, "no FP touched: bytes of area");
}
