/*
 * hv/fp.c and arch/x86_64's moves on the real registers of the CPU this runs on, in user mode: the
 * few privileged instructions of the movers fault and are done by a signal handler. No C library
 * and no vector register in the compiled code, so what the registers hold is what was put there.
 *
 * links: hv/fp.c hv/fp_area.c hv/format.c hv/string.c arch/x86_64/fp.c arch/x86_64/fp_moves.S
 * links: arch/x86_64/fp_debug.c arch/x86_64/fp_tiles.c arch/x86_64/fp_xfd.c
 * links: arch/x86_64/xstate_layout.c arch/x86_64/fp_components.c arch/x86_64/cr.c
 * links: tests/host/x86_64/user.S tests/host/x86_64/user_fault.c
 * links: tests/host/x86_64/user_machine.c
 * machine: user_x86_64
 */
#include "tests/host/x86_64/user_machine.h"

static struct vcpu a, b;
static struct regs set_a, set_b;

static bool bugs4_fresh(void)
{
    randomise(&set_a);
    regs_set(&set_a, wide_vectors()); /* what a firmware leaves */
    fp_hw_init(&pcpus[0]);
    bool right = is_init();
    start(&a, FP_LAZY);
    right &= run(&a) && is_init();
    touch(&a);
    right &= is_init();
    stop(&a);
    return right && is_init();
}

static bool patterns_held(void)
{
    bool right = true;

    start(&a, FP_LAZY);
    start(&b, FP_EAGER);
    for (u32 round = 0; round < 2000; round++) {
        right &= run(&a);
        right &= is_init(); /* BUGS 1: nothing behind the closed gate */
        touch(&a);
        right &= round == 0 || same(get(), &set_a, false);
        randomise(&set_a);
        put(&set_a);
        right &= run(&b);
        right &= round == 0 ? is_init() : same(get(), &set_b, false);
        randomise(&set_b);
        put(&set_b);
    }
    stop(&a);
    stop(&b);
    return right && is_init();
}

/* BUGS 2 and 3: FIP, FDP and FOP of one are never another's, whatever FSW and FCW say. */
static bool bugs2_bugs3_pointers(void)
{
    bool right = true;

    for (u32 masks = 0; masks < 64; masks++) {
        for (u32 flags = 0; flags < 64; flags += 1 + masks % 3) {
            start(&a, FP_LAZY);
            start(&b, FP_LAZY);
            right &= run(&a);
            touch(&a);
            randomise(&set_a);
            set_a.env.fcw = (u16)(0x340 | masks);
            set_a.env.fsw = (u16)(flags | (flags & ~masks ? 0x8080 : 0));
            set_a.env.fip = 0x12345678;
            set_a.env.fdp = 0x9abcdef0;
            set_a.env.fop = 0x123;
            put(&set_a);
            right &= run(&b) && is_init();
            touch(&b);
            right &= is_init();
            right &= run(&a);
            touch(&a);
            right &= same(get(), &set_a, (flags & ~masks) != 0);
            stop(&a);
            stop(&b);
        }
    }
    return right;
}

/* BUGS 6: components that go into INIT and out of it between saves. */
static bool bugs6_components(void)
{
    bool right = true;

    start(&a, FP_LAZY);
    start(&b, FP_LAZY);
    for (u32 round = 0; round < 64; round++) {
        right &= run(&a);
        touch(&a);
        right &= round == 0 || same(get(), &set_a, false);
        randomise(&set_a);
        if (round & 1) /* SSE in INIT */
            set_a.mxcsr = 0x1f80;
        for (u32 i = 0; i < 16; i++) {
            if (round & 1)
                memset(set_a.ymm[i], 0, 16);
            if (round & 2)
                memset(set_a.ymm[i] + 16, 0, 16);
        }
        if (round & 4) {
            set_a.env.fcw = 0x37f;
            set_a.env.ftw = 0xffff;
            memset(set_a.st, 0, sizeof(set_a.st));
        }
        put(&set_a);
        right &= run(&b);
        touch(&b);
        randomise(&set_b);
        put(&set_b);
    }
    stop(&a);
    stop(&b);
    return right;
}

/* The guest's XSETBV in the middle: AVX comes, goes (BUGS 35) and comes back. */
static bool bugs35_xcr0(void)
{
    bool right = true;

    if (!wide_vectors())
        return true;
    start_with(&a, FP_LAZY, 3);
    start(&b, FP_LAZY);
    for (u32 round = 0; round < 50; round++) {
        right &= run(&a);
        touch(&a);
        u32 before = a.fp.area.bytes;
        right &= xsetbv_write(&a, 0, 7) == XSETBV_DONE;
        right &= round > 0 || a.fp.area.bytes > before;
        right &= user_xcr0 == 7;
        right &= round == 0 || same(get(), &set_a, false);
        randomise(&set_a);
        put(&set_a);
        right &= xsetbv_write(&a, 0, 3) == XSETBV_DONE; /* lowered with AVX live */
        right &= run(&b) && is_init() && user_xcr0 == b.fp.arch.xcr0;
        touch(&b);
        randomise(&set_b);
        put(&set_b);
    }
    stop(&a);
    stop(&b);
    return right && is_init();
}

/* Growth while the registers are live moves nothing in them. */
static bool growth_while_live(void)
{
    if (!wide_vectors())
        return true;
    start_with(&a, FP_LAZY, 3);
    bool right = run(&a);
    touch(&a);
    randomise(&set_a);
    put(&set_a);
    /* AVX's uppers are not the guest's before; they come up as INIT. */
    for (u32 i = 0; i < 16; i++)
        memset(set_a.ymm[i] + 16, 0, 16);
    put(&set_a);
    right &= xsetbv_write(&a, 0, 7) == XSETBV_DONE && same(get(), &set_a, false);
    fp_sync(&a);
    right &= same(get(), &set_a, false);
    start(&b, FP_LAZY);
    right &= run(&b) && run(&a);
    touch(&a);
    right &= same(get(), &set_a, false);
    stop(&a);
    stop(&b);
    return right;
}

/* BUGS 36: 32-bit code keeps its selectors, where the CPU has them and no signal drops them. */
static bool bugs36_32bit_form(void)
{
    bool right = true;

    start(&a, FP_LAZY);
    start(&b, FP_LAZY);
    code64(false);
    right &= run(&a);
    touch(&a);
    randomise(&set_a);
    set_a.env.fcw = 0x340; /* unmasked, and pending: AMD saves the pointers only then */
    set_a.env.fsw = 0x8081;
    set_a.env.fip = 0x1000;
    set_a.env.fcs = 0x33;
    set_a.env.fdp = 0x2000;
    set_a.env.fds = 0x2b;
    put(&set_a);
    const struct fp_env before = get()->env; /* what this CPU keeps of it */
    fp_sync(&a);
    const struct fxsave_image *image = a.fp.area.base;
    right &=
        a.fp.arch.code32 == fp_hw.keep_selectors && (!x87_pointers || (u32)image->fip == 0x1000);
    right &= run(&b) && run(&a);
    touch(&a);
    right &= same(get(), &set_a, true);
    if (undisturbed && x87_pointers)
        right &= get()->env.fcs == before.fcs && get()->env.fds == before.fds;
    stop(&a);
    stop(&b);
    return right;
}

static const struct user_test tests[] = {
    {"bugs4_fresh: INIT in every register", bugs4_fresh},
    {"bugs1_patterns held over 4000 switches", patterns_held},
    {"bugs2_bugs3_pointers over all FCW and FSW", bugs2_bugs3_pointers},
    {"bugs6_components in and out of INIT", bugs6_components},
    {"bugs35_xcr0 lowered with AVX live", bugs35_xcr0},
    {"growth while the registers are live", growth_while_live},
    {"bugs36_32bit_form", bugs36_32bit_form},
};

long user_main(void)
{
    return run_everything(tests, ARRAY_SIZE(tests)) != 0;
}
