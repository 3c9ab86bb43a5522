/*
 * Boot proves the machine before trusting it: the movers here, the gate and the intercepts in
 * svm_selftest.c. What a CPU or an emulator does wrong is said in one line with what becomes of it;
 * what cannot be lived with stops the boot.
 */
#include "selftest.h"
#include "cpu.h"
#include "exceptions.h"
#include "fp_hw.h"
#include "paging.h"
#include "virt.h"
#include "xstate_layout.h"
#include "arch/arch.h"
#include "hv/console.h"
#include "hv/pages.h"

#define FATAL_ADVICE "this CPU cannot switch FP state safely; use another, or mend the emulator"

struct registers {
    u8 st[8][16];
    u8 ymm[16][32];
};

static struct {
    struct xsave_image image;
    u8 avx[XSTATE_AVX_BYTES];
} area ALIGNED(64);
static u32 errata;

void selftest_erratum(const char *id, const char *fmt, ...)
{
    char text[200];
    va_list args;

    va_start(args, fmt);
    format_text_v(text, sizeof(text), fmt, args);
    va_end(args);
    say_info("erratum: %s: %s", id, text);
    errata++;
}

static u32 managed(void)
{
    return (u32)(fp_hw_offered() & XSTATE_GATED);
}

static bool has_avx(void)
{
    return managed() & XCR0_AVX;
}

/* Every byte different, and the x87 values normal numbers: a denormal would be normalised. */
static void make_pattern(struct registers *r, u8 seed)
{
    memset(r, 0, sizeof(*r));
    for (unsigned i = 0; i < 8; i++) {
        for (unsigned b = 0; b < 8; b++)
            r->st[i][b] = (u8)(seed + 16 * i + b);
        r->st[i][7] |= 0x80; /* the integer bit */
        r->st[i][8] = (u8)(seed + i);
        r->st[i][9] = 0x3f;
    }
    for (unsigned i = 0; i < 16; i++) {
        for (unsigned b = 0; b < (has_avx() ? 32u : 16u); b++)
            r->ymm[i][b] = (u8)(seed + 32 * i + b);
    }
}

static void fill(const struct registers *r)
{
    selftest_x87_fill(r->st[0]);
    if (has_avx())
        selftest_avx_fill(r->ymm[0]);
    else
        selftest_sse_fill(r->ymm[0]);
}

static void dump(struct registers *r)
{
    memset(r, 0, sizeof(*r));
    if (has_avx())
        selftest_avx_dump(r->ymm[0]);
    else
        selftest_sse_dump(r->ymm[0]);
    selftest_x87_dump(r->st[0]);
}

static void save(void)
{
    if (!cpu_has.xsave)
        fp_move_fxsave64(&area);
    else if (cpu_has.xsaveopt)
        fp_move_xsaveopt64(&area, managed());
    else
        fp_move_xsave64(&area, managed());
}

static void restore(const void *from)
{
    if (cpu_has.xsave)
        fp_move_xrstor64(from, managed());
    else
        fp_move_fxrstor64(from);
}

/* Save, scrub, load: what plain stores then see must be the pattern; what the scrub left, nothing.
 */
static bool round_trip(struct pcpu *cpu, u8 seed, char *why, size_t n)
{
    struct registers want, got;

    make_pattern(&want, seed);
    memset(&area, 0xa5, sizeof(area));
    memset(&area.image.header, 0, sizeof(area.image.header));
    fill(&want);
    save();
    fp_hw_scrub(managed());
    if (!arch_fp_is_init(cpu)) {
        format_text(why, n, "the scrub leaves FP registers that are not in INIT; " FATAL_ADVICE);
        return false;
    }
    restore(&area);
    dump(&got);
    if (memcmp(&want, &got, sizeof(want)) != 0) {
        format_text(why, n, "FP registers come back changed from %s; " FATAL_ADVICE,
                    cpu_has.xsave ? "XSAVE and XRSTOR" : "FXSAVE and FXRSTOR");
        return false;
    }
    return true;
}

/* Saves of one component must leave the others of an older image alone (BUGS 6). */
static bool partial_saves(char *why, size_t n)
{
    struct registers first, second;

    if (!has_avx())
        return true;
    make_pattern(&first, 0x11);
    make_pattern(&second, 0x77);
    memset(&area, 0, sizeof(area));
    fill(&first);
    save();
    fill(&second);
    fp_move_xsave64(&area, (u32)(XCR0_X87 | XCR0_SSE));
    if (memcmp(area.avx, first.ymm[0] + 16, 16) != 0 ||
        memcmp(area.image.legacy.xmm[0], second.ymm[0], 16) != 0) {
        format_text(why, n,
                    "XSAVE of x87 and SSE also changes the AVX part of its area; " FATAL_ADVICE);
        return false;
    }
    return true;
}

/* The layout xstate_layout.c computes is the one the CPU uses. */
static bool sizes(struct pcpu *cpu, char *why, size_t n)
{
    if (!cpu_has.xsave)
        return true;
    u64 components = cpu->arch.xcr0;
    u32 told = cpuid(0xd, 0).ebx;
    u32 ours = xstate_cpuid_bytes(components, cpu_has.pkru_offset, cpu_has.pkru_bytes);
    struct cpuid_regs avx = cpuid(0xd, 2);

    if (has_avx() && (avx.eax != XSTATE_AVX_BYTES || avx.ebx != XSTATE_AVX_OFFSET)) {
        format_text(why, n,
                    "CPUID 0xD.2 puts AVX state at %u (%u bytes) instead of %u (%u); " FATAL_ADVICE,
                    avx.ebx, avx.eax, XSTATE_AVX_OFFSET, XSTATE_AVX_BYTES);
        return false;
    }
    if (told != ours)
        selftest_erratum(
            "xsave-size",
            "expected CPUID 0xD.0 EBX %u for XCR0 0x%lx, got %u; our own sizes are used", ours,
            components, told);
    return true;
}

/* XINUSE only saves work, so a CPU that keeps it badly costs time and nothing else. */
static void xinuse(void)
{
    if (!cpu_has.xgetbv1)
        return;
    fp_hw_scrub(managed());
    u64 used = xgetbv(1) & (XCR0_SSE | XCR0_AVX);
    if (used)
        selftest_erratum(
            "xinuse",
            "expected XGETBV(1) without SSE and AVX after INIT, got 0x%lx; saves cannot "
            "leave out unused state",
            xgetbv(1));
}

/*
 * PKRU applies to user pages only, so a guest's, which is live here until the next switch, cannot
 * reach us, who have none (BUGS 13). Tried on a page of key 1: where it does reach, the stack must
 * still work.
 */
static void pkru_reach(void)
{
    void *page = cpu_has.pku ? pages_alloc(1, PAGE_SIZE, PAGES_HYPERVISOR) : NULL;

    if (!page)
        return;
    paging_set_key(page, 1);
    wrpkru(0xc); /* key 1: no access, no write */
    bool faults = exceptions_probe_store(page);
    wrpkru(0);
    paging_set_key(page, 0);
    pages_free(page, 1, PAGES_HYPERVISOR);
    if (!faults)
        return;
    cpu_has.pku = false;
    selftest_erratum("pkru-supervisor", "expected supervisor pages to be out of PKRU's reach, got "
                                        "#PF; PKU is hidden from guests");
}

bool arch_selftest(struct pcpu *cpu, char *why, size_t n)
{
    bool good = sizes(cpu, why, n) && round_trip(cpu, 0x21, why, n) &&
                round_trip(cpu, 0x6b, why, n) && partial_saves(why, n);

    if (good) {
        xinuse();
        pkru_reach();
        good = !virt->selftest || virt->selftest(cpu, why, n);
    }
    fp_hw_scrub(managed()); /* whatever was tried, the first guest finds INIT (I4) */
    if (!good)
        return false;
    say_info("selftest: passed, %u erratum lines%s", errata,
             fp_hw.gate_incomplete ? "; the gate is incomplete: every vCPU is switched eagerly"
                                   : "");
    return true;
}
