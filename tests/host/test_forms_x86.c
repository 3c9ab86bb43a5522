/*
 * Which mover x86-64's FP code calls, for what: forms and orders that only other CPUs than the one
 * the tests run on would show by their values (AMD before Zen leaks x87 pointers, CPUs with FCS).
 *
 * links: arch/x86_64/fp.c arch/x86_64/fp_debug.c arch/x86_64/xstate_layout.c
 * links: arch/x86_64/fp_components.c arch/x86_64/fp_tiles.c arch/x86_64/fp_xfd.c
 * tests/host/x86_64/no_growth.c machine: x86_64
 */
#include "fake/support.h"
#include "cpu.h"
#include "fp_hw.h"
#include "virt.h"
#include "xstate_layout.h"
#include "x86_64/sapphire_rapids.h"
#include "arch/arch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct cpu_features cpu_has;
struct pcpu pcpus[MAX_CPUS];
static const struct virt_ops ops;
const struct virt_ops *virt = &ops;

struct pcpu *arch_this_cpu(void)
{
    return &pcpus[0];
}

void cpu_detect(void)
{
}

void panic(const char *fmt, ...)
{
    fail_msg("%s", fmt);
    abort();
}

static struct {
    char name[12];
    const void *area;
    u32 mask;
} calls[8];
static u32 ncalls;

static void called(const char *name, const void *area, u32 mask)
{
    assert_true(ncalls < ARRAY_SIZE(calls));
    snprintf(calls[ncalls].name, sizeof(calls[0].name), "%s", name);
    calls[ncalls].area = area;
    calls[ncalls++].mask = mask;
}

#define MOVER(name)                                                                                \
    void fp_move_##name(void *area, u32 mask)                                                      \
    {                                                                                              \
        called(#name, area, mask);                                                                 \
    }
#define RESTORER(name)                                                                             \
    void fp_move_##name(const void *area, u32 mask)                                                \
    {                                                                                              \
        called(#name, area, mask);                                                                 \
    }
#define LEGACY(name, qualifier)                                                                    \
    void fp_move_##name(qualifier void *area)                                                      \
    {                                                                                              \
        called(#name, area, 0);                                                                    \
    }
MOVER(xsave64)
MOVER(xsave32)
MOVER(xsaveopt64)
MOVER(xsaveopt32)
MOVER(xsavec64)
MOVER(xsavec32)
MOVER(xsaves64)
MOVER(xsaves32)
RESTORER(xrstors64)
RESTORER(xrstors32)
RESTORER(tiles_load)
MOVER(tiles_store)
LEGACY(ldtilecfg, const)
RESTORER(xrstor64)
RESTORER(xrstor32)
LEGACY(fxsave64, )
LEGACY(fxsave32, )
LEGACY(fxrstor64, const)
LEGACY(fxrstor32, const)

void fp_move_tilerelease(void)
{
    called("tilerelease", NULL, 0);
}

static struct vcpu v;
static struct vmcb vmcb;
static u8 area[1024] ALIGNED(64);

static int setup(void **state)
{
    (void)state;
    memset(&v, 0, sizeof(v));
    memset(&vmcb, 0, sizeof(vmcb));
    memset(&cpu_has, 0, sizeof(cpu_has));
    memset(&fp_hw, 0, sizeof(fp_hw));
    ncalls = 0;
    fp_hw.form = FP_XSAVEOPT;
    xstate_learn(&xstate_layout, &sapphire_rapids);
    cpu_has.xsave = cpu_has.xsaveopt = true;
    cpu_has.xcr0 = 7;
    pcpus[0].arch.xcr0 = 7; /* equal everywhere: no XSETBV is run, which user mode may not */
    v.pcpu = &pcpus[0];
    v.arch.vmcb = &vmcb;
    v.fp.area = (struct fp_area){area, sizeof(area)};
    v.fp.arch = (struct arch_fp){.xcr0 = 7, .enabled = 7};
    fp_plan(&v.fp);
    return 0;
}

static void is(u32 n, const char *name, const void *from, u32 mask)
{
    assert_true(n < ncalls);
    assert_string_equal(calls[n].name, name);
    assert_ptr_equal(calls[n].area, from);
    assert_int_equal(calls[n].mask, mask);
}

/* The whole mask goes, whichever way. */
static void common(void **state)
{
    (void)state;
    assert_false(v.fp.arch.slow);
    assert_int_equal(v.fp.arch.bytes, 832);
    arch_fp_save(&v.fp);
    arch_fp_scrub(&v.fp, 1);
    arch_fp_load(&v.fp, 1);
    assert_int_equal(ncalls, 3);
    is(0, "xsaveopt64", area, 7);
    is(1, "xrstor64", &fp_init_image, 7);
    is(2, "xrstor64", area, 7);
}

/* BUGS 2 and 3: zero pointers are loaded with an exception pending, then INIT takes it back. */
static void bugs2_pointers(void **state)
{
    (void)state;
    fp_hw.pointers_leak = true;
    fp_plan(&v.fp);
    assert_true(v.fp.arch.slow);
    arch_fp_scrub(&v.fp, 1);
    assert_int_equal(ncalls, 2);
    is(0, "xrstor64", calls[0].area, 1);
    is(1, "xrstor64", &fp_init_image, 7);
    const struct xsave_image *first = calls[0].area;
    assert_int_equal(first->header.xstate_bv, 1);
    assert_int_equal(first->legacy.fip | first->legacy.fdp | first->legacy.fop, 0);
    assert_true(first->legacy.fsw & 0x80); /* ES, and one of its causes unmasked */
    assert_true(first->legacy.fsw & ~first->legacy.fcw & 0x3f);
    cpu_has.xsave = false;
    fp_hw.form = FP_FXSAVE;
    fp_plan(&v.fp);
    arch_fp_scrub(&v.fp, 1);
    is(2, "fxrstor64", first, 0);
    is(3, "fxrstor64", &fp_init_image, 0);
}

/* BUGS 36: what 32-bit code leaves is saved, and restored later, in the form that has selectors. */
static void bugs36_forms(void **state)
{
    (void)state;
    fp_hw.keep_selectors = true;
    arch_fp_save(&v.fp);
    arch_fp_load(&v.fp, 1);
    is(0, "xsaveopt32", area, 7);
    is(1, "xrstor32", area, 7);
    vmcb.efer = 0x500;
    vmcb.cs.attributes = 0x200;
    arch_fp_save(&v.fp); /* in 64-bit code now */
    arch_fp_load(&v.fp, 1);
    is(2, "xsaveopt64", area, 7);
    is(3, "xrstor64", area, 7);
    vmcb.cs.attributes = 0; /* compatibility mode */
    fp_hw.form = FP_XSAVE;
    fp_plan(&v.fp);
    arch_fp_save(&v.fp);
    is(4, "xsave32", area, 7);
    vmcb.cs.attributes = 0x200;
    arch_fp_save(&v.fp);
    is(5, "xsave64", area, 7);
}

static void no_xsave(void **state)
{
    (void)state;
    cpu_has.xsave = cpu_has.xsaveopt = false;
    fp_hw.form = FP_FXSAVE;
    vmcb.efer = 0x500;
    vmcb.cs.attributes = 0x200;
    fp_plan(&v.fp);
    assert_int_equal(v.fp.arch.bytes, 512);
    arch_fp_save(&v.fp);
    arch_fp_load(&v.fp, 1);
    fp_hw.keep_selectors = true;
    vmcb.cs.attributes = 0;
    arch_fp_save(&v.fp);
    arch_fp_load(&v.fp, 1);
    is(0, "fxsave64", area, 0);
    is(1, "fxrstor64", area, 0);
    is(2, "fxsave32", area, 0);
    is(3, "fxrstor32", area, 0);
}

/* The EMMS erratum: only tags that are in the image count. */
static void must_load(void **state)
{
    struct xsave_image *image = (struct xsave_image *)(void *)area;

    (void)state;
    memset(area, 0, sizeof(area));
    fp_hw.emms_escapes = true;
    assert_false(arch_fp_must_load(&v.fp));
    image->legacy.ftw = 1;
    assert_false(arch_fp_must_load(&v.fp)); /* INIT: an older image's tags */
    image->header.xstate_bv = 1;
    assert_true(arch_fp_must_load(&v.fp));
    fp_hw.emms_escapes = false;
    assert_false(arch_fp_must_load(&v.fp));
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(common), TEST(bugs2_pointers), TEST(bugs36_forms),
                                       TEST(no_xsave), TEST(must_load)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
