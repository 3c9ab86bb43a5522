/*
 * The movers, each form of them, against plain loads and stores; and CPUID 0xD against what the
 * movers do. The best form that is right is used; a component whose place CPUID tells wrongly is
 * hidden, with what needs it.
 */
#include "selftest.h"
#include "cpu.h"
#include "fp_hw.h"
#include "xstate_layout.h"
#include "arch/arch.h"
#include "hv/console.h"
#include "hv/pages.h"

#define AREA_PAGES (XSTATE_MAX_BYTES / PAGE_SIZE)

struct registers {
    u8 st[8][16];
    u8 vectors[32][64];
    u16 masks[8];
};

static struct registers first, second, got;
static u8 *area;

static u32 managed(void)
{
    return (u32)(fp_hw_offered() & XSTATE_GATED & ~XCR0_AMX);
}

static bool has(u64 components)
{
    return (managed() & components) == components;
}

/* Every byte different, and the x87 values normal numbers: a denormal would be normalised. */
static void make_pattern(struct registers *r, u8 seed)
{
    unsigned rows = has(XCR0_AVX512) ? 32 : 16, bytes = has(XCR0_AVX512) ? 64
                                                        : has(XCR0_AVX)  ? 32
                                                                         : 16;

    memset(r, 0, sizeof(*r));
    for (unsigned i = 0; i < 8; i++) {
        for (unsigned b = 0; b < 8; b++)
            r->st[i][b] = (u8)(seed + 16 * i + b);
        r->st[i][7] |= 0x80; /* the integer bit */
        r->st[i][8] = (u8)(seed + i);
        r->st[i][9] = 0x3f;
        r->masks[i] = has(XCR0_AVX512) ? (u16)(seed * 257u + i * 0x1111u) : 0;
    }
    for (unsigned i = 0; i < rows; i++) {
        for (unsigned b = 0; b < bytes; b++)
            r->vectors[i][b] = (u8)(seed + 37 * i + b);
    }
}

static void fill(const struct registers *r)
{
    selftest_x87_fill(r->st[0]);
    if (has(XCR0_AVX512))
        selftest_avx512_fill(r->vectors[0], r->masks);
    else if (has(XCR0_AVX))
        selftest_avx_fill(r->vectors[0]);
    else
        selftest_sse_fill(r->vectors[0]);
}

static void dump(struct registers *r)
{
    memset(r, 0, sizeof(*r));
    if (has(XCR0_AVX512))
        selftest_avx512_dump(r->vectors[0], r->masks);
    else if (has(XCR0_AVX))
        selftest_avx_dump(r->vectors[0]);
    else
        selftest_sse_dump(r->vectors[0]);
    selftest_x87_dump(r->st[0]);
}

/* Does component n lie in the image where the layout says? One register of each is looked at. */
static bool in_place(const struct registers *r, unsigned n)
{
    const struct xsave_image *image = (const void *)area;
    const u8 *at = area + (n < 2 ? 0 : xstate_offset(&xstate_layout, image->header.xcomp_bv, n));

    switch (n) {
    case 0:
        return memcmp(image->legacy.st[1], r->st[1], 10) == 0;
    case 1:
        return memcmp(image->legacy.xmm[15], r->vectors[15], 16) == 0;
    case 2:
        return memcmp(at + 15 * 16, r->vectors[15] + 16, 16) == 0;
    case 5:
        return memcmp(at + 7 * 8, &r->masks[7], 2) == 0;
    case 6:
        return memcmp(at + 15 * 32, r->vectors[15] + 32, 32) == 0;
    case 7:
        return memcmp(at + 15 * 64, r->vectors[31], 64) == 0;
    default:
        return true;
    }
}

static bool image_right(const struct registers *r)
{
    const struct xsave_image *image = (const void *)area;
    u64 set = managed();

    if (cpu_has.xsave &&
        (image->header.xstate_bv != set || image->header.xcomp_bv != fp_xcomp(set)))
        return false;
    for (unsigned n = 0; n < FP_COMPONENTS; n++) {
        if ((set & BIT(n)) && !in_place(r, n))
            return false;
    }
    return true;
}

/* Save, scrub, load: what plain stores then see must be the pattern. And INIT comes back as INIT.
 */
static bool round_trip(u8 seed)
{
    struct xsave_image *image = (void *)area;

    make_pattern(&first, seed);
    memset(area, 0xa5, XSTATE_MAX_BYTES);
    memset(&image->header, 0, sizeof(image->header));
    fill(&first);
    fp_hw_save(image, managed(), false);
    fp_hw_scrub(managed());
    if (!image_right(&first))
        return false;
    fp_hw_load(image, managed(), false);
    dump(&got);
    if (memcmp(&first, &got, sizeof(first)) != 0)
        return false;

    fp_hw_scrub(managed());
    fp_hw_save(image, managed(), false);
    fill(&first);
    fp_hw_load(image, managed(), false);
    return arch_fp_is_init(arch_this_cpu());
}

static bool form_works(enum fp_form form)
{
    fp_hw.form = (u8)form;
    return round_trip(0x21) && round_trip(0x6b);
}

/* From the best there is downwards. */
static bool choose_form(char *why, size_t n)
{
    static const char *const names[] = {"fxsave", "xsave", "xsaveopt", "xsavec", "xsaves"};
    const bool offered[] = {true, cpu_has.xsave, cpu_has.xsaveopt, cpu_has.xsavec, cpu_has.xsaves};

    for (int form = FP_XSAVES; form >= (cpu_has.xsave ? FP_XSAVE : FP_FXSAVE); form--) {
        if (!offered[form])
            continue;
        if (form_works((enum fp_form)form)) {
            say_info("selftest: FP state moves by %s in the %s format", names[form],
                     form >= FP_XSAVEC ? "compacted" : "standard");
            return true;
        }
        if (form > FP_XSAVE)
            selftest_erratum(names[form], "expected every register back from a save and a restore, "
                                          "got another; a lesser form is used");
    }
    format_text(why, n, "FP registers come back changed from %s; " FATAL_ADVICE,
                cpu_has.xsave ? "XSAVE and XRSTOR" : "FXSAVE and FXRSTOR");
    return false;
}

/* The scrub, on registers that are full: for everything else leans on it. */
static bool scrub_works(struct pcpu *cpu, char *why, size_t n)
{
    make_pattern(&first, 0x33);
    fill(&first);
    fp_hw_scrub(managed());
    if (arch_fp_is_init(cpu))
        return true;
    format_text(why, n, "the scrub leaves FP registers that are not in INIT; " FATAL_ADVICE);
    return false;
}

/* Saves of one component must leave the others of an older image alone (BUGS 6). */
static bool partial_saves(char *why, size_t n)
{
    struct xsave_image *image = (void *)area;

    if (!has(XCR0_AVX))
        return true;
    make_pattern(&first, 0x11);
    make_pattern(&second, 0x77);
    memset(area, 0, XSTATE_MAX_BYTES);
    fill(&first);
    fp_move_xsave64(area, managed());
    fill(&second);
    fp_move_xsave64(area, (u32)(XCR0_X87 | XCR0_SSE));
    if (memcmp(area + XSTATE_AVX_OFFSET, first.vectors[0] + 16, 16) == 0 &&
        memcmp(image->legacy.xmm[0], second.vectors[0], 16) == 0)
        return true;
    format_text(why, n,
                "XSAVE of x87 and SSE also changes the AVX part of its area; " FATAL_ADVICE);
    return false;
}

/* What CPUID says of a component that cannot be: it is hidden already (xstate_learn). */
static void lies(void)
{
    static const char *const what[] = {
        "",
        "as many bytes as the manuals give it",
        "a place of its own",
        "an end within the size of the whole area",
        "the offset 576",
        "a user component",
    };

    for (unsigned n = 2; n < FP_COMPONENTS; n++) {
        struct cpuid_regs r = cpuid(0xd, n);
        if (xstate_layout.lie[n] != XSTATE_SOUND)
            selftest_erratum("xsave-layout",
                             "expected %s for %s, CPUID 0xD.%u tells %u bytes at %u; it is hidden",
                             what[xstate_layout.lie[n]], fp_components[n].name, n, r.eax, r.ebx);
    }
}

/* The sizes CPUID tells for the XCR0 of the moment, against those that are used. */
static void sizes_now(u64 xcr0)
{
    u32 standard = xstate_bytes(&xstate_layout, xcr0, false);
    u32 compacted = xstate_bytes(&xstate_layout, xcr0, true);
    u32 told = cpuid(0xd, 0).ebx;

    if (told != standard)
        selftest_erratum(
            "xsave-size",
            "expected CPUID 0xD.0 EBX %u for XCR0 0x%lx, got %u; our own sizes are used", standard,
            xcr0, told);
    told = cpuid(0xd, 1).ebx;
    if (cpu_has.xsavec && told != compacted)
        selftest_erratum(
            "xsavec-size",
            "expected CPUID 0xD.1 EBX %u for XCR0 0x%lx, got %u; our own sizes are used", compacted,
            xcr0, told);
}

static void sizes(struct pcpu *cpu)
{
    static const u64 steps[] = {XCR0_X87 | XCR0_SSE, XCR0_AVX, XCR0_AVX512, XCR0_AMX, XCR0_PKRU};
    u64 was = cpu->arch.xcr0, xcr0 = 0;

    if (!cpu_has.xsave)
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
        if ((fp_hw_offered() & steps[i]) != steps[i])
            continue;
        xcr0 |= steps[i];
        fp_xcr0_install(cpu, xcr0);
        sizes_now(xcr0);
    }
    fp_xcr0_install(cpu, was);
}

/* XINUSE only saves work, so a CPU that keeps it badly costs time and nothing else. */
static void xinuse(void)
{
    if (!cpu_has.xgetbv1)
        return;
    fp_hw_scrub(managed());
    u64 used = xgetbv(1) & managed() & ~XCR0_X87;
    if (used)
        selftest_erratum(
            "xinuse",
            "expected XGETBV(1) without SSE and AVX after INIT, got 0x%lx; saves cannot "
            "leave out unused state",
            xgetbv(1));
}

bool selftest_fp(struct pcpu *cpu, char *why, size_t n)
{
    area = pages_alloc(AREA_PAGES, PAGE_SIZE, PAGES_HYPERVISOR);
    if (!area) {
        format_text(why, n, "no memory for the self-test; give the machine more");
        return false;
    }
    lies();
    sizes(cpu);
    fp_hw.refused |= XCR0_AMX; /* until selftest_amx() has looked at it */
    bool good = scrub_works(cpu, why, n) && partial_saves(why, n) && choose_form(why, n);
    if (good)
        xinuse();
    pages_free(area, AREA_PAGES, PAGES_HYPERVISOR);
    return good;
}
