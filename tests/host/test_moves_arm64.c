/*
 * arch/arm64/fp_moves.S itself, in QEMU's user mode, at every vector length there is. Prints its
 * own TAP: there is no C library, and this file is compiled without vector registers.
 *
 * links: arch/arm64/fp_moves.S arch/arm64/vec_layout.c hv/format.c hv/string.c
 * links: tests/host/arm64/user.S tests/host/arm64/user.c
 * machine: user_arm64
 */
#include "tests/host/arm64/user.h"
#include "fp_moves.h"
#include "vec_layout.h"

static struct regs set, got;
static u8 area[16384] ALIGNED(64);
static u32 count, failed;

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
        user_print("# VL %u: %s\n", user_vl, what);
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
    size_t end = vec_bytes(VEC_SVE, user_vl);

    randomise(&set);
    memset(area, 0xcc, sizeof(area));
    regs_set(&set);
    fp_move_save_z(area, VEC_HEADER(VEC_SVE, user_vl));
    regs_get(&got);
    return same() && header()->form == VEC_SVE && header()->vl == user_vl &&
           header()->fpsr == set.fpsr && header()->fpcr == set.fpcr &&
           !memcmp(area + vec_z_offset(user_vl), set.bytes, 32 * user_vl) &&
           !memcmp(area + VEC_P_OFFSET, p_of(&set, 0), 17 * (user_vl / 8)) &&
           untouched(sizeof(struct vec_header), VEC_P_OFFSET) &&
           untouched(VEC_P_OFFSET + 17 * (user_vl / 8), vec_z_offset(user_vl)) &&
           untouched(end, sizeof(area));
}

/* What a load finds: registers of no one, but for those it is to overwrite whatever they hold. */
static void before_load(void)
{
    randomise(&got);
    got.fpcr = 0; /* I4; the movers rely on it */
    regs_set(&got);
    randomise(&set);
    if (user_random() & 1)
        set.fpcr = 0;
    header()->fpsr = (u32)set.fpsr;
    header()->fpcr = (u32)set.fpcr;
}

static bool load_z(void)
{
    before_load();
    *header() = (struct vec_header){VEC_SVE, user_vl, (u32)set.fpsr, (u32)set.fpcr};
    memcpy(area + vec_z_offset(user_vl), set.bytes, 32 * user_vl);
    memcpy(area + VEC_P_OFFSET, p_of(&set, 0), 17 * (user_vl / 8));
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
        if (round % 4 == 1 && user_vl > 16) {
            z_of(&set, (u32)user_random() % 32)[16 + user_random() % (user_vl - 16)] = 0x10;
            dirty = true;
        } else if (round % 4 == 2) {
            p_of(&set, (u32)user_random() % 16)[user_random() % (user_vl / 8)] = 0x10;
            dirty = true;
        } else if (round % 4 == 3) {
            p_of(&set, 16)[0] = 1;
            dirty = true;
        }
        memset(area, 0xcc, sizeof(area));
        regs_set(&set);
        right &= fp_move_save_sve(area, VEC_HEADER(VEC_SVE, user_vl)) == (dirty ? 3 : 1);
        regs_get(&got);
        right &= same() && untouched(vec_bytes(VEC_SVE, user_vl), sizeof(area));
        if (dirty)
            right &= header()->form == VEC_SVE && header()->vl == user_vl &&
                     !memcmp(area + vec_z_offset(user_vl), set.bytes, 32 * user_vl) &&
                     !memcmp(area + VEC_P_OFFSET, p_of(&set, 0), 17 * (user_vl / 8));
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
        memset(z_of(&set, n) + 16, 0, user_vl - 16);
    }
    memcpy(p_of(&set, 0), p_of(&got, 0), 17 * (user_vl / 8));
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
    bool right = zero(got.bytes, 32 * user_vl) && got.fpsr == 0 && got.fpcr == 0 &&
                 !memcmp(p_of(&got, 0), p_of(&set, 0), 17 * (user_vl / 8));
    regs_set(&set);
    fp_move_scrub_z();
    regs_get(&got);
    return right && got.fpsr == 0 && got.fpcr == 0 &&
           zero(got.bytes, 32 * user_vl + 17 * (user_vl / 8));
}

/* BUGS 26: FPSR and FPCR, different and the same, go out and in whole. */
static bool status(void)
{
    bool right = true;

    for (u32 round = 0; round < 64; round++) {
        randomise(&set);
        regs_set(&set);
        right &= fp_move_status() == (set.fpsr | set.fpcr << 32);
        u64 want = (user_random() & 0x0800009f) |
                   (round & 1 ? set.fpcr : user_random() & 0x07c00000u) << 32;
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
    for (u32 n = 0; n < 32 && user_vl > 16; n++) {
        for (u32 i = 16; i < user_vl; i++) {
            z_of(&set, n)[i] = (u8)(1u << (user_random() % 8));
            right &= asked();
            z_of(&set, n)[i] = 0;
        }
    }
    for (u32 n = 0; n < 16; n++) {
        for (u32 bit = 0; bit < user_vl; bit++) {
            p_of(&set, n)[bit / 8] = (u8)(1u << (bit % 8));
            right &= asked();
            p_of(&set, n)[bit / 8] = 0;
        }
    }
    for (u32 ones = 1; ones <= user_vl; ones++) {
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
        right &= same() && area[2 * user_vl] == 0xcc; /* its scratch is two Z registers */
    }
    return right;
}

static bool any_v(void)
{
    bool right = true;

    for (u32 n = 0; n < 32; n++) {
        for (u32 i = 0; i < 16; i++) {
            randomise(&set);
            memset(set.bytes, 0, 32 * user_vl);
            z_of(&set, n)[i] = (u8)(1u << (user_random() % 8));
            regs_set(&set);
            right &= fp_move_any_v(area) != 0;
            regs_get(&got);
            right &= same();
        }
    }
    memset(set.bytes, 0, 32 * user_vl);
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

    user_print("1..%u\n", (u32)ARRAY_SIZE(tests));
    for (u32 i = 0; i < ARRAY_SIZE(tests); i++) {
        failed = lengths = 0;
        for (u32 want = VEC_VL_MIN; want <= VEC_VL_MAX; want += 16) {
            if (!user_set_vl(want))
                continue; /* this CPU does not have it */
            lengths++;
            result(fp_move_rdvl() == user_vl && tests[i].test(), tests[i].name);
        }
        bad += failed != 0 || lengths == 0;
        user_print("%sok %u - %s (%u vector lengths)\n", failed || !lengths ? "not " : "", i + 1,
                   tests[i].name, lengths);
    }
    return bad != 0;
}
