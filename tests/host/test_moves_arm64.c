/*
 * arch/arm64/fp_moves.S itself, in QEMU's user mode, at every vector length there is. Prints its
 * own TAP: there is no C library, and this file is compiled without vector registers.
 *
 * links: arch/arm64/fp_moves.S arch/arm64/vec_layout.c hv/format.c hv/string.c
 * links: tests/host/arm64/user.S
 * machine: user_arm64
 */
#include "fp_moves.h"
#include "hv/console.h"
#include "vec_layout.h"

#define SYS_WRITE     64
#define SYS_PRCTL     167
#define PR_SVE_SET_VL 50
#define PR_SVE_VL_LEN 0xffff
#define FPCR_TRIES    0x07c00000ull /* AHP, DN, FZ, RMode */
#define REGS_MAX      (16 + 33 * 256 + 17 * 32)

/* FPSR, FPCR, Z0-Z31, P0-P15, FFR at the current vector length. */
struct regs {
    u64 fpsr, fpcr;
    u8 bytes[REGS_MAX];
};

long user_call(long number, long a, long b, long c);
void regs_set(const struct regs *r);
void regs_get(struct regs *r);
long user_main(void);

static struct regs set, got;
static u8 area[16384] ALIGNED(64);
static u32 vl, count, failed;
static u64 seed = 20260729;

static u64 random(void)
{
    u64 z = seed += 0x9e3779b97f4a7c15ull;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static void print(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void print(const char *fmt, ...)
{
    char text[200];
    va_list args;

    va_start(args, fmt);
    int n = format_text_v(text, sizeof(text), fmt, args);
    va_end(args);
    user_call(SYS_WRITE, 1, (long)text, n);
}

void panic(const char *fmt, ...)
{
    print("# panic: %s\n", fmt);
    user_call(93, 1, 0, 0);
    for (;;)
        ;
}

static u8 *z_of(struct regs *r, u32 n)
{
    return r->bytes + n * vl;
}

static u8 *p_of(struct regs *r, u32 n)
{
    return r->bytes + 32 * vl + n * (vl / 8);
}

static size_t regs_bytes(void)
{
    return 16 + 32 * vl + 17 * (vl / 8);
}

/* FFR must be what a first-fault load leaves: ones up to some element, then zeros. */
static void random_ffr(struct regs *r)
{
    u32 ones = (u32)(random() % (vl + 1));

    memset(p_of(r, 16), 0, vl / 8);
    for (u32 i = 0; i < ones; i++)
        p_of(r, 16)[i / 8] |= (u8)(1u << (i % 8));
}

static void randomise(struct regs *r)
{
    for (size_t i = 0; i < sizeof(r->bytes); i++)
        r->bytes[i] = (u8)random();
    random_ffr(r);
    r->fpsr = random() & 0x0800009f;
    r->fpcr = random() & FPCR_TRIES;
}

static void clear_uppers(struct regs *r)
{
    for (u32 n = 0; n < 32; n++)
        memset(z_of(r, n) + 16, 0, vl - 16);
    memset(p_of(r, 0), 0, 17 * (vl / 8));
}

static bool same(void)
{
    return memcmp(&set, &got, regs_bytes()) == 0;
}

static bool zero(const u8 *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (at[i])
            return false;
    }
    return true;
}

static void result(bool good, const char *what)
{
    count++;
    failed += !good;
    if (!good)
        print("# VL %u: %s\n", vl, what);
}

static struct vec_header *header(void)
{
    return (struct vec_header *)(void *)area;
}

static bool untouched(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (area[i] != 0xcc)
            return false;
    }
    return true;
}

/* Saved: everything where vec_layout says, nothing beside it, and the registers as they were. */
static bool save_z(void)
{
    size_t end = vec_bytes(VEC_SVE, vl);

    randomise(&set);
    memset(area, 0xcc, sizeof(area));
    regs_set(&set);
    fp_move_save_z(area, VEC_SVE_HEADER(vl));
    regs_get(&got);
    return same() && header()->form == VEC_SVE && header()->vl == vl &&
           header()->fpsr == set.fpsr && header()->fpcr == set.fpcr &&
           !memcmp(area + vec_z_offset(vl), set.bytes, 32 * vl) &&
           !memcmp(area + VEC_P_OFFSET, p_of(&set, 0), 17 * (vl / 8)) &&
           untouched(sizeof(struct vec_header), VEC_P_OFFSET) &&
           untouched(VEC_P_OFFSET + 17 * (vl / 8), vec_z_offset(vl)) &&
           untouched(end, sizeof(area));
}

/* What a load finds: registers of no one, but for those it is to overwrite whatever they hold. */
static void before_load(void)
{
    randomise(&got);
    got.fpcr = 0; /* I4; the movers rely on it */
    regs_set(&got);
    randomise(&set);
    if (random() & 1)
        set.fpcr = 0;
    header()->fpsr = (u32)set.fpsr;
    header()->fpcr = (u32)set.fpcr;
}

static bool load_z(void)
{
    before_load();
    *header() = (struct vec_header){VEC_SVE, vl, (u32)set.fpsr, (u32)set.fpcr};
    memcpy(area + vec_z_offset(vl), set.bytes, 32 * vl);
    memcpy(area + VEC_P_OFFSET, p_of(&set, 0), 17 * (vl / 8));
    fp_move_load_z(area);
    regs_get(&got);
    return same();
}

/* Is the image the FPSIMD form of `set`? */
static bool holds_v(void)
{
    bool right = header()->form == VEC_FPSIMD && header()->vl == 0 && header()->fpsr == set.fpsr &&
                 header()->fpcr == set.fpcr;

    for (u32 n = 0; n < 32; n++)
        right &= !memcmp(area + VEC_V_OFFSET + 16 * n, z_of(&set, n), 16);
    return right;
}

static bool save_v(void)
{
    randomise(&set);
    memset(area, 0xcc, sizeof(area));
    regs_set(&set);
    fp_move_save_v(area);
    regs_get(&got);
    return same() && holds_v() && untouched(VEC_V_OFFSET + VEC_V_BYTES, sizeof(area));
}

/* The smallest form that holds it: FPSIMD's only if nothing above bit 127 would be lost. */
static bool save_smallest(void)
{
    bool right = true;

    for (u32 round = 0; round < 100; round++) {
        bool dirty = false;
        randomise(&set);
        clear_uppers(&set);
        if (round % 4 == 1 && vl > 16) {
            z_of(&set, (u32)random() % 32)[16 + random() % (vl - 16)] = 0x10;
            dirty = true;
        } else if (round % 4 == 2) {
            p_of(&set, (u32)random() % 16)[random() % (vl / 8)] = 0x10;
            dirty = true;
        } else if (round % 4 == 3) {
            p_of(&set, 16)[0] = 1;
            dirty = true;
        }
        memset(area, 0xcc, sizeof(area));
        regs_set(&set);
        right &= fp_move_save_sve(area, VEC_SVE_HEADER(vl)) == dirty;
        regs_get(&got);
        right &= same() && untouched(vec_bytes(VEC_SVE, vl), sizeof(area));
        if (dirty)
            right &= header()->form == VEC_SVE && header()->vl == vl &&
                     !memcmp(area + vec_z_offset(vl), set.bytes, 32 * vl) &&
                     !memcmp(area + VEC_P_OFFSET, p_of(&set, 0), 17 * (vl / 8));
        else
            right &= holds_v();
    }
    return right;
}

/* A load of V zeroes the rest of Z: what arch_fp_load() relies on. */
static bool load_v(void)
{
    before_load();
    for (u32 n = 0; n < 32; n++) {
        memcpy(area + VEC_V_OFFSET + 16 * n, z_of(&set, n), 16);
        memset(z_of(&set, n) + 16, 0, vl - 16);
    }
    memcpy(p_of(&set, 0), p_of(&got, 0), 17 * (vl / 8));
    fp_move_load_v(area);
    regs_get(&got);
    return same();
}

/* BUGS 1, 26: after a scrub nothing is left, in any register. */
static bool scrub(void)
{
    randomise(&set);
    regs_set(&set);
    fp_move_scrub_v();
    regs_get(&got);
    bool right = zero(got.bytes, 32 * vl) && got.fpsr == 0 && got.fpcr == 0 &&
                 !memcmp(p_of(&got, 0), p_of(&set, 0), 17 * (vl / 8));
    regs_set(&set);
    fp_move_scrub_z();
    regs_get(&got);
    return right && got.fpsr == 0 && got.fpcr == 0 && zero(got.bytes, 32 * vl + 17 * (vl / 8));
}

/* BUGS 26: FPSR and FPCR, different and the same, go out and in whole. */
static bool status(void)
{
    bool right = true;

    for (u32 round = 0; round < 64; round++) {
        randomise(&set);
        regs_set(&set);
        right &= fp_move_status() == (set.fpsr | set.fpcr << 32);
        u64 want = (random() & 0x0800009f) | (round & 1 ? set.fpcr : random() & FPCR_TRIES) << 32;
        fp_move_status_set(want);
        right &= fp_move_status() == want;
        regs_get(&got);
        right &= !memcmp(set.bytes, got.bytes, regs_bytes() - 16);
    }
    return right;
}

/* Noticed, and nothing changed by looking? */
static bool asked(void)
{
    regs_set(&set);
    bool found = fp_move_uppers(area) != 0;
    regs_get(&got);
    return found && same();
}

/* The question that I6 hangs on: every single bit above bit 127, in P and in FFR is noticed. */
static bool uppers_found(void)
{
    bool right = true;

    randomise(&set);
    clear_uppers(&set);
    for (u32 n = 0; n < 32 && vl > 16; n++) {
        for (u32 i = 16; i < vl; i++) {
            z_of(&set, n)[i] = (u8)(1u << (random() % 8));
            right &= asked();
            z_of(&set, n)[i] = 0;
        }
    }
    for (u32 n = 0; n < 16; n++) {
        for (u32 bit = 0; bit < vl; bit++) {
            p_of(&set, n)[bit / 8] = (u8)(1u << (bit % 8));
            right &= asked();
            p_of(&set, n)[bit / 8] = 0;
        }
    }
    for (u32 ones = 1; ones <= vl; ones++) {
        clear_uppers(&set);
        for (u32 i = 0; i < ones; i++)
            p_of(&set, 16)[i / 8] |= (u8)(1u << (i % 8));
        right &= asked();
    }
    return right;
}

static bool uppers_clean(void)
{
    bool right = true;

    for (u32 round = 0; round < 64; round++) {
        randomise(&set);
        clear_uppers(&set);
        memset(area, 0xcc, sizeof(area));
        regs_set(&set);
        right &= fp_move_uppers(area) == 0;
        regs_get(&got);
        right &= same() && area[2 * vl] == 0xcc; /* its scratch is two Z registers */
    }
    return right;
}

static bool any_v(void)
{
    bool right = true;

    for (u32 n = 0; n < 32; n++) {
        for (u32 i = 0; i < 16; i++) {
            randomise(&set);
            memset(set.bytes, 0, 32 * vl);
            z_of(&set, n)[i] = (u8)(1u << (random() % 8));
            regs_set(&set);
            right &= fp_move_any_v(area) != 0;
            regs_get(&got);
            right &= same();
        }
    }
    memset(set.bytes, 0, 32 * vl);
    regs_set(&set);
    right &= fp_move_any_v(area) == 0;
    return right;
}

static const struct {
    const char *name;
    bool (*test)(void);
} tests[] = {
    {"save Z, P and FFR", save_z},
    {"load Z, P and FFR", load_z},
    {"save V", save_v},
    {"save the smallest form that holds it", save_smallest},
    {"load V, the rest of Z becomes zero", load_v},
    {"bugs1_scrub leaves nothing", scrub},
    {"bugs26_status: FPSR and FPCR", status},
    {"bugs40_uppers: every bit above 127, of P and of FFR is found", uppers_found},
    {"uppers: none where there are none, registers as before", uppers_clean},
    {"any V", any_v},
};

long user_main(void)
{
    u32 bad = 0, lengths = 0;

    print("1..%u\n", (u32)ARRAY_SIZE(tests));
    for (u32 i = 0; i < ARRAY_SIZE(tests); i++) {
        failed = lengths = 0;
        for (u32 want = VEC_VL_MIN; want <= VEC_VL_MAX; want += 16) {
            long set_vl = user_call(SYS_PRCTL, PR_SVE_SET_VL, want, 0);
            vl = (u32)(set_vl & PR_SVE_VL_LEN);
            if (set_vl < 0 || vl != want)
                continue; /* this CPU does not have it */
            lengths++;
            result(fp_move_rdvl() == vl && tests[i].test(), tests[i].name);
        }
        bad += failed != 0 || lengths == 0;
        print("%sok %u - %s (%u vector lengths)\n", failed || !lengths ? "not " : "", i + 1,
              tests[i].name, lengths);
    }
    return bad != 0;
}
