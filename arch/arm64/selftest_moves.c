/*
 * Do the movers move? A pattern in every register at every vector length goes out and comes back;
 * after a scrub nothing is left; and one bit anywhere above bit 127, in P or in FFR is noticed by
 * what decides whether FPSIMD may be opened alone (I6).
 */
#include "arch/arch.h"
#include "fp_arm64.h"
#include "fp_moves.h"
#include "hv/console.h"
#include "selftest.h"
#include "sysreg.h"
#include "vec_layout.h"

#define FPSR_PATTERN 0x0800001full         /* QC and the exceptions but IDC */
#define FPCR_PATTERN (0x00c00000ull << 32) /* round towards zero */
#define IMAGE_WORDS  (VEC_VL_MAX * 34 / 8 + VEC_VL_MAX * 1 / 8)

/* Z, then P and FFR right behind. */
static u64 out[IMAGE_WORDS] ALIGNED(64), back[IMAGE_WORDS] ALIGNED(64);
static u64 scratch[2 * VEC_VL_MAX / 8] ALIGNED(64);

static u8 *predicates(u64 *image, u32 vl)
{
    return (u8 *)image + 32 * vl;
}

/* Different in every word; FFR is ones and then zeroes, as the architecture wants it (WRFFR). */
static void fill(u32 vl)
{
    u64 state = 0x9e3779b97f4a7c15ull * (vl + 1);

    for (u32 i = 0; i < IMAGE_WORDS; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        out[i] = state;
        back[i] = 0;
    }
    u8 *ffr = predicates(out, vl) + 16 * (vl / 8);
    memset(ffr, 0, vl / 8);
    memset(ffr, 0xff, vl / 16);
}

static bool failed(char *why, size_t n, const char *what, u32 vl)
{
    say_info("erratum: moves: expected %s at %u bits, got something else; Fermata stops", what,
             8 * vl);
    format_text(why, n,
                "self-test moves: no %s at %u bits of vector length: this CPU or emulator "
                "cannot be used",
                what, 8 * vl);
    return false;
}

static bool is_scrubbed(void)
{
    return (!features.sve || fp_move_uppers(scratch) == 0) && fp_move_any_v(scratch) == 0 &&
           fp_move_status() == 0;
}

static bool status_round_trip(void)
{
    fp_move_status_set(FPCR_PATTERN | FPSR_PATTERN);
    return fp_move_status() == (FPCR_PATTERN | FPSR_PATTERN);
}

static bool fpsimd_round_trip(char *why, size_t n)
{
    fill(VEC_VL_MIN);
    fp_move_load_v(out);
    fp_move_save_v(back);
    if (memcmp(out, back, VEC_V_BYTES) != 0)
        return failed(why, n, "V0-V31 as they were saved", VEC_VL_MIN);
    if (!status_round_trip())
        return failed(why, n, "FPSR and FPCR as they were written", VEC_VL_MIN);
    fp_move_scrub_v();
    if (fp_move_any_v(scratch) || fp_move_status())
        return failed(why, n, "zeroes after a scrub", VEC_VL_MIN);
    return true;
}

static bool sve_round_trip(u32 vl, char *why, size_t n)
{
    if (fp_move_rdvl() != vl)
        return failed(why, n, "the vector length that was set", vl);
    fill(vl);
    fp_move_load_z(out, predicates(out, vl));
    fp_move_save_z(back, predicates(back, vl));
    if (memcmp(out, back, 32 * vl + 17 * (vl / 8)) != 0)
        return failed(why, n, "Z, P and FFR as they were saved", vl);
    if (!status_round_trip())
        return failed(why, n, "FPSR and FPCR as they were written", vl);
    fp_move_scrub_v();
    fp_move_scrub_p();
    if (!is_scrubbed())
        return failed(why, n, "zeroes after a scrub", vl);
    return true;
}

/* One bit set in the byte at `offset` of an image that is otherwise zero: seen by the detector? */
static bool notices(u32 vl, u32 offset, bool want)
{
    memset(out, 0, sizeof(out));
    ((u8 *)out)[offset] = 1;
    fp_move_load_z(out, predicates(out, vl));
    bool seen = fp_move_uppers(scratch) != 0;
    fp_move_save_z(back, predicates(back, vl));
    return seen == want && memcmp(out, back, 32 * vl + 17 * (vl / 8)) == 0;
}

/* At the longest length: first and last upper byte of a first, a middle and a last register, P,
 * FFR; and V parts are not seen. The detector must leave every register as it was. */
static bool detector(u32 vl, char *why, size_t n)
{
    bool good = notices(vl, 0, false) && notices(vl, 31 * vl + 15, false);

    for (u32 z = 0; good && z < 32 && vl > VEC_VL_MIN; z++)
        good = notices(vl, z * vl + VEC_VL_MIN, true) && notices(vl, z * vl + vl - 1, true);
    for (u32 p = 0; good && p < 17; p++)
        good = notices(vl, 32 * vl + p * (vl / 8), true);
    if (!good)
        return failed(why, n, "exact news of what lies above bit 127", vl);
    return true;
}

bool selftest_moves(struct pcpu *cpu, char *why, size_t n)
{
    u32 lengths = 0;

    fp_open(cpu, FP_UNIT_FPSIMD);
    if (!fpsimd_round_trip(why, n))
        return false;
    if (features.sve) {
        fp_open(cpu, FP_UNIT_FPSIMD | FP_UNIT_SVE);
        for (u32 len = 0; len < 16; len++) {
            if (!(features.sve_vls & (1u << len)))
                continue;
            fp_set_vl(cpu, 16 * (len + 1));
            if (!sve_round_trip(16 * (len + 1), why, n))
                return false;
            lengths++;
        }
        if (!detector(features.sve_vl, why, n))
            return false;
    }
    fp_open(cpu, 0);
    say_info("selftest: moves: FPSIMD and %u SVE vector lengths go out and come back, scrub leaves "
             "zero",
             lengths);
    return true;
}
