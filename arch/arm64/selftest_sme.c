/*
 * SME's movers, at every streaming vector length: ZA, ZT0 and the streaming registers go out and
 * come back; a change of PSTATE.SM zeroes Z, P and FFR, and ZA is zero when it comes on: the scrub
 * that fp_sme.c does not do itself.
 */
#include "arch/arch.h"
#include "fp_arm64.h"
#include "fp_moves.h"
#include "hv/console.h"
#include "hv/pages.h"
#include "selftest.h"
#include "sysreg.h"
#include "vec_layout.h"

#define IMAGE_BYTES (VEC_P_OFFSET + 35 * VEC_VL_MAX)
#define ZA_BYTES    ((size_t)VEC_VL_MAX * VEC_VL_MAX)

/* Taken for the test alone: what goes out, and what came back. */
struct memory {
    u8 *out, *back;
};

static void pattern(u8 *at, size_t n, u64 seed)
{
    u64 state = 0x9e3779b97f4a7c15ull * (seed + 1);

    for (size_t i = 0; i < n / 8; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        memcpy(at + 8 * i, &state, 8);
    }
}

static bool all_zero(const u8 *at, size_t n)
{
    u64 bits = 0, word;

    for (size_t i = 0; i < n / 8; i++) {
        memcpy(&word, at + 8 * i, 8);
        bits |= word;
    }
    return bits == 0;
}

static bool failed(char *why, size_t n, const char *what, u32 svl)
{
    say_info("erratum: sme: expected %s at %u bits, got something else; Fermata stops", what,
             8 * svl);
    format_text(why, n,
                "self-test sme: no %s at %u bits of streaming vector length: this CPU or emulator "
                "cannot be used; where SME can be left out of the CPU, leave it out",
                what, 8 * svl);
    return false;
}

/* FFR: ones, then zeroes; none without FA64. What no move touches is zero in both. */
static void streaming_image(struct memory m, u32 svl)
{
    u8 *ffr = m.out + VEC_P_OFFSET + 16 * (svl / 8);
    struct vec_header header = {VEC_STREAMING, svl, 0x0800001f, 0x00c00000};

    memset(m.out, 0, IMAGE_BYTES);
    memset(m.back, 0, IMAGE_BYTES);
    memcpy(m.out, &header, sizeof(header));
    pattern(m.out + VEC_P_OFFSET, 16 * (svl / 8), svl);
    pattern(m.out + vec_z_offset(svl), 32 * (size_t)svl, svl + 1);
    if (features.fa64)
        memset(ffr, 0xff, svl / 16);
}

static bool streaming(struct memory m, u32 svl)
{
    streaming_image(m, svl);
    fp_move_svcr_set(SVCR_SM);
    fp_move_load_streaming(m.out, features.fa64);
    fp_move_save_streaming(m.back, VEC_HEADER(VEC_STREAMING, svl), features.fa64);
    return memcmp(m.out, m.back, vec_bytes(VEC_STREAMING, svl)) == 0;
}

/* In streaming mode with everything live, to `to` and back: nothing is left. */
static bool mode_zeroes(struct memory m, u32 svl)
{
    bool zero = true;

    for (u32 round = 0; round < 2; round++) {
        fp_move_svcr_set(0);
        fp_move_svcr_set(SVCR_SM);
        zero = zero && (fp_move_status() & 0xffffffff) == 0x0800009f;
        fp_move_save_streaming(m.back, VEC_HEADER(VEC_STREAMING, svl), features.fa64);
        zero =
            zero && all_zero(m.back + VEC_P_OFFSET, vec_bytes(VEC_STREAMING, svl) - VEC_P_OFFSET);
        fp_move_load_streaming(m.out, features.fa64);
    }
    fp_move_svcr_set(0);
    fp_move_status_set(0);
    return zero;
}

static bool za(struct memory m, u32 svl)
{
    size_t bytes = (size_t)svl * svl;

    pattern(m.out, bytes + VEC_ZT0_BYTES, svl);
    memset(m.back, 0, bytes + VEC_ZT0_BYTES);
    fp_move_svcr_set(SVCR_ZA);
    fp_move_load_za(m.out, svl);
    if (features.sme2)
        fp_move_load_zt0(m.out + bytes);
    fp_move_save_za(m.back, svl);
    if (features.sme2)
        fp_move_save_zt0(m.back + bytes);
    return memcmp(m.out, m.back, bytes + (features.sme2 ? VEC_ZT0_BYTES : 0)) == 0;
}

static bool za_zeroed(struct memory m, u32 svl)
{
    size_t bytes = (size_t)svl * svl;

    fp_move_svcr_set(0);
    fp_move_svcr_set(SVCR_ZA);
    fp_move_save_za(m.back, svl);
    if (features.sme2)
        fp_move_save_zt0(m.back + bytes);
    fp_move_svcr_set(0);
    return all_zero(m.back, bytes + (features.sme2 ? VEC_ZT0_BYTES : 0));
}

static bool at_length(struct pcpu *cpu, struct memory m, u32 svl, char *why, size_t n)
{
    fp_set_smcr(cpu, fp_smcr_for(svl, features.sme2));
    if (fp_move_rdsvl() != svl)
        return failed(why, n, "the vector length that was set", svl);
    if (!streaming(m, svl))
        return failed(why, n, "Z, P, FFR, FPSR and FPCR as they were saved", svl);
    if (!mode_zeroes(m, svl))
        return failed(why, n, "zeroes after a change of PSTATE.SM", svl);
    if (!za(m, svl))
        return failed(why, n, "ZA and ZT0 as they were saved", svl);
    if (!za_zeroed(m, svl))
        return failed(why, n, "zeroes when ZA comes on", svl);
    return true;
}

bool selftest_sme(struct pcpu *cpu, char *why, size_t n)
{
    size_t pages = (ZA_BYTES + VEC_ZT0_BYTES) / PAGE_SIZE + 1;
    struct memory m = {NULL, NULL};
    bool good = true;
    u32 lengths = 0;

    if (!features.sme)
        return true;
    m.out = pages_alloc(pages, PAGE_SIZE, PAGES_HYPERVISOR);
    m.back = pages_alloc(pages, PAGE_SIZE, PAGES_HYPERVISOR);
    CHECK(m.out && m.back);
    fp_open(cpu, fp_units_here());
    for (u32 len = 0; good && len < 16; len++) {
        if (!(features.sme_vls & (1u << len)))
            continue;
        good = at_length(cpu, m, 16 * (len + 1), why, n);
        lengths++;
    }
    fp_open(cpu, 0);
    pages_free(m.out, pages, PAGES_HYPERVISOR);
    pages_free(m.back, pages, PAGES_HYPERVISOR);
    if (good)
        say_info("selftest: sme: %u streaming vector lengths: Z, P, %sZA%s go out and come back, a "
                 "change of mode leaves zero",
                 lengths, features.fa64 ? "FFR, " : "", features.sme2 ? ", ZT0" : "");
    return good;
}
