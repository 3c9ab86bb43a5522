/*
 * `fp8`: FPMR and what depends on it. Every FP8 number of both formats is widened to half precision
 * by either of FPMR's sources with several scales, first thing after a yield, while the other vCPUs
 * write FPMR too; then FPMR itself is held over yields in each of its fields. It needs FPSIMD
 * alone.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/sme_ops.h"

static u32 stop;

static void soil(void *unused)
{
    u64 state = pattern_seed((u32)this_cpu()->index, 0x2e00);

    (void)unused;
    fp_open();
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        sysreg_write(fpmr, pattern_next(&state) & 0x3fff7fc049);
        for (u32 y = 0; y < 3; y++)
            yield();
    }
    sysreg_write(fpmr, 0);
}

/* mantissa * 2^exponent in half precision; exact for all that FP8 holds. */
static u32 half(u32 mantissa, s32 exponent)
{
    if (!mantissa)
        return 0;
    s32 top = 31 - __builtin_clz(mantissa);
    if (exponent + top < -14)
        return mantissa << (exponent + 24);
    return (u32)(exponent + top + 15) << 10 | (mantissa << (10 - top) & 0x3ff);
}

/* OFP8 (DDI 0487, A1.4.2): E5M2 has infinities and NaNs as IEEE has, E4M3 one NaN. */
static u32 widened(u32 byte, bool e4m3, u32 scale)
{
    u32 bits = e4m3 ? 3 : 2, field = (byte & 0x7f) >> bits, fraction = byte & ((1u << bits) - 1);
    u32 sign = (byte & 0x80) << 8;
    s32 bias = e4m3 ? 7 : 15;

    if (e4m3 ? (byte & 0x7f) == 0x7f : field == 31 && fraction)
        return 0x7e00; /* the default NaN */
    if (!e4m3 && field == 31)
        return sign | 0x7c00;
    s32 exponent = (field ? (s32)field : 1) - bias - (s32)bits - (s32)scale;
    return sign | half(field ? fraction | 1u << bits : fraction, exponent);
}

static bool widen_all(bool e4m3, u32 source, u32 scale)
{
    u64 mode = source ? (u64)e4m3 << 3 | (u64)scale << 32 : e4m3 | scale << 16;

    for (u32 byte = 0; byte < 256; byte += 8) {
        u8 in[8];
        u16 got[8];
        for (u32 i = 0; i < 8; i++)
            in[i] = (u8)(byte + i);
        if (byte % 32 == 0) {
            sysreg_write(fpmr, mode);
            yield();
        }
        (source ? fp8_widen_2 : fp8_widen_1)((u8 *)got, in);
        for (u32 i = 0; i < 8; i++) {
            u32 want = widened(byte + i, e4m3, scale);
            if (got[i] == want)
                continue;
            diag("FPMR 0x%lx, 0x%02x: 0x%04x, want 0x%04x", (unsigned long)mode, byte + i, got[i],
                 want);
            return false;
        }
    }
    return true;
}

static bool held(void)
{
    u64 state = pattern_seed(0, 0x2e01);

    for (u32 i = 0; i < 200; i++) {
        u64 value = pattern_next(&state) & 0x3fff7fc049;
        sysreg_write(fpmr, value);
        for (u32 y = i % 3; y; y--)
            yield();
        if (sysreg_read(fpmr) != value)
            return false;
    }
    return true;
}

void scenario_fp8(void)
{
    static const u32 scales[] = {0, 1, 5};

    fp_open();
    if (!has_fpmr()) {
        skip("no FPMR", "fp8: FPMR, FP8 widened");
        return;
    }
    fpcr_write(0);
    stop = 0;
    for (u32 i = 1; i < cpus_online(); i++)
        cpu_job(i, soil, NULL);
    ok(held(), "fp8: FPMR held");
    if (!(sysreg_read(id_aa64fpfr0_el1) >> 31 & 1))
        skip("no F8CVT", "fp8: FP8 widened");
    for (u32 i = 0; i < 4 && sysreg_read(id_aa64fpfr0_el1) >> 31 & 1; i++) {
        bool good = true;
        for (u32 s = 0; s < ARRAY_SIZE(scales); s++)
            good = good && widen_all(i & 1, i >> 1, scales[s]);
        ok(good, "fp8: all of %s to half precision by source %u, three scales (18)",
           i & 1 ? "E4M3" : "E5M2", (i >> 1) + 1);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (u32 i = 1; i < cpus_online(); i++)
        cpu_wait(i);
    sysreg_write(fpmr, 0);
}
