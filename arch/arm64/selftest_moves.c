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

#define FPSR_PATTERN 0x0800001fu /* QC and the exceptions but IDC */
#define FPCR_PATTERN 0x00c00000u /* round towards zero */
#define IMAGE_WORDS  ((VEC_P_OFFSET + 35 * VEC_VL_MAX) / 8)

static u64 out[IMAGE_WORDS] ALIGNED(64), back[IMAGE_WORDS] ALIGNED(64);
static u64 scratch[2 * VEC_VL_MAX / 8] ALIGNED(64);

static u8 *ffr(u64 *image, u32 vl)
{
    return (u8 *)image + VEC_P_OFFSET + 16 * (vl / 8);
}

static void set_header(enum vec_form form, u32 vl, u32 fpsr, u32 fpcr)
{
    struct vec_header header = {form, vl, fpsr, fpcr};

    memcpy(out, &header, sizeof(header));
}

/* Different in every word; FFR is ones and then zeroes, as the architecture wants it (WRFFR). */
static void fill(enum vec_form form, u32 vl)
{
    u64 state = 0x9e3779b97f4a7c15ull * (vl + 1);

    for (u32 i = 0; i < vec_bytes(form, vl) / 8; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        out[i] = state;
        back[i] = 0;
    }
    if (form == VEC_SVE) { /* what no move touches: between header and P, between FFR and Z */
        memset(out, 0, VEC_P_OFFSET);
        memset(ffr(out, vl), 0, vec_z_offset(vl) - VEC_P_OFFSET - 16 * (vl / 8));
        memset(ffr(out, vl), 0xff, vl / 16);
    }
    set_header(form, form == VEC_SVE ? vl : 0, FPSR_PATTERN, FPCR_PATTERN);
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

static bool fpsimd_round_trip(char *why, size_t n)
{
    fill(VEC_FPSIMD, 0);
    fp_move_scrub_v();
    fp_move_load_v(out);
    fp_move_save_v(back);
    if (memcmp(out, back, vec_bytes(VEC_FPSIMD, 0)) != 0)
        return failed(why, n, "V0-V31, FPSR and FPCR as they were saved", VEC_VL_MIN);
    fp_move_scrub_v();
    if (fp_move_any_v(scratch) || fp_move_status())
        return failed(why, n, "zeroes after a scrub", VEC_VL_MIN);
    return true;
}

static bool sve_round_trip(u32 vl, char *why, size_t n)
{
    if (fp_move_rdvl() != vl)
        return failed(why, n, "the vector length that was set", vl);
    fill(VEC_SVE, vl);
    fp_move_load_z(out);
    fp_move_save_z(back, VEC_HEADER(VEC_SVE, vl));
    if (memcmp(out, back, vec_bytes(VEC_SVE, vl)) != 0)
        return failed(why, n, "Z, P, FFR, FPSR and FPCR as they were saved", vl);
    fp_move_scrub_z();
    if (!is_scrubbed())
        return failed(why, n, "zeroes after a scrub", vl);
    return true;
}

/* One bit set in the byte at `offset` of Z, P and FFR that are otherwise zero: does the detector
 * say so, and leave every register as it was? */
static bool notices(u32 vl, u32 offset, bool want)
{
    u8 *at = (u8 *)out + offset;

    *at = 1;
    fp_move_load_z(out);
    bool seen = fp_move_uppers(scratch) != 0;
    fp_move_save_z(back, VEC_HEADER(VEC_SVE, vl));
    bool same = memcmp(out, back, vec_bytes(VEC_SVE, vl)) == 0;
    *at = 0;
    return seen == want && same;
}

/* At the longest length: the first and the last byte above bit 127 of each Z, each P, and FFR are
 * seen; what is in V alone is not. */
static bool detector(u32 vl, char *why, size_t n)
{
    memset(out, 0, sizeof(out));
    set_header(VEC_SVE, vl, 0, 0);
    u32 z0 = (u32)vec_z_offset(vl);
    bool good = notices(vl, z0, false) && notices(vl, z0 + 31 * vl + 15, false);

    for (u32 z = 0; good && z < 32 && vl > VEC_VL_MIN; z++)
        good =
            notices(vl, z0 + z * vl + VEC_VL_MIN, true) && notices(vl, z0 + z * vl + vl - 1, true);
    for (u32 p = 0; good && p < 17; p++)
        good = notices(vl, VEC_P_OFFSET + p * (vl / 8), true);
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
