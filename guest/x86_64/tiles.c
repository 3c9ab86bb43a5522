/* The model of the tiles, and the errata of AMX. See tiles.h. */
#include "guest/x86_64/tiles.h"

struct amx_errata amx_errata;
static struct tiles read_back[MAX_CPUS];

static void shape(struct tilecfg *cfg, u32 tile, u32 rows, u32 colsb)
{
    /* One without the other is #GP. */
    cfg->rows[tile] = colsb ? (u8)rows : 0;
    cfg->colsb[tile] = rows ? (u16)colsb : 0;
}

void tiles_configure(struct tiles *tiles, u64 *seed)
{
    static const u8 sets[2][3] = {{0, 1, 2}, {7, 6, 5}};
    u64 random = pattern_next(seed);

    memset(tiles, 0, sizeof(*tiles));
    tiles->cfg.palette = 1;
    for (u32 set = 0; set < 2; set++, random >>= 12) {
        u32 m = 1 + (random & 15), n = 1 + (random >> 4 & 15), k = 1 + (random >> 8 & 15);
        shape(&tiles->cfg, sets[set][0], m, 4 * n);
        shape(&tiles->cfg, sets[set][1], m, 4 * k);
        shape(&tiles->cfg, sets[set][2], k, 4 * n);
    }
    shape(&tiles->cfg, 3, (u32)random % (TILE_ROWS + 1), (u32)(random >> 8) % (TILE_COLSB + 1));
    shape(&tiles->cfg, 4, random & 64 ? TILE_ROWS : 0, TILE_COLSB);
}

u32 tiles_usable(const struct tiles *tiles)
{
    u32 mask = 0;

    for (u32 t = 0; t < TILES; t++)
        mask |= tiles->cfg.rows[t] && !(tiles->cfg.colsb[t] & 3) ? 1u << t : 0;
    return mask;
}

void tiles_fill(struct tiles *tiles, u64 *seed)
{
    u32 usable = tiles_usable(tiles);

    memset(tiles->data, 0, sizeof(tiles->data));
    for (u32 t = 0; t < TILES; t++)
        for (u32 r = 0; (usable >> t & 1) && r < tiles->cfg.rows[t]; r++)
            pattern_fill(tiles->data[t] + TILE_COLSB * r, tiles->cfg.colsb[t], pattern_next(seed));
}

void tiles_load(const struct tiles *tiles)
{
    if (!tiles->cfg.palette) {
        tile_release();
        return;
    }
    tile_ldcfg(&tiles->cfg);
    tile_load(tiles->data, tiles_usable(tiles));
}

bool tiles_match(const struct tiles *tiles, const char *what)
{
    struct tiles *got = &read_back[this_cpu()->id];
    static u32 said;

    memset(got->data, 0, sizeof(got->data));
    tile_store(got->data, tiles_usable(tiles));
    if (!memcmp(got->data, tiles->data, sizeof(got->data)))
        return true;
    if (this_cpu()->id == 0 && said++ < 8)
        pattern_diag(what, got->data, tiles->data, sizeof(got->data));
    return false;
}

static bool all_zero(const u8 *p, size_t bytes)
{
    while (bytes--)
        if (*p++)
            return false;
    return true;
}

bool tiles_image_is(const u8 *area, const struct tiles *want, const char *what)
{
    u64 bv;
    const u8 *cfg = area + xsave_offset(area, 17), *data = area + xsave_offset(area, 18);
    static u32 said;

    memcpy(&bv, area + XSTATE_BV, 8);
    /* In INIT a component may be left out or be stored as zeroes. */
    bool good_cfg = bv & XCR0_TILECFG ? !memcmp(cfg, &want->cfg, sizeof(want->cfg))
                                      : !want->cfg.palette && all_zero(cfg, sizeof(want->cfg));
    bool good_data = bv & XCR0_TILEDATA ? !memcmp(data, want->data, sizeof(want->data))
                                        : all_zero(want->data[0], sizeof(want->data));
    if (good_cfg && good_data)
        return true;
    if (this_cpu()->id == 0 && said++ < 8) {
        diag("%s: XSTATE_BV 0x%lx", what, (unsigned long)bv);
        pattern_diag("TILECFG", cfg, &want->cfg, sizeof(want->cfg));
        pattern_diag("TILEDATA", data, want->data, sizeof(want->data));
    }
    return false;
}

/* -1 times 1, four times: -4, if the -1 is signed. */
static bool int8_unsigned(struct tiles *tiles)
{
    static const u32 minus_ones = 0xffffffff, ones = 0x01010101;
    u32 sum;

    if (!features.amx_int8)
        return false;
    memset(tiles, 0, sizeof(*tiles));
    tiles->cfg.palette = 1;
    for (u32 t = 0; t < 3; t++)
        shape(&tiles->cfg, t, 1, 4);
    memcpy(tiles->data[1], &minus_ones, 4);
    memcpy(tiles->data[2], &ones, 4);
    tiles_load(tiles);
    dot_run(TDPBSSD, 0);
    tile_store(tiles->data, 1);
    memcpy(&sum, tiles->data[0], 4);
    return sum != (u32)-4;
}

/* On this CPU, nothing having happened in between: what any later difference is measured against.
 */
void amx_errata_measure(void)
{
    static struct tiles tiles, other;
    static ALIGNED(64) u8 area[XSAVE_MAX];
    u64 seed = 77;
    static bool measured;

    if (measured)
        return;
    measured = true;
    tiles_configure(&tiles, &seed);
    shape(&tiles.cfg, 4, 16, 64); /* all rows of one */
    tiles_fill(&tiles, &seed);
    tiles_load(&tiles);
    amx_errata.sttilecfg_ud = try_stub(insn_sttilecfg, &scratch) == VECTOR_UD;
    amx_errata.inuse = features.xgetbv1 && (fp_xgetbv(1) & XCR0_AMX) != XCR0_AMX;
    fp_xsave(area, XCR0_AMX);
    amx_errata.image = !tiles_image_is(area, &tiles, "erratum amx-image");
    if (!amx_errata.image) { /* else it may load a configuration that no tile instruction bears */
        tiles_configure(&other, &seed);
        tiles_load(&other);
        fp_xrstor(area, XCR0_AMX);
        amx_errata.image = !tiles_match(&tiles, "erratum amx-image");
        fp_xrstor(area, XCR0_TILECFG);
        amx_errata.tilecfg_alone_clears = !tiles_match(&tiles, "erratum amx-tilecfg-alone");
    }
    amx_errata.int8_unsigned = int8_unsigned(&other);
    tile_release();
    amx_errata.inuse |= features.xgetbv1 && (fp_xgetbv(1) & XCR0_AMX);
    diag("erratum amx-sttilecfg-ud %u", amx_errata.sttilecfg_ud);
    diag("erratum amx-image %u", amx_errata.image);
    diag("erratum amx-inuse %u", amx_errata.inuse);
    diag("erratum amx-int8-unsigned %u", amx_errata.int8_unsigned);
    diag("erratum amx-tilecfg-alone-clears %u", amx_errata.tilecfg_alone_clears);
}
