/*
 * An operating system in miniature, one on each vCPU: threads that get the tiles lazily, by XFD.
 * Each has an XSAVE area; XFD is armed while a thread has no tile data; the first instruction that
 * wants some is #NM, and the handler looks at XFD_ERR, gives the thread a larger area, disarms XFD
 * for it and clears XFD_ERR. A thread that released its tiles is taken them away again. All the
 * hypervisor sees is WRMSR, XSAVE, XRSTOR and tile instructions, in an order of the guest's.
 */
#include "guest/x86_64/xfd.h"

#define THREADS 5

enum habit { TILES_ALWAYS, TILES_AT_TIMES, TILES_NEVER };

struct thread {
    enum habit habit;
    bool has_data; /* an area large enough for tile data, and XFD clear */
    u32 faults, steps;
    u64 seed;
    struct tiles want, saved; /* saved: where XSAVE of tiles is not to be trusted */
    struct fp_image other;
    u8 area[XSAVE_MAX];
} ALIGNED(64);

struct os {
    struct thread threads[THREADS];
    struct thread *current;
    u64 seed, turns;
    u32 faults, stray, errors;
    const char *bad;
} ALIGNED(64);
static struct os systems[2]; /* vCPUs 0 and 1; others stay out */

/* Like any kernel: the form that leaves out most, and what it saved is restored by its own kind. */
static void save(void *area, u64 mask)
{
    (features.xsaves ? fp_xsaves : features.xsavec ? fp_xsavec : fp_xsave)(area, mask);
}

static void restore(const void *area, u64 mask)
{
    (features.xsaves ? fp_xrstors : fp_xrstor)(area, mask);
}

static bool first_touch(struct trap_frame *frame)
{
    struct os *os = &systems[this_cpu()->id];
    u64 err = xfd_err_take();

    (void)frame;
    if (err != XCR0_TILEDATA || os->current->has_data) {
        os->stray++;
        return false;
    }
    os->faults++;
    os->current->faults++;
    os->current->has_data = true;
    xfd_set(0);
    return true;
}

static void switch_to(struct os *os, struct thread *next)
{
    struct thread *prev = os->current;
    u64 small = features.xcr0 & ~(u64)XCR0_TILEDATA;

    if (amx_errata.image) {
        small &= FP_NOT_TILES;
        if (prev->has_data)
            tile_store(prev->saved.data, tiles_usable(&prev->want));
        prev->saved.cfg = prev->want.cfg;
    }
    save(prev->area, prev->has_data && !amx_errata.image ? features.xcr0 : small);
    /* One that released its tiles starts anew. */
    if (prev->has_data && !prev->want.cfg.palette)
        prev->has_data = false;
    os->current = next;
    if (amx_errata.image) {
        tile_release();
        xfd_set(next->has_data ? 0 : XCR0_TILEDATA);
        restore(next->area, small);
        if (next->saved.cfg.palette)
            tile_ldcfg(&next->saved.cfg);
        if (next->has_data)
            tile_load(next->saved.data, tiles_usable(&next->saved));
        return;
    }
    xfd_set(next->has_data ? 0 : XCR0_TILEDATA);
    restore(next->area, features.xcr0);
}

/* One thing the thread does. NULL, or what was wrong. */
static const char *run(struct thread *t)
{
    bool uses = t->habit == TILES_ALWAYS || (t->habit == TILES_AT_TIMES && t->steps / 8 % 2);
    const char *bad = NULL;

    t->steps++;
    if (uses)
        bad = tile_step(&t->want, &t->seed);
    else if (t->want.cfg.palette) {
        tile_release();
        memset(&t->want, 0, sizeof(t->want));
    }
    if (!bad && uses && t->steps % 3 == 0 && !tiles_match(&t->want, "thread"))
        bad = "looking at its tiles";
    if (!bad && t->steps % 5 == 0 &&
        !fp_holds(&t->other, (enum fp_first)(t->steps / 5 % FIRST_WAYS), "thread"))
        bad = "looking at all else";
    return bad;
}

static void threads_begin(struct os *os, u32 id)
{
    static const enum habit habits[THREADS] = {TILES_ALWAYS, TILES_NEVER, TILES_AT_TIMES,
                                               TILES_ALWAYS, TILES_AT_TIMES};

    memset(os, 0, sizeof(*os));
    os->seed = pattern_seed(id, 60);
    tile_release();
    xfd_set(XCR0_TILEDATA);
    for (u32 i = 0; i < THREADS; i++) {
        struct thread *t = &os->threads[i];
        t->habit = habits[i];
        t->seed = pattern_next(&os->seed);
        fp_pattern(&t->other, t->seed);
        fp_load(&t->other);
        save(t->area, features.xcr0 & FP_NOT_TILES);
    }
    os->current = &os->threads[THREADS - 1];
    this_cpu()->nm_handler = first_touch;
}

static void threads_run(void *turns)
{
    u32 id = this_cpu()->id;
    struct os *os = &systems[id];

    threads_begin(os, id);
    for (os->turns = 0; os->turns < *(const u64 *)turns; os->turns++) {
        u64 random = pattern_next(&os->seed);
        away(random);
        switch_to(os, &os->threads[(random >> 32) % THREADS]);
        for (u32 i = 0; i < 1 + (random >> 40 & 3); i++) {
            away(random >> (16 + i));
            const char *bad = run(os->current);
            if (rdmsr(MSR_XFD) != (os->current->has_data ? 0 : XCR0_TILEDATA) || rdmsr(MSR_XFD_ERR))
                bad = "looking at XFD and XFD_ERR";
            if (bad && os->errors++ == 0)
                os->bad = bad;
        }
    }
    this_cpu()->nm_handler = NULL;
    tile_release();
    xfd_set(0);
}

void xfd_threads(void)
{
    static u64 turns;
    u32 cpus = cpus_start() > 1 ? 2 : 1;

    turns = 4 * cmdline_u64("hold", 2000);
    if (cpus > 1)
        cpu_run(1, threads_run, &turns);
    threads_run(&turns);
    for (u32 id = 0; id < cpus; id++) {
        const struct os *os = &systems[id];
        u32 never = 0, users = 0;
        if (id)
            cpu_wait(id);
        for (u32 i = 0; i < THREADS; i++) {
            const struct thread *t = &os->threads[i];
            never += t->habit == TILES_NEVER ? t->faults : 0;
            users += t->habit != TILES_NEVER && t->faults ? 1 : 0;
        }
        ok(!os->errors, "vCPU %u: every thread keeps its registers, %lu turns", id,
           (unsigned long)os->turns);
        if (os->errors)
            diag("vCPU %u: %u wrong, the first after %s", id, os->errors, os->bad);
        ok(!os->stray && !never && users,
           "vCPU %u: #NM by XFD only for threads that have no tiles yet, %u", id, os->faults);
    }
}
