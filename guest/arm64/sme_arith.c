/*
 * `sme`: what streaming mode and ZA compute, at every streaming length the VM has; SVE at every
 * length; predicate patterns in both modes; FFR loads with and without FA64.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/arith.h"
#include "guest/arm64/sme_ops.h"

#define ELEMENTS 157 /* no multiple of any vector length */

static u32 a[ELEMENTS + 64], b[ELEMENTS + 64], c[ELEMENTS + 64], out[ELEMENTS + 64];

static void fill_operands(u64 seed)
{
    pattern_fill(a, sizeof(a), seed);
    pattern_fill(b, sizeof(b), seed + 1);
    pattern_fill(c, sizeof(c), seed + 2);
    for (u32 i = 0; i < ELEMENTS + 64; i++) { /* normal numbers near 1 */
        a[i] = (a[i] & 0x807fffff) | (117 + (a[i] >> 23) % 20) << 23;
        b[i] = (b[i] & 0x807fffff) | (117 + (b[i] >> 23) % 20) << 23;
        c[i] = (c[i] & 0x807fffff) | (117 + (c[i] >> 23) % 20) << 23;
        out[i] = 0xdeadbeef;
    }
}

static bool tail_intact(void)
{
    for (u32 i = ELEMENTS; i < ELEMENTS + 64; i++)
        if (out[i] != 0xdeadbeef)
            return false;
    return true;
}

/* WHILELT loops of arith_ops.S, legal in either mode, at the vector length in force. */
static bool loops(u32 mode)
{
    bool good = true;
    u64 odd = 0;

    fill_operands(pattern_seed(0, 0x2600 + mode));
    fpcr_write((u64)mode << 22);
    sve_fmul(out, a, b, ELEMENTS);
    yield();
    for (u32 i = 0; i < ELEMENTS; i++)
        good = good && out[i] == soft_mul(a[i], b[i], mode);
    memcpy(out, c, ELEMENTS * sizeof(u32));
    sve_fmla(out, a, b, ELEMENTS);
    for (u32 i = 0; i < ELEMENTS; i++)
        good = good && out[i] == soft_fma(a[i], b[i], c[i], mode);
    sve_mul32(out, a, b, ELEMENTS);
    for (u32 i = 0; i < ELEMENTS; i++) {
        good = good && out[i] == a[i] * b[i];
        odd += a[i] & 1 ? a[i] : 0;
    }
    yield();
    return good && sve_sum_odd(a, ELEMENTS) == odd && tail_intact();
}

/* Elements that PTRUE sets for a pattern (DDI 0487, DecodePredCount). */
static u32 pattern_count(u32 pattern, u32 elements)
{
    static const u16 fixed[14] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64, 128, 256};

    if (pattern == 0) {
        u32 n = 1;
        while (n * 2 <= elements)
            n *= 2;
        return n;
    }
    if (pattern < 14)
        return elements >= fixed[pattern] ? fixed[pattern] : 0;
    if (pattern == 29 || pattern == 30)
        return elements - elements % (pattern == 29 ? 4 : 3);
    return pattern == 31 ? elements : 0;
}

void sme_predicates(u32 vl, bool on)
{
    bool good = true;

    for (u32 size = 0; size < 4; size++)
        for (u32 pattern = 0; pattern < 32; pattern++) {
            /* PTRUE P0.<T>, pattern; one bit for each element is set. */
            probe_word(0x2518e000u | size << 22 | pattern << 5, 0);
            u32 want = pattern_count(pattern, vl >> size);
            if (sve_cntp() != want) {
                diag("PTRUE size %u pattern %u: %lu, want %u", size, pattern,
                     (unsigned long)sve_cntp(), want);
                good = false;
            }
        }
    ok(good, "sme: 32 predicate patterns of 4 sizes at %u bits%s", vl * 8, on ? ", streaming" : "");
}

/* First-fault loads up to the last byte of memory: FFR ends where no byte is, and nothing faults.
 */
static bool edge_loads(void)
{
    char *edge = (char *)(machine.ram_base + machine.ram_size - 48), before[48];
    bool good = true;

    memcpy(before, edge, sizeof(before));
    memset(edge, 'e', sizeof(before));
    edge[sizeof(before) - 1] = 0;
    for (u32 i = 0; i < sizeof(before); i++)
        good = good && sve_strlen(edge + i) == sizeof(before) - 1 - i;
    memcpy(edge, before, sizeof(before));
    return good;
}

/* First-fault loads in streaming mode: legal only with FA64 (DDI 0487, IsFullA64Enabled). */
static void ffr_loads(u32 svl)
{
    static const char text[] = "A first-fault loop, in streaming mode.";
    static const struct {
        const char *name;
        u32 word;
    } illegal[] = {
        {"SETFFR", 0x252c9000},   {"RDFFR P1.B", 0x2519f001}, {"LDFF1B Z0.B", 0xa41f6000},
        {"FADDA S2", 0x65982002}, {"ADR Z0.S", 0x04a0a000},   {"ADD V0.4S", 0x4ea08400},
    };
    bool good = true;

    if (has_fa64()) {
        for (u32 i = 0; i < sizeof(text); i++)
            good = good && sve_strlen(text + i) == sizeof(text) - 1 - i;
        good = edge_loads() && good;
        ok(good, "sme: FFR loads in streaming mode with FA64 at %u bits", svl * 8);
    } else {
        skip("no FA64", "sme: FFR loads in streaming mode with FA64 at %u bits", svl * 8);
    }
    /* A new mode change in the slot: see QEMU's erratum in FACTS. */
    probe_word(SMSTOP_SM, 0);
    sysreg_write(smcr_el1, sysreg_read(smcr_el1) & ~SMCR_FA64);
    probe_word(SMSTART_SM, 0);
    sve_ptrue();
    good = true;
    for (u32 i = 0; i < ARRAY_SIZE(illegal); i++) {
        yield();
        struct probe p = probe_word(illegal[i].word, (u64)text);
        /* ADD V0.4S needs no SVE. The others may be there, but not for this VM. */
        bool unknown = !has_sve() && i < ARRAY_SIZE(illegal) - 1;
        if (outcome(&p) != OUTCOME(EC_SME, SMTC_STREAMING) &&
            !(unknown && outcome(&p) == OUTCOME(EC_UNKNOWN, 0))) {
            diag("%s: EC 0x%x, SMTC %u", illegal[i].name, p.ec, outcome(&p) & 7);
            good = false;
        }
    }
    ok(good, "sme: without FA64 they trap in streaming mode at %u bits", svl * 8);
    probe_word(SMSTOP_SM, 0);
    sme_set_svl(svl);
    sysreg_write(svcr, SVCR_SM | SVCR_ZA);
}

static void at_length(u32 svl)
{
    bool good = true;

    sme_set_svl(svl);
    sysreg_write(svcr, SVCR_SM | SVCR_ZA);
    fpcr_write(0);
    sme_outer_products(svl);
    sme_slices(svl);
    sme_lookups(svl);
    for (u32 mode = 0; mode < 4; mode++)
        good = loops(mode) && good;
    ok(good, "sme: streaming SVE loops at %u bits, four rounding modes", svl * 8);
    fpcr_write(0);
    sme_predicates(svl, true);
    if (has_sme2())
        sve21_check(svl, true);
    sme2_check(svl);
    ffr_loads(svl);
    sysreg_write(svcr, 0);
}

void scenario_sme(void)
{
    u32 vls[VLS_MAX], svls[SVLS_MAX];

    sme_open();
    u32 vl_count = sve_lengths(vls);
    for (u32 i = 0; i < vl_count; i++) {
        bool good = true;
        sve_set_vl(vls[i]);
        for (u32 mode = 0; mode < 4; mode++)
            good = loops(mode) && good;
        ok(good, "sme: SVE loops at %u bits, four rounding modes", vls[i] * 8);
        ok(edge_loads(), "sme: FFR loads at the end of memory, %u bits", vls[i] * 8);
        fpcr_write(0);
        sme_predicates(vls[i], false);
        if ((sysreg_read(S3_0_C0_C4_4) & 0xf) >= 2) /* ID_AA64ZFR0_EL1.SVEver */
            sve21_check(vls[i], false);
    }
    if (!has_sme()) {
        skip("no SME", "sme: outer products, slices, look-up, streaming SVE");
        return;
    }
    u32 svl_count = sme_lengths(svls);
    diag("sme: %u streaming lengths, largest %u bits; SME%s, FA64 %u, FPMR %u, SMFR0 0x%lx",
         svl_count, svls[0] * 8, has_sme2() ? "2" : "", has_fa64(), has_fpmr(),
         (unsigned long)sysreg_read(id_aa64smfr0_el1));
    sme_neighbours_start();
    for (u32 i = 0; i < svl_count; i++)
        at_length(svls[i]);
    sme_neighbours_stop();
    sme_open();
}
