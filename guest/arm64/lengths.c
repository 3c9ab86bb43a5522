/*
 * Vector length and the aliasing of V and Z.
 *
 * BUGS 19: Z is live at the full length, the guest lowers ZCR_EL1.LEN, is preempted, and raises it
 * again. What lies within the shorter length must be intact; above it each register holds what it
 * held or zero (DDI 0487, the effect of a change of vector length), never anything else.
 *
 * BUGS 40: Z is live above bit 127, the guest is preempted and first writes Vn: Zn is zero above
 * bit 127 afterwards, all other registers are intact, for every n. And the way back: once
 * everything above V is zero, FPSIMD alone is used over many switches, and Z stays clean.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/fp.h"

static struct fp_image want, got;

enum uppers { KEPT = 1, ZEROED = 2 };

/* Compare one register of `full` bytes after a stay at `low` bytes; notes which of the allowed two
 * it was. */
static bool register_allowed(const u8 *g, const u8 *w, u32 low, u32 full, u32 *seen)
{
    if (memcmp(g, w, low))
        return false;
    if (!memcmp(g + low, w + low, full - low)) {
        *seen |=
            all_zero(w + low, full - low) ? 0u : (u32)KEPT; /* FFR may be short: says nothing */
        return true;
    }
    *seen |= ZEROED;
    return all_zero(g + low, full - low);
}

static bool image_allowed(u32 low, u32 full, u32 *seen)
{
    for (u32 n = 0; n < 32; n++)
        if (!register_allowed(got.z + n * full, want.z + n * full, low, full, seen)) {
            diag("Z%u after %u bits", n, low * 8);
            return false;
        }
    for (u32 n = 0; n < 17; n++)
        if (!register_allowed(got.p + n * full / 8, want.p + n * full / 8, low / 8, full / 8,
                              seen)) {
            diag("P%u (16 = FFR) after %u bits", n, low * 8);
            return false;
        }
    return got.fpcr == want.fpcr && got.fpsr == want.fpsr;
}

/* Stay at `low` over some yields in one of four ways. */
static void stay(u32 low, u32 full, u32 way)
{
    static u8 scratch[32 * SVE_MAX_VL];

    if (way & 1)
        yield(); /* the gate is closed when ZCR_EL1 is written */
    sve_set_vl(low);
    for (u32 y = 0; y < 3; y++)
        yield();
    if (way & 2)
        sve_store_z(scratch); /* loaded at the short length, then raised */
    sve_set_vl(full);
    if (way & 1)
        yield();
}

static void lower_and_raise(u32 full)
{
    for (u32 low = 16; low < full; low += 16) {
        if (sve_set_vl(low) != low)
            continue;
        u32 seen = 0;
        bool good = true;
        for (u32 way = 0; way < 16 && good; way++) {
            sve_set_vl(full);
            fp_image_fill(&want, full, pattern_seed(0, 0x800 + low + way));
            fp_image_load(&want);
            stay(low, full, way);
            fp_image_store(&got, (u32)sve_vl());
            good = got.vl == full && image_allowed(low, full, &seen);
        }
        ok(good, "lengths: %u bits, preempted at %u, raised again (19)", full * 8, low * 8);
        if (low == 16)
            diag("what lay above was %s", seen == KEPT     ? "kept"
                                          : seen == ZEROED ? "zeroed"
                                                           : "kept in some, zeroed in others");
    }
    sve_set_vl(full);
}

#define FMOV_D0_X0   0x9e670000u /* | n */
#define LDR_Q0_X0    0x3dc00000u /* | n */
#define MOVI_V0_ZERO 0x6f00e400u /* movi v0.2d, #0 | n */

static bool write_v_first(u32 n, u32 full, u32 form)
{
    static const u32 words[3] = {FMOV_D0_X0, LDR_Q0_X0, MOVI_V0_ZERO};
    static u64 source[2] ALIGNED(16) = {0x0123456789abcdef, 0xfedcba9876543210};
    struct fp_difference why;

    sve_set_vl(full);
    fp_image_fill(&want, full, pattern_seed(0, 0x900 + n));
    fp_image_load(&want);
    yield();
    struct probe p = probe_word(words[form] | n, form == 1 ? (u64)source : source[0]);
    if (n & 1)
        yield();
    fp_image_store(&got, (u32)sve_vl());
    memset(want.z + n * full, 0, full);
    memcpy(want.z + n * full, source, form == 0 ? 8 : form == 1 ? 16 : 0);
    if (p.ec == EC_NONE && fp_image_equal(&got, &want, &why))
        return true;
    if (p.ec != EC_NONE)
        diag("writing V%u: EC 0x%x", n, p.ec);
    else
        fp_difference_diag(&why);
    return false;
}

static void clean_again(u32 full)
{
    struct fp_difference why;
    bool good = true;

    for (u32 round = 0; round < 50 && good; round++) {
        /* Live Z, then all of it clean: P, FFR and everything above bit 127 zero, V live. */
        fp_image_fill(&want, full, pattern_seed(0, 0xa00 + round));
        fp_image_load(&want);
        yield();
        for (u32 n = 0; n < 32; n++)
            memset(want.z + n * full + 16, 0, full - 16);
        memset(want.p, 0, sizeof(want.p));
        fp_image_load(&want);
        for (u32 y = 0; y < 1 + round % 4; y++) {
            yield();
            probe_word(FMOV_D0_X0 | (round % 32), round);
            memset(want.z + round % 32 * full, 0, full);
            want.z[round % 32 * full] = (u8)round;
        }
        if (round & 1)
            yield();
        fp_image_store(&got, (u32)sve_vl());
        good = fp_image_equal(&got, &want, &why);
    }
    ok(good, "lengths: FPSIMD alone after SVE became clean, over switches (40)");
    if (!good)
        fp_difference_diag(&why);
}

void scenario_lengths(void)
{
    fp_open();
    u32 full = sve_max_vl();
    if (!full) {
        skip("no SVE", "lengths: ZCR_EL1 lowered and raised, V under Z");
        return;
    }
    neighbours_start();
    lower_and_raise(full);
    for (u32 form = 0; form < 3; form++) {
        static const char *const names[3] = {"FMOV Dn", "LDR Qn", "MOVI Vn"};
        bool good = true;
        for (u32 n = 0; n < 32 && good; n++)
            good = write_v_first(n, full, form);
        ok(good, "lengths: preempted with Z live, then %s first, for each n (40)", names[form]);
    }
    clean_again(full);
    neighbours_stop();
}
