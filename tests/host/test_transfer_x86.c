/*
 * x86-64's FP records: what goes out comes back in, in every form of area; and what a hostile guest
 * may send is refused, or is a state that XRSTOR takes. The header fuzz is under ASan.
 *
 * links: arch/x86_64/fp_transfer.c arch/x86_64/fp.c arch/x86_64/fp_tiles.c arch/x86_64/fp_xfd.c
 * links: arch/x86_64/xstate_layout.c arch/x86_64/fp_components.c tests/host/x86_64/no_movers.c
 * links: tests/host/fake/support.c tests/host/x86_64/no_growth.c
 * machine: x86_64
 */
#include "fake/support.h"
#include "cpu.h"
#include "fp_hw.h"
#include "virt.h"
#include "xstate_layout.h"
#include "arch/arch.h"
#include "hv/abi.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "x86_64/transfer_world.h"

static int setup(void **state)
{
    (void)state;
    memset(&v, 0, sizeof(v));
    memset(&vmcb, 0, sizeof(vmcb));
    memset(&cpu_has, 0, sizeof(cpu_has));
    memset(&fp_hw, 0, sizeof(fp_hw));
    memset(area, 0, sizeof(area));
    cpu_has.xsave = true;
    fp_hw.form = FP_XSAVEOPT;
    fp_hw.xfd = true;
    fp_hw.mxcsr_mask = 0xffff;
    xstate_learn(&xstate_layout, &sapphire_rapids);
    v.pcpu = &pcpus[0];
    v.arch.vmcb = &vmcb;
    v.fp.cpu = FP_NOWHERE;
    v.fp.arch.perm = FULL;
    v.fp.arch.pku = true;
    v.fp.arch.xcr0 = 1;
    v.fp.arch.enabled = 3;
    v.fp.arch.armed = true;
    fp_plan(&v.fp);
    return 0;
}

static void random_bytes(u8 *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (u8)fake_below(256);
}

static void valid_tilecfg(u8 *cfg)
{
    memset(cfg, 0, 64);
    cfg[0] = 1;
    for (u32 i = 0; i < 8; i++) {
        if (fake_below(4) == 0)
            continue;
        cfg[16 + 2 * i] = (u8)(1 + fake_below(64));
        cfg[48 + i] = (u8)(1 + fake_below(16));
    }
}

/* A state that a save could have left, of a vCPU that has done anything. */
static void random_state(void)
{
    static const u64 enabled[] = {0x3, 0x7, 0xe7, 0x602e7, 0x207, 0x60003, 0x600e7};
    struct xsave_image *image = (struct xsave_image *)(void *)area;
    struct arch_fp *fp = &v.fp.arch;

    fp_hw.form = (u8)(FP_XSAVE + fake_below(4));
    fp->enabled = enabled[fake_below(7)];
    fp->xcr0 = fake_below(2) ? fp->enabled : 1 + 2 * fake_below(2);
    fp->xfd = fake_below(2) ? XCR0_TILEDATA : 0;
    fp->xfd_err = fake_below(2) ? XCR0_TILEDATA : 0;
    fp->pkru = fake_below(1000);
    fp->armed = fake_below(2);
    fp_plan(&v.fp);
    memset(area, 0, sizeof(area));
    v.fp.area = (struct fp_area){area, sizeof(area)};
    random_bytes(area, fp->bytes);
    memset(&image->header, 0, sizeof(image->header));
    image->header.xcomp_bv = fp_xcomp(fp->allocated);
    image->header.xstate_bv = fp->allocated & fake_below(0x80000);
    image->legacy.mxcsr &= 0xffff;
    if (fake_below(3) == 0)
        image->legacy.mxcsr = 0x1f80;
    if (image->header.xstate_bv & XCR0_TILECFG)
        valid_tilecfg(area + xstate_offset(&xstate_layout, image->header.xcomp_bv, 17));
}

/* Out, in to another vCPU, out again: the same bytes; and the control state is there. */
static void round_trips(void **state)
{
    (void)state;
    fake_srand(fake_seed());
    for (u32 round = 0; round < 3000; round++) {
        random_state();
        struct arch_fp before = v.fp.arch;
        size_t n = arch_fp_export_bytes(&v), bytes = 1;
        assert_true(n <= sizeof(out));
        memset(out + n, 0xee, 8);
        arch_fp_export(&v, out);
        assert_int_equal(out[n], 0xee);

        bool denied;
        const char *why;
        memset(&v.fp.arch, 0, sizeof(v.fp.arch));
        v.fp.arch.perm = FULL;
        v.fp.arch.pku = true;
        fp_hw.form = (u8)(FP_XSAVE + fake_below(4));
        fp_plan(&v.fp);
        if (!arch_fp_import_check(&v, out, n, &bytes, &denied, &why))
            fail_msg("refused its own export: %s", why);
        memset(other, 0, sizeof(other));
        struct fp_area to = {bytes ? other : NULL, (u32)bytes};
        arch_fp_import(&v, out, n, &to);
        v.fp.area = to;
        assert_int_equal(v.fp.arch.xcr0, before.xcr0);
        assert_int_equal(v.fp.arch.enabled, before.enabled);
        assert_int_equal(v.fp.arch.xfd, before.xfd);
        assert_int_equal(v.fp.arch.xfd_err, before.xfd_err);
        assert_int_equal(v.fp.arch.pkru, before.pkru);
        assert_int_equal(nm_trapped, fp_xfd_real(&v.fp.arch) != 0);
        if (bytes)
            assert_true(fp_image_sound(&v.fp));
        assert_true(bytes == 0 || bytes == v.fp.arch.bytes);
        assert_int_equal(arch_fp_export_bytes(&v), n);
        arch_fp_export(&v, back);
        /* MXCSR alone may have made SSE in use in a compacted area: the same state. */
        struct xsave_image *a = (void *)(out + 56), *b = (void *)(back + 56);
        assert_int_equal(a->header.xstate_bv & ~2ull, b->header.xstate_bv & ~2ull);
        b->header.xstate_bv = a->header.xstate_bv;
        a->legacy.mxcsr_mask = b->legacy.mxcsr_mask = 0;
        assert_memory_equal(out, back, n);
    }
}

/* A vCPU that never used anything, and one without XSAVE. */
static void empty_and_fxsave(void **state)
{
    size_t bytes;
    bool denied;
    const char *why;

    (void)state;
    size_t n = arch_fp_export_bytes(&v);
    arch_fp_export(&v, out);
    assert_true(arch_fp_import_check(&v, out, n, &bytes, &denied, &why));
    assert_int_equal(bytes, 0);
    struct fp_area none = {NULL, 0};
    arch_fp_import(&v, out, n, &none);
    assert_true(v.fp.arch.armed);

    cpu_has.xsave = false;
    fp_hw.form = FP_FXSAVE;
    v.fp.arch.perm = 0;
    v.fp.arch.enabled = 3;
    fp_plan(&v.fp);
    random_bytes(area, 512);
    area[5] = 0; /* reserved */
    memset(area + 416, 0, 96);
    ((struct fxsave_image *)(void *)area)->mxcsr = 0x1fbf;
    v.fp.area = (struct fp_area){area, 512};
    n = arch_fp_export_bytes(&v);
    arch_fp_export(&v, out);
    assert_true(arch_fp_import_check(&v, out, n, &bytes, &denied, &why));
    assert_int_equal(bytes, 512);
    struct fp_area to = {other, 512};
    arch_fp_import(&v, out, n, &to);
    assert_memory_equal(area, other, 464);
    struct fermata_fp_x86_control *c = (void *)(out + 8);
    c->xcr0 = 3;
    assert_false(arch_fp_import_check(&v, out, n, &bytes, &denied, &why));
    assert_true(denied);
}

/* ---- Hostile ---- */

static struct fermata_fp_x86_control *control(void)
{
    return (void *)(out + 8);
}

static struct xsave_image *image(void)
{
    return (void *)(out + 56);
}

/* A sound export with everything in it: 11064 bytes. */
static size_t sound(void)
{
    struct xsave_image *in = (struct xsave_image *)(void *)area;

    fake_srand(7);
    fp_hw.form = FP_XSAVEOPT;
    v.fp.arch.enabled = v.fp.arch.xcr0 = FULL;
    v.fp.arch.armed = false;
    v.fp.arch.xfd = 0;
    fp_plan(&v.fp);
    v.fp.area = (struct fp_area){area, sizeof(area)};
    random_bytes(area, v.fp.arch.bytes);
    memset(&in->header, 0, 64);
    in->header.xstate_bv = 0x600e7;
    in->legacy.mxcsr = 0x1f80;
    valid_tilecfg(area + 2752);
    arch_fp_export(&v, out);
    return arch_fp_export_bytes(&v);
}

static bool accepts(size_t n, bool *denied)
{
    size_t bytes;
    const char *why;
    bool good = arch_fp_import_check(&v, out, n, &bytes, denied, &why);

    if (!good)
        assert_true(why && *why);
    return good;
}

static bool invalid(size_t n)
{
    bool denied;

    return !accepts(n, &denied) && !denied;
}

static bool denied(size_t n)
{
    bool is = false;

    return !accepts(n, &is) && is;
}

/* BUGS 9, 14, 15: every bit of the XSAVE header, MXCSR and the order of XFD and XSTATE. */
static void bugs9_bugs14_bugs15_headers(void **state)
{
    size_t n = sound();
    bool no;

    (void)state;
    assert_true(accepts(n, &no));
    for (u32 bit = 0; bit < 64; bit++) {
        sound();
        image()->header.xcomp_bv = BIT(bit);
        assert_true(invalid(n));
        sound();
        image()->header.xstate_bv |= BIT(bit);
        if (BIT(bit) & 0x600e7)
            assert_true(accepts(n, &no));
        else
            assert_true(invalid(n)); /* PKRU's among them: it has a place of its own */
        for (u32 word = 0; word < 6; word++) {
            sound();
            image()->header.reserved[word] = BIT(bit);
            assert_true(invalid(n));
        }
    }
    for (u32 bit = 16; bit < 32; bit++) {
        sound();
        image()->legacy.mxcsr |= (u32)BIT(bit);
        assert_true(invalid(n));
        image()->header.xstate_bv = 0; /* XRSTOR loads it all the same */
        assert_true(invalid(n));
    }
    sound();
    fp_hw.mxcsr_mask = 0xffbf;
    image()->legacy.mxcsr = 0x1fc0;
    assert_true(invalid(n));
    fp_hw.mxcsr_mask = 0xffff;
    sound();
    control()->xfd = XCR0_TILEDATA; /* BUGS 9 */
    assert_true(invalid(n));
    image()->header.xstate_bv &= ~XCR0_TILEDATA;
    assert_true(accepts(n, &no));
    sound();
    control()->xcr0_ever = 0xe7; /* never enabled; and the size is another then */
    control()->xcr0 = 7;
    assert_true(invalid(n));
}

/* What was exported under the guest's own XFD has the tiles as XSAVE would store them: INIT. */
static void bugs9_export_under_xfd(void **state)
{
    size_t n = sound();

    (void)state;
    v.fp.arch.xfd = XCR0_TILEDATA;
    arch_fp_export(&v, out);
    assert_int_equal(image()->header.xstate_bv, 0x200e7);
    assert_true(fake_zero(out + 56 + 2816, 8192));
    bool no;
    assert_true(accepts(n, &no));
}

static void controls(void **state)
{
    size_t n = sound();
    bool no;

    (void)state;
    for (u32 bit = 0; bit < 64; bit++) {
        sound();
        control()->xcr0 ^= BIT(bit); /* one bit off: only PKRU stands alone */
        if (bit == 9)
            assert_true(accepts(n, &no));
        else
            assert_true(invalid(n));
        sound();
        control()->xfd = BIT(bit);
        image()->header.xstate_bv &= ~XCR0_TILEDATA;
        assert_int_equal(accepts(n, &no), bit == 18);
        sound();
        control()->xfd_err = BIT(bit);
        assert_int_equal(accepts(n, &no), bit == 18);
    }
    for (u32 bit = 0; bit < 32; bit++) {
        sound();
        control()->zero = (u32)BIT(bit);
        assert_true(invalid(n));
    }
    sound();
    control()->xcr0_ever = 7; /* less than xcr0 */
    assert_true(invalid(n));
}

/* Well formed, but the VM may not have it: DENIED, and nothing else. */
static void bugs14_denied(void **state)
{
    size_t n = sound();
    bool no;

    (void)state;
    control()->pkru = 4;
    v.fp.arch.pku = false;
    assert_true(denied(n));
    v.fp.arch.pku = true;
    assert_true(accepts(n, &no));
    v.fp.arch.perm = 0x2e7; /* AMX */
    assert_true(denied(n));
    v.fp.arch.perm = 0x60207; /* AVX-512 */
    assert_true(denied(n));
    v.fp.arch.perm = FULL;
    fp_hw.xfd = false;
    control()->xfd_err = XCR0_TILEDATA;
    assert_true(denied(n));
    control()->xfd_err = 0;
    assert_true(accepts(n, &no));
}

/* BUGS 16: sizes. The buffer ends where it says, so that ASan sees a read behind it. */
static void bugs16_sizes(void **state)
{
    size_t n = sound();
    struct {
        u32 type, bytes;
    } * head[2] = {(void *)out, (void *)(out + 48)};
    static const u32 sizes[] = {0,     1,          7,          8,          32,        39,
                                41,    48,         64,         575,        576,       577,
                                832,   2696,       11000,      11007,      11009,     11016,
                                65536, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};

    (void)state;
    for (size_t cut = 0; cut < n; cut++) {
        u8 *exact = malloc(cut ? cut : 1);
        size_t bytes;
        bool no;
        const char *why;
        memcpy(exact, out, cut);
        /* the control record alone is a state: everything in INIT */
        assert_int_equal(arch_fp_import_check(&v, exact, cut, &bytes, &no, &why), cut == 48);
        free(exact);
    }
    for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
        sound();
        if (sizes[i] != 40) {
            head[0]->bytes = sizes[i];
            assert_true(invalid(n));
        }
        sound();
        head[1]->bytes = sizes[i];
        assert_true(invalid(n));
    }
    for (u32 bit = 0; bit < 32; bit++) {
        sound();
        head[0]->type ^= (u32)BIT(bit);
        assert_true(invalid(n));
        sound();
        head[1]->type ^= (u32)BIT(bit);
        assert_true(invalid(n));
    }
    sound();
    memmove(out + 48, out, 48); /* twice the control record */
    assert_true(invalid(96));
    sound();
    memmove(out, out + 48, n - 48); /* none */
    assert_true(invalid(n - 48));
    assert_true(invalid(0));
}

/* LDTILECFG's rules: SDM 2. */
static void tile_configurations(void **state)
{
    size_t n = sound();
    u8 *cfg = out + 56 + 2752;
    bool no;

    (void)state;
    for (u32 i = 0; i < 64; i++) {
        for (u32 value = 0; value < 256; value++) {
            sound();
            u8 was = cfg[i];
            cfg[i] = (u8)value;
            bool good = value == was || i == 1;
            u32 tile = i >= 48 ? i - 48 : (i - 16) / 2;
            if (i == 0)
                good = value <= 1;
            else if (i >= 16 && tile < 8 && (i >= 48 || i % 2 == 0)) {
                u32 rows = cfg[48 + tile], colsb = cfg[16 + 2 * tile];
                good = rows <= 16 && colsb <= 64 && !rows == !colsb;
            }
            assert_int_equal(accepts(n, &no), good);
        }
    }
}

/* Whatever is flipped: refused, or a state that XRSTOR takes under what may be enabled. */
static void bugs15_fuzz(void **state)
{
    u32 taken = 0;

    (void)state;
    u64 seed = fake_seed();
    for (u32 round = 0; round < 20000; round++) {
        size_t n = sound(), bytes;
        bool no;
        const char *why;
        fake_srand(seed + round);
        for (u32 i = 1 + fake_below(3); i > 0; i--) {
            u32 at = fake_below(3) ? fake_below(48 + 8 + 576) : fake_below((u32)n);
            out[at] = (u8)(fake_below(2) ? out[at] ^ (u8)BIT(fake_below(8)) : (u8)fake_below(256));
        }
        u8 *exact = malloc(n);
        memcpy(exact, out, n);
        v.fp.arch.perm = fake_below(2) ? FULL : 0x2e7;
        fp_hw.form = (u8)(FP_XSAVE + fake_below(4));
        if (arch_fp_import_check(&v, exact, n, &bytes, &no, &why)) {
            memset(other, 0, sizeof(other));
            struct fp_area to = {bytes ? other : NULL, (u32)bytes};
            arch_fp_import(&v, exact, n, &to);
            v.fp.area = to;
            taken++;
            assert_true(bytes == 0 || fp_image_sound(&v.fp));
            assert_true(xcr0_valid(v.fp.arch.xcr0, v.fp.arch.perm));
            assert_false(v.fp.arch.enabled & ~v.fp.arch.perm);
            if (bytes)
                assert_false(((struct xsave_image *)(void *)other)->legacy.mxcsr >> 16);
            assert_true(fake_zero(other + bytes, sizeof(other) - bytes));
        }
        free(exact);
    }
    assert_true(taken > 100);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(round_trips),
        TEST(empty_and_fxsave),
        TEST(bugs9_bugs14_bugs15_headers),
        TEST(bugs9_export_under_xfd),
        TEST(controls),
        TEST(bugs14_denied),
        TEST(bugs16_sizes),
        TEST(tile_configurations),
        TEST(bugs15_fuzz),
    };

    return cmocka_run_group_tests_name("transfer x86", tests, NULL, NULL);
}
