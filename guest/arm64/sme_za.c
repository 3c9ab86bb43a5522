/*
 * ZA seen as tiles: every slice of every tile of every element size, as row and as column, read and
 * written, against what the ZA array holds; slice loads and stores; ZERO and the row and column
 * additions; and look-up through ZT0.
 */
#include "guest/arm64/sme_ops.h"

static u8 slice[SVE_MAX_VL] ALIGNED(16), expected[SVE_MAX_VL] ALIGNED(16);

/* Byte of element `element`, byte b, of a slice: DDI 0487, "ZA tiles": tile t of elements of `size`
 * bytes has row r in ZA vector r * size + t. */
static u32 place(u32 svl, u32 size, u32 tile, bool vertical, u32 number, u32 element)
{
    u32 row = vertical ? element : number, column = vertical ? number : element;

    return (row * size + tile) * svl + column * size;
}

static void (*slice_code(const u8 *table, u32 size, u32 tile, bool vertical))(u64, u8 *)
{
    /* Tiles before those of this size: 1 + 2 + 4 ..., which is size - 1. */
    return (void (*)(u64, u8 *))(table + (((size - 1) + tile) * 2 + vertical) * SLICE_CODE);
}

/* Read every slice of one tile in one direction. */
static bool read_tile(u32 svl, u32 size, u32 tile, bool vertical)
{
    const u8 *za = sme_want()->za;
    void (*run)(u64, u8 *) = slice_code(za_reads, size, tile, vertical);

    for (u32 n = 0; n < svl / size; n++) {
        run(n, slice);
        for (u32 e = 0; e < svl / size; e++)
            memcpy(expected + e * size, za + place(svl, size, tile, vertical, n, e), size);
        if (words_differ(slice, expected, svl) == svl)
            continue;
        diag("ZA%u%s.%u bytes, slice %u", tile, vertical ? "V" : "H", size, n);
        pattern_diag("slice", slice, expected, svl);
        return false;
    }
    return true;
}

/* Write two slices of a tile (the first and the last) and follow it in the picture of ZA. */
static void write_tile(u32 svl, u32 size, u32 tile, bool vertical, u64 seed)
{
    u8 *za = sme_want()->za;
    u32 last = svl / size - 1;

    for (u32 n = 0; n <= last; n += last ? last : 1) {
        pattern_fill(slice, svl, seed + n);
        slice_code(za_writes, size, tile, vertical)(n, slice);
        for (u32 e = 0; e < svl / size; e++)
            memcpy(za + place(svl, size, tile, vertical, n, e), slice + e * size, size);
    }
}

static bool za_is_want(u32 svl, const char *what)
{
    u8 *want = sme_want()->za, *got = sme_got()->za;

    if (!svl)
        return false; /* nothing compared is nothing shown */
    za_store(got, svl);
    u32 at = words_differ(got, want, svl * svl);
    if (at == svl * svl)
        return true;
    diag("%s: ZA vector %u byte %u", what, at / svl, at % svl);
    pattern_diag(what, got + at, want + at, 8);
    return false;
}

static bool views(u32 svl, u32 size)
{
    bool good = true;

    for (u32 tile = 0; tile < size && good; tile++)
        for (u32 v = 0; v < 2; v++) {
            yield();
            good = good && read_tile(svl, size, tile, v);
            write_tile(svl, size, tile, v, pattern_seed(tile, 0x2300 + size + v));
        }
    return good && za_is_want(svl, "after writing slices");
}

/* ST1B of a column of ZA0.B, LD1W into a column of ZA2.S, ZERO of two tiles, ADDHA and ADDVA. */
static bool others(u32 svl)
{
    u8 *za = sme_want()->za;
    u32 n = svl - 1, lanes = svl / 4;
    bool good = true;

    za_st1b_v(n, slice);
    for (u32 i = 0; i < svl; i++)
        good = good && slice[i] == za[i * svl + n];
    pattern_fill(slice, svl, pattern_seed(0, 0x2400));
    za_ld1w_v(lanes - 1, slice);
    for (u32 i = 0; i < lanes; i++)
        memcpy(za + place(svl, 4, 2, true, lanes - 1, i), slice + 4 * i, 4);
    za_zero_tiles();
    for (u32 v = 0; v < svl; v++)
        if (v % 8 == 0 || v % 8 == 3)
            memset(za + v * svl, 0, svl);
    yield();
    za_addha(slice);
    za_addva(slice);
    for (u32 r = 0; r < lanes; r++)
        for (u32 c = 0; c < lanes; c++) {
            u32 value, by_column, by_row;
            u8 *at = za + place(svl, 4, 1, false, r, c);
            memcpy(&value, at, 4);
            memcpy(&by_column, slice + 4 * c, 4);
            memcpy(&by_row, slice + 4 * r, 4);
            value += by_column + by_row;
            memcpy(at, &value, 4);
        }
    return za_is_want(svl, "LD1W, ZERO, ADDHA, ADDVA") && good;
}

void sme_slices(u32 svl)
{
    bool good = true;

    pattern_fill(sme_want()->za, svl * svl, pattern_seed(0, 0x2200 + svl));
    za_load(sme_want()->za, svl);
    sve_ptrue();
    for (u32 log = 0; log <= 4; log++)
        good = views(svl, 1u << log) && good;
    ok(good, "sme: rows and columns of all 31 tiles, read and written, at %u bits", svl * 8);
    ok(others(svl), "sme: ST1B, LD1W of slices, ZERO of tiles, ADDHA, ADDVA at %u bits", svl * 8);
}

static const struct {
    const char *name;
    lookup *run;
    u32 bits, size, index; /* of an index, bytes of an element, which part of the indices */
} lookups[] = {
    {"LUTI2 B[0]", luti2_b_0, 2, 1, 0},    {"LUTI2 B[3]", luti2_b_3, 2, 1, 3},
    {"LUTI2 S[15]", luti2_s_15, 2, 4, 15}, {"LUTI4 B[1]", luti4_b_1, 4, 1, 1},
    {"LUTI4 H[3]", luti4_h_3, 4, 2, 3},    {"LUTI4 S[7]", luti4_s_7, 4, 4, 7},
};

void sme_lookups(u32 svl)
{
    static u8 indices[SVE_MAX_VL] ALIGNED(16), table[64] ALIGNED(16);
    bool good = true;

    if (!has_sme2()) {
        skip("no SME2", "sme: look-up through ZT0 at %u bits", svl * 8);
        return;
    }
    for (u32 i = 0; i < ARRAY_SIZE(lookups); i++) {
        u32 size = lookups[i].size, bits = lookups[i].bits, count = svl / size;
        pattern_fill(table, sizeof(table), pattern_seed(i, 0x2500));
        pattern_fill(indices, svl, pattern_seed(i, 0x2501));
        zt0_load(table);
        yield();
        lookups[i].run(slice, indices);
        for (u32 e = 0; e < count; e++) {
            u32 bit = (count * lookups[i].index + e) * bits;
            u32 entry = indices[bit / 8] >> bit % 8 & ((1u << bits) - 1);
            /* An entry of the table is 32 bits, whatever the element. */
            memcpy(expected + e * size, table + entry * 4, size);
        }
        if (words_differ(slice, expected, svl) < svl) {
            pattern_diag(lookups[i].name, slice, expected, svl);
            good = false;
        }
    }
    ok(good, "sme: LUTI2 and LUTI4 through ZT0 at %u bits", svl * 8);
}
