/*
 * The FP image layout, the `fp` list and the ID registers of arm64, at every vector length.
 *
 * links: arch/arm64/vec_layout.c arch/arm64/fp_config.c arch/arm64/id_filter.c hv/format.c
 * links: tests/host/fake/support.c
 * machine: arm64
 */
#include "fake/support.h"
#include "arch/arch.h"
#include "features.h"
#include "id_filter.h"
#include "vec_layout.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct arm64_features features;

/* Every byte of Z, P and FFR has a place of its own, aligned as the moves need, within the size. */
static void no_overlap(void **state)
{
    (void)state;
    assert_int_equal(vec_bytes(VEC_FPSIMD, 0), 16 + 32 * 16);
    for (u32 vl = VEC_VL_MIN; vl <= VEC_VL_MAX; vl += 16) {
        size_t bytes = vec_bytes(VEC_SVE, vl);
        u8 *taken = calloc(1, bytes);
        memset(taken, 1, sizeof(struct vec_header));
        for (u32 z = 0; z < 32; z++) {
            for (u32 i = 0; i < vl; i++)
                assert_int_equal(taken[vec_z_offset(vl) + z * vl + i]++, 0);
        }
        for (u32 p = 0; p < 17; p++) {
            for (u32 i = 0; i < vl / 8; i++)
                assert_int_equal(taken[VEC_P_OFFSET + p * (vl / 8) + i]++, 0);
        }
        for (size_t i = vec_z_offset(vl); i < bytes; i++)
            assert_int_equal(taken[i], 1); /* and the image ends with Z31 */
        free(taken);
        assert_int_equal((vec_z_offset(vl) - VEC_P_OFFSET) % vl, 0); /* whole vectors between */
        assert_int_equal(vec_moved(VEC_SVE, vl, true), 32 * vl + 17 * (vl / 8) + 8);
        assert_int_equal(vec_moved(VEC_STREAMING, vl, false), 32 * vl + 16 * (vl / 8) + 8);
        assert_true(vl == 16 || bytes > vec_bytes(VEC_SVE, vl - 16));
        assert_true(bytes >= vec_bytes(VEC_FPSIMD, 0)); /* a larger area holds the smaller form */
    }
    assert_int_equal(vec_moved(VEC_FPSIMD, 0, true), 520);
    assert_int_equal(VEC_V_OFFSET % 16, 0);
}

/* Either form, at every length, into every larger area: whole, and nothing besides. */
static void relayout(void **state)
{
    (void)state;
    for (u32 vl = VEC_VL_MIN; vl <= VEC_VL_MAX; vl += 16) {
        for (u32 form = VEC_FPSIMD; form <= VEC_STREAMING; form += 2) {
            size_t bytes = vec_bytes((enum vec_form)form, vl);
            u8 *from = malloc(bytes), *to = calloc(1, bytes + 256);
            for (size_t i = 0; i < bytes; i++)
                from[i] = (u8)(i * 11 + vl);
            *(struct vec_header *)(void *)from =
                (struct vec_header){form, form == VEC_FPSIMD ? 0 : vl, 0x12345678, 0x9abcdef0};
            vec_relayout(from, to);
            assert_memory_equal(to, from, bytes);
            assert_true(fake_zero(to + bytes, 256));
            free(from);
            free(to);
        }
    }
}

static void round_down(void **state)
{
    (void)state;
    for (u32 lengths = 0; lengths < 0x10000; lengths += 1 + lengths / 64) {
        for (u32 bytes = 0; bytes <= 272; bytes += 8) {
            u32 want = 0;
            for (u32 n = 0; n < 16; n++) {
                if ((lengths >> n & 1) && 16 * (n + 1) <= bytes)
                    want = 16 * (n + 1);
            }
            assert_int_equal(vec_round_down(lengths, bytes), want);
        }
    }
}

/* Lengths of 128, 256 and 512 bits, the way QEMU's powers of two are; SME's from 256 on. */
enum { PLAIN = 0, SVE = 1, SME = 2, SME2 = 4, FPMR = 8, ALL = 15 };

static void cpu_with(u32 has)
{
    memset(&features, 0, sizeof(features));
    features.fpsimd = true;
    features.sve = has & SVE;
    features.sve_vls = has & SVE ? 1 | 2 | 8 : 0;
    features.sve_vl = has & SVE ? 64 : 0;
    features.sme = has & (SME | SME2);
    features.sme2 = has & SME2;
    features.sme_vls = features.sme ? 2 | 8 | 1u << 15 : 0;
    features.sme_vl = features.sme ? 256 : 0;
    features.fpmr = has & FPMR;
}

static const struct {
    const char *list;
    u32 has;
    struct arch_fp_config want; /* units 0: refused */
    const char *why;
} cases[] = {
    {"", ALL, {7, 64, 256, true, true}, ""},
    {"", SVE | SME, {7, 64, 256, false, false}, ""},
    {"", SME, {5, 0, 256, false, false}, ""},
    {"   ", PLAIN, {1, 0, 0, false, false}, ""},
    {"fpsimd", ALL, {1, 0, 0, false, false}, ""},
    {"fpsimd,sve", ALL, {3, 64, 0, false, false}, ""},
    {"sve,fpsimd", ALL, {3, 64, 0, false, false}, ""},
    {" fpsimd , sve:256 ", ALL, {3, 32, 0, false, false}, ""},
    {"fpsimd,sve:128", ALL, {3, 16, 0, false, false}, ""},
    {"fpsimd,sve:384", ALL, {3, 32, 0, false, false}, ""}, /* the next shorter there is */
    {"fpsimd,sve:2048", ALL, {3, 64, 0, false, false}, ""},
    {"fpsimd,sme", ALL, {5, 0, 256, true, false}, ""},
    {"fpsimd,sme:512,fpmr", ALL, {5, 0, 64, true, true}, ""},
    {"fpsimd,sve:256,sme:1024", ALL, {7, 32, 64, true, false}, ""},
    {"fpsimd,sme1:256", ALL, {5, 0, 32, false, false}, ""},
    {"fpsimd,sme1", SME, {5, 0, 256, false, false}, ""},
    {"fpsimd,fpmr", ALL, {1, 0, 0, false, true}, ""},
    {"fpsimd,sve:0", ALL, {0}, "not an SVE vector length"},
    {"fpsimd,sve:17", ALL, {0}, "not an SVE vector length"},
    {"fpsimd,sve:127", ALL, {0}, "not an SVE vector length"},
    {"fpsimd,sve:129", ALL, {0}, "multiple of 128"},
    {"fpsimd,sve:2176", ALL, {0}, "128 to 2048"},
    {"fpsimd,sve:4096", ALL, {0}, "128 to 2048"},
    {"fpsimd,sve:99999999999", ALL, {0}, "not an SVE"},
    {"fpsimd,sve:", ALL, {0}, "not an SVE"},
    {"fpsimd,sve:0x100", ALL, {0}, "not an SVE"},
    {"fpsimd,sme:0", ALL, {0}, "not an SME vector length: give bits"},
    {"fpsimd,sme:17", ALL, {0}, "as in sme:256"},
    {"fpsimd,sme:4096", ALL, {0}, "not an SME"},
    {"fpsimd,sme:wide", ALL, {0}, "not an SME"},
    {"fpsimd,sme1:wide", ALL, {0}, "as in sme1:256"},
    {"fpsimd,sme:", ALL, {0}, "not an SME"},
    {"fpsimd,sme:128", ALL, {0}, "shortest SME vectors are of 256 bits: give at least sme:256"},
    {"fpsimd,sve", SME, {0}, "no SVE: leave sve out"},
    {"fpsimd,sve:256", PLAIN, {0}, "no SVE"},
    {"fpsimd,sme:256", SVE, {0}, "no SME: leave sme out"},
    {"fpsimd,fpmr", SVE, {0}, "no FPMR: leave fpmr out"},
    {"sve", ALL, {0}, "the others contain FPSIMD: write fpsimd,sve"},
    {"sme,fpmr", ALL, {0}, "contain FPSIMD"},
    {"fpsimd,fpsimd", ALL, {0}, "twice"},
    {"fpsimd,sve,sve:256", ALL, {0}, "twice"},
    {"fpsimd,sme,sme1", ALL, {0}, "twice"},
    {"fpsimd,fpmr,fpmr", ALL, {0}, "twice"},
    {"fpsimd,", ALL, {0}, "no FP component"},
    {",", ALL, {0}, "no FP component"},
    {"neon", ALL, {0}, "\"neon\": no FP component of arm64"},
    {"fpsimd,sme2", ALL, {0}, "\"sme2\": no FP component"},
    {"x87,sse", ALL, {0}, "\"x87\""},
    {"s", ALL, {0}, "no FP component"},
    {"sv", ALL, {0}, "no FP component"},
};

static void lists(void **state)
{
    struct arch_fp_config config;
    char why[256];

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct arch_fp_config *want = &cases[i].want;
        char *exact = strdup(cases[i].list);
        cpu_with(cases[i].has);
        why[0] = 0;
        bool good = arch_fp_config_parse(exact, &config, why, sizeof(why));
        if (good != (want->units != 0))
            fail_msg("'%s': %s", exact, good ? "accepted" : why);
        if (good &&
            (config.units != want->units || config.sve_vl != want->sve_vl ||
             config.sme_vl != want->sme_vl || config.zt0 != want->zt0 || config.fpmr != want->fpmr))
            fail_msg("'%s': units %u, SVE %u, SME %u, ZT0 %u, FPMR %u", exact, config.units,
                     config.sve_vl, config.sme_vl, config.zt0, config.fpmr);
        if (!good && !strstr(why, cases[i].why))
            fail_msg("'%s' says: %s", exact, why);
        free(exact);
    }
}

/* In the firmware the lengths are not known yet: nothing is refused for them. */
static void lists_early(void **state)
{
    struct arch_fp_config config;
    char why[256];

    (void)state;
    cpu_with(ALL);
    features.sve_vls = features.sme_vls = 0;
    assert_true(arch_fp_config_parse("fpsimd,sve:128,sme:128", &config, why, sizeof(why)));
    assert_false(arch_fp_config_parse("fpsimd,sme:100", &config, why, sizeof(why)));
}

static void lists_fuzz(void **state)
{
    static const char *const words[] = {"fpsimd", "sve", ":", "256", ",", " ",   "sme", "fpmr",
                                        "1",      "0",   "s", "v",   "e", "128", ",,",  "9999"};

    (void)state;
    fake_srand(fake_seed());
    cpu_with(ALL);
    for (u32 round = 0; round < 20000; round++) {
        struct arch_fp_config config = {0};
        char text[128] = "", why[64];
        for (u32 i = fake_below(10); i > 0; i--)
            strcat(text, words[fake_below(ARRAY_SIZE(words))]);
        char *exact = strdup(text);
        if (arch_fp_config_parse(exact, &config, why, sizeof(why))) {
            assert_true(config.units & FP_UNIT_FPSIMD);
            assert_int_equal(!!(config.units & FP_UNIT_SVE), config.sve_vl != 0);
            assert_int_equal(!!(config.units & FP_UNIT_SME), config.sme_vl != 0);
            assert_true(config.sve_vl <= 64 && config.sve_vl % 16 == 0);
            assert_true(config.sme_vl <= 256 && config.sme_vl % 32 == 0);
        } else {
            assert_non_null(memchr(why, 0, sizeof(why)));
        }
        free(exact);
    }
}

static u64 field(u64 value, u32 shift)
{
    return value >> shift & 15;
}

/* A CPU that has everything: what has state nobody switches is hidden whatever it says. */
static void id_hides(void **state)
{
    const struct arch_fp_config all = {.units = FP_UNIT_FPSIMD | FP_UNIT_SVE, .sve_vl = 64},
                                plain = {.units = 1};
    const u64 every = 0x1111111111111111;

    (void)state;
    u64 pfr0 = id_filter(4, 0, every, &all, 2);
    assert_int_equal(field(pfr0, 0), 1); /* EL0, EL1: AArch64 only */
    assert_int_equal(field(pfr0, 4), 1);
    assert_int_equal(field(pfr0, 8), 0);  /* no EL2, */
    assert_int_equal(field(pfr0, 12), 0); /* no EL3 */
    assert_int_equal(field(pfr0, 24), 0); /* GIC system registers */
    assert_int_equal(field(pfr0, 28), 0); /* RAS */
    assert_int_equal(field(pfr0, 32), 1); /* SVE: given */
    assert_int_equal(field(pfr0, 40), 0); /* MPAM */
    assert_int_equal(field(pfr0, 44), 0); /* AMU */
    assert_int_equal(field(id_filter(4, 0, every, &plain, 2), 32), 0);
    u64 pfr1 = id_filter(4, 1, every, &all, 2);
    assert_int_equal(field(pfr1, 8), 0);                    /* MTE */
    assert_int_equal(field(pfr1, 24), 0);                   /* SME */
    assert_int_equal(id_filter(4, 5, every, &all, 2), 0);   /* SMFR0 */
    assert_int_equal(id_filter(4, 4, every, &plain, 2), 0); /* ZFR0 without SVE */
    assert_int_equal(id_filter(4, 4, every, &all, 2), every);
    assert_int_equal(field(id_filter(5, 0, every, &all, 2), 8), 0); /* PMU */
    assert_int_equal(field(id_filter(6, 1, every, &all, 2), 4), 0); /* pointer authentication */
    assert_int_equal(field(id_filter(6, 1, every, &all, 2), 24), 0);
    assert_int_equal(field(id_filter(7, 0, every, &all, 2), 0), 2);  /* PARange: stage 2's */
    assert_int_equal(field(id_filter(7, 1, every, &all, 2), 8), 0);  /* VHE */
    assert_int_equal(field(id_filter(7, 1, every, &all, 2), 16), 0); /* LOR */
}

/* SVE, SME, ZT0 and FPMR, each given or not: what a VM reads of each is what it may use (DDI 0487,
 * D24.2: PFR0, PFR1, PFR2, ZFR0, SMFR0, FPFR0). */
static void id_units(void **state)
{
    const u64 every = 0x2222222222222222, ones = ~0ull;
    const u64 not_streaming = 15ull << 4 | 15ull << 16 | 15ull << 32 | 15ull << 40 | 4095ull << 48;
    const u64 fp8 = 7ull << 28 | 3ull << 40;

    (void)state;
    for (u32 given = 0; given < 16; given++) {
        bool sve = given & 1, sme = given & 2, zt0 = sme && (given & 4), fpmr = given & 8;
        const struct arch_fp_config fp = {
            .units = 1 | (sve ? 2u : 0) | (sme ? 4u : 0), .zt0 = zt0, .fpmr = fpmr};
        assert_int_equal(field(id_filter(4, 0, every, &fp, 2), 32), sve ? 2 : 0);
        assert_int_equal(field(id_filter(4, 1, every, &fp, 2), 24), zt0 ? 2 : sme ? 1 : 0);
        assert_int_equal(id_filter(4, 2, every, &fp, 2), fpmr ? 2ull << 32 : 0);
        assert_int_equal(id_filter(4, 4, ones, &fp, 2), sve   ? ones
                                                        : sme ? ones & ~not_streaming
                                                              : 0);
        assert_int_equal(id_filter(4, 5, ones, &fp, 2),
                         sme ? ones & ~(zt0 ? 0 : 31ull << 56) & ~(fpmr ? 0 : fp8) : 0);
        assert_int_equal(id_filter(4, 7, ones, &fp, 2), fpmr ? ones : 0);
    }
}

/* ZT0 and ZA lie behind either form, on a cache line, and nothing overlaps at any lengths. */
static void sme_area(void **state)
{
    (void)state;
    for (u32 vl = 0; vl <= VEC_VL_MAX; vl += 16) {
        for (u32 svl = 16; svl <= VEC_VL_MAX; svl += 16) {
            size_t zt0 = vec_zt0_offset(vl, svl), za = vec_za_offset(vl, svl);
            assert_true(zt0 % 64 == 0 && za == zt0 + 64);
            assert_true(zt0 >= vec_bytes(VEC_STREAMING, svl));
            assert_true(zt0 >= vec_bytes(vl ? VEC_SVE : VEC_FPSIMD, vl));
            assert_int_equal(vec_sme_bytes(vl, svl), za + svl * svl);
            assert_true(vec_sme_bytes(vl, svl) <= FP_AREA_MAX);
        }
    }
}

/* No FP in the CPU stays no FP: 15 means "not there", and is not masked to something else. */
static void id_not_implemented(void **state)
{
    const struct arch_fp_config plain = {.units = 1};

    (void)state;
    u64 pfr0 = id_filter(4, 0, 0xff0000, &plain, 2);
    assert_int_equal(field(pfr0, 16), 15);
    assert_int_equal(field(pfr0, 20), 15);
}

/* Every register number a guest can read, known or not, is answered, and the unknown with 0. */
static void id_every_register(void **state)
{
    const struct arch_fp_config all = {.units = 3, .sve_vl = 64};
    u32 nonzero = 0;

    (void)state;
    for (u32 crm = 1; crm <= 7; crm++) {
        for (u32 op2 = 0; op2 < 8; op2++)
            nonzero += id_filter(crm, op2, ~0ull, &all, 2) != 0;
    }
    assert_in_range(nonzero, 8, 12);
    for (u32 crm = 1; crm <= 3; crm++) {
        for (u32 op2 = 0; op2 < 8; op2++)
            assert_int_equal(id_filter(crm, op2, ~0ull, &all, 2), 0); /* no AArch32 */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_overlap),        cmocka_unit_test(relayout),
        cmocka_unit_test(round_down),        cmocka_unit_test(lists),
        cmocka_unit_test(lists_early),       cmocka_unit_test(id_units),
        cmocka_unit_test(sme_area),          cmocka_unit_test(lists_fuzz),
        cmocka_unit_test(id_hides),          cmocka_unit_test(id_not_implemented),
        cmocka_unit_test(id_every_register),
    };

    return cmocka_run_group_tests_name("layout arm64", tests, NULL, NULL);
}
