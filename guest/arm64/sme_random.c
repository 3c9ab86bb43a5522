/*
 * Modes and lengths changed at random (seed=) between preemptions, with a model of what each change
 * does to the registers (sme_image.c: model_svcr; below: a stay at a shorter length). What the
 * vCPU holds is compared with the model's picture after each step.
 */
#include "guest/arm64/sme_scenarios.h"

static bool register_allowed(const u8 *got, const u8 *want, u32 low, u32 full)
{
    return !memcmp(got, want, low) &&
           (!memcmp(got + low, want + low, full - low) || all_zero(got + low, full - low));
}

static bool za_allowed(const u8 *got, const u8 *want, u32 low, u32 svl)
{
    for (u32 v = 0; v < svl; v++) {
        bool fine =
            v < low ? register_allowed(got, want, low, svl) : register_allowed(got, want, 0, svl);
        if (!fine) {
            diag("ZA vector %u after %u bits", v, low * 8);
            return false;
        }
        got += svl;
        want += svl;
    }
    return true;
}

bool sme_kept_or_zeroed(const struct sme_image *got, const struct sme_image *want, u32 low_z,
                        u32 low_za)
{
    u32 vl = want->vl, pl = vl / 8;

    for (u32 n = 0; vl && n < 32; n++)
        if (!register_allowed(got->z + n * vl, want->z + n * vl, low_z, vl)) {
            diag("Z%u after %u bits", n, low_z * 8);
            return false;
        }
    for (u32 n = 0; vl && n < (want->ffr ? 17u : 16u); n++)
        if (!register_allowed(got->p + n * pl, want->p + n * pl, low_z / 8, pl)) {
            diag("P%u (16 = FFR) after %u bits", n, low_z * 8);
            return false;
        }
    if (got->svcr_ != want->svcr_ || got->fpsr != want->fpsr || got->fpcr != want->fpcr ||
        got->fpmr_ != want->fpmr_ || got->smcr != want->smcr || got->zcr != want->zcr) {
        diag("a control register after %u bits", low_z * 8);
        return false;
    }
    if (!(want->svcr_ & SVCR_ZA))
        return true;
    return za_allowed(got->za, want->za, low_za, want->svl) &&
           (!has_sme2() || !memcmp(got->zt0, want->zt0, sizeof(got->zt0)));
}

/* SVCR written in each of the ways there are: the whole, SMSTART and SMSTOP of one or of both. */
static void change_mode(struct sme_image *w, u64 r)
{
    static const struct {
        u32 word, clear, set;
    } ways[] = {
        {SMSTART, 0, 3}, {SMSTART_SM, 0, 1}, {SMSTART_ZA, 0, 2},
        {SMSTOP, 3, 0},  {SMSTOP_SM, 1, 0},  {SMSTOP_ZA, 2, 0},
    };
    u32 way = (u32)(r % 8);

    if (way >= ARRAY_SIZE(ways)) {
        sysreg_write(svcr, r >> 8 & 3);
        model_svcr(w, r >> 8 & 3);
        return;
    }
    probe_word(ways[way].word, 0);
    model_svcr(w, (w->svcr_ & ~(u64)ways[way].clear) | ways[way].set);
}

/* Some registers of the vCPU and its picture written alike. */
static void write_some(struct sme_image *w, u64 r)
{
    u64 words[2] ALIGNED(16) = {r, ~r};
    u32 n = r % 32, stride = w->vl ? w->vl : 16;

    /* FMOV Dn, X0 or LDR Qn, [X0]: the rest of Zn becomes zero (BUGS 40). */
    bool q = r >> 8 & 1;
    probe_word((q ? 0x3dc00000u : 0x9e670000u) | n, q ? (u64)words : r);
    memset(w->z + n * stride, 0, stride);
    memcpy(w->z + n * stride, words, q ? 16 : 8);
    w->fpsr = r >> 9 & 0x9f;
    fpsr_write(w->fpsr);
    w->tpidr2 = r * 3;
    sysreg_write(tpidr2_el0, w->tpidr2);
    if (!(w->svcr_ & SVCR_ZA))
        return;
    pattern_fill(w->za, w->svl, r);
    za_load(w->za, 1); /* vector 0 alone */
    if (has_sme2()) {
        pattern_fill(w->zt0, sizeof(w->zt0), r + 1);
        zt0_load(w->zt0);
    }
}

/* Lower SMCR_EL1 or ZCR_EL1, be away, raise it again; what came of it is the picture from then. */
static bool stay_short(struct sme_image *w, u64 r, const u32 *vls, u32 vl_count, const u32 *svls,
                       u32 svl_count)
{
    bool streaming = w->svcr_ & SVCR_SM, sve = (r & 1) && vl_count;
    u32 low = sve ? vls[(r >> 8) % vl_count] : svls[(r >> 8) % svl_count];
    u32 low_z = w->vl, low_za = w->svl;

    if (sve)
        sysreg_write(zcr_el1, low / 16 - 1);
    else
        sysreg_write(smcr_el1, smcr_flags() | (low / 16 - 1));
    for (u32 y = r >> 16 & 3; y; y--)
        yield();
    if (r >> 20 & 1 && w->svcr_ & SVCR_ZA) /* loaded at the short length, then raised */
        za_store(sme_got()->za, sme_svl());
    if (sve)
        sysreg_write(zcr_el1, w->zcr);
    else
        sysreg_write(smcr_el1, w->smcr);
    if (sve != streaming && low < low_z)
        low_z = low;
    if (!sve && low < low_za)
        low_za = low;
    if (r >> 21 & 1)
        yield();
    sme_store(sme_got());
    if (!sme_kept_or_zeroed(sme_got(), w, low_z, low_za))
        return false;
    memcpy(w->z, sme_got()->z, 32 * (w->vl ? w->vl : 16));
    memcpy(w->p, sme_got()->p, 17 * w->vl / 8);
    if (w->svcr_ & SVCR_ZA)
        memcpy(w->za, sme_got()->za, w->svl * w->svl);
    return true;
}

void sme_random(u64 rounds)
{
    struct sme_image *w = sme_want();
    struct fp_difference why = {0};
    u64 state = pattern_seed(0, 0x2a00), count[4] = {0}, round = 0;
    u32 vls[VLS_MAX] = {0}, svls[SVLS_MAX];
    u32 vl_count = sve_lengths(vls), svl_count = sme_lengths(svls);
    bool good = true, short_good = true;

    sme_enter(w, 3, vls[0], svls[0], state);
    for (; round < rounds && good && short_good; round++) {
        u64 r = pattern_next(&state);
        u32 what = (u32)(r >> 60);
        count[what < 8 ? 0 : what < 11 ? 1 : what < 14 ? 2 : 3]++;
        if (r >> 40 & 1)
            yield();
        if (what < 8)
            change_mode(w, r);
        else if (what < 11)
            write_some(w, r);
        else if (what < 14)
            short_good = stay_short(w, r, vls, vl_count, svls, svl_count);
        else
            sme_enter(w, r & 3, vl_count ? vls[(r >> 8) % vl_count] : 0,
                      svls[(r >> 16) % svl_count], r);
        for (u32 y = r >> 41 & 3; y; y--)
            yield();
        good = !short_good || sme_held(&why);
    }
    ok(good && short_good,
       "sme-hold: %lu random steps: %lu changes of SM and ZA, %lu of registers, %lu shorter "
       "lengths, %lu others (19)",
       (unsigned long)round, (unsigned long)count[0], (unsigned long)count[1],
       (unsigned long)count[2], (unsigned long)count[3]);
    if (!good)
        fp_difference_diag(&why);
}
