/*
 * `sme-bugs`: the rows of BUGS.md that show in a guest with SME, each in its arm64 form and by its
 * number. Each looks first thing after a yield, when the hypervisor's gates are closed and other
 * vCPUs' modes, lengths and patterns were live.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/sme_scenarios.h"

static u32 vls[VLS_MAX], svls[SVLS_MAX], vl_count, svl_count;

static u32 vl_max(void)
{
    return vl_count ? vls[0] : 0;
}

static void enter(u64 mode, u32 vl, u32 svl, u32 purpose)
{
    sme_enter(sme_want(), (u32)mode, vl, svl, pattern_seed(0, 0x2c00 + purpose));
}

static bool held(void)
{
    struct fp_difference why;

    if (sme_held(&why))
        return true;
    fp_difference_diag(&why);
    return false;
}

/* 18: the lazy save of a mode lost other units. One pattern, many switches, every mode. */
static void bug18(void)
{
    bool good = true;

    for (u64 mode = 0; mode < 4 && good; mode++) {
        enter(mode, vl_max(), svls[0], (u32)mode);
        for (u32 i = 0; i < 50 && good; i++) {
            yield();
            good = i % 5 || held();
        }
    }
    ok(good, "sme-bugs: 18: every unit in every mode across many switches");
}

/* 19: the length at save is not that of the layout. Lower, be away, raise, in streaming mode. */
static void bug19(void)
{
    bool good = true;

    for (u32 i = 1; i < svl_count; i++)
        for (u32 way = 0; way < 8 && good; way++) {
            u64 mode = way & 4 ? SVCR_ZA : SVCR_SM | SVCR_ZA;
            enter(mode, vl_max(), svls[0], way);
            if (way & 1)
                yield(); /* the gate is closed when SMCR_EL1 is written */
            sme_set_svl(svls[i]);
            for (u32 y = 0; y < 3; y++)
                yield();
            if (way & 2) /* loaded at the short length, then raised */
                za_store(sme_got()->za, svls[i]);
            sme_set_svl(svls[0]);
            yield();
            sme_store(sme_got());
            u32 low_z = mode & SVCR_SM ? svls[i] : sme_want()->vl;
            good = sme_kept_or_zeroed(sme_got(), sme_want(), low_z, svls[i]);
        }
    if (svl_count < 2)
        skip("one streaming length", "sme-bugs: 19: SMCR_EL1 lowered, preempted, raised");
    else
        ok(good, "sme-bugs: 19: SMCR_EL1 lowered, preempted, raised, from each length");
}

/* 20: no ISB between opening the trap and writing the length. Lengths differ at each switch. */
static void bug20(void)
{
    u32 bad = 0;

    sysreg_write(svcr, 0);
    for (u32 i = 0; i < 200; i++) {
        u32 svl = svls[i % svl_count], vl = vl_count ? vls[i * 7 % vl_count] : 0;
        sme_set_svl(svl);
        if (vl)
            sve_set_vl(vl);
        yield();
        bad += sme_svl() != svl;
        bad += vl && sve_vl() != vl;
        yield();
        bad += vl && sysreg_read(zcr_el1) != vl / 16 - 1;
        bad += sysreg_read(smcr_el1) != (smcr_flags() | (svl / 16 - 1));
    }
    ok_eq(bad, 0, "sme-bugs: 20: lengths right first thing after 400 switches");
}

/* 22: SM restored without SMCR_EL1: the streaming length shorter and longer than SVE's. */
static void bug22(void)
{
    bool good = true;

    for (u32 i = 0; i < svl_count && good; i++)
        for (u32 j = 0; j < (vl_count ? vl_count : 1) && good; j += 3) {
            enter(SVCR_SM, vl_count ? vls[j] : 0, svls[i], i);
            for (u32 y = 0; y < 3; y++)
                yield();
            good = sve_vl() == svls[i] && held();
        }
    ok(good, "sme-bugs: 22: SM with each streaming length against each of SVE's");
}

/* 23: a flag taken from a register with a dirty upper half. */
static void bug23(void)
{
    const u64 dirty = 0xdeadbeef00000000;
    bool good = true;

    for (u32 i = 0; i < 8 && good; i++) {
        enter(SVCR_ZA | (i & 1), vl_max(), svls[0], i);
        sysreg_write(smcr_el1, dirty | smcr_flags() | (svls[0] / 16 - 1));
        sysreg_write(svcr, dirty | SVCR_ZA | (i & 1));
        yield();
        if (has_sme2() && i & 2) { /* ZT0 behind EZT0 for a while: it must not be lost */
            sysreg_write(smcr_el1, dirty | (smcr_flags() & ~SMCR_EZT0) | (svls[0] / 16 - 1));
            yield();
            sysreg_write(smcr_el1, smcr_flags() | (svls[0] / 16 - 1));
        }
        yield();
        sysreg_write(svcr, SVCR_ZA | (i & 1)); /* the dirt may have been stored: see sme_refuse.c */
        good = held();
    }
    ok(good, "sme-bugs: 23: dirty upper halves of SMCR_EL1 and SVCR; %s",
       has_sme2() ? "ZT0 held, behind EZT0 too" : "no ZT0 here");
}

/* 34: SM restored lazily: SVE legal in streaming mode traps to EL1 when ZEN is closed. */
static void bug34(void)
{
    static const u32 words[] = {0x04a00000, 0x2518e3e0, 0x85804000, 0x04bf5020, 0x0420e3e0};
    static u8 operand[SVE_MAX_VL] ALIGNED(16);
    u32 bad = 0;

    for (u32 zen = 0; zen < 4; zen++)
        for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
            enter(SVCR_SM | (i & 1 ? SVCR_ZA : 0), vl_max(), svls[0], i);
            sysreg_write(cpacr_el1, CPACR_FPEN(3) | CPACR_ZEN(zen) | CPACR_SMEN(3));
            yield();
            struct probe p = probe_word(words[i], (u64)operand);
            bad += p.ec != EC_NONE || (words[i] == 0x04bf5020 && p.value != svls[0]);
            sysreg_write(cpacr_el1, CPACR_FPEN(3) | CPACR_ZEN(zen) | CPACR_SMEN(3));
            yield();
            bad += probe_word_el0(words[i], (u64)operand + EL0_ALIAS).ec != EC_NONE;
        }
    sme_open();
    ok_eq(bad, 0, "sme-bugs: 34: SM 1, SMEN 3, each ZEN: streaming SVE works at EL1 and EL0");
}

/* 39: a change of SM while the vectors are in memory: the stale picture must not come back. */
static void bug39(void)
{
    static const struct {
        u32 word, clear, set;
    } ways[] = {
        {SMSTART, 0, 3}, {SMSTART_SM, 0, 1}, {SMSTART_ZA, 0, 2},
        {SMSTOP, 3, 0},  {SMSTOP_SM, 1, 0},  {SMSTOP_ZA, 2, 0},
    };
    bool good = true;

    for (u64 mode = 0; mode < 4; mode++)
        for (u32 i = 0; i < ARRAY_SIZE(ways) && good; i++)
            for (u32 after = 0; after < 2 && good; after++) {
                enter(mode, vl_max(), svls[0], i);
                yield();
                probe_word(ways[i].word, 0);
                model_svcr(sme_want(), (mode & ~(u64)ways[i].clear) | ways[i].set);
                if (after)
                    yield();
                good = held();
                if (!good)
                    diag("SVCR %u, then 0x%x", (u32)mode, ways[i].word);
            }
    ok(good, "sme-bugs: 39: preempted, then SMSTART or SMSTOP first, from each mode");
}

/* 40: a V register written first, over live Z of streaming mode. */
static void bug40(void)
{
    static u64 source[2] ALIGNED(16) = {0x0123456789abcdef, 0xfedcba9876543210};
    bool good = true;

    for (u32 n = 0; n < 32 && good; n++) {
        bool q = n & 1;
        enter(SVCR_SM | (n & 2), vl_max(), svls[0], n);
        yield();
        probe_word((q ? 0x3dc00000u : 0x9e670000u) | n, q ? (u64)source : source[0]);
        memset(sme_want()->z + n * svls[0], 0, svls[0]);
        memcpy(sme_want()->z + n * svls[0], source, q ? 16 : 8);
        if (n & 4)
            yield();
        good = held();
    }
    ok(good, "sme-bugs: 40: streaming, preempted with Z live, then Vn written first, for each n");
}

/* 1, 4, 24: what a vCPU finds that went off with everything live. */
static struct {
    u64 svcr_, smcr, tpidr2, smpri, fpmr_;
    bool za_zero;
} fresh;

static void look_fresh(void *unused)
{
    (void)unused;
    sysreg_write(cpacr_el1, CPACR_FPEN(3) | (has_sve() ? CPACR_ZEN(3) : 0) | CPACR_SMEN(3));
    fresh.svcr_ = sysreg_read(svcr);
    fresh.smcr = sysreg_read(smcr_el1);
    fresh.tpidr2 = sysreg_read(tpidr2_el0);
    fresh.smpri = sysreg_read(smpri_el1);
    fresh.fpmr_ = has_fpmr() ? sysreg_read(fpmr) : 0;
    sysreg_write(svcr, SVCR_ZA);
    u32 svl = sme_set_svl(SVE_MAX_VL);
    za_store(sme_got()->za, svl);
    fresh.za_zero = all_zero(sme_got()->za, svl * svl);
    sme_open();
}

static void soil_and_go_off(void *unused)
{
    (void)unused;
    sme_open();
    sme_enter(sme_want(), 3, vl_max(), svls[0], 0x5eed);
    psci(PSCI_CPU_OFF, 0, 0, 0);
    panic("CPU_OFF does not return");
}

static void bug24(void)
{
    u32 last = cpus_online() - 1;

    if (!last) {
        skip("one vCPU", "sme-bugs: 1, 4, 24: off with everything live, and on again");
        return;
    }
    cpu_job(last, soil_and_go_off, NULL);
    while (psci(PSCI_AFFINITY_INFO, machine.mpidr[last], 0, 0) != 1)
        yield();
    if (!ok(cpu_start(last), "sme-bugs: 24: vCPU %u comes on again", last))
        return;
    cpu_job(last, look_fresh, NULL);
    cpu_wait(last);
    ok(fresh.svcr_ == 0 && fresh.za_zero, "sme-bugs: 4: SVCR is 0, and ZA zero when turned on");
    u64 others = fresh.smcr | fresh.tpidr2 | fresh.smpri | fresh.fpmr_;
    if (on_fermata)
        ok_eq(others, 0, "sme-bugs: 24: SMCR_EL1, TPIDR2_EL0, SMPRI_EL1 and FPMR are zero");
    else
        diag("sme-bugs: SMCR_EL1 | TPIDR2_EL0 | SMPRI_EL1 | FPMR = 0x%lx", (unsigned long)others);
}

void scenario_sme_bugs(void)
{
    sme_open();
    if (!has_sme()) {
        skip("no SME", "sme-bugs: 18, 19, 20, 22, 23, 24, 34, 39, 40");
        return;
    }
    vl_count = sve_lengths(vls);
    svl_count = sme_lengths(svls);
    bug24();
    sme_neighbours_start();
    bug18();
    bug19();
    bug20();
    bug22();
    bug23();
    bug34();
    bug39();
    bug40();
    sme_open();
    sme_neighbours_stop();
}
