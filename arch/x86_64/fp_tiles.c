/*
 * AMX by its own instructions, for machines whose XSAVE gets it wrong (selftest_amx.c): TILECFG
 * from XSAVE's image, put right where that is known how, then TILESTORED; LDTILECFG and TILELOADD
 * back. What a tile holds beyond its configured rows and columns is zero (SDM 1, 18.2). The image
 * is the same as XSAVE's would be.
 *
 * start_row, which is not 0 only while an interrupted TILELOADD or TILESTORED waits to go on, comes
 * back as 0, for nothing but those can set it with tiles live: the instruction then begins anew.
 */
#include "fp_hw.h"
#include "xstate_layout.h"

#define TILECFG_N  17u
#define TILEDATA_N 18u
#define TILES      8u
#define TILE_ROWS  16u
#define TILE_COLSB 64u
#define TILE_BYTES (TILE_ROWS * TILE_COLSB)

/* Operand of LDTILECFG: SDM 2, table "Memory Area Layout". */
struct tilecfg {
    u8 palette, start_row, reserved[14];
    u16 colsb[16];
    u8 rows[16];
};
_Static_assert(sizeof(struct tilecfg) == 64, "SDM 2, LDTILECFG");

bool fp_tilecfg_valid(const void *tilecfg)
{
    const struct tilecfg *c = tilecfg;

    for (unsigned i = 0; i < sizeof(c->reserved); i++) {
        if (c->reserved[i])
            return false;
    }
    if (c->palette > 1)
        return false;
    for (unsigned i = 0; c->palette && i < 16; i++) {
        if (i >= TILES && (c->rows[i] || c->colsb[i]))
            return false;
        if (c->rows[i] > TILE_ROWS || c->colsb[i] > TILE_COLSB || !c->rows[i] != !c->colsb[i])
            return false;
    }
    return true;
}

/*
 * A bit for each tile that can hold anything but zero: one whose rows are no whole number of double
 * words can be configured, but every instruction that would fill or store it is #UD.
 */
static u32 usable(const struct tilecfg *c)
{
    u32 tiles = 0;

    for (unsigned i = 0; i < TILES; i++)
        tiles |= c->rows[i] && c->colsb[i] % 4 == 0 ? 1u << i : 0;
    return tiles;
}

/* TILECFG as the registers have it. */
static struct tilecfg tilecfg_read(void)
{
    const struct xsave_image *image = (const void *)fp_scratch;
    struct tilecfg c, swapped;

    fp_move_xsave64(fp_scratch, (u32)XCR0_TILECFG);
    memcpy(&c, fp_scratch + xstate_layout.offset[TILECFG_N], sizeof(c));
    if (!(image->header.xstate_bv & XCR0_TILECFG))
        return (struct tilecfg){0};
    if (!fp_hw.tilecfg_swapped)
        return c;
    swapped = c;
    for (unsigned i = 0; i < 16; i++) {
        c.rows[i] = (u8)swapped.colsb[i];
        c.colsb[i] = swapped.rows[i];
    }
    return c;
}

/*
 * TILESTORED begins at start_row and leaves it 0: with one pending, a store that does not count
 * comes first. Where no tile reaches that row none was written since LDTILECFG, which zeroed all.
 * Returns the tiles that are worth storing.
 */
static u32 settle_start_row(const struct tilecfg *c, u8 *data)
{
    u32 tiles = usable(c);

    if (!c->start_row)
        return tiles;
    for (unsigned i = 0; i < TILES; i++) {
        if ((tiles >> i & 1) && c->rows[i] > c->start_row) {
            fp_move_tiles_store(data, 1u << i);
            return tiles;
        }
    }
    return 0;
}

void fp_tiles_save(struct xsave_image *image, u32 set)
{
    struct tilecfg c = tilecfg_read();
    u8 *base = (u8 *)image;

    image->header.xcomp_bv = fp_xcomp(set);
    image->header.xstate_bv &= ~XCR0_AMX;
    if (!c.palette)
        return;
    memcpy(base + xstate_offset(&xstate_layout, fp_xcomp(set), TILECFG_N), &c, sizeof(c));
    image->header.xstate_bv |= XCR0_TILECFG;
    if (!(set & XCR0_TILEDATA))
        return;
    u8 *data = base + xstate_offset(&xstate_layout, fp_xcomp(set), TILEDATA_N);
    u32 tiles = settle_start_row(&c, data);
    for (unsigned i = 0; i < TILES; i++) {
        if (!(tiles >> i & 1) || c.rows[i] < TILE_ROWS || c.colsb[i] < TILE_COLSB)
            memset(data + i * TILE_BYTES, 0, TILE_BYTES);
    }
    fp_move_tiles_store(data, tiles);
    image->header.xstate_bv |= XCR0_TILEDATA;
}

void fp_tiles_load(const struct xsave_image *image, u32 set)
{
    const u8 *base = (const u8 *)image;
    u64 xcomp_bv = image->header.xcomp_bv, bv = image->header.xstate_bv & set;
    struct tilecfg c = {0};

    if (bv & XCR0_TILECFG)
        memcpy(&c, base + xstate_offset(&xstate_layout, xcomp_bv, TILECFG_N), sizeof(c));
    if (!c.palette || !fp_tilecfg_valid(&c)) {
        fp_move_tilerelease();
        return;
    }
    c.start_row = 0;
    fp_move_ldtilecfg(&c);
    if (bv & XCR0_TILEDATA)
        fp_move_tiles_load(base + xstate_offset(&xstate_layout, xcomp_bv, TILEDATA_N), usable(&c));
}
