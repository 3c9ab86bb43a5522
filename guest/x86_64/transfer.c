/*
 * transfer: FP state exported and imported by hypercall; hostile XSAVE images are refused and
 * change nothing. Rows of BUGS.md: 9, 14, 15, 16.
 */
#include "guest/x86_64/scenarios.h"
#include "guest/x86_64/tiles.h"
#include "guest/transfer.h"

static struct fp_image want;
static struct tiles tiles;

/* Tiles come and go: the first state has them, the other has given them back. */
static void load(bool first)
{
    static struct fp_image other;
    struct fp_image *image = first ? &want : &other;
    u64 seed = pattern_seed(0, 903);

    fp_pattern(image, pattern_seed(0, first ? 901 : 902));
    fp_load(image);
    if (features.amx && first) {
        tiles_configure(&tiles, &seed);
        tiles_fill(&tiles, &seed);
        tiles_load(&tiles);
    } else if (features.amx) {
        tile_release();
    }
}

static bool holds(void)
{
    bool held = fp_holds(&want, FIRST_FXSAVE, "transfer");

    return (!features.amx || tiles_match(&tiles, "transfer")) && held;
}

#define CONTROL      FERMATA_FP_X86_CONTROL
#define XSTATE       FERMATA_FP_X86_XSTATE
#define AT(field)    (s32) offsetof(struct fermata_fp_x86_control, field)
#define HEADER_TYPE  (-8)
#define HEADER_BYTES (-4)

static const struct transfer_spoil spoils[] = {
    {"no control record", CONTROL, HEADER_TYPE, 4, 0x46000009, FERMATA_INVALID},
    {"control record too short", CONTROL, HEADER_BYTES, 4, 8, FERMATA_INVALID},
    {"control record longer than all there is", CONTROL, HEADER_BYTES, 4, 0xfffffff8,
     FERMATA_INVALID},
    {"XCR0 without x87", CONTROL, AT(xcr0), 8, XCR0_SSE, FERMATA_INVALID},
    {"XCR0 bit 63", CONTROL, AT(xcr0), 8, BIT(63) | 3, FERMATA_INVALID},
    {"XCR0 with AVX and without SSE", CONTROL, AT(xcr0), 8, XCR0_X87 | XCR0_AVX, FERMATA_INVALID},
    {"XCR0 with half of AMX", CONTROL, AT(xcr0), 8, 3 | XCR0_TILECFG, FERMATA_INVALID},
    {"XFD of a component that has none", CONTROL, AT(xfd), 8, XCR0_AVX, FERMATA_INVALID},
    {"XFD_ERR of a component that has none", CONTROL, AT(xfd_err), 8, XCR0_AVX, FERMATA_INVALID},
    {"XFD of tiles that come along", CONTROL, AT(xfd), 8, XCR0_TILEDATA, TRANSFER_REFUSED},
    {"rubbish behind PKRU", CONTROL, AT(zero), 4, 1, FERMATA_INVALID},
    {"XSTATE record too short", XSTATE, HEADER_BYTES, 4, 512, FERMATA_INVALID},
    {"XSTATE record longer than all there is", XSTATE, HEADER_BYTES, 4, 0x7fffffff,
     FERMATA_INVALID},
    {"XSTATE record of another type", XSTATE, HEADER_TYPE, 4, FERMATA_FP_ARM_SVE, FERMATA_INVALID},
    {"a second control record", XSTATE, HEADER_TYPE, 4, CONTROL, FERMATA_INVALID},
    {"XSTATE_BV bit 63", XSTATE, XSTATE_BV, 8, BIT(63), FERMATA_INVALID},
    {"XSTATE_BV bit 8 (PT)", XSTATE, XSTATE_BV, 8, BIT(8) | 3, FERMATA_INVALID},
    {"XCOMP_BV says compacted", XSTATE, XCOMP_BV, 8, XCOMP_COMPACTED | 3, FERMATA_INVALID},
    {"XCOMP_BV bit 0", XSTATE, XCOMP_BV, 8, 1, FERMATA_INVALID},
    {"XSAVE header, byte 16", XSTATE, XSTATE_BV + 16, 1, 1, FERMATA_INVALID},
    {"XSAVE header, byte 63", XSTATE, XSTATE_BV + 63, 1, 0x80, FERMATA_INVALID},
    {"MXCSR reserved bit 16", XSTATE, FX_MXCSR, 4, 0x11f80, FERMATA_INVALID},
    {"MXCSR reserved bit 31", XSTATE, FX_MXCSR, 4, 0x80001f80, FERMATA_INVALID},
    /* Last: without XSAVE there is no XCR0 that could be above anything. */
    {"XCR0 above xcr0_ever", CONTROL, AT(xcr0_ever), 8, XCR0_X87, FERMATA_INVALID},
};

void scenario_transfer(void)
{
    fp_first();
    transfer_test(&(struct transfer_ops){load, holds}, spoils,
                  ARRAY_SIZE(spoils) - !features.xsave);
}
