/*
 * The SME half of arch/arm64/fp_moves.S in QEMU's user mode, at every streaming vector length there
 * is: ZA, the streaming form with and without FFR, and what a change of mode leaves. As
 * test_moves_arm64.c. ZT0 needs SME2: the boot self-test moves it.
 *
 * links: arch/arm64/fp_moves.S arch/arm64/vec_layout.c hv/format.c hv/string.c
 * links: tests/host/arm64/user.S tests/host/arm64/user.c
 * machine: user_arm64
 */
#include "tests/host/arm64/user.h"
#include "fp_moves.h"
#include "vec_layout.h"

#define SM    1u
#define ZA_ON 2u

static struct regs set, got;
static u8 za[65536] ALIGNED(64), seen[65536] ALIGNED(64), area[65536 + 64] ALIGNED(64);

static void fill(u8 *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[i] = (u8)user_random();
}

static bool untouched(size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (area[i] != 0xcc)
            return false;
    }
    return true;
}

static bool zero(const u8 *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (at[i])
            return false;
    }
    return true;
}

/* Both modes: ZA needs no streaming mode, and does not touch Z. */
static bool save_za(u32 svl)
{
    size_t n = svl * svl;
    bool right = true;

    for (u32 mode = ZA_ON; mode <= (ZA_ON | SM); mode++) {
        user_svcr_set(mode);
        fill(za, n);
        za_set(za, svl);
        memset(area, 0xcc, sizeof(area));
        fp_move_save_za(area, svl);
        za_get(seen, svl);
        right &= !memcmp(area, za, n) && !memcmp(seen, za, n) && untouched(n, sizeof(area));
        user_svcr_set(0);
    }
    return right;
}

static bool load_za(u32 svl)
{
    size_t n = svl * svl;

    user_svcr_set(ZA_ON);
    fill(area, n);
    fp_move_load_za(area, svl);
    za_get(seen, svl);
    user_svcr_set(0);
    return !memcmp(seen, area, n);
}

/* X12 is the guest's while the gate opens (vectors.S). */
static bool x12_kept(u32 svl)
{
    user_svcr_set(ZA_ON);
    bool right = user_x12(fp_move_save_za, area, svl) == 0x1234ull << 48 &&
                 user_x12((void (*)(void *, u64))fp_move_load_za, area, svl) == 0x1234ull << 48;
    user_svcr_set(0);
    return right;
}

/* Without FFR its place is left alone, and FFR itself. */
static bool save_streaming(u32 svl)
{
    bool right = true;

    for (u32 ffr = 0; ffr < 2; ffr++) {
        size_t p = VEC_P_OFFSET + (16 + ffr) * (svl / 8);
        user_svcr_set(SM);
        user_vl = svl;
        randomise(&set);
        memset(area, 0xcc, sizeof(area));
        regs_set(&set);
        fp_move_save_streaming(area, VEC_HEADER(VEC_STREAMING, svl), ffr);
        regs_get(&got);
        const struct vec_header *h = (const struct vec_header *)(const void *)area;
        right &= !memcmp(&set, &got, regs_bytes()) && h->form == VEC_STREAMING && h->vl == svl &&
                 h->fpsr == set.fpsr && h->fpcr == set.fpcr &&
                 !memcmp(area + vec_z_offset(svl), set.bytes, 32 * svl) &&
                 !memcmp(area + VEC_P_OFFSET, p_of(&set, 0), (16 + ffr) * (svl / 8)) &&
                 untouched(p, vec_z_offset(svl)) &&
                 untouched(vec_bytes(VEC_STREAMING, svl), sizeof(area));
        user_svcr_set(0);
    }
    return right;
}

static bool load_streaming(u32 svl)
{
    bool right = true;

    for (u32 ffr = 0; ffr < 2; ffr++) {
        user_svcr_set(SM);
        user_vl = svl;
        randomise(&got);
        got.fpcr = 0;
        regs_set(&got);
        randomise(&set);
        *(struct vec_header *)(void *)area =
            (struct vec_header){VEC_STREAMING, svl, (u32)set.fpsr, (u32)set.fpcr};
        memcpy(area + vec_z_offset(svl), set.bytes, 32 * svl);
        memcpy(area + VEC_P_OFFSET, p_of(&set, 0), 17 * (svl / 8));
        if (!ffr) /* it stays as it was */
            memcpy(p_of(&set, 16), p_of(&got, 16), svl / 8);
        fp_move_load_streaming(area, ffr);
        regs_get(&got);
        right &= !memcmp(&set, &got, regs_bytes());
        user_svcr_set(0);
    }
    return right;
}

/* What fp_sme.c relies on: a change of SM zeroes Z, P and FFR and sets FPSR; ZA comes on zeroed. */
static bool bugs1_mode(u32 svl)
{
    bool right = true;

    for (u64 to = 0; to < 2; to++) {
        fp_move_svcr_set((1 - to) | ZA_ON);
        user_vl = (u32)fp_move_rdvl();
        fill(za, svl * svl);
        za_set(za, svl);
        randomise(&set);
        regs_set(&set);
        fp_move_svcr_set(to);
        right &= fp_move_svcr() == to;
        user_vl = (u32)fp_move_rdvl();
        regs_get(&got);
        right &= zero(got.bytes, 32 * user_vl + 17 * (user_vl / 8)) && got.fpsr == 0x0800009f &&
                 got.fpcr == set.fpcr;
        fp_move_svcr_set(to | ZA_ON);
        za_get(seen, svl);
        right &= zero(seen, svl * svl);
        fp_move_svcr_set(0);
        fp_move_status_set(0);
    }
    return right;
}

static const struct {
    const char *name;
    bool (*test)(u32 svl);
} tests[] = {
    {"save ZA", save_za},
    {"load ZA", load_za},
    {"moves of ZA leave X12 alone", x12_kept},
    {"save the streaming form, with FFR and without", save_streaming},
    {"load the streaming form, with FFR and without", load_streaming},
    {"bugs1_mode: a change of mode leaves nothing", bugs1_mode},
};

long user_main(void)
{
    u32 bad = 0;

    user_print("1..%u\n", (u32)ARRAY_SIZE(tests));
    for (u32 i = 0; i < ARRAY_SIZE(tests); i++) {
        u32 lengths = 0;
        bool good = true;
        for (u32 svl = VEC_VL_MIN; svl <= VEC_VL_MAX; svl += 16) {
            if (!user_set_svl(svl))
                continue; /* this CPU does not have it */
            lengths++;
            bool right = fp_move_rdsvl() == svl && tests[i].test(svl);
            if (!right)
                user_print("# SVL %u\n", svl);
            good = good && right;
        }
        bad += !good;
        user_print("%sok %u - %s (%u streaming vector lengths)%s\n", good ? "" : "not ", i + 1,
                   tests[i].name, lengths, lengths ? "" : " # SKIP a CPU without SME");
    }
    return bad != 0;
}
