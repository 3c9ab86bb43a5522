/*
 * image: what the XSAVE forms write, byte for byte, and what XRSTOR makes of it, each first thing
 * after being away; where the components lie against what CPUID says; the pointers of the last x87
 * instruction, of 32-bit code too. Rows of BUGS.md: 2, 3, 36.
 */
#include "guest/x86_64/scenarios.h"
#include "guest/x86_64/tiles.h"

#define FILL 0xa5 /* what no form may touch */

static struct fp_image mine, other;
static struct tiles my_tiles, other_tiles;
static ALIGNED(64) u8 area[XSAVE_MAX], want[XSAVE_MAX];

static const struct form {
    const char *name;
    void (*save)(void *, u64);
    void (*restore)(const void *, u64);
    const bool *offered;
    bool compacted, init_left_out;
} forms[] = {
    {"XSAVE", fp_xsave, fp_xrstor, &features.xsave, false, false},
    {"XSAVEOPT", fp_xsaveopt, fp_xrstor, &features.xsaveopt, false, true},
    {"XSAVEC", fp_xsavec, fp_xrstor, &features.xsavec, true, true},
    {"XSAVES", fp_xsaves, fp_xrstors, &features.xsaves, true, true},
};

/* XRSTOR of a part of a compacted image takes it from the wrong place (Bochs 3.0, unmended). */
static bool narrow_mask_wrong;

/* XSAVE and XRSTOR of AVX without SSE leave MXCSR out (QEMU). */
static bool avx_has_no_mxcsr;

/* XSAVEC and XSAVES of AVX without SSE write MXCSR (Bochs; by the manual, and on a Xeon, only XSAVE
 * and XSAVEOPT do). */
static bool compact_avx_has_mxcsr;

/* The components struct fp_image and struct tiles have, and this CPU's XSAVE can be trusted with.
 */
static u64 trusted(void)
{
    u64 known = XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU;

    return features.xcr0 & (features.amx && !amx_errata.image ? known | XCR0_AMX : known);
}

/* The components whose presence in the mask brings MXCSR back; its way into an image is the same
 * but for the erratum. */
static u64 mxcsr_by(const struct form *form)
{
    return form->compacted || avx_has_no_mxcsr ? XCR0_SSE : XCR0_SSE | XCR0_AVX;
}

/* Component n of an image, as XSAVE lays it out: 0 and 1 are halves of the legacy region and not
 * asked for. */
static void component_put(u8 *to, u32 n, const struct fp_image *image, const struct tiles *tiles)
{
    switch (n) {
    case 2:
        for (u32 i = 0; i < 16; i++)
            memcpy(to + 16 * i, image->ymm[i] + 16, 16);
        break;
    case 5:
        memcpy(to, image->k, sizeof(image->k));
        break;
    case 6:
        for (u32 i = 0; i < 16; i++)
            memcpy(to + 32 * i, image->zmm[i] + 32, 32);
        break;
    case 7:
        memcpy(to, image->zmm[16], 16 * 64);
        break;
    case 9:
        memset(to, 0, 8);
        memcpy(to, &image->pkru, 4);
        break;
    case 17:
        memcpy(to, &tiles->cfg, sizeof(tiles->cfg));
        break;
    default:
        memcpy(to, tiles->data, sizeof(tiles->data));
    }
}

/* All in use but PKRU, which without CR4.PKE (or hidden) stays 0. */
static u64 in_use(void)
{
    return trusted() & (features.pku ? ~0ull : ~(u64)XCR0_PKRU);
}

/* What the form makes of an area full of FILL: SDM vol. 1, 13.7 to 13.11. */
static void expected_image(const struct form *form, u64 mask)
{
    u64 bv, comp = mask | XCOMP_COMPACTED;

    memset(want, FILL, sizeof(want));
    memcpy(&bv, want + XSTATE_BV, 8);
    bv = (form->compacted ? 0 : bv & ~mask) | (in_use() & mask);
    memcpy(want + XSTATE_BV, &bv, 8);
    if (form->compacted)
        memcpy(want + XCOMP_BV, &comp, 8);
    else
        memset(want + XCOMP_BV, 0, 8); /* for xsave_offset(); check_image() puts it right */
    if (mask & XCR0_X87) {
        memcpy(want, mine.fx, FX_MXCSR);
        memcpy(want + FX_ST, mine.fx + FX_ST, 128);
    }
    if (mask & XCR0_SSE)
        memcpy(want + FX_XMM, mine.fx + FX_XMM, 256);
    if (mask & (form->compacted && compact_avx_has_mxcsr ? XCR0_SSE | XCR0_AVX : mxcsr_by(form)))
        memcpy(want + FX_MXCSR, mine.fx + FX_MXCSR, 8);
    for (u32 n = 2; n < COMPONENTS; n++) {
        if (!(mask & BIT(n)))
            continue;
        if (in_use() & BIT(n))
            component_put(want + xsave_offset(want, n), n, &mine, &my_tiles);
        else if (!form->init_left_out)
            memset(want + xsave_offset(want, n), 0, components[n].bytes);
    }
    if (!form->compacted)
        memset(want + XCOMP_BV, FILL, 8);
}

/* FXSAVE's reserved bytes may be written or not; so may FOP be, where the CPU has no pointers
 * (QEMU). */
static void blind(u8 *image)
{
    image[5] = 0;
    if (!fx32(mine.fx, FX_FIP))
        fx_put16(image, FX_FOP, 0);
    for (u32 i = 0; i < 8; i++)
        memset(image + FX_ST + 16 * i + 10, 0, 6);
}

/* The registers after the image's components went over `other`. */
static void expected_registers(const struct form *form, u64 mask, struct fp_image *regs)
{
    *regs = other;
    if (mask & XCR0_X87) {
        memcpy(regs->fx, mine.fx, FX_MXCSR);
        memcpy(regs->fx + FX_ST, mine.fx + FX_ST, 128);
    }
    if (mask & mxcsr_by(form))
        memcpy(regs->fx + FX_MXCSR, mine.fx + FX_MXCSR, 4);
    for (u32 i = 0; i < 16; i++) {
        if (mask & XCR0_SSE)
            memcpy(regs->fx + FX_XMM + 16 * i, mine.fx + FX_XMM + 16 * i, 16);
        if (features.avx)
            memcpy(regs->ymm[i], regs->fx + FX_XMM + 16 * i, 16);
        if (mask & XCR0_AVX)
            memcpy(regs->ymm[i] + 16, mine.ymm[i] + 16, 16);
        if (features.avx512)
            memcpy(regs->zmm[i], regs->ymm[i], 32);
        if (mask & BIT(6))
            memcpy(regs->zmm[i] + 32, mine.zmm[i] + 32, 32);
    }
    if (mask & BIT(7))
        memcpy(regs->zmm[16], mine.zmm[16], 16 * 64);
    if (mask & BIT(5))
        memcpy(regs->k, mine.k, sizeof(regs->k));
    if (mask & XCR0_PKRU)
        regs->pkru = mine.pkru;
}

static void registers_prepare(u64 seed)
{
    fp_pattern(&mine, seed);
    fp_load(&mine);
    if (features.amx) {
        tiles_configure(&my_tiles, &seed);
        tiles_fill(&my_tiles, &seed);
        tiles_load(&my_tiles);
    }
}

static bool check_image(const struct form *form, u64 mask, u64 seed)
{
    registers_prepare(seed);
    memset(area, FILL, sizeof(area));
    yield();
    form->save(area, mask);
    expected_image(form, mask);
    blind(area);
    blind(want);
    if (!memcmp(area, want, sizeof(area)))
        return true;
    diag("%s, mask 0x%lx:", form->name, (unsigned long)mask);
    pattern_diag(form->name, area, want, sizeof(area));
    return false;
}

static bool check_restore(const struct form *form, u64 saved, u64 mask, u64 seed)
{
    static struct fp_image regs;
    bool good;

    registers_prepare(seed);
    memset(area, 0, sizeof(area));
    form->save(area, saved);
    fp_pattern(&other, ~seed);
    fp_load(&other);
    if (features.amx) {
        tiles_configure(&other_tiles, &seed);
        tiles_fill(&other_tiles, &seed);
        tiles_load(&other_tiles);
    }
    yield();
    form->restore(area, mask);
    expected_registers(form, mask, &regs);
    good = fp_holds(&regs, (enum fp_first)(seed % FIRST_WAYS), form->name);
    /* Only both together: the data of one configuration under another is no state a program gets
     * into. */
    if (features.amx)
        good &= tiles_match((mask & XCR0_AMX) == XCR0_AMX ? &my_tiles : &other_tiles, form->name);
    return good;
}

static void errata_of_forms(void)
{
    registers_prepare(1); /* all in use */
    memset(area, FILL, sizeof(area));
    fp_xsave(area, XCR0_AVX & features.xcr0);
    avx_has_no_mxcsr = features.avx && fx32(area, FX_MXCSR) == FILL * 0x01010101u;
    memset(area, FILL, sizeof(area));
    if (features.xsavec)
        fp_xsavec(area, XCR0_AVX & features.xcr0);
    compact_avx_has_mxcsr = fx32(area, FX_MXCSR) != FILL * 0x01010101u;
    diag("erratum xsavec-avx-mxcsr %u", compact_avx_has_mxcsr);
    diag("erratum xsave-avx-no-mxcsr %u", avx_has_no_mxcsr);
    u64 highest = features.avx512 ? BIT(7) : XCR0_AVX;

    narrow_mask_wrong =
        features.xsavec && !check_restore(&forms[2], trusted() & FP_NOT_TILES, highest, 3);
    diag("erratum xrstor-narrow-mask %u", narrow_mask_wrong);
}

static void check_form(const struct form *form)
{
    u64 seed = pattern_seed(0, 70), all = trusted(), tiles = all & XCR0_AMX;
    u32 bad = 0, lost = 0, narrow = 0;

    for (u32 i = 0; i < 24; i++) {
        u64 mask = pattern_next(&seed) & all;
        if (i < COMPONENTS)
            mask = BIT(i) & all;
        if (i == 20)
            mask = all;
        if (mask & tiles)
            mask |= tiles;
        if (!mask)
            continue;
        bad += !check_image(form, mask, pattern_next(&seed));
        lost += !check_restore(form, mask, mask, pattern_next(&seed));
        if (!narrow_mask_wrong || !form->compacted)
            narrow += !check_restore(form, all, mask, pattern_next(&seed));
    }
    ok(!bad, "%s writes what the manual says, and nothing else", form->name);
    ok(!lost, "%s, and back: every component, and no other", form->name);
    ok(!narrow, "%s of all, parts of it back", form->name);
}

/* CPUID leaf 0xD against itself under each XCR0; that components lie where it says is
 * check_form()'s. */
static void sizes(void)
{
    u64 values[XCR0_VALUES];
    u32 count = legal_xcr0(values), bad = 0, bad_compact = 0, overlap = 0, max = cpuid(0xd, 0).ecx;

    for (u32 v = 0; v < count; v++) {
        u32 standard = XSAVE_HEADER_END, compact = XSAVE_HEADER_END;
        for (u32 n = 2; n < COMPONENTS; n++) {
            const struct component *c = &components[n];
            if (!(values[v] & BIT(n)))
                continue;
            standard = c->offset + c->bytes > standard ? c->offset + c->bytes : standard;
            compact = (c->aligned ? ALIGN_UP(compact, 64u) : compact) + c->bytes;
            for (u32 m = 2; m < n; m++)
                overlap += components[m].bytes && components[m].offset < c->offset + c->bytes &&
                           c->offset < components[m].offset + components[m].bytes;
        }
        fp_xsetbv(values[v]);
        yield();
        struct cpuid d = cpuid(0xd, 0);
        bad += d.ebx != standard || d.ecx != max || standard > max;
        if (features.xsavec && cpuid(0xd, 1).ebx != compact && bad_compact++ == 0)
            diag("XCR0 0x%lx: CPUID(0xD,1).EBX is %u, computed %u", (unsigned long)values[v],
                 cpuid(0xd, 1).ebx, compact);
    }
    fp_xsetbv(features.xcr0);
    ok(!bad && !overlap, "CPUID(0xD,0): sizes of every legal XCR0, nothing overlaps");
    ok(!bad_compact, "CPUID(0xD,1): compacted sizes of every legal XCR0");
}

/* compat.S: 32-bit code. FLD of a double and, if asked for, a division that leaves #ZE pending;
 * FXSAVE in 32-bit form. */
void compat_fld(const void *number, u64 pending);
void compat_fxsave(void *fx);
void compat_hypercall(u64 function);
extern const u8 compat_fld_at[], compat_div_at[];

/*
 * BUGS 36: a selector is dropped by the 64-bit forms. Against what the very same code shows when
 * nothing came in between; a CPU that deprecates FCS and FDS (CPUID 7.EBX[13]), and QEMU, have
 * zeroes there.
 */
static void selectors(void)
{
    static ALIGNED(64) u8 open[512], away_fx[512];
    static const u64 one = 0x3ff0000000000000;
    struct cpuid seven = cpuid(0, 0).eax >= 7 ? cpuid(7, 0) : (struct cpuid){0};

    for (u32 pending = 0; pending < 2; pending++) {
        u32 bad = 0;
        compat_fld(&one, pending);
        compat_fxsave(open);
        insn_fninit(NULL);
        for (u32 i = 0; i < 20; i++) {
            compat_fld(&one, pending);
            for (u32 n = 0; n <= (i & 1) && on_fermata; n++)
                compat_hypercall(FERMATA_HC_YIELD);
            compat_fxsave(away_fx);
            insn_fninit(NULL);
            bad += memcmp(away_fx, open, FX_MXCSR) != 0;
        }
        pattern_diag("32-bit pointers", away_fx, open, FX_MXCSR);
        ok(!bad, "FIP, FCS, FDP and FDS of 32-bit code%s are held", pending ? ", #ZE pending" : "");
        u32 fip = fx32(open, FX_FIP), fcs = fx16(open, 12), fds = fx16(open, 20);
        diag("erratum x87-pointers-%s %u", pending ? "pending" : "fld", fip == 0);
        u64 at = (u64)(pending ? compat_div_at : compat_fld_at);
        if (fip)
            ok(fip == at, "FIP is the instruction's address");
        if (fip && !(seven.ebx & BIT(13)) && fcs)
            ok(fcs == SEL_CODE32 && (pending || fds == SEL_DATA), "FCS and FDS are its segments");
    }
}

void scenario_image(void)
{
    fp_first();
    if (features.amx)
        amx_errata_measure();
    background_start();
    if (features.xsave) {
        errata_of_forms();
        for (u32 i = 0; i < ARRAY_SIZE(forms); i++)
            if (*forms[i].offered)
                check_form(&forms[i]);
        sizes();
    }
    if (features.amx)
        tile_release();
    if (features.pku)
        fp_wrpkru(0);
    selectors();
    background_stop();
}
