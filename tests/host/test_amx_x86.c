/*
 * AVX-512 and AMX on the real registers of the CPU this runs on, moved by XSAVE's forms and by
 * hand; IA32_XFD is storage here, and its #NM is raised by the test. Skipped where the CPU has no
 * AMX.
 *
 * links: hv/fp.c hv/fp_area.c hv/format.c hv/string.c arch/x86_64/fp.c arch/x86_64/fp_moves.S
 * links: arch/x86_64/fp_debug.c arch/x86_64/fp_tiles.c arch/x86_64/fp_xfd.c
 * links: arch/x86_64/xstate_layout.c arch/x86_64/fp_components.c arch/x86_64/cr.c
 * links: tests/host/x86_64/user.S tests/host/x86_64/user_fault.c
 * links: tests/host/x86_64/user_machine.c
 * machine: user_x86_64
 */
#include "tests/host/x86_64/user_machine.h"

#define FULL  0x600e7ull
#define MANY  1000u
#define ROUND 200u

static struct vcpu a, b, c, many[MANY];
static struct wide_regs set_a, set_b, found;
static struct regs plain;

static bool usable(void)
{
    return cpu_has.xsave && (fp_hw_offered() & FULL) == FULL;
}

#include "tests/host/x86_64/wide_random.h"

/* The guest writes everything it has. */
static bool fill(struct vcpu *v, struct wide_regs *r)
{
    u32 tiles = random_wide(r);

    touch(v);
    if (tile_fault(v) != FP_TRAP_RETRY)
        return false;
    v->fp.in_sync = false;
    zmm_set(r);
    tiles_set(r, tiles);
    return true;
}

static void begin(struct vcpu *v, u64 xcr0)
{
    start_with(v, FP_LAZY, xcr0);
    v->fp.arch.perm = FULL;
    fp_plan(&v->fp);
    fp_xfd_apply(v);
}

static bool held(void)
{
    bool right = true;

    begin(&a, FULL);
    begin(&b, FULL);
    begin(&c, 7);
    for (u32 round = 0; round < ROUND && right; round++) {
        right &= run(&a) && wide_init();
        touch(&a);
        right &= round == 0 || holds(&set_a);
        right &= fill(&a, &set_a);
        right &= run(&c) && wide_init();
        if (round & 1) {
            touch(&c);
            right &= wide_init();
        }
        right &= run(&b);
        touch(&b);
        right &= round == 0 || holds(&set_b);
        right &= fill(&b, &set_b);
        if (round & 2) {
            fp_sync(&b);
            right &= holds(&set_b);
        }
    }
    stop(&a);
    stop(&b);
    stop(&c);
    return right && wide_init();
}

/* BUGS 31: what comes first after a preemption with live tiles. */
static bool bugs31_first(void)
{
    bool right = true;

    begin(&a, FULL);
    begin(&b, FULL);
    for (u32 round = 0; round < 40 && right; round++) {
        right &= run(&a) && fill(&a, &set_a) && run(&b) && run(&a);
        touch(&a);
        if (round & 1) {
            tiles_release();
            memset(set_a.tilecfg, 0, sizeof(set_a.tilecfg) + sizeof(set_a.tiles));
        } else {
            tiles_configure(set_a.tilecfg);
            memset(set_a.tiles, 0, sizeof(set_a.tiles));
        }
        a.fp.in_sync = false;
        right &= run(&b) && run(&a);
        touch(&a);
        right &= holds(&set_a);
    }
    stop(&a);
    stop(&b);
    return right && wide_init();
}

/* BUGS 35: XCR0 lowered with everything live; the neighbour finds INIT; raised, it is back. */
static bool bugs35_lowered(void)
{
    static const u64 low[] = {1, 3, 7, 0xe7, 0x60003};
    bool right = true;

    begin(&a, FULL);
    begin(&b, 7);
    for (u32 round = 0; round < 40 && right; round++) {
        right &= run(&a) && fill(&a, &set_a);
        right &= xsetbv_write(&a, 0, low[round % 5]) == XSETBV_DONE;
        right &= run(&b) && wide_init();
        touch(&b);
        right &= wide_init() && run(&a) && user_xcr0 == low[round % 5];
        touch(&a);
        right &= xsetbv_write(&a, 0, FULL) == XSETBV_DONE && holds(&set_a);
    }
    stop(&a);
    stop(&b);
    return right && wide_init();
}

/* From nothing to everything by XSETBV while the registers are live. */
static bool grown_live(void)
{
    bool right = true;

    begin(&a, 3);
    begin(&b, 7);
    right &= run(&a);
    touch(&a);
    randomise(&plain);
    for (u32 i = 0; i < 16; i++)
        memset(plain.ymm[i] + 16, 0, 16);
    put(&plain);
    u32 before = a.fp.area.bytes;
    right &= xsetbv_write(&a, 0, 7) == XSETBV_DONE;
    right &= xsetbv_write(&a, 0, 0xe7) == XSETBV_DONE && a.fp.area.bytes > before;
    right &= xsetbv_write(&a, 0, FULL) == XSETBV_DONE && same(get(), &plain, false);
    right &= (a.fp.area.bytes >= 8192) == !fp_hw.xfd; /* tiles: by XCR0, or by their first use */
    right &= run(&b) && run(&a);
    touch(&a);
    right &= same(get(), &plain, false) && wide_init();
    right &= fill(&a, &set_a) && a.fp.area.bytes >= 8192 && holds(&set_a);
    right &= run(&b) && run(&a);
    touch(&a);
    right &= holds(&set_a);
    stop(&a);
    stop(&b);
    return right;
}

/* A switch with tiles in INIT moves no tile bytes, and no XCR0 is written for nothing. */
static bool nothing_for_nothing(void)
{
    bool right = true;

    begin(&a, FULL);
    begin(&b, FULL);
    right &= run(&a) && fill(&a, &set_a);
    tiles_release();
    right &= run(&b) && run(&a);
    touch(&a);
    u64 bytes = a.fp.stats.bytes, writes = user_xsetbvs;
    for (u32 round = 0; round < 20; round++) {
        a.fp.in_sync = false;
        right &= run(&b) && run(&a);
        touch(&b == pcpus[0].current ? &b : &a);
    }
    right &= a.fp.stats.bytes - bytes <= 40 * 2500 && user_xsetbvs == writes;
    stop(&a);
    stop(&b);
    return right;
}

/* ---- XFD ---- */

static bool with_xfd(bool (*test)(void))
{
    fp_hw.xfd = true;
    bool right = test();
    fp_hw.xfd = false;
    return right && user_xfd == 0;
}

/* Tiles given back: armed again at the next save, and their memory goes when someone wants it. */
static bool given_back(void)
{
    bool right = true;

    begin(&a, FULL);
    begin(&b, FULL);
    right &= run(&a);
    touch(&a);
    right &= user_xfd == XCR0_TILEDATA && a.arch.open_exceptions && a.fp.area.bytes < 8192;
    right &=
        fill(&a, &set_a) && user_xfd == 0 && !a.arch.open_exceptions && a.fp.area.bytes >= 8192;
    u64 grows = a.fp.stats.grows;
    tiles_release();
    right &= run(&b) && user_xfd == 0 && a.fp.arch.armed && a.fp.area.bytes >= 8192;
    right &= run(&a);
    touch(&a);
    right &= user_xfd == XCR0_TILEDATA;
    right &= fill(&a, &set_a) && a.fp.stats.grows == grows; /* the memory was still there */
    tiles_release();
    memset(set_a.tilecfg, 0, sizeof(set_a.tilecfg) + sizeof(set_a.tiles));
    right &= run(&b);
    vm.fp_quota.limit = vm.fp_quota.used + 12288; /* enough for b only if a's tiles go */
    touch(&b);
    vm.fp_quota.limit = vm.fp_quota.used + 4096;
    right &= fill(&b, &set_b) && a.fp.area.bytes == 4096;
    right &= run(&a);
    touch(&a);
    right &= holds(&set_a);
    vm.fp_quota.limit = MiB(8);
    right &= fill(&a, &set_a) && run(&b) && run(&a);
    touch(&a);
    right &= holds(&set_a);
    stop(&a);
    stop(&b);
    return right;
}

static bool xfd_given_back(void)
{
    return with_xfd(given_back);
}

/* No memory for the tiles: the vCPU stops there, and nothing of it is lost. */
static bool exhausted(void)
{
    bool right = true;

    begin(&a, FULL);
    begin(&b, 7);
    right &= run(&a);
    touch(&a);
    random_wide(&set_a);
    memset(set_a.tilecfg, 0, sizeof(set_a.tilecfg) + sizeof(set_a.tiles));
    a.fp.in_sync = false;
    zmm_set(&set_a);
    vm.fp_quota.limit = vm.fp_quota.used + 4096;
    right &= tile_fault(&a) == FP_TRAP_NO_MEMORY && user_xfd == XCR0_TILEDATA && a.fp.arch.armed;
    right &= holds(&set_a);
    right &= run(&b) && run(&a);
    vm.fp_quota.limit = MiB(8);
    touch(&a);
    right &= holds(&set_a) && tile_fault(&a) == FP_TRAP_RETRY && user_xfd == 0;
    stop(&a);
    stop(&b);
    return right;
}

static bool xfd_exhausted(void)
{
    return with_xfd(exhausted);
}

/* BUGS 9, 10, 37: the guest's own XFD and XFD_ERR over ours. */
static bool own(void)
{
    bool right = true;

    begin(&a, FULL);
    begin(&b, FULL);
    right &= run(&a) && fill(&a, &set_a);
    right &= fp_xfd_write(&a, 0x1c4, XCR0_TILEDATA) && user_xfd == XCR0_TILEDATA &&
             a.arch.open_exceptions;
    right &= run(&b) && user_xfd == 0; /* BUGS 9: live tiles under the guest's XFD */
    touch(&b);
    right &= user_xfd == XCR0_TILEDATA && run(&a); /* b's tiles are not allocated */
    touch(&a);
    right &= user_xfd == XCR0_TILEDATA && holds(&set_a);
    right &= tile_fault(&a) == FP_TRAP_NOT_OURS && a.fp.arch.xfd_err == XCR0_TILEDATA;
    right &= fp_xfd_write(&a, 0x1c5, 0) && a.fp.arch.xfd_err == 0;
    right &= fp_xfd_fault(&a) == FP_TRAP_NOT_OURS && a.fp.arch.xfd_err == 0; /* BUGS 10, 37 */
    right &= fp_xfd_write(&a, 0x1c5, XCR0_TILEDATA);
    right &= fp_xfd_fault(&a) == FP_TRAP_NOT_OURS && a.fp.arch.xfd_err == XCR0_TILEDATA;
    right &= fp_xfd_write(&a, 0x1c4, 0) && user_xfd == 0 && holds(&set_a);
    for (u32 bit = 0; bit < 64; bit++) {
        right &= fp_xfd_write(&a, 0x1c4, BIT(bit)) == (bit == 18);
        right &= fp_xfd_write(&a, 0x1c5, BIT(bit) | XCR0_TILEDATA) == (bit == 18);
    }
    right &= a.fp.arch.xfd == XCR0_TILEDATA && user_xfd == XCR0_TILEDATA;
    stop(&a);
    stop(&b);
    return right;
}

static bool xfd_own(void)
{
    return with_xfd(own);
}

static bool xfd_held(void)
{
    return with_xfd(held) && with_xfd(bugs31_first) && with_xfd(bugs35_lowered) &&
           with_xfd(grown_live);
}

/* A thousand vCPUs that may use AMX, have it enabled, and do not: no tile memory. */
static bool thousand(void)
{
    bool right = true;
    u64 bytes = 0;

    for (u32 i = 0; i < MANY && right; i++) {
        begin(&many[i], FULL);
        right &= run(&many[i]);
        touch(&many[i]);
        many[i].fp.in_sync = false;
        regs_set(&plain, 1);
    }
    for (u32 i = 0; i < MANY; i++)
        bytes += many[i].fp.area.bytes;
    right &= bytes <= MANY * 4096ull;
    user_print("# 1000 vCPUs permitted AMX that never use it: %lu bytes each\n", bytes / MANY);
    for (u32 i = 0; i < MANY; i++)
        stop(&many[i]);
    return right;
}

static bool xfd_thousand(void)
{
    return with_xfd(thousand);
}

/* ---- What it costs ---- */

static u32 area_of(u64 xcr0, bool tiles)
{
    begin(&a, xcr0);
    run(&a);
    touch(&a);
    if (tiles)
        tile_fault(&a);
    u32 bytes = a.fp.area.bytes;
    stop(&a);
    return bytes;
}

static bool table(void)
{
    fp_hw.xfd = true;
    u32 sse = area_of(3, false), avx = area_of(7, false), avx512 = area_of(0xe7, false);
    u32 unused = area_of(FULL, false), used = area_of(FULL, true);
    fp_hw.xfd = false;
    user_print("# area-bytes x87/SSE %u, AVX %u, AVX-512 %u, AMX permitted but unused %u, AMX used "
               "%u\n",
               sse, avx, avx512, unused, used);
    return sse <= 640 && avx <= 896 && avx512 <= 4096 && unused <= 4096 && used <= 12288;
}

/* Instructions of a growth while the registers are live, but for the bytes it copies and clears. */
static u32 growth(u64 from, u64 to, bool tiles)
{
    begin(&a, from);
    run(&a);
    touch(&a);
    a.fp.in_sync = false;
    if (tiles)
        user_xfd_err = XCR0_TILEDATA;
    user_steps = 0;
    user_step(true);
    bool grown = tiles ? fp_xfd_fault(&a) == FP_TRAP_RETRY : xsetbv_write(&a, 0, to) == XSETBV_DONE;
    user_step(false);
    u32 steps = user_steps;
    stop(&a);
    return grown ? steps : ~0u;
}

/* From pages to pages: the small areas of a debug build are looked through byte by byte. */
static bool growths(void)
{
    u32 xsetbv = growth(0xe7, FULL, false);

    fp_hw.xfd = true;
    u32 fault = growth(FULL, FULL, true);
    fp_hw.xfd = false;
    user_print("# growth-instructions to AMX by XSETBV %u, to tiles by XFD %u, the copy apart\n",
               xsetbv, fault);
    return xsetbv <= 1000 && fault <= 1000;
}

/* Every test by XSAVE and by hand. */
static bool by_hand(bool (*test)(void))
{
    bool right = test();

    fp_hw.tiles_by_hand = true;
    right &= test();
    fp_hw.tiles_by_hand = false;
    return right;
}

#define BOTH(name)                                                                                 \
    static bool both_##name(void)                                                                  \
    {                                                                                              \
        return !usable() || by_hand(name);                                                         \
    }
BOTH(held)
BOTH(bugs31_first)
BOTH(bugs35_lowered)
BOTH(grown_live)
BOTH(nothing_for_nothing)
BOTH(xfd_given_back)
BOTH(xfd_exhausted)
BOTH(xfd_own)
BOTH(xfd_held)

static bool only_xfd_thousand(void)
{
    return !usable() || xfd_thousand();
}

static bool only_growths(void)
{
    return !usable() || growths();
}

static bool only_table(void)
{
    return !usable() || table();
}

static const struct user_test tests[] = {
    {"AVX-512 and tiles held over switches", both_held},
    {"bugs31_first: TILERELEASE and LDTILECFG after a preemption", both_bugs31_first},
    {"bugs35_lowered: XCR0 lowered with tiles live", both_bugs35_lowered},
    {"growth to everything while live", both_grown_live},
    {"INIT moves no bytes, XCR0 is not written", both_nothing_for_nothing},
    {"XFD: given back, armed again, shrunk", both_xfd_given_back},
    {"XFD: an exhausted quota", both_xfd_exhausted},
    {"bugs9_bugs10_bugs37_own: XFD and XFD_ERR of the guest", both_xfd_own},
    {"XFD: all of the above under it", both_xfd_held},
    {"XFD: 1000 vCPUs without tiles", only_xfd_thousand},
    {"bytes of area by what was used", only_table},
    {"instructions of a growth", only_growths},
};

long user_main(void)
{
    user_components = FULL;
    return run_everything(tests, ARRAY_SIZE(tests)) != 0;
}
