/*
 * A random walk over everything that sees or changes tiles. Each step comes first thing after the
 * vCPU was away, so the hypervisor has the tiles in memory, and each kind of instruction is at
 * times the one that brings them back: TILERELEASE, LDTILECFG and XSAVE too (BUGS 31), and
 * XGETBV(1) (BUGS 32); or XCR0 is lower meanwhile (BUGS 35).
 */
#include "guest/x86_64/tiles.h"

static struct {
    struct tilecfg cfg;
    u8 xsave[XSAVE_MAX];
} ALIGNED(64) buffers[MAX_CPUS];

/* A step is done to the registers and to *t; false: the registers were not what *t says. */
typedef bool (*step_fn)(struct tiles *t, u64 *seed);

static u32 one_tile(const struct tiles *t, u64 *seed)
{
    u32 mask = tiles_usable(t), n = (u32)pattern_next(seed) % TILES;

    while (!(mask >> n & 1))
        n = (n + 1) % TILES;
    return n;
}

static bool step_configure(struct tiles *t, u64 *seed)
{
    tiles_configure(t, seed); /* which zeroes the data, as LDTILECFG does */
    tile_ldcfg(&t->cfg);
    return true;
}

static bool step_load(struct tiles *t, u64 *seed)
{
    u32 n = one_tile(t, seed);

    for (u32 r = 0; r < t->cfg.rows[n]; r++)
        pattern_fill(t->data[n] + TILE_COLSB * r, t->cfg.colsb[n], pattern_next(seed));
    tile_load(t->data, 1u << n);
    return true;
}

static bool step_zero(struct tiles *t, u64 *seed)
{
    u32 n = one_tile(t, seed);

    tile_zero(1u << n);
    memset(t->data[n], 0, TILE_BYTES);
    return true;
}

static bool step_release(struct tiles *t, u64 *seed)
{
    (void)seed;
    tile_release();
    memset(t, 0, sizeof(*t));
    return true;
}

/* The same by a configuration of palette 0. */
static bool step_palette0(struct tiles *t, u64 *seed)
{
    (void)seed;
    memset(t, 0, sizeof(*t));
    tile_ldcfg(&t->cfg);
    return true;
}

static bool step_dot(struct tiles *t, u64 *seed)
{
    u64 random = pattern_next(seed);
    enum dot dot = (enum dot)(random % TDPBF16PS);

    if (dot_offered(dot)) {
        dot_run(dot, random >> 8 & 1);
        dot_reference(dot, random >> 8 & 1, t);
    }
    return true;
}

static bool step_configuration(struct tiles *t, u64 *seed)
{
    struct tilecfg *got = &buffers[this_cpu()->id].cfg;

    (void)seed;
    if (amx_errata.sttilecfg_ud)
        return true;
    tile_stcfg(got);
    return !memcmp(got, &t->cfg, sizeof(*got));
}

static bool step_store(struct tiles *t, u64 *seed)
{
    (void)seed;
    return tiles_match(t, "walk");
}

/* An XSAVE form stores them; another configuration takes their place; XRSTOR brings them back. */
static bool step_image(struct tiles *t, u64 *seed)
{
    u8 *area = buffers[this_cpu()->id].xsave;
    u64 random = pattern_next(seed);
    static const struct {
        void (*save)(void *, u64);
        void (*restore)(const void *, u64);
        const bool *offered;
    } forms[] = {{fp_xsave, fp_xrstor, &features.xsave},
                 {fp_xsaveopt, fp_xrstor, &features.xsaveopt},
                 {fp_xsavec, fp_xrstor, &features.xsavec},
                 {fp_xsaves, fp_xrstors, &features.xsaves}};
    u32 form = random & 3;

    if (amx_errata.image || !*forms[form].offered)
        return true;
    /* XSAVEOPT may leave out what is in memory already: it never is, into a cleared area. */
    memset(area, 0, XSAVE_MAX);
    forms[form].save(area, XCR0_AMX);
    bool good = tiles_image_is(area, t, "walk, image");
    if (random & 8)
        tile_release();
    if (random & 16)
        yield();
    forms[form].restore(area, XCR0_AMX);
    return good;
}

static bool step_inuse(struct tiles *t, u64 *seed)
{
    u64 want = t->cfg.palette ? XCR0_TILECFG : 0, seen;

    (void)seed;
    if (!features.xgetbv1 || amx_errata.inuse)
        return true;
    seen = fp_xgetbv(1);
    /* With a configuration the data may count as in use or, when it is all zero, as in INIT. */
    if (!t->cfg.palette)
        return (seen & XCR0_AMX) == 0;
    for (u32 n = 0; n < TILES; n++)
        for (u32 at = 0; at < TILE_BYTES; at += 8)
            if (*(const u64 *)(const void *)(t->data[n] + at))
                return (seen & XCR0_AMX) == (want | XCR0_TILEDATA);
    return (seen & XCR0_TILECFG) == want;
}

static bool step_lower(struct tiles *t, u64 *seed)
{
    (void)t;
    fp_xsetbv(pattern_next(seed) & 1 ? XCR0_X87 : features.xcr0 & ~(u64)XCR0_AMX);
    yield();
    if (pattern_next(seed) & 1) {
        fp_fstcw(); /* load and save again under the lower mask */
        yield();
    }
    fp_xsetbv(features.xcr0);
    return true;
}

static const struct {
    const char *name;
    step_fn step;
    bool empty; /* possible with nothing configured */
} steps[] = {
    {"LDTILECFG", step_configure, true},
    {"TILELOADD", step_load, false},
    {"TILEZERO", step_zero, false},
    {"TILERELEASE", step_release, true},
    {"LDTILECFG of palette 0", step_palette0, true},
    {"a product", step_dot, false},
    {"STTILECFG", step_configuration, true},
    {"TILESTORED", step_store, false},
    {"TILELOADD", step_load, false},
    {"an XSAVE form", step_image, true},
    {"XGETBV(1)", step_inuse, true},
    {"a lower XCR0", step_lower, true},
    {"a product", step_dot, false},
    {"TILELOADD", step_load, false},
};

const char *tile_step(struct tiles *t, u64 *seed)
{
    u32 n = (u32)pattern_next(seed) % ARRAY_SIZE(steps);

    if (!t->cfg.palette && !steps[n].empty)
        n = 0;
    return steps[n].step(t, seed) ? NULL : steps[n].name;
}

static bool walk_ended(struct tile_walk *walk, u64 start)
{
    if (walk->stop)
        return true;
    if (!walk->preemptions)
        return false;
    if (!on_fermata)
        walk->seen = walk->steps / 4;
    else if (walk->steps % 8 == 0)
        walk->seen = stat(FERMATA_STAT_PREEMPTIONS) - start;
    return walk->seen >= walk->preemptions || walk->steps > 1000 * (walk->preemptions + 100);
}

void tile_walk(void *argument)
{
    struct tile_walk *walk = argument;
    u64 start = stat(FERMATA_STAT_PREEMPTIONS);

    fp_pattern(&walk->other, walk->seed);
    fp_load(&walk->other);
    memset(&walk->want, 0, sizeof(walk->want));
    tile_release();
    for (walk->steps = 0; !walk_ended(walk, start); walk->steps++) {
        u64 random = pattern_next(&walk->seed);
        away(random);
        const char *bad = tile_step(&walk->want, &walk->seed);
        away(random >> 32);
        if (!bad && walk->steps % 4 == 3 && !tiles_match(&walk->want, "walk"))
            bad = "looking";
        if (!bad && walk->steps % 16 == 15 &&
            !fp_holds(&walk->other, (enum fp_first)(random % FIRST_WAYS), "beside tiles"))
            bad = "looking at all else";
        if (!bad)
            continue;
        walk->errors++;
        walk->bad = bad;
        tiles_load(&walk->want);
        fp_load(&walk->other);
    }
    tile_release();
}
