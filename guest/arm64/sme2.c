/*
 * What SVE2.1, SME2 and SME2.1 add, against integers: predicates as counters and multi-vector
 * loads, reductions over segments, groups of ZA vectors, slices that are zeroed as they are read,
 * look-up into four vectors, single elements of ZT0.
 */
#include "guest/arm64/sme_ops.h"

static u8 in[5 * SVE_MAX_VL] ALIGNED(16), out[5 * SVE_MAX_VL] ALIGNED(16);

static u32 word_at(const u8 *at)
{
    u32 value;

    memcpy(&value, at, 4);
    return value;
}

static bool counters(u32 vl)
{
    bool good = true;

    pattern_fill(in, 4 * vl, pattern_seed(0, 0x2d00 + vl));
    memset(out, 0, sizeof(out));
    yield();
    sve_copy4(out, in);
    good = words_differ(out, in, 4 * vl) == 4 * vl && all_zero(out + 4 * vl, vl);
    for (u32 n = 0; n <= 5 * vl; n += vl / 2 + 1)
        good = good && sve_count4(3, 3 + n) == (n < 4 * vl ? n : 4 * vl);
    return good;
}

void sve21_check(u32 vl, bool streaming)
{
    u32 sums[4] = {0};
    bool good = counters(vl);

    for (u32 i = 0; i < vl / 4; i++)
        sums[i % 4] += word_at(in + 4 * i);
    yield();
    sve_addqv(out, in);
    good = good && !memcmp(out, sums, sizeof(sums));
    ok(good, "sme: predicates as counters, four vectors at once, ADDQV at %u bits%s", vl * 8,
       streaming ? ", streaming" : "");
}

/* ZA vectors of a group of 4: DDI 0487, "ZA multi-vector operands". */
static u8 *group_vector(u8 *za, u32 svl, u32 first, u32 n)
{
    return za + (first % (svl / 4) + n * (svl / 4)) * svl;
}

static bool za_is(u32 svl, const char *what)
{
    za_store(sme_got()->za, svl);
    u32 at = words_differ(sme_got()->za, sme_want()->za, svl * svl);
    if (at < svl * svl)
        diag("%s: ZA vector %u byte %u", what, at / svl, at % svl);
    return at == svl * svl;
}

static bool groups(u32 svl)
{
    u8 *za = sme_want()->za;
    u32 first = svl / 4 + 1; /* beyond the group's quarter: taken modulo */

    pattern_fill(in, 5 * svl, pattern_seed(0, 0x2d20 + svl));
    yield();
    za_add4(first, in);
    for (u32 n = 0; n < 4; n++)
        for (u32 i = 0; i < svl; i += 4) {
            u8 *at = group_vector(za, svl, first, n) + i;
            u32 sum = word_at(in + n * svl + i) + word_at(in + 4 * svl + i);
            memcpy(at, &sum, 4);
        }
    return za_is(svl, "ADD into four ZA vectors");
}

/* SME2.1 */
static bool zeroing(u32 svl)
{
    u8 *za = sme_want()->za;
    u32 column = svl / 4 - 1;
    bool good = true;

    yield();
    za_take(column, out);
    for (u32 row = 0; row < svl / 4; row++) {
        u8 *at = za + row * 4 * svl + column * 4;
        good = good && !memcmp(out + row * 4, at, 4);
        memset(at, 0, 4);
    }
    yield();
    za_zero4(1);
    for (u32 n = 0; n < 4; n++)
        memset(group_vector(za, svl, 1, n), 0, svl);
    return za_is(svl, "MOVAZ, ZERO of four ZA vectors") && good;
}

static bool table(u32 svl)
{
    static u8 zt0[64] ALIGNED(16);
    u64 eighth;

    pattern_fill(zt0, sizeof(zt0), pattern_seed(0, 0x2d30));
    pattern_fill(in, svl, pattern_seed(0, 0x2d31));
    zt0_load(zt0);
    yield();
    luti4_h4(out, in);
    bool good = true;
    for (u32 e = 0; e < 2 * svl; e++)
        good = good && !memcmp(out + 2 * e, zt0 + (in[e / 2] >> e % 2 * 4 & 15) * 4, 2);
    memcpy(&eighth, zt0 + 8, 8);
    good = good && zt0_swap(~eighth) == eighth;
    yield();
    return good && zt0_swap(0) == ~eighth;
}

void sme2_check(u32 svl)
{
    if (!has_sme2()) {
        skip("no SME2", "sme: SME2 at %u bits", svl * 8);
        return;
    }
    pattern_fill(sme_want()->za, svl * svl, pattern_seed(0, 0x2d10 + svl));
    za_load(sme_want()->za, svl);
    bool good = groups(svl);
    bool zeroed = (sysreg_read(id_aa64smfr0_el1) >> 56 & 0xf) < 2 || zeroing(svl);
    ok(good && zeroed && table(svl), "sme: groups of ZA vectors, MOVAZ, LUTI4 into four at %u bits",
       svl * 8);
}
