/*
 * control: the small state (XCR0, PKRU, MXCSR, FCW, FSW, FIP/FDP/FOP) is each vCPU's own at every
 * moment it can be read, while other vCPUs write theirs. Rows of BUGS.md: 2, 3, 6, 11, 13, 35.
 */
#include "guest/x86_64/scenarios.h"

#define ROUNDS 40

static struct fp_image want, got;
static ALIGNED(64) u8 area[XSAVE_MAX];

/* A yield mostly, a spin long enough for the timer now and then. */
static void leave(u32 turn)
{
    yield();
    if (turn % 16 == 15)
        for (volatile u32 i = 0; i < 20000; i++)
            cpu_pause();
}

static void xcr0_held(void)
{
    u64 values[XCR0_VALUES];
    u32 count = legal_xcr0(values);

    for (u32 v = 0; v < count; v++) {
        u32 bad = 0;
        fp_xsetbv(values[v]);
        for (u32 i = 0; i < ROUNDS; i++) {
            leave(i);
            bad += fp_xgetbv(0) != values[v];
        }
        ok(!bad, "XCR0 0x%lx is held", (unsigned long)values[v]);
    }
    fp_xsetbv(features.xcr0);
}

/* BUGS 35: what a lower XCR0 no longer covers is still the guest's. */
static void xcr0_lowered(void)
{
    u64 values[XCR0_VALUES];
    u32 count = legal_xcr0(values), bad;

    for (u32 v = 0; v < count; v++) {
        bad = 0;
        for (u32 i = 0; i < ROUNDS; i++) {
            fp_pattern(&want, pattern_seed(0, 100 + i));
            fp_load(&want);
            fp_xsetbv(values[v]);
            leave(i);
            if (i & 1)
                fp_fxsave(area); /* load and save again under the lower mask */
            yield();
            fp_xsetbv(features.xcr0);
            bad += !fp_holds(&want, (enum fp_first)(i % FIRST_WAYS), "raised again");
        }
        ok(!bad, "XCR0 lowered to 0x%lx and raised: everything is back", (unsigned long)values[v]);
    }
}

/* BUGS 6: component masks alternate between saves, one component written under each. */
static void masks_alternate(void)
{
    u64 values[XCR0_VALUES];
    u32 count = legal_xcr0(values), bad = 0;

    fp_pattern(&want, pattern_seed(0, 5));
    fp_load(&want);
    for (u32 i = 0; i < 4 * ROUNDS; i++) {
        fp_xsetbv(values[i % count]);
        yield();
        u32 mxcsr = 0x1f80 | (i & 3) << 13;
        fp_ldmxcsr(&mxcsr);
        fx_put32(want.fx, FX_MXCSR, mxcsr);
        insn_pxor_xmm3(NULL);
        memset(want.fx + FX_XMM + 3 * 16, 0, 16);
        memset(want.ymm[3], 0, 16);
        memset(want.zmm[3], 0, features.avx512 ? 16 : 0);
        leave(i);
        if (i % count != count - 1)
            continue;
        fp_xsetbv(features.xcr0);
        bad += !fp_holds(&want, (enum fp_first)(i % FIRST_WAYS), "alternating masks");
    }
    fp_xsetbv(features.xcr0);
    ok(!bad, "component masks alternate between saves: nothing old comes back");
}

/* BUGS 11, 13: PKRU without CR4.PKE, and a PKRU that denies everything. */
static void pkru_held(void)
{
    u64 cr4 = read_cr4();
    u32 offset = cpuid(0xd, 9).ebx, bad = 0, bad_off = 0, ud = 0;

    fp_wrpkru(0xffffffff);
    for (u32 i = 0; i < ROUNDS; i++) {
        leave(i);
        bad += fp_rdpkru() != 0xffffffff;
    }
    ok(!bad, "PKRU that denies every key is held");
    for (u32 i = 0; i < ROUNDS; i++) {
        u32 value = 0x12345678 * i + (u32)pattern_seed(0, 6), seen;
        fp_wrpkru(value);
        write_cr4(cr4 & ~(u64)CR4_PKE);
        leave(i);
        ud += try_stub(insn_rdpkru, NULL) == VECTOR_UD && fault_is(VECTOR_UD, insn_rdpkru_at);
        fp_xsave(area, XCR0_PKRU);
        memcpy(&seen, area + offset, 4);
        bad_off += seen != value;
        leave(i + 1);
        write_cr4(cr4);
        bad += fp_rdpkru() != value;
    }
    ok(ud == ROUNDS, "RDPKRU with CR4.PKE=0 is #UD");
    ok(!bad_off, "PKRU with CR4.PKE=0, read by XSAVE, is my own");
    ok(!bad, "PKRU is held while CR4.PKE=0");
    /* Write it by XRSTOR while PKE=0: the channel of BUGS 11. */
    fp_xsave(area, FP_NOT_TILES);
    u32 value = 0xa5a5a5a4;
    memcpy(area + offset, &value, 4);
    area[513] |= 2; /* XSTATE_BV[9] */
    write_cr4(cr4 & ~(u64)CR4_PKE);
    fp_xrstor(area, XCR0_PKRU);
    leave(15);
    write_cr4(cr4);
    ok_eq(fp_rdpkru(), value, "PKRU written by XRSTOR with CR4.PKE=0 is held");
    fp_wrpkru(0);
}

/* Only control words, no vector register touched in between: read first thing after each absence.
 */
static void control_words_held(void)
{
    u32 bad_fcw = 0, bad_mxcsr = 0;
    u32 mask = fx32(fp_dumps[0].image.fx, FX_MASK);

    for (u32 i = 0; i < 64; i++) {
        u16 fcw = (u16)(0x7f | (i & 3) << 10 | (i & 4 ? 0x200 : 0x300));
        u32 mxcsr =
            (0x1f80 | (i & 3) << 13 | (i & 4 ? 0x8000 : 0) | (i & 8 ? 0x40 : 0) | (i >> 4)) & mask;
        fp_fldcw(&fcw);
        fp_ldmxcsr(&mxcsr);
        leave(i);
        bad_fcw += fp_fstcw() != fcw;
        leave(i + 1);
        bad_mxcsr += fp_stmxcsr() != mxcsr;
    }
    ok(!bad_fcw, "FCW: every rounding mode and precision is held");
    ok(!bad_mxcsr, "MXCSR: rounding modes, FTZ, DAZ and flags are held");
}

/* BUGS 3: every kind of pending and masked x87 exception survives; ES and B follow FSW & ~FCW. */
static void exception_flags_held(void)
{
    u32 bad = 0;
    u64 seed = pattern_seed(0, 7);

    for (u32 i = 0; i < 256; i++) {
        u64 random = pattern_next(&seed);
        u16 flags = (u16)(random & 0x3f), masks = (u16)(random >> 8 & 0x3f);
        u16 es = flags & ~masks ? 0x8080 : 0;
        fp_pattern(&want, random);
        fx_put16(want.fx, FX_FCW, (u16)((fx16(want.fx, FX_FCW) & ~0x3f) | masks));
        fx_put16(want.fx, FX_FSW, (u16)((fx16(want.fx, FX_FSW) & ~0x3f) | flags | es));
        fp_load(&want);
        leave(i);
        bad += !fp_holds(&want, i & 1 ? FIRST_FXSAVE : FIRST_XSAVE, "exception flags");
    }
    insn_fninit(NULL);
    ok(!bad, "FSW flags x FCW masks, pending or not, are held");
}

/* BUGS 2: FIP, FDP and FOP are mine, or 0; `landed` is what this CPU shows right after the
 * instruction. */
static void pointers_held(bool pending)
{
    u32 bad = 0;

    for (u32 i = 0; i < ROUNDS; i++) {
        insn_fninit(NULL);
        if (pending)
            insn_x87_pending(NULL);
        else
            insn_fldl(&scratch);
        fp_fxsave(want.fx);
        leave(i);
        fp_fxsave(got.fx);
        /* The pointers may be dropped (AMD keeps them only while an exception is pending), never
         * another's. */
        bool zero =
            !pending && fx16(got.fx, FX_FOP) == 0 && !memcmp(got.fx + FX_FIP, area + 1024, 16);
        bool same = !memcmp(got.fx + FX_FOP, want.fx + FX_FOP, 18);
        bad += !(same || zero);
        bad += fx16(got.fx, FX_FSW) != fx16(want.fx, FX_FSW);
        insn_fninit(NULL);
    }
    diag("FIP after %s: 0x%lx", pending ? "a pending exception" : "FLD",
         *(unsigned long *)(void *)(want.fx + FX_FIP));
    ok(!bad, "FOP, FIP and FDP %s: nobody else's",
       pending ? "of a pending exception" : "after FLD");
}

void scenario_control(void)
{
    fp_first();
    integer_state_held();
    background_start();
    memset(area, 0, sizeof(area));
    control_words_held();
    exception_flags_held();
    pointers_held(false);
    pointers_held(true);
    if (features.xsave) {
        xcr0_held();
        xcr0_lowered();
        masks_alternate();
    } else {
        skip("no XSAVE on this CPU", "XCR0 is held");
    }
    if (features.pku)
        pkru_held();
    else
        skip("no PKU on this CPU", "PKRU is held");
    background_stop();
}
