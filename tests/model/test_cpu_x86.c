/*
 * The model of an x86-64 CPU (tests/model/x86_64/cpu.h) against the one this runs on: XSAVE,
 * XSAVEOPT, XSAVEC, XRSTOR, FXSAVE, FXRSTOR, XGETBV(1) and AMX, of random states, images and masks,
 * byte for byte, faults included. What the CPU lacks is skipped and said. SEED=n repeats a run,
 * STEPS=n makes it longer.
 *
 * links: tests/model/x86_64/cpu.c tests/model/x86_64/cpu_xsave.c tests/model/x86_64/cpu_amx.c
 * links: tests/model/x86_64/random.c tests/model/x86_64/hw.S
 * machine: x86_64
 */
#include "tests/model/x86_64/hw.h"
#include "tests/model/x86_64/random.h"

#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#define STEPS            20000u
#define ARCH_GET_PERM    0x1022
#define ARCH_REQ_PERM    0x1023
#define CPUID7_EBX_NOFCS BIT(13)

static struct x86_config config;
static struct x86_cpu cpu;
static struct hw_seen seen;
static u8 from[X86_AREA_BYTES] ALIGNED(64), dump[X86_AREA_BYTES] ALIGNED(64),
    clean[X86_AREA_BYTES] ALIGNED(64);
static u8 got[X86_AREA_BYTES] ALIGNED(64), want[X86_AREA_BYTES] ALIGNED(64);
static u64 in_use;

/* ---- The CPU this runs on ---- */

static sigjmp_buf back;
static volatile sig_atomic_t waiting;

static void on_fault(int number)
{
    if (!waiting) {
        signal(number, SIG_DFL);
        return;
    }
    siglongjmp(back, number);
}

/* Runs `op` on the state in `from`; the vector of what it raised, or 0. */
static int run(void (*op)(void), void *operand, u64 mask)
{
    int number = sigsetjmp(back, 1);

    if (!number) {
        waiting = 1;
        hw_run(from, op, operand, mask, &seen);
        waiting = 0;
        return X86_NONE;
    }
    waiting = 0;
    hw_clean(seen.all, clean);
    return number == SIGILL ? X86_UD : X86_GP;
}

static u32 mxcsr_mask(void)
{
    static u8 area[512] ALIGNED(16);
    u32 mask;

    __asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
    memcpy(&mask, area + 28, 4);
    return mask ? mask : 0xffbf;
}

static void learn_features(void)
{
    u32 a, b, c, d, vendor;

    __cpuid(0, a, vendor, c, d);
    config.pointers_with_es = vendor != signature_INTEL_ebx;
    __cpuid_count(7, 0, a, b, c, d);
    config.no_fcs_fds = b & CPUID7_EBX_NOFCS;
    __cpuid_count(0xd, 1, a, b, c, d);
    config.xsaveopt = a & BIT(0);
    config.xsavec = a & BIT(1);
    config.xgetbv1 = a & BIT(2);
    config.mxcsr_mask = mxcsr_mask();
}

/* False, and why: there is nothing to compare with. */
static bool learn(void)
{
    u32 a, b, c, d;

    __cpuid(1, a, b, c, d);
    if (!(c & bit_OSXSAVE)) {
        print_message("SKIP: this CPU has no XSAVE\n");
        return false;
    }
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    u64 xcr0 = a | (u64)d << 32;
    /* The operating system gives tiles to those who ask. */
    if ((xcr0 & X86_AMX) && syscall(SYS_arch_prctl, ARCH_REQ_PERM, 18) != 0) {
        print_message("SKIP AMX: the kernel does not give it\n");
        xcr0 &= ~X86_AMX;
    }
    if (!(xcr0 & X86_AMX))
        print_message("SKIP AMX: not here\n");
    x86_layout(&config, xcr0 & (7 | X86_AVX512 | X86_AMX));
    config.aligned = 0;
    for (unsigned n = 2; n < X86_COMPONENTS; n++) {
        if (!(xcr0 & BIT(n)))
            continue;
        __cpuid_count(0xd, n, a, b, c, d);
        config.bytes[n] = a;
        config.offset[n] = b;
        config.aligned |= c & 2 ? BIT(n) : 0;
    }
    learn_features();
    return true;
}

/* Before each test: cmocka puts handlers of its own around it. */
static void take_faults(void)
{
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};

    sigaction(SIGILL, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    random_start(random_seed());
}

static int setup(void **unused)
{
    u32 mxcsr = 0x1f80;

    (void)unused;
    memcpy(clean + 24, &mxcsr, 4);
    if (!learn())
        return 0;
    seen = (struct hw_seen){(u32)config.xcr0, config.xgetbv1, 0, 0, dump, clean};
    return 0;
}

/* ---- States ---- */

static void new_state(void)
{
    x86_reset(&cpu, &config);
    cpu.cr4 |= 0x40000; /* OSXSAVE */
    cpu.xcr0 = config.xcr0;
    cpu.cpl = 3;
    for (unsigned n = 0; n < X86_COMPONENTS; n++) {
        if (config.xcr0 & BIT(n))
            random_component(&cpu, n);
    }
    memset(from, 0, sizeof(from));
    cpu.in_use = NULL;
    assert_int_equal(x86_save(&cpu, X86_XSAVE, from, ~0ull, true), 0);
}

/* XINUSE may be 1 for what is in INIT, never 0 for what is not (SDM 1, 13.6). */
static void believe(u64 hardware)
{
    cpu.in_use = NULL;
    u64 must = x86_xinuse(&cpu) & cpu.xcr0;
    if (config.xgetbv1 && (must & ~hardware))
        fail_msg("XINUSE %llx, but %llx are not INIT", (unsigned long long)hardware,
                 (unsigned long long)must);
    in_use = config.xgetbv1 ? hardware : must;
    cpu.in_use = &in_use;
}

static void same(const u8 *a, const u8 *b, const char *what)
{
    for (u32 i = 0; i < X86_AREA_BYTES; i++) {
        if (a[i] != b[i])
            fail_msg("%s: byte %u (0x%x): hardware %02x, model %02x", what, i, i, a[i], b[i]);
    }
}

/*
 * Beyond its configured rows and columns a tile may hold what an XRSTOR put there: TILELOADD and
 * TDP* should zero it (SDM 2), Sapphire Rapids leaves it. No tile instruction can see it.
 */
static void forget_beyond(u8 *image)
{
    const struct x86_tilecfg *c = &cpu.s.tilecfg;

    for (u32 i = 0; i < X86_TILES * 16; i++) {
        u32 tile = i / 16, row = i % 16,
            used = c->palette && row < c->rows[tile] ? c->colsb[tile] : 0;
        memset(image + config.offset[18] + 64 * i + used, 0, 64 - used);
    }
}

/* Everything the registers hold afterwards. */
static void compare_all(const char *what, bool amx)
{
    believe(seen.after);
    memset(want, 0, sizeof(want));
    assert_int_equal(x86_save(&cpu, X86_XSAVE, want, ~0ull, true), 0);
    if (amx)
        forget_beyond(dump), forget_beyond(want);
    memcpy(want + 512, dump + 512, 8); /* which are in use: believed */
    same(dump, want, what);
}

static u64 random_mask(void)
{
    return one_in(4) ? ~0ull : random64() & random64();
}

/* ---- Tests ---- */

static const struct {
    const char *name;
    void (*op)(void);
    enum x86_save kind;
    bool rexw;
} saves[] = {
    {"XSAVE64", hw_xsave64, X86_XSAVE, true},
    {"XSAVE", hw_xsave32, X86_XSAVE, false},
    {"XSAVEOPT64", hw_xsaveopt64, X86_XSAVEOPT, true},
    {"XSAVEOPT", hw_xsaveopt32, X86_XSAVEOPT, false},
    {"XSAVEC64", hw_xsavec64, X86_XSAVEC, true},
    {"XSAVEC", hw_xsavec32, X86_XSAVEC, false},
};

static void saving(void **unused)
{
    u64 steps = random_steps(STEPS);

    (void)unused;
    take_faults();
    for (u64 i = 0; config.xcr0 && i < steps; i++) {
        u32 n = random_below(ARRAY_SIZE(saves));
        u64 mask = random_mask() & ~X86_PKRU;
        new_state();
        random_bytes(got, one_in(4) ? sizeof(got) : 576);
        memcpy(want, got, sizeof(got));
        if (!seen.xgetbv1 && saves[n].kind != X86_XSAVE)
            continue; /* what it leaves out could not be known */
        int vector = run(saves[n].op, got, mask);
        /*
         * Which components it took for INIT is in what it stored: XGETBV(1) counts MXCSR as SSE,
         * and a context switch after it may have changed the answer.
         */
        u64 bv;
        memcpy(&bv, got + 512, 8);
        if (!vector)
            seen.before = (seen.before & ~mask) | (bv & mask);
        believe(seen.before);
        assert_int_equal(vector, x86_save(&cpu, saves[n].kind, want, mask, saves[n].rexw));
        if (!vector)
            same(got, want, saves[n].name);
        memset(dump, 0, sizeof(dump));
    }
}

/* An image of another state, in either format, sometimes with a header that is refused. */
static void new_image(void)
{
    static struct x86_cpu mine;
    u64 mask = random_mask();

    mine = cpu;
    new_state();
    memset(got, 0, sizeof(got));
    x86_save(&cpu, config.xsavec && one_in(2) ? X86_XSAVEC : X86_XSAVE, got, mask, one_in(2));
    cpu = mine;
    u64 *header = (u64 *)(void *)(got + 512);
    if (one_in(8))
        header[random_below(8)] ^= BIT(random_below(64));
    if (one_in(8))
        header[0] &= random64();
    if (one_in(16))
        got[24 + random_below(4)] ^= (u8)(1u << random_below(8)); /* MXCSR */
}

static void restoring(void **unused)
{
    u64 steps = random_steps(STEPS);

    (void)unused;
    take_faults();
    for (u64 i = 0; config.xcr0 && i < steps; i++) {
        bool rexw = one_in(2);
        u64 mask = random_mask() & ~X86_PKRU;
        new_state();
        static u8 start[X86_AREA_BYTES];
        memcpy(start, from, sizeof(start));
        new_image();
        memcpy(from, start, sizeof(from));
        memset(dump, 0, sizeof(dump));
        int vector = run(rexw ? hw_xrstor64 : hw_xrstor32, got, mask);
        assert_int_equal(vector, x86_restore(&cpu, false, got, mask, rexw));
        if (!vector)
            compare_all(rexw ? "XRSTOR64" : "XRSTOR", false);
    }
}

static void legacy(void **unused)
{
    u64 steps = random_steps(STEPS) / 4;

    (void)unused;
    take_faults();
    for (u64 i = 0; config.xcr0 && i < steps; i++) {
        bool rexw = one_in(2);
        new_state();
        random_bytes(got, 512);
        memcpy(want, got, sizeof(got));
        memset(dump, 0, sizeof(dump));
        if (one_in(2)) {
            assert_int_equal(run(rexw ? hw_fxsave64 : hw_fxsave32, got, 0), X86_NONE);
            assert_int_equal(x86_fxsave(&cpu, want, rexw), X86_NONE);
            same(got, want, "FXSAVE");
            continue;
        }
        if (one_in(2))
            memset(got + 26, 0, 2);
        memset(got + 14, 0, 2), memset(got + 22, 0, 2); /* canonical */
        int vector = run(rexw ? hw_fxrstor64 : hw_fxrstor32, got, 0);
        assert_int_equal(vector, x86_fxrstor(&cpu, got, rexw));
        if (!vector)
            compare_all("FXRSTOR", false);
    }
}

/* ---- AMX ---- */

static void (*of_tile(void (*op)(void), u32 tile))(void)
{
    return (void (*)(void))((uintptr_t)op + 16 * tile);
}

static int on_model(u32 what, u32 tile, struct x86_tilecfg *c, u8 *memory)
{
    switch (what) {
    case 0:
        return x86_ldtilecfg(&cpu, c);
    case 1:
        return x86_sttilecfg(&cpu, c);
    case 2:
        return x86_tilerelease(&cpu);
    case 3:
        return x86_tilezero(&cpu, tile);
    case 4:
    case 5:
        return x86_tileloadd(&cpu, tile, memory, 64);
    case 6:
        return x86_tilestored(&cpu, tile, memory, 64);
    default:
        return x86_tdp(&cpu, (enum x86_dot)(what - 7), 0, 1, 2);
    }
}

static void tiles(void **unused)
{
    static void (*const ops[])(void) = {hw_ldtilecfg, hw_sttilecfg, hw_tilerelease, hw_tilezero,
                                        hw_tileloadd, hw_tileloadd, hw_tilestored,  hw_tdpbssd,
                                        hw_tdpbsud,   hw_tdpbusd,   hw_tdpbuud};
    static struct x86_tilecfg c ALIGNED(64), c2;
    u64 steps = random_steps(STEPS);

    (void)unused;
    take_faults();
    for (u64 i = 0; (config.xcr0 & X86_AMX) && i < steps; i++) {
        u32 what = random_below(ARRAY_SIZE(ops)),
            tile = what >= 3 && what <= 6 ? random_below(8) : 0;
        new_state();
        if (what >= 7 && one_in(2)) {
            do
                random_tilecfg(&cpu.s.tilecfg);
            while (!x86_tilecfg_valid(&cpu.s.tilecfg) || !cpu.s.tilecfg.palette);
            memset(from, 0, sizeof(from));
            assert_int_equal(x86_save(&cpu, X86_XSAVE, from, ~0ull, true), 0);
        }
        random_tilecfg(&c);
        c2 = c;
        random_bytes(got, X86_TILE_BYTES);
        memcpy(want, got, X86_TILE_BYTES);
        memset(dump, 0, sizeof(dump));
        int vector = run(of_tile(ops[what], tile), what < 2 ? (void *)&c : got, 0);
        u32 wanted = (u32)on_model(what, tile, &c2, want);
        if (vector != (int)wanted || memcmp(&c, &c2, 64) != 0 ||
            memcmp(got, want, X86_TILE_BYTES) != 0)
            fail_msg("AMX %u, tile %u: hardware %d, model %u", what, tile, vector, wanted);
        if (!vector) {
            compare_all("AMX", true);
            assert_int_equal((seen.after & X86_TILEDATA) != 0, cpu.s.tiles_used);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(saving),
        cmocka_unit_test(restoring),
        cmocka_unit_test(legacy),
        cmocka_unit_test(tiles),
    };

    return cmocka_run_group_tests_name("cpu_x86", tests, setup, NULL);
}
