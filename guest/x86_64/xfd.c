/*
 * xfd: the guest's own IA32_XFD and IA32_XFD_ERR are exact although a hypervisor may use XFD behind
 * its back. Rows of BUGS.md: 8, 9, 10, 31, 37. Threads that get their tiles by it are in threads.c.
 */
#include "guest/x86_64/matrix.h"
#include "guest/x86_64/xfd.h"

static struct tiles tiles;
static ALIGNED(64) u8 area[XSAVE_MAX];

static const struct tile_insn {
    const char *name;
    stub_fn stub;
    const void *at;
    bool disabled; /* by XFD: it looks at tile data */
} insns[] = {
    {"TILELOADD", insn_tileloadd, insn_tileloadd_at, true},
    {"TILESTORED", insn_tilestored, insn_tilestored_at, true},
    {"TILEZERO", insn_tilezero, insn_tilezero, true},
    {"TDPBSSD", insn_tdpbssd, insn_tdpbssd, true},
    {"TDPBF16PS", insn_tdpbf16ps, insn_tdpbf16ps, true},
    {"STTILECFG", insn_sttilecfg, insn_sttilecfg, false},
    {"LDTILECFG", insn_ldtilecfg, insn_ldtilecfg, false},
    {"TILERELEASE", insn_tilerelease, insn_tilerelease, false},
};

void xfd_set(u64 xfd)
{
    wrmsr(MSR_XFD, xfd);
}

u64 xfd_err_take(void)
{
    u64 value = rdmsr(MSR_XFD_ERR);

    wrmsr(MSR_XFD_ERR, 0);
    return value;
}

static bool msr_refused(u32 index, u64 value)
{
    scratch.index = index;
    scratch.value = value;
    try_stub(insn_wrmsr, &scratch);
    return fault_is(VECTOR_GP, insn_wrmsr_at);
}

/* Every bit alone and beside the one that exists; what is refused changes nothing. */
static void msr_values(u32 index, const char *name)
{
    u32 accepted = 0, changed = 0, lost = 0;

    for (u32 bit = 0; bit < 64; bit++) {
        u64 before = bit & 1 ? XCR0_TILEDATA : 0;
        wrmsr(index, before);
        if (bit & 2)
            yield();
        lost += rdmsr(index) != before;
        if (bit == 18)
            continue;
        accepted += !msr_refused(index, BIT(bit));
        accepted += !msr_refused(index, BIT(bit) | XCR0_TILEDATA);
        changed += rdmsr(index) != before;
    }
    wrmsr(index, 0);
    ok(!accepted, "%s: every bit but that of the tile data is #GP, alone and beside it", name);
    ok(!changed, "%s: a refused write changes nothing", name);
    ok(!lost, "%s reads what was written, also after being away", name);
}

static void tiles_ready(u64 *seed)
{
    tiles_configure(&tiles, seed);
    tiles.cfg.rows[0] = tiles.cfg.rows[1] = 3; /* the stubs stay within scratch.area */
    tiles_fill(&tiles, seed);
    tiles_load(&tiles);
    memcpy(scratch.tilecfg, &tiles.cfg, sizeof(scratch.tilecfg));
}

/* What an instruction does under XFD: #NM and XFD_ERR, or neither; the tiles stay what they were.
 */
static void disabled_fault(const struct tile_insn *insn)
{
    u64 seed = pattern_seed(0, 50);
    u32 bad = 0, err = 0, lost = 0;

    if (insn->stub == insn_sttilecfg && amx_errata.sttilecfg_ud)
        return;
    for (u32 i = 0; i < 16; i++) {
        u64 dirty = i & 2 ? XCR0_TILEDATA : 0;
        tiles_ready(&seed);
        xfd_set(XCR0_TILEDATA);
        wrmsr(MSR_XFD_ERR, insn->disabled ? 0 : dirty);
        write_cr0(i & 4 ? CR0_NORMAL | CR0_TS : CR0_NORMAL); /* which has no say in it */
        if (i & 1)
            yield();
        try_stub(insn->stub, &scratch);
        bad += !fault_is(insn->disabled ? VECTOR_NM : NO_FAULT, insn->at);
        write_cr0(CR0_NORMAL);
        if (i & 8)
            yield();
        err += xfd_err_take() != (insn->disabled ? XCR0_TILEDATA : dirty);
        xfd_set(0);
        if (insn->disabled || insn->stub == insn_sttilecfg)
            lost += !tiles_match(&tiles, insn->name);
    }
    ok(!bad, "%s with XFD set: %s", insn->name, insn->disabled ? "#NM" : "none");
    ok(!err, "%s with XFD set: XFD_ERR %s", insn->name,
       insn->disabled ? "names the tile data" : "is left alone");
    ok(!lost, "%s with XFD set: tiles are kept", insn->name);
}

/* #UD comes first: without OSXSAVE, without XCR0's bits, with nothing configured XFD has no say. */
static void undefined_first(void)
{
    u64 seed = pattern_seed(0, 51), cr4 = read_cr4();
    u32 bad = 0, err = 0;

    for (u32 i = 0; i < 8; i++) {
        tiles_ready(&seed);
        xfd_set(XCR0_TILEDATA);
        if (i & 1)
            fp_xsetbv(XCR0_X87 | XCR0_SSE);
        else
            write_cr4(cr4 & ~(u64)CR4_OSXSAVE);
        if (i & 2)
            yield();
        try_stub(insns[i & 4 ? 0 : 2].stub, &scratch);
        bad += !fault_is(VECTOR_UD, insns[i & 4 ? 0 : 2].at);
        write_cr4(cr4);
        fp_xsetbv(features.xcr0);
        err += xfd_err_take() != 0;
        xfd_set(0);
        bad += !tiles_match(&tiles, "undefined");
    }
    ok(!bad && !err, "a tile instruction that is #UD anyway is no matter of XFD");
}

/*
 * BUGS 10 and 37: #NM by the guest's own CR0.TS says nothing in XFD_ERR, whatever was there,
 * whether tiles are in use, in INIT or were never touched, and whether the gate is open.
 */
static void ts_fault(bool used)
{
    u64 seed = pattern_seed(0, 52);
    u32 bad = 0, err = 0;

    for (u32 i = 0; i < 32; i++) {
        u64 dirty = i & 1 ? XCR0_TILEDATA : 0;
        if (used)
            tiles_ready(&seed);
        insn_fninit(NULL); /* the gate is open */
        xfd_set(i & 2 ? XCR0_TILEDATA : 0);
        wrmsr(MSR_XFD_ERR, dirty);
        write_cr0(CR0_NORMAL | CR0_TS);
        if (i & 4)
            yield();
        stub_fn stub = i & 8 ? insn_fldz : insn_movups_load;
        try_stub(stub, &scratch);
        bad += !fault_is(VECTOR_NM, (const void *)stub);
        if (i & 16)
            yield();
        err += xfd_err_take() != dirty;
        fp_clts();
        xfd_set(0);
        try_stub(stub, &scratch);
        bad += !fault_is(NO_FAULT, NULL);
        if (used)
            bad += !tiles_match(&tiles, "after #NM by TS");
    }
    tile_release();
    ok(!bad, "#NM by CR0.TS, %s: once, and at its instruction",
       used ? "tiles in use" : "tiles unused");
    ok(!err, "#NM by CR0.TS, %s: XFD_ERR is left alone, dirty or clean",
       used ? "tiles in use" : "tiles unused");
}

/* BUGS 9: XFD set with live tiles, the vCPU away: they are there when it is cleared; or INIT, if
 * they were given up. */
static void live_when_disabled(void)
{
    u64 seed = pattern_seed(0, 53);
    u32 bad = 0, gone = 0, err = 0;

    for (u32 i = 0; i < 48; i++) {
        tiles_ready(&seed);
        if (i & 1)
            yield();
        xfd_set(XCR0_TILEDATA);
        yield();
        if (i & 2)
            fp_fstcw(); /* loaded, and saved once more */
        away(pattern_next(&seed));
        if (i % 3 == 1) {
            tile_release();
            memset(&tiles, 0, sizeof(tiles));
        } else if (i % 3 == 2) {
            tiles_configure(&tiles, &seed);
            tile_ldcfg(&tiles.cfg);
        }
        if (i & 4)
            yield();
        xfd_set(0);
        if (i & 8)
            yield();
        bool good = tiles_match(&tiles, "XFD cleared");
        bad += i % 3 == 0 && !good;
        gone += i % 3 != 0 && !good;
        err += rdmsr(MSR_XFD_ERR) != 0;
    }
    tile_release();
    ok(!bad, "XFD set with live tiles, away, XFD cleared: tiles are back");
    ok(!gone, "TILERELEASE and LDTILECFG with XFD set clear the tile data");
    ok(!err, "and none of it is an XFD fault");
}

/* The forms under XFD: saved as INIT, whatever the registers hold; restored only if it is INIT. */
static void images(void)
{
    static void (*const saves[])(void *, u64) = {fp_xsave, fp_xsaveopt, fp_xsavec, fp_xsaves};
    u64 seed = pattern_seed(0, 54), bv;
    u32 bad = 0, kept = 0, refused = 0, init = 0;

    for (u32 i = 0; i < 16; i++) {
        tiles_ready(&seed);
        memset(area, 0, XSAVE_MAX);
        u32 at = components[18].offset;
        memset(area + at, 0xa5, 8192);
        xfd_set(XCR0_TILEDATA);
        if (i & 4)
            yield();
        saves[i & 3](area, features.xcr0);
        memcpy(&bv, area + XSTATE_BV, 8);
        bad += (bv & XCR0_TILEDATA) != 0;
        bad += (i & 3) == 0 && area[at] != 0; /* XSAVE stores the INIT value, the others nothing */
        bad += (i & 3) == 2 && area[XSAVE_MAX - 2000] != 0 && area[XSAVE_MAX - 2000] != 0xa5;
        if (i & 8)
            yield();
        xfd_set(0);
        kept += !tiles_match(&tiles, "saved with XFD set");
        /* An image with the data in it. */
        fp_xsave(area, XCR0_AMX);
        xfd_set(XCR0_TILEDATA);
        if (i & 4)
            yield();
        try_stub(insn_xrstor_tiles, area);
        refused += !fault_is(VECTOR_NM, insn_xrstor_tiles_at) || xfd_err_take() != XCR0_TILEDATA;
        /* The same without the data: they go to INIT, configured as the image says. */
        bv = XCR0_TILECFG;
        memcpy(area + XSTATE_BV, &bv, 8);
        if (i & 1)
            yield();
        try_stub(insn_xrstor_tiles, area);
        init += !fault_is(NO_FAULT, NULL) || xfd_err_take() != 0;
        xfd_set(0);
        memset(tiles.data, 0, sizeof(tiles.data));
        init += !tiles_match(&tiles, "restored as INIT with XFD set");
    }
    tile_release();
    ok(!bad, "XSAVE, XSAVEOPT, XSAVEC, XSAVES with XFD set store tile data as INIT");
    ok(!kept, "and leave the tiles alone");
    ok(!refused, "XRSTOR of tile data with XFD set: #NM, XFD_ERR names it");
    ok(!init, "XRSTOR with XFD set of an image without tile data clears it");
}

static void not_offered(void)
{
    bool fewer = cpuid(0, 0).eax < 0xd || !features.xsave;

    ok(fewer || !(cpuid(0xd, 1).eax & BIT(4)) || !(cpuid(0xd, 18).ecx & BIT(2)),
       "XFD of tile data is not offered: CPUID says so");
    if (!on_fermata) {
        skip("emulators have no unknown MSRs", "XFD and XFD_ERR are #GP");
        return;
    }
    ok(msr_refused(MSR_XFD, 0) && msr_refused(MSR_XFD_ERR, 0),
       "XFD is not offered: its MSRs are #GP");
}

void scenario_xfd(void)
{
    fp_first();
    if (!features.xfd) {
        not_offered();
        return;
    }
    ok(rdmsr(MSR_XFD) == 0 && rdmsr(MSR_XFD_ERR) == 0, "XFD and XFD_ERR are 0 at the start");
    ts_fault(false); /* before anything has touched a tile here */
    amx_errata_measure();
    background_start();
    msr_values(MSR_XFD, "XFD");
    msr_values(MSR_XFD_ERR, "XFD_ERR");
    for (u32 i = 0; i < ARRAY_SIZE(insns); i++)
        disabled_fault(&insns[i]);
    undefined_first();
    ts_fault(true);
    ts_fault(false);
    live_when_disabled();
    if (amx_errata.image)
        skip("this CPU's XSAVE of tiles is not to be trusted", "XSAVE and XRSTOR with XFD set");
    else
        images();
    background_stop();
    xfd_threads();
}
