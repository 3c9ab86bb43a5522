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
        assert_int_equal(vec_moved(VEC_SVE, vl), 32 * vl + 17 * (vl / 8) + 8);
        assert_true(vl == 16 || bytes > vec_bytes(VEC_SVE, vl - 16));
        assert_true(bytes >= vec_bytes(VEC_FPSIMD, 0)); /* a larger area holds the smaller form */
    }
    assert_int_equal(vec_moved(VEC_FPSIMD, 0), 520);
    assert_int_equal(VEC_V_OFFSET % 16, 0);
}

/* Either form, at every length, into every larger area: whole, and nothing besides. */
static void relayout(void **state)
{
    (void)state;
    for (u32 vl = VEC_VL_MIN; vl <= VEC_VL_MAX; vl += 16) {
        for (u32 form = VEC_FPSIMD; form <= VEC_SVE; form++) {
            size_t bytes = vec_bytes((enum vec_form)form, vl);
            u8 *from = malloc(bytes), *to = calloc(1, bytes + 256);
            for (size_t i = 0; i < bytes; i++)
                from[i] = (u8)(i * 11 + vl);
            *(struct vec_header *)(void *)from =
                (struct vec_header){form, form == VEC_SVE ? vl : 0, 0x12345678, 0x9abcdef0};
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

/* Lengths of 128, 256 and 512 bits, the way QEMU's powers of two are. */
static void cpu_with_sve(bool has)
{
    memset(&features, 0, sizeof(features));
    features.fpsimd = true;
    features.sve = has;
    features.sve_vls = has ? 1 | 2 | 8 : 0;
    features.sve_vl = has ? 64 : 0;
}

static void lists(void **state)
{
    static const struct {
        const char *list;
        bool sve, good;
        u32 units, vl;
        const char *why;
    } cases[] = {
        {"", true, true, 3, 64, ""},
        {"   ", false, true, 1, 0, ""},
        {"fpsimd", true, true, 1, 0, ""},
        {"fpsimd,sve", true, true, 3, 64, ""},
        {"sve,fpsimd", true, true, 3, 64, ""},
        {" fpsimd , sve:256 ", true, true, 3, 32, ""},
        {"fpsimd,sve:128", true, true, 3, 16, ""},
        {"fpsimd,sve:384", true, true, 3, 32, ""}, /* the next shorter there is */
        {"fpsimd,sve:2048", true, true, 3, 64, ""},
        {"fpsimd,sve:0", true, false, 0, 0, "not an SVE vector length"},
        {"fpsimd,sve:127", true, false, 0, 0, "not an SVE vector length"},
        {"fpsimd,sve:129", true, false, 0, 0, "multiple of 128"},
        {"fpsimd,sve:2176", true, false, 0, 0, "128 to 2048"},
        {"fpsimd,sve:99999999999", true, false, 0, 0, "not an SVE"},
        {"fpsimd,sve:", true, false, 0, 0, "not an SVE"},
        {"fpsimd,sve:0x100", true, false, 0, 0, "not an SVE"},
        {"fpsimd,sve", false, false, 0, 0, "no SVE: leave sve out"},
        {"fpsimd,sve:256", false, false, 0, 0, "no SVE"},
        {"sve", true, false, 0, 0, "SVE contains FPSIMD"},
        {"fpsimd,fpsimd", true, false, 0, 0, "twice"},
        {"fpsimd,sve,sve:256", true, false, 0, 0, "twice"},
        {"fpsimd,sme", true, false, 0, 0, "SME is not given"},
        {"fpsimd,sme:512", true, false, 0, 0, "SME is not given"},
        {"fpsimd,", true, false, 0, 0, "no FP component"},
        {",", true, false, 0, 0, "no FP component"},
        {"neon", true, false, 0, 0, "\"neon\": no FP component of arm64"},
        {"x87,sse", true, false, 0, 0, "\"x87\""},
        {"s", true, false, 0, 0, "no FP component"},
        {"sv", true, false, 0, 0, "no FP component"},
    };
    struct arch_fp_config config;
    char why[256];

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        char *exact = strdup(cases[i].list);
        cpu_with_sve(cases[i].sve);
        why[0] = 0;
        bool good = arch_fp_config_parse(exact, &config, why, sizeof(why));
        if (good != cases[i].good)
            fail_msg("'%s': %s", exact, good ? "accepted" : why);
        if (good) {
            assert_int_equal(config.units, cases[i].units);
            assert_int_equal(config.sve_vl, cases[i].vl);
        } else if (!strstr(why, cases[i].why)) {
            fail_msg("'%s' says: %s", exact, why);
        }
        free(exact);
    }
}

static void lists_fuzz(void **state)
{
    static const char *const words[] = {"fpsimd", "sve", ":", "256", ",",   " ",  "sme",
                                        "0",      "s",   "v", "e",   "128", ",,", "9999"};

    (void)state;
    fake_srand(fake_seed());
    cpu_with_sve(true);
    for (u32 round = 0; round < 20000; round++) {
        struct arch_fp_config config = {0};
        char text[128] = "", why[64];
        for (u32 i = fake_below(10); i > 0; i--)
            strcat(text, words[fake_below(ARRAY_SIZE(words))]);
        char *exact = strdup(text);
        if (arch_fp_config_parse(exact, &config, why, sizeof(why))) {
            assert_true(config.units & FP_UNIT_FPSIMD);
            assert_int_equal(!!(config.units & FP_UNIT_SVE), config.sve_vl != 0);
            assert_true(config.sve_vl <= 64 && config.sve_vl % 16 == 0);
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
    const struct arch_fp_config all = {FP_UNIT_FPSIMD | FP_UNIT_SVE, 64}, plain = {1, 0};
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

/* No FP in the CPU stays no FP: 15 means "not there", and is not masked to something else. */
static void id_not_implemented(void **state)
{
    const struct arch_fp_config plain = {1, 0};

    (void)state;
    u64 pfr0 = id_filter(4, 0, 0xff0000, &plain, 2);
    assert_int_equal(field(pfr0, 16), 15);
    assert_int_equal(field(pfr0, 20), 15);
}

/* Every register number a guest can read, known or not, is answered, and the unknown with 0. */
static void id_every_register(void **state)
{
    const struct arch_fp_config all = {3, 64};
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
        cmocka_unit_test(no_overlap),         cmocka_unit_test(relayout),
        cmocka_unit_test(round_down),         cmocka_unit_test(lists),
        cmocka_unit_test(lists_fuzz),         cmocka_unit_test(id_hides),
        cmocka_unit_test(id_not_implemented), cmocka_unit_test(id_every_register),
    };

    return cmocka_run_group_tests_name("layout arm64", tests, NULL, NULL);
}
