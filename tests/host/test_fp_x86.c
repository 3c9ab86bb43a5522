/*
 * hv/fp.c and arch/x86_64's FP code on the real registers of the CPU this runs on: random sequences
 * of three contexts, an oracle beside each. A guest's XSETBV, 32-bit code, pending x87 exceptions,
 * growth and death come at any time.
 *
 * links: hv/fp.c hv/fp_area.c hv/format.c hv/string.c arch/x86_64/fp.c arch/x86_64/fp_moves.S
 * links: arch/x86_64/fp_debug.c arch/x86_64/fp_tiles.c arch/x86_64/fp_xfd.c
 * links: arch/x86_64/xstate_layout.c arch/x86_64/fp_components.c arch/x86_64/cr.c
 * links: tests/host/x86_64/user.S tests/host/x86_64/user_fault.c
 * links: tests/host/x86_64/user_machine.c
 * machine: user_x86_64
 */
#include "tests/host/x86_64/user_machine.h"

#define CONTEXTS 3u
#define STEPS    3000u

static struct vcpu vcpus[CONTEXTS];
static struct regs oracle[CONTEXTS];
static bool pointers_known[CONTEXTS]; /* an exception was pending: FIP, FDP, FOP are kept by all */

static void create(u32 i)
{
    static const struct regs init = {.env = {.fcw = 0x37f, .ftw = 0xffff}, .mxcsr = 0x1f80};

    /* XCR0 after reset is 1, and SSE needs no bit of it: 3 is what was ever enabled. */
    start_with(&vcpus[i], user_random() % 3 ? FP_LAZY : FP_EAGER, 3);
    if (cpu_has.xsave) {
        vcpus[i].fp.arch.xcr0 = 1;
        fp_plan(&vcpus[i].fp);
    }
    oracle[i] = init;
    pointers_known[i] = true;
}

/* YMM's upper halves are the guest's only while its XCR0 has them; else they are just kept. */
static bool avx_enabled(const struct vcpu *v)
{
    return wide_vectors() && (v->fp.arch.xcr0 & 4);
}

static bool look(u32 i)
{
    static struct regs found;

    found = *get();
    if (!avx_enabled(&vcpus[i])) {
        for (u32 n = 0; n < 16; n++)
            memcpy(found.ymm[n] + 16, oracle[i].ymm[n] + 16, 16);
    }
    return same(&found, &oracle[i], pointers_known[i]);
}

static void write(u32 i)
{
    static struct regs fresh;
    u32 what = (u32)user_random() % 8;

    randomise(&fresh);
    for (u32 n = 0; n < 16; n++) {
        if (what == 1) /* SSE in INIT */
            memset(fresh.ymm[n], 0, 16);
        if (what == 2) /* AVX in INIT */
            memset(fresh.ymm[n] + 16, 0, 16);
        if (!avx_enabled(&vcpus[i])) /* a legacy SSE write leaves the upper half as it is */
            memcpy(fresh.ymm[n] + 16, oracle[i].ymm[n] + 16, 16);
    }
    if (what == 1)
        fresh.mxcsr = 0x1f80;
    if (what == 3) { /* x87 in INIT */
        fresh.env = (struct fp_env){.fcw = 0x37f, .ftw = 0xffff};
        memset(fresh.st, 0, sizeof(fresh.st));
    }
    pointers_known[i] = what == 3;
    if (what == 4) { /* an unmasked exception is pending */
        fresh.env.fcw &= (u16)~1u;
        fresh.env.fsw = 0x8081;
        fresh.env.fip = (u32)user_random();
        fresh.env.fdp = (u32)user_random();
        fresh.env.fop = (u16)(user_random() & 0x7ff);
        pointers_known[i] = true;
    }
    oracle[i] = fresh;
    put(&fresh);
}

/* The guest's access: a trap if the gate is closed, and then what is there is its own. */
static bool use(u32 i)
{
    touch(&vcpus[i]);
    vcpus[i].fp.in_sync = false; /* fp_enter(); its checks would look at this CPU's own XCR0 */
    bool right = look(i);
    if (user_random() % 2)
        write(i);
    return right;
}

/* BUGS 35: up and down with state live; refused values change nothing. */
static bool set_xcr0(u32 i)
{
    static const u64 values[] = {1, 3, 7, 0, 5, 0x207, 0xe7};
    u64 value = values[user_random() % ARRAY_SIZE(values)];
    u64 before = vcpus[i].fp.arch.xcr0;
    bool valid = value == 1 || value == 3 || (value == 7 && wide_vectors());

    if (!cpu_has.xsave)
        return true;
    enum xsetbv_result result = xsetbv_write(&vcpus[i], 0, value);
    if (!valid)
        return result == XSETBV_GP && vcpus[i].fp.arch.xcr0 == before;
    return result == XSETBV_DONE && user_xcr0 == value;
}

static bool step(void)
{
    u32 i = (u32)user_random() % CONTEXTS;
    struct vcpu *v = &vcpus[i];

    switch (user_random() % 16) {
    case 0: /* BUGS 24 */
        stop(v);
        create(i);
        return pcpus[0].fp_owner || is_init();
    case 1:
        code64(user_random() % 4);
        return true;
    case 2:
        if (!run(v))
            return false;
        fp_sync(v);
        return true;
    case 3:
    case 4:
        return run(v) && set_xcr0(i);
    case 5: /* BUGS 1: behind a closed gate there is nothing */
        return run(v) && (v->arch.gate_open || is_init());
    default:
        return run(v) && use(i);
    }
}

static bool sequence(void)
{
    bool right = true;
    u32 n;

    code64(true);
    fp_hw_init(&pcpus[0]);
    for (u32 i = 0; i < CONTEXTS; i++)
        create(i);
    for (n = 0; n < STEPS && right; n++)
        right = step();
    if (!right)
        user_print("# step %u\n", n);
    for (u32 i = 0; i < CONTEXTS; i++)
        stop(&vcpus[i]);
    return right && is_init();
}

static const struct user_test tests[] = {
    {"bugs1_bugs2_bugs24_bugs35: random steps", sequence},
    {"bugs1_bugs2_bugs24_bugs35: and other ones", sequence},
};

long user_main(void)
{
    return run_everything(tests, ARRAY_SIZE(tests)) != 0;
}
