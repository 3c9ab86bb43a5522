/*
 * FP state as records on arm64: out and in again at every length, into longer vectors, and every
 * way in which records can be wrong. Each record sequence lies in memory of exactly its size, so
 * that ASan sees a read past it (BUGS 22).
 *
 * links: arch/arm64/fp_transfer.c arch/arm64/fp_context.c arch/arm64/vec_layout.c hv/format.c
 * links: tests/host/fake/support.c
 * machine: arm64
 */
#include "fake/support.h"
#include "arch/arch.h"
#include "hv/abi.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct arm64_features features;
static struct vcpu vcpus[2];

/* For arch_fp_quota(), which nobody asks here. */
size_t fp_area_cost(size_t bytes)
{
    return bytes;
}

static void machine(bool fa64)
{
    memset(&features, 0, sizeof(features));
    features.fpsimd = features.sve = features.sme = features.sme2 = features.fpmr = true;
    features.fa64 = fa64;
    features.sve_vls = 0xffff;
    features.sme_vls = 1 | 2 | 8 | 1u << 7 | 1u << 15;
}

static struct vcpu *fresh(u32 i, const struct arch_fp_config *config)
{
    struct vcpu *v = &vcpus[i];

    free(v->fp.area.base);
    memset(v, 0, sizeof(*v));
    v->fp.offered = fp_offered(config);
    v->fp.cpu = FP_NOWHERE;
    fp_init_context(&v->fp.arch, config);
    return v;
}

static void give_area(struct vcpu *v, u32 bytes)
{
    v->fp.area = (struct fp_area){calloc(1, bytes), bytes};
}

static void scribble(void *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((u8 *)at)[i] = (u8)fake_rand();
}

/* A state as a save would leave it: mode, form, patterns where the form has registers. */
static void fill(struct vcpu *v, u32 svcr, bool z)
{
    struct arch_fp *arch = &v->fp.arch;
    u32 vl = svcr & 1 ? arch->sme_vl : arch->sve_vl;
    u32 form = svcr & 1 ? VEC_STREAMING : z ? VEC_SVE : VEC_FPSIMD;
    u8 *image;

    give_area(v, arch->bytes[svcr ? FP_UNIT_SME : form == VEC_SVE ? FP_UNIT_SVE : FP_UNIT_FPSIMD]);
    image = v->fp.area.base;
    *(struct vec_header *)(void *)image =
        (struct vec_header){form, form ? vl : 0, (u32)fake_rand(), (u32)fake_rand() & 0x07c00000};
    if (form) {
        scribble(image + VEC_P_OFFSET, (svcr & 1 && !features.fa64 ? 16 : 17) * (vl / 8));
        scribble(image + vec_z_offset(vl), 32 * vl);
    } else {
        scribble(image + VEC_V_OFFSET, VEC_V_BYTES);
    }
    if (svcr & 2)
        scribble(image + arch->za_offset, arch->sme_vl * arch->sme_vl);
    if (svcr & 2 && arch->smcr_el2 & SMCR_EZT0)
        scribble(image + arch->za_offset - VEC_ZT0_BYTES, VEC_ZT0_BYTES);
    arch->svcr = svcr;
    arch->needs =
        svcr & 1 ? v->fp.offered : form | (v->fp.offered & (FP_UNIT_FPSIMD | FP_UNIT_MORE));
    arch->zcr_el1 = arch->sve_vl ? fake_rand() & 15 : 0;
    arch->smcr_el1 = arch->sme_vl ? fake_rand() & 0xc000000f : 0;
    arch->tpidr2_el0 = arch->storage ? fake_rand() : 0;
    arch->fpmr = arch->fpmr_offered ? fake_rand() : 0;
    arch->controls = fp_controls_for(arch);
}

static u8 *export(struct vcpu *v, size_t *n)
{
    *n = arch_fp_export_bytes(v);
    u8 *records = malloc(*n);
    memset(records, 0xa5, *n);
    arch_fp_export(v, records);
    return records;
}

static bool check(const struct vcpu *v, const void *records, size_t n, size_t *area, bool *denied)
{
    const char *why = NULL;
    struct vcpu before = *v;
    bool good = arch_fp_import_check(v, records, n, area, denied, &why);

    assert_non_null(why);
    assert_true(good == (*why == 0));
    assert_memory_equal(v, &before, sizeof(before)); /* BUGS 14: a look changes nothing */
    return good;
}

/* Into v as hv/fp_transfer.c does it. */
static bool import(struct vcpu *v, const void *records, size_t n)
{
    size_t bytes = 0;
    bool denied;

    if (!check(v, records, n, &bytes, &denied))
        return false;
    free(v->fp.area.base);
    v->fp.area = (struct fp_area){NULL, 0};
    if (bytes)
        give_area(v, (u32)bytes);
    arch_fp_import(v, records, n, &v->fp.area);
    return true;
}

static void same(const struct vcpu *a, const struct vcpu *b)
{
    assert_int_equal(a->fp.area.bytes, b->fp.area.bytes);
    assert_memory_equal(a->fp.area.base, b->fp.area.base, a->fp.area.bytes);
    assert_memory_equal(&a->fp.arch, &b->fp.arch, sizeof(a->fp.arch));
}

static void there_and_back(const struct arch_fp_config *config)
{
    for (u32 svcr = 0; svcr < (config->sme_vl ? 4u : 1u); svcr++) {
        for (u32 z = 0; z < (config->sve_vl ? 2u : 1u); z++) {
            struct vcpu *from = fresh(0, config), *to = fresh(1, config);
            size_t n, again_n;
            fill(from, svcr, z);
            u8 *records = export(from, &n);
            assert_int_equal(n % 8, 0);
            assert_true(import(to, records, n));
            same(from, to);
            u8 *again = export(to, &again_n);
            assert_int_equal(n, again_n);
            assert_memory_equal(records, again, n);
            free(records);
            free(again);
        }
    }
}

static void every_length(void **state)
{
    (void)state;
    for (u32 fa64 = 0; fa64 < 2; fa64++) {
        machine(fa64);
        for (u32 vl = 0; vl <= VEC_VL_MAX; vl += 16) {
            for (u32 svl = 0; svl <= VEC_VL_MAX; svl = svl ? svl * 2 : 16) {
                struct arch_fp_config config = {
                    .units = 1 | (vl ? 2u : 0) | (svl ? 4u : 0), .sve_vl = vl, .sme_vl = svl};
                config.fpmr = vl % 32;
                config.zt0 = svl && vl % 48;
                there_and_back(&config);
            }
        }
    }
}

static const struct arch_fp_config whole = {7, 64, 32, true, true};

/* One record of `records`: its payload, and its bytes. */
static u8 *find(u8 *records, size_t n, u32 type, u32 *bytes)
{
    u32 header[2];

    for (size_t at = 0; at + 8 <= n; at += 8 + ((header[1] + 7) & ~7u)) {
        memcpy(header, records + at, 8);
        if (bytes)
            *bytes = header[1];
        if (header[0] == type)
            return records + at + 8;
    }
    return NULL;
}

/* Linux's asm/ptrace.h, by its own formulas. */
static void layout_is_linux(void **state)
{
    (void)state;
    machine(true);
    for (u32 svcr = 0; svcr < 2; svcr++) {
        struct vcpu *v = fresh(0, &whole);
        u32 vl = svcr ? 32 : 64, vq = vl / 16, bytes;
        size_t n;
        fill(v, svcr, true);
        u8 *records = export(v, &n);
        const u8 *image = v->fp.area.base;
        u8 *sve = find(records, n, svcr ? 0x40b : 0x405, &bytes);
        u32 ffr = 16 + vq * 16 * 32 + 16 * vq * 2, fpsr = (ffr + vq * 2 + 15) / 16 * 16;
        assert_int_equal(bytes, 16 + (fpsr + 4 + 4 - 16 + 15) / 16 * 16);
        assert_int_equal(*(u32 *)(void *)sve, bytes);
        assert_int_equal(*(u16 *)(void *)(sve + 8), vl);
        assert_int_equal(*(u16 *)(void *)(sve + 12), 1);
        assert_memory_equal(sve + 16, image + vec_z_offset(vl), 32 * vl);
        assert_memory_equal(sve + 16 + vq * 16 * 32, image + VEC_P_OFFSET, 17 * vq * 2);
        assert_memory_equal(sve + fpsr, image + 8, 8);
        assert_null(find(records, n, svcr ? 0x405 : 0x40b, NULL));
        free(records);
    }
    struct vcpu *v = fresh(0, &whole);
    size_t n;
    u32 bytes;
    fill(v, 2, false);
    u8 *records = export(v, &n);
    u8 *v_state = find(records, n, 0x405, &bytes); /* V alone, as Linux does it for an SVE task */
    assert_int_equal(bytes, 16 + 528);
    assert_int_equal(*(u16 *)(void *)(v_state + 12), 0);
    assert_memory_equal(v_state + 16, (u8 *)v->fp.area.base + VEC_V_OFFSET, 512);
    u8 *za = find(records, n, 0x40c, &bytes);
    assert_int_equal(bytes, 16 + 32 * 32);
    assert_memory_equal(za + 16, (u8 *)v->fp.area.base + v->fp.arch.za_offset, 32 * 32);
    assert_memory_equal(find(records, n, 0x40d, &bytes),
                        (u8 *)v->fp.area.base + v->fp.arch.za_offset - 64, 64);
    assert_int_equal(bytes, 64);
    assert_memory_equal(find(records, n, 0x40e, &bytes), &v->fp.arch.fpmr, 8);
    free(records);
}

/* Shorter vectors than the VM has, SM and ZA on: each register at its low end, zeros above. */
static void bugs22_shorter(void **state)
{
    const struct arch_fp_config small = {7, 32, 16, true, true}, big = {7, 256, 128, true, true};

    (void)state;
    machine(true);
    for (u32 svcr = 0; svcr < 4; svcr++) {
        struct vcpu *from = fresh(0, &small), *to = fresh(1, &big);
        size_t n;
        fill(from, svcr, true);
        u8 *records = export(from, &n);
        assert_true(import(to, records, n));
        u32 low = svcr & 1 ? 16 : 32, high = svcr & 1 ? 128 : 256;
        const u8 *a = from->fp.area.base, *b = to->fp.area.base;
        for (u32 i = 0; i < 32; i++) {
            assert_memory_equal(a + vec_z_offset(low) + i * low, b + vec_z_offset(high) + i * high,
                                low);
            assert_true(fake_zero(b + vec_z_offset(high) + i * high + low, high - low));
        }
        for (u32 i = 0; i < 17; i++) {
            const u8 *p = b + VEC_P_OFFSET + i * (high / 8);
            assert_memory_equal(a + VEC_P_OFFSET + i * (low / 8), p, low / 8);
            assert_true(fake_zero(p + low / 8, high / 8 - low / 8));
        }
        for (u32 i = 0; svcr & 2 && i < 128; i++) {
            const u8 *row = b + to->fp.arch.za_offset + i * 128;
            if (i < 16)
                assert_memory_equal(a + from->fp.arch.za_offset + i * 16, row, 16);
            assert_true(fake_zero(row + (i < 16 ? 16 : 0), i < 16 ? 112 : 128));
        }
        free(records);
        /* And the other way: longer than the VM has is denied. */
        to = fresh(1, &big);
        fill(to, svcr, true);
        records = export(to, &n);
        bool denied = false;
        size_t area;
        assert_false(check(fresh(0, &small), records, n, &area, &denied));
        assert_true(denied);
        free(records);
    }
}

/* One field of one record made wrong. */
static void spoiled(u32 svcr, u32 type, u32 offset, u32 bytes, u64 value, bool want_denied)
{
    struct vcpu *v = fresh(0, &whole);
    size_t n, area;
    bool denied = !want_denied;

    fill(v, svcr, true);
    u8 *records = export(v, &n);
    u8 *at = find(records, n, type, NULL);
    assert_non_null(at);
    memcpy(at + (s32)offset, &value, bytes);
    if (check(v, records, n, &area, &denied))
        fail_msg("type 0x%x, offset %d: 0x%lx accepted", type, (s32)offset, value);
    if (denied != want_denied)
        fail_msg("type 0x%x, offset %d: 0x%lx: denied is %d", type, (s32)offset, value, denied);
    free(records);
}

#define TYPE  ((u32)-8)
#define BYTES ((u32)-4)

static void bugs15_fields(void **state)
{
    static const struct {
        u32 svcr, type, vl;
    } vectors[] = {{0, 0x405, 64}, {3, 0x40b, 32}, {3, 0x40c, 32}};

    (void)state;
    machine(true);
    for (u32 i = 0; i < ARRAY_SIZE(vectors); i++) {
        u32 svcr = vectors[i].svcr, type = vectors[i].type;
        static const u32 sizes[] = {0, 8, 15, 16, 0x7ffffff0, 0xffffffff};
        static const u16 lengths[] = {0, 1, 15, 17, 24, 272, 512, 4096, 0xffff};
        for (u32 k = 0; k < ARRAY_SIZE(sizes); k++) {
            spoiled(svcr, type, 0, 4, sizes[k], false);
            spoiled(svcr, type, BYTES, 4, sizes[k], false);
        }
        for (u32 k = 0; k < ARRAY_SIZE(lengths); k++)
            spoiled(svcr, type, 8, 2, lengths[k], false);
        spoiled(svcr, type, 8, 2, 256, true);                /* more than the VM has */
        spoiled(svcr, type, 8, 2, vectors[i].vl / 2, false); /* the size says otherwise */
        for (u32 bit = 0; bit < 16; bit++) {
            spoiled(svcr, type, 14, 2, 1u << bit, false);
            spoiled(svcr, type, 12, 2, bit ? 1u << bit : type == 0x40c, false);
        }
    }
    machine(true);
    features.sve_vls = 2 | 8; /* 48 bytes: not there */
    spoiled(0, 0x405, 8, 2, 48, true);
    machine(true);
    spoiled(3, 0x40b, 8, 2, 48, true);
}

static void bugs15_records(void **state)
{
    (void)state;
    machine(true);
    for (u32 svcr = 0; svcr < 4; svcr++) {
        spoiled(svcr, 0x46000002, TYPE, 4, 0x46000001, false);
        spoiled(svcr, 0x46000002, BYTES, 4, 32, false);
        spoiled(svcr, 0x46000002, BYTES, 4, 0xfffffff8, false);
        spoiled(svcr, 0x40e, TYPE, 4, 0x46000002, false); /* the control record twice */
        spoiled(svcr, 0x40e, TYPE, 4, 0x202, false);
        spoiled(svcr, 0x40e, BYTES, 4, 4, false);
        spoiled(svcr, 0x40e, BYTES, 4, 16, false);
        spoiled(svcr, 0x46000002, 32, 8, 16, false); /* SMPRI_EL1: reserved */
        spoiled(svcr, 0x46000002, 32, 8, 1, true);   /* not implemented (SMPS) */
        for (u32 other = 0; other < 4; other++)
            if (other != svcr)
                spoiled(svcr, 0x46000002, 16, 8, other, false); /* SVCR and records disagree */
        /* BUGS 23: what lies above the flags counts as well. */
        for (u32 bit = 2; bit < 64; bit++)
            spoiled(svcr, 0x46000002, 16, 8, 1ull << bit | svcr, false);
    }
    spoiled(2, 0x40d, BYTES, 4, 56, false);
    spoiled(2, 0x40d, TYPE, 4, 0x40c, false);
    spoiled(1, 0x40b, TYPE, 4, 0x405, false);
}

/* BUGS 14: what the VM does not have is denied, whatever else is right. */
static void bugs14_denied(void **state)
{
    static const struct arch_fp_config less[] = {
        {1, 0, 0, false, false},  {3, 64, 0, false, false}, {5, 0, 32, false, false},
        {7, 64, 32, false, true}, {7, 64, 32, true, false}, {7, 32, 32, true, true},
    };

    (void)state;
    machine(true);
    features.fgt = true;
    for (u32 i = 0; i < ARRAY_SIZE(less); i++) {
        struct vcpu *from = fresh(0, &whole), *to = fresh(1, &less[i]);
        size_t n, area;
        bool denied = false;
        fill(from, i == 5 ? 2 : 3, true);
        from->fp.arch.zcr_el1 = 1;
        u8 *records = export(from, &n);
        assert_false(check(to, records, n, &area, &denied));
        assert_true(denied);
        free(records);
    }
    /* TPIDR2_EL0 of a VM without SME: denied where it traps, taken where it cannot. */
    for (u32 fgt = 0; fgt < 2; fgt++) {
        features.sme_storage = !fgt;
        struct vcpu *v = fresh(0, &less[0]);
        size_t n, area;
        bool denied;
        fill(v, 0, false);
        v->fp.arch.tpidr2_el0 = 1;
        u8 *records = export(v, &n);
        assert_true(check(v, records, n, &area, &denied) == !fgt);
        free(records);
    }
}

/* BUGS 16: cut anywhere, it is refused, but for where a whole state ends. */
static void bugs16_cut(void **state)
{
    (void)state;
    machine(true);
    for (u32 svcr = 0; svcr < 4; svcr++) {
        struct vcpu *v = fresh(0, &whole);
        size_t n, area;
        u32 accepted = 0;
        bool denied;
        fill(v, svcr, true);
        u8 *records = export(v, &n);
        for (size_t cut = 0; cut < n; cut += cut % 64 == 63 && cut < n - 80 ? 29 : 1) {
            u8 *exact = malloc(cut ? cut : 1);
            memcpy(exact, records, cut);
            accepted += check(v, exact, cut, &area, &denied);
            free(exact);
        }
        /* Without FPMR; and, where nothing else is demanded, the control record alone. */
        assert_in_range(accepted, 1, svcr ? 1 : 2);
        free(records);
    }
}

/* Reset state: no area, the control record alone. */
static void empty(void **state)
{
    const struct arch_fp_config plain = {3, 64, 0, false, false};
    struct vcpu *v, *to;
    size_t n;

    (void)state;
    machine(true);
    v = fresh(0, &plain);
    to = fresh(1, &plain);
    fill(to, 0, true);
    u8 *records = export(v, &n);
    assert_int_equal(n, 8 + 40);
    assert_true(import(to, records, n));
    assert_null(to->fp.area.base);
    assert_memory_equal(&v->fp.arch, &to->fp.arch, sizeof(v->fp.arch));
    free(records);
}

/* BUGS 15: bits flipped anywhere. What is accepted can be taken over and exports as itself. */
static void bugs15_fuzz(void **state)
{
    u32 accepted = 0;

    (void)state;
    machine(true);
    fake_srand(fake_seed());
    for (u32 round = 0; round < 20000; round++) {
        struct vcpu *v = fresh(0, &whole), *to = fresh(1, &whole);
        size_t n, again_n;
        fill(v, round & 3, round & 4);
        u8 *records = export(v, &n);
        u32 within = round & 8 ? 80 : (u32)n;
        for (u32 k = fake_below(4); k != ~0u; k--)
            records[fake_below(within)] ^= (u8)(1u << fake_below(8));
        if (import(to, records, n)) {
            accepted++;
            u8 *again = export(to, &again_n);
            assert_true(import(v, again, again_n));
            same(v, to);
            free(again);
        }
        free(records);
    }
    assert_in_range(accepted, 100, 19000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length),   cmocka_unit_test(layout_is_linux),
        cmocka_unit_test(bugs22_shorter), cmocka_unit_test(bugs15_fields),
        cmocka_unit_test(bugs15_records), cmocka_unit_test(bugs14_denied),
        cmocka_unit_test(bugs16_cut),     cmocka_unit_test(empty),
        cmocka_unit_test(bugs15_fuzz),
    };

    return cmocka_run_group_tests_name("transfer arm64", tests, NULL, NULL);
}
