/*
 * AMX: do the tile instructions work, and does XSAVE move what they made? Where it does not, each
 * deviation is named, and fp_tiles.c moves the tiles; where that is no use either, AMX is hidden.
 */
#include "selftest.h"
#include "cpu.h"
#include "exceptions.h"
#include "fp_hw.h"
#include "xstate_layout.h"
#include "arch/arch.h"
#include "hv/console.h"
#include "hv/pages.h"

#define TILES      8u
#define TILE_BYTES 1024u
#define DATA_BYTES (TILES * TILE_BYTES)
#define AREA_PAGES (XSTATE_MAX_BYTES / PAGE_SIZE)
#define ALL_TILES  0xffu

/* Rows and bytes per row of each tile: full, flat, narrow, and no two alike. */
static const u8 shapes[TILES][2] = {{16, 64}, {3, 20}, {16, 4},  {1, 64},
                                    {9, 36},  {7, 8},  {10, 60}, {12, 16}};

/* LDTILECFG's operand. */
static u8 config[64] ALIGNED(64);
static u8 *area, *want, *got; /* each AREA_PAGES */

static const struct xsave_image *image(void)
{
    return (const void *)area;
}

static u64 xcomp(void)
{
    return image()->header.xcomp_bv;
}

static void make_config(void)
{
    config[0] = 1;
    for (unsigned i = 0; i < TILES; i++) {
        config[16 + 2 * i] = shapes[i][1];
        config[48 + i] = shapes[i][0];
    }
}

/* Tiles full of a pattern; `want` is what they hold, zero beyond the shape. */
static void fill(u8 seed)
{
    memset(want, 0, DATA_BYTES);
    for (unsigned i = 0; i < TILES; i++) {
        for (unsigned row = 0; row < shapes[i][0]; row++) {
            for (unsigned b = 0; b < shapes[i][1]; b++)
                want[i * TILE_BYTES + row * 64 + b] = (u8)(seed + 101 * i + 17 * row + b);
        }
    }
    fp_move_ldtilecfg(config);
    fp_move_tiles_load(want, ALL_TILES);
}

static bool tiles_hold_pattern(void)
{
    memset(got, 0, DATA_BYTES);
    fp_move_tiles_store(got, ALL_TILES);
    return memcmp(want, got, DATA_BYTES) == 0;
}

static void erratum(const char *id, const char *what)
{
    selftest_erratum(id, "%s; tiles are moved by tile instructions", what);
    fp_hw.tiles_by_hand = true;
}

/* The instruction that reads the configuration back: nothing leans on it but debuggers. */
static void sttilecfg(void)
{
    memset(got, 0xa5, sizeof(config));
    exceptions_expect((const void *)(uintptr_t)selftest_sttilecfg);
    bool faulted = selftest_sttilecfg(got);
    exceptions_expect(NULL);
    if (faulted)
        selftest_erratum("sttilecfg",
                         "expected the tile configuration from STTILECFG, got a fault; "
                         "TILECFG is taken from XSAVE");
    else if (memcmp(got, config, sizeof(config)) != 0)
        selftest_erratum("sttilecfg", "expected from STTILECFG what LDTILECFG loaded, got another; "
                                      "TILECFG is taken from XSAVE");
}

/* Is this rows where colsb belongs, and the other way round? */
static bool is_swapped(const u8 *cfg)
{
    for (unsigned i = 0; i < TILES; i++) {
        if (cfg[16 + 2 * i] != config[48 + i] || cfg[48 + i] != config[16 + 2 * i])
            return false;
    }
    return cfg[0] == config[0];
}

/* False: the image of TILECFG is of no use, and so AMX is not. */
static bool xsave_images(void)
{
    u32 set = (u32)XCR0_AMX;
    const u8 *cfg = area + xstate_layout.offset[17], *data = area + xstate_layout.offset[18];

    memset(area, 0, XSTATE_MAX_BYTES);
    fp_move_xsave64(area, set);
    if (!(image()->header.xstate_bv & XCR0_TILECFG))
        return false;
    if (memcmp(cfg, config, sizeof(config)) != 0) {
        if (!is_swapped(cfg))
            return false;
        fp_hw.tilecfg_swapped = true;
        erratum("tilecfg-swapped", "expected colsb and rows in XSAVE's image of TILECFG, got them "
                                   "in each other's place");
    }
    if (!(image()->header.xstate_bv & XCR0_TILEDATA))
        erratum("tiledata-xinuse", "expected XSTATE_BV[18] = 1 with tiles in use, got 0");
    if (memcmp(data, want, DATA_BYTES) != 0)
        erratum("tiledata-rows", "expected every row of every tile in XSAVE's image, got others");
    return true;
}

/* XRSTOR of one of the two components leaves the other alone. */
static void xrstor_alone(void)
{
    struct xsave_image *to = (void *)area;

    memset(area, 0, XSTATE_MAX_BYTES);
    *to = fp_init_image;
    to->header.xstate_bv = XCR0_TILECFG;
    memcpy(area + xstate_layout.offset[17], config, sizeof(config));
    fp_move_xrstor64(area, (u32)XCR0_TILECFG);
    if (!tiles_hold_pattern())
        erratum("tilecfg-xrstor",
                "expected XRSTOR of TILECFG alone to leave the tiles, got others");
}

static void init_in_use(void)
{
    fp_move_tilerelease();
    memset(area, 0, XSTATE_MAX_BYTES);
    fp_move_xsave64(area, (u32)XCR0_AMX);
    if (image()->header.xstate_bv & XCR0_AMX)
        erratum("tiledata-init", "expected XSTATE_BV[18:17] = 0 after TILERELEASE, got 1");
}

/* The mover that was chosen: there and back, with everything else, and INIT as INIT. */
static bool mover_works(u8 seed)
{
    u32 set = (u32)(fp_hw_offered() & XSTATE_GATED);
    struct xsave_image *to = (void *)area;

    fill(seed);
    memset(area, 0, XSTATE_MAX_BYTES);
    fp_hw_save(to, set, false);
    if (memcmp(area + xstate_offset(&xstate_layout, xcomp(), 17), config, sizeof(config)) != 0 ||
        memcmp(area + xstate_offset(&xstate_layout, xcomp(), 18), want, DATA_BYTES) != 0)
        return false;
    fp_hw_scrub(set);
    if (!arch_fp_is_init(arch_this_cpu()))
        return false;
    fp_hw_load(to, set, false);
    if (!tiles_hold_pattern())
        return false;
    fp_hw_scrub(set);
    fp_hw_save(to, set, false);
    if (to->header.xstate_bv & XCR0_AMX)
        return false;
    fill((u8)(seed + 1));
    fp_hw_load(to, set, false);
    return arch_fp_is_init(arch_this_cpu());
}

/* TILEZERO with XFD as it is; true: it faulted. */
static bool tile_faults(void)
{
    exceptions_expect((const void *)(uintptr_t)selftest_tilezero);
    bool faulted = selftest_tilezero();
    exceptions_expect(NULL);
    return faulted;
}

/*
 * XFD, the real thing: with it armed LDTILECFG works, a tile instruction faults and tells why, and
 * XSAVE calls the tiles INIT; disarmed, everything works again. NULL: all so.
 */
static const char *xfd_trouble(void)
{
    fp_move_tilerelease();
    wrmsr(MSR_XFD, XCR0_TILEDATA);
    if (rdmsr(MSR_XFD) != XCR0_TILEDATA)
        return "expected IA32_XFD to keep its bit 18, got 0";
    fp_move_ldtilecfg(config);
    if (!tile_faults())
        return "expected #NM from TILEZERO with IA32_XFD[18] = 1, got none";
    if (rdmsr(MSR_XFD_ERR) != XCR0_TILEDATA)
        return "expected IA32_XFD_ERR to name TILEDATA after its #NM, got another value";
    wrmsr(MSR_XFD_ERR, 0);
    memset(area, 0, XSTATE_MIN_BYTES);
    fp_move_xsave64(area, (u32)XCR0_AMX);
    if (image()->header.xstate_bv & XCR0_TILEDATA)
        return "expected XSAVE to store TILEDATA as INIT with IA32_XFD[18] = 1, got it in use";
    wrmsr(MSR_XFD, 0);
    fill(0x55);
    return tile_faults() || rdmsr(MSR_XFD_ERR) != 0
               ? "expected no #NM from TILEZERO with IA32_XFD = 0, got one"
               : NULL;
}

static void xfd(void)
{
    const char *trouble = xfd_trouble();

    wrmsr(MSR_XFD, 0);
    wrmsr(MSR_XFD_ERR, 0);
    fp_hw.xfd = !trouble;
    if (trouble)
        selftest_erratum("xfd", "%s; XFD is hidden, tiles are allocated when XCR0 enables them",
                         trouble);
    else
        say_info("selftest: XFD faults as it should: tiles are allocated when first used");
}

static const char *amx_trouble(void)
{
    make_config();
    exceptions_expect((const void *)(uintptr_t)selftest_ldtilecfg);
    bool faulted = selftest_ldtilecfg(config);
    exceptions_expect(NULL);
    if (faulted)
        return "expected LDTILECFG to work where XCR0[18:17] can be set, got a fault";
    fill(0x13);
    if (!tiles_hold_pattern())
        return "expected TILESTORED to store what TILELOADD loaded, got another";
    sttilecfg();
    if (!xsave_images())
        return "expected the tile configuration in XSAVE's image, got another";
    xrstor_alone();
    init_in_use();
    if (!mover_works(0x29) && !fp_hw.tiles_by_hand)
        erratum("tiles", "expected tiles back from a save and a restore, got others");
    if (!mover_works(0x4d))
        return "expected tiles back from a save and a restore by hand, got others";
    return NULL;
}

void selftest_amx(struct pcpu *cpu)
{
    u64 was = cpu->arch.xcr0;

    fp_hw.refused &= ~XCR0_AMX;
    if (!(fp_hw_offered() & XCR0_AMX))
        return;
    u8 *pages = pages_alloc(3 * AREA_PAGES, PAGE_SIZE, PAGES_HYPERVISOR);
    const char *trouble = "there is no memory to test it";
    if (pages) {
        area = pages;
        want = pages + XSTATE_MAX_BYTES;
        got = pages + 2 * XSTATE_MAX_BYTES;
        fp_xcr0_install(cpu, was | (fp_hw_offered() & XSTATE_GATED));
        trouble = amx_trouble();
        if (!trouble && fp_hw.xfd)
            xfd();
        if (!trouble)
            fp_move_tilerelease();
        fp_xcr0_install(cpu, was);
        pages_free(pages, 3 * AREA_PAGES, PAGES_HYPERVISOR);
    }
    if (trouble) {
        fp_hw.refused |= XCR0_AMX;
        fp_hw.xfd = false;
        selftest_erratum("amx", "%s; AMX is hidden from guests", trouble);
    } else {
        say_info("selftest: tiles move by %s",
                 fp_hw.tiles_by_hand ? "tile instructions" : "XSAVE and XRSTOR");
    }
}
