/*
 * amx: palettes, products against scalar references, and tiles held by every vCPU of the VM, each
 * with shapes of its own. A VM that is not offered AMX finds every tile instruction #UD. Rows of
 * BUGS.md: 31, 32, 35.
 */
#include "guest/x86_64/tiles.h"
#include "guest/x86_64/matrix.h"

static struct tiles tiles;

static const struct {
    const char *name;
    stub_fn stub;
    const void *at;
} instructions[] = {
    {"LDTILECFG", insn_ldtilecfg, insn_ldtilecfg},
    {"STTILECFG", insn_sttilecfg, insn_sttilecfg},
    {"TILELOADD", insn_tileloadd, insn_tileloadd_at},
    {"TILESTORED", insn_tilestored, insn_tilestored_at},
    {"TILEZERO", insn_tilezero, insn_tilezero},
    {"TDPBSSD", insn_tdpbssd, insn_tdpbssd},
    {"TDPBF16PS", insn_tdpbf16ps, insn_tdpbf16ps},
    {"TILERELEASE", insn_tilerelease, insn_tilerelease},
};

static bool denied(u64 xcr0)
{
    scratch.value = xcr0;
    scratch.index = 0;
    try_stub(insn_xsetbv, &scratch);
    return fault_is(VECTOR_GP, insn_xsetbv_at);
}

/* Not offered: nothing of AMX is there, although the neighbour VM may be using it on this very CPU.
 */
static void not_offered(void)
{
    u32 bad = 0;

    memset(scratch.tilecfg, 0, sizeof(scratch.tilecfg));
    for (u32 i = 0; i < 10 * ARRAY_SIZE(instructions); i++) {
        u32 n = i % ARRAY_SIZE(instructions);
        if (i & 8)
            yield();
        else
            insn_fninit(NULL); /* the gate is open */
        try_stub(instructions[n].stub, &scratch);
        bad += !fault_is(VECTOR_UD, instructions[n].at);
    }
    ok(!bad, "AMX is not offered: each of its instructions is #UD");
    if (features.xsave)
        ok(denied(features.xcr0 | XCR0_TILECFG) && denied(features.xcr0 | XCR0_TILEDATA) &&
               denied(features.xcr0 | XCR0_AMX),
           "AMX is not offered: XSETBV of its bits is #GP");
    struct cpuid seven = cpuid(0, 0).eax >= 7 ? cpuid(7, 0) : (struct cpuid){0};
    ok(!(seven.edx & (BIT(22) | BIT(24) | BIT(25))), "AMX is not offered: CPUID says so");
}

static bool palette_described(void)
{
    struct cpuid one = cpuid(0x1d, 1);

    return cpuid(0x1d, 0).eax >= 1 && one.eax == (TILE_BYTES << 16 | TILES * TILE_BYTES) &&
           one.ebx == (TILES << 16 | TILE_COLSB) && (one.ecx & 0xffff) == TILE_ROWS;
}

/* LDTILECFG: SDM vol. 2, each condition of #GP; the tiles stay what they were. */
static void configurations_refused(void)
{
    /* A byte of a legal configuration, and the value that makes it illegal. */
    static const struct {
        const char *why;
        u8 at, value;
    } cases[] = {
        {"palette 2", 0, 2},
        {"palette 255", 0, 255},
        {"a reserved byte", 2, 1},
        {"the last reserved byte", 15, 0x80},
        {"more bytes than a row has", 16 + 2 * 1, 65},
        {"256 bytes more than a row has", 16 + 2 * 1 + 1, 1},
        {"more rows than a tile has", 48 + 1, 17},
        {"rows without columns", 48 + 4, 3},
        {"columns without rows", 16 + 2 * 4, 4},
        {"columns of tile 8", 16 + 2 * 8, 4},
        {"rows of tile 15", 48 + 15, 1},
    };
    u64 seed = pattern_seed(0, 40);
    u32 lost = 0;

    tiles_configure(&tiles, &seed);
    tiles.cfg.rows[4] = 0;
    tiles.cfg.colsb[4] = 0;
    tiles_fill(&tiles, &seed);
    tiles_load(&tiles);
    for (u32 i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
        memcpy(scratch.tilecfg, &tiles.cfg, sizeof(tiles.cfg));
        scratch.tilecfg[cases[i / 2].at] = cases[i / 2].value;
        if (i & 1)
            yield();
        try_stub(insn_ldtilecfg, &scratch);
        bool good = fault_is(VECTOR_GP, (const void *)insn_ldtilecfg);
        lost += !tiles_match(&tiles, "after a refused LDTILECFG");
        if (i & 1 || !good)
            ok(good, "LDTILECFG, %s: #GP", cases[i / 2].why);
    }
    ok(!lost, "LDTILECFG that is refused changes nothing");
}

/* Products of shapes that do not fit, of one tile twice, of tiles that are not there: #UD. */
static void products_refused(void)
{
    static const struct {
        const char *why;
        u8 at; /* of the configuration, 0: nothing changed */
        signed char add;
        stub_fn stub;
    } cases[] = {
        {"fits", 0, 0, insn_tdpbssd},
        {"the rows of C and A differ", 48 + 0, 1, insn_tdpbssd},
        {"the columns of C and B differ", 16 + 2 * 2, 4, insn_tdpbssd},
        {"A has not as many columns as B rows", 16 + 2 * 1, 4, insn_tdpbssd},
        {"a row of A is no whole number of dwords", 16 + 2 * 1, 1, insn_tdpbssd},
        {"a row of B is no whole number of dwords", 16 + 2 * 2, 2, insn_tdpbssd},
        {"A is B", 0, 0, insn_tdp_a_is_b},
        {"A is C", 0, 0, insn_tdp_a_is_c},
        {"B is C", 0, 0, insn_tdp_b_is_c},
        {"TILELOADD of rows that are no whole number of dwords", 16 + 2 * 1, 2, insn_tileloadd},
        {"TILELOADD of a tile not configured", 0, 0, insn_tileload_tmm5},
    };
    struct tilecfg *cfg = (struct tilecfg *)(void *)scratch.tilecfg;

    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        u32 bad = 0;
        for (u32 round = 0; round < 2; round++) {
            memset(cfg, 0, sizeof(*cfg));
            cfg->palette = 1;
            cfg->rows[0] = 5, cfg->colsb[0] = 28;
            cfg->rows[1] = 5, cfg->colsb[1] = 12;
            cfg->rows[2] = 3, cfg->colsb[2] = 28;
            if (cases[i].at)
                scratch.tilecfg[cases[i].at] = (u8)(scratch.tilecfg[cases[i].at] + cases[i].add);
            tile_ldcfg(cfg);
            if (round)
                yield();
            try_stub(cases[i].stub, &scratch);
            const void *at = cases[i].stub == insn_tileloadd ? (const void *)insn_tileloadd_at
                                                             : (const void *)cases[i].stub;
            bad += !fault_is(i ? VECTOR_UD : NO_FAULT, at);
        }
        ok(!bad, "a product, %s: %s", cases[i].why, i ? "#UD" : "none");
    }
    tile_release();
    u32 bad = 0;
    for (u32 i = 2; i < 7; i++) {
        if (i & 1)
            yield();
        try_stub(instructions[i].stub, &scratch);
        bad += !fault_is(VECTOR_UD, instructions[i].at);
    }
    ok(!bad, "with nothing configured, tile instructions are #UD");
}

/* Random products of random shapes, away between load, product and store. MXCSR plays no part in
 * them. */
static void products(void)
{
    u32 rounds = (u32)cmdline_u64("products", 24), mxcsr = 0x7f80; /* round to zero, all masked */
    u64 seed = pattern_seed(0, 41);

    fp_ldmxcsr(&mxcsr);
    for (u32 dot = 0; dot < DOTS; dot++) {
        u32 bad = 0;
        if (!dot_offered((enum dot)dot)) {
            skip("not on this CPU", "%s", dot_name((enum dot)dot));
            continue;
        }
        for (u32 i = 0; i < rounds; i++) {
            tiles_configure(&tiles, &seed);
            tiles_fill(&tiles, &seed);
            if (dot == TDPBF16PS)
                dot_fill_bf16(i & 1, &tiles, &seed);
            yield();
            tiles_load(&tiles);
            yield();
            dot_run((enum dot)dot, i & 1);
            dot_reference((enum dot)dot, i & 1, &tiles);
            yield();
            bad += !tiles_match(&tiles, dot_name((enum dot)dot));
        }
        ok(!bad, "%s: %u products of random shapes", dot_name((enum dot)dot), rounds);
    }
    ok_eq(fp_stmxcsr(), mxcsr, "MXCSR is left alone by tile products");
    mxcsr = 0x1f80;
    fp_ldmxcsr(&mxcsr);
}

static struct tile_walk walks[MAX_CPUS];

/* Every vCPU walks through shapes of its own until vCPU 0 has been preempted often enough. */
static void held(void)
{
    u32 cpus = cpus_start();
    u64 preemptions = cmdline_u64("hold", 2000);

    for (u32 id = cpus; id-- > 0;) {
        memset(&walks[id], 0, sizeof(walks[id]));
        walks[id].seed = pattern_seed(id, 42);
        walks[id].preemptions = id ? 0 : preemptions;
        if (id)
            cpu_run(id, tile_walk, &walks[id]);
    }
    tile_walk(&walks[0]);
    for (u32 id = 0; id < cpus; id++) {
        while (id && !*(volatile u64 *)&walks[id].steps)
            yield();
        walks[id].stop = true;
        if (id)
            cpu_wait(id);
        ok(!walks[id].errors, "vCPU %u: tiles are what was done to them, %lu steps", id,
           (unsigned long)walks[id].steps);
        if (walks[id].errors)
            diag("vCPU %u: %lu wrong, the last after %s", id, (unsigned long)walks[id].errors,
                 walks[id].bad);
    }
    ok(walks[0].seen >= preemptions, "vCPU 0 saw %lu of %lu preemptions",
       (unsigned long)walks[0].seen, (unsigned long)preemptions);
}

void scenario_amx(void)
{
    fp_first();
    if (!features.amx && !on_fermata && (features.xcr0 & XCR0_AMX)) {
        skip("XCR0 has it, CPUID leaf 7 has not", "AMX");
        return;
    }
    if (!features.amx) {
        not_offered();
        return;
    }
    if (!ok(palette_described(), "CPUID leaf 0x1D describes palette 1"))
        return;
    amx_errata_measure();
    configurations_refused();
    products_refused();
    products();
    held();
}
