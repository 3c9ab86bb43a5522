/*
 * Every way a guest leaves for the hypervisor, with a pattern live in every FP register across it
 * (BUGS 17, 20, 28).
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/sme.h"

static u64 exit_yield(u64 unused)
{
    yield();
    return unused;
}
static u64 exit_version(u64 unused)
{
    return (u64)smccc(FERMATA_HC_VERSION, unused, 0, 0).x0;
}
static u64 exit_unknown_call(u64 unused)
{
    return smccc(FERMATA_HC_BASE + 0xff0, unused, 0, 0).x0;
}
static u64 exit_psci(u64 unused)
{
    return (u64)psci(PSCI_VERSION, unused, 0, 0);
}
static u64 exit_mmio_read(u64 unused)
{
    return unused + *(volatile u32 *)(machine.uart + 0x18);
}
static u64 exit_mmio_write(u64 unused)
{
    *(volatile u32 *)(machine.uart + 0x38) = 0; /* UARTIMSC: no interrupts, as it is anyway */
    return unused;
}
static u64 exit_wfi(u64 unused)
{
    /* On the bare machine nothing would ever end it. */
    if (on_fermata)
        __asm__ volatile("wfi");
    return unused;
}
static u64 exit_wfe(u64 unused)
{
    __asm__ volatile("sevl\n\twfe" ::: "memory");
    /* There is no event for this one: likewise (QEMU 11 waits, earlier ones took WFE for a NOP). */
    if (on_fermata)
        __asm__ volatile("wfe" ::: "memory");
    return unused;
}
static u64 exit_id_register(u64 unused)
{
    return unused + sysreg_read(id_aa64pfr0_el1);
}
static u64 exit_zcr(u64 unused)
{
    return unused + (has_sve() ? sysreg_read(zcr_el1) : 0);
}
static u64 exit_cpacr(u64 unused)
{
    sysreg_write(cpacr_el1, sysreg_read(cpacr_el1));
    return unused;
}
static u64 exit_smc(u64 unused)
{
    __asm__ volatile("smc #0" ::: "x0", "x1", "x2", "x3", "memory");
    return unused;
}
static u64 exit_undefined_sysreg(u64 unused)
{
    u64 value;
    __asm__ volatile("mrs %0, S3_7_C15_C15_7" : "=r"(value));
    return unused + value;
}
static u64 exit_udf(u64 unused)
{
    __asm__ volatile("udf #0");
    return unused;
}
static u64 exit_pmu(u64 unused)
{
    u64 value;
    __asm__ volatile("mrs %0, pmcr_el0" : "=r"(value));
    return unused + value;
}
static u64 exit_debug(u64 unused)
{
    u64 value;
    __asm__ volatile("mrs %0, mdscr_el1" : "=r"(value));
    return unused + value;
}
static u64 exit_timer(u64 unused)
{
    u64 value;
    __asm__ volatile("mrs %0, cntvct_el0\n\tmrs %0, cntv_ctl_el0" : "=r"(value));
    return unused + value;
}
static u64 exit_cache_by_set(u64 unused)
{
    __asm__ volatile("dc cisw, xzr" ::: "memory");
    return unused;
}
static u64 exit_sme(u64 unused)
{
    __asm__ volatile(".inst 0xd503477f"); /* SMSTART */
    __asm__ volatile(".inst 0xd503467f"); /* SMSTOP, for a machine that has it */
    return unused;
}
static u64 exit_none(u64 unused)
{
    return unused;
}

static const struct {
    const char *name;
    u64 (*run)(u64);
    bool changes_fp; /* on a bare machine that has it: SMSTART zeroes Z and P */
} exits[] = {
    {"no exit", exit_none, false},
    {"yield", exit_yield, false},
    {"HVC version", exit_version, false},
    {"HVC undefined", exit_unknown_call, false},
    {"PSCI", exit_psci, false},
    {"MMIO read", exit_mmio_read, false},
    {"MMIO write", exit_mmio_write, false},
    {"WFI", exit_wfi, false},
    {"WFE", exit_wfe, false},
    {"ID register", exit_id_register, false},
    {"ZCR_EL1", exit_zcr, false},
    {"CPACR_EL1", exit_cpacr, false},
    {"SMC", exit_smc, false},
    {"undefined system register", exit_undefined_sysreg, false},
    {"UDF", exit_udf, false},
    {"PMU register", exit_pmu, false},
    {"debug register", exit_debug, false},
    {"virtual timer", exit_timer, false},
    {"DC CISW", exit_cache_by_set, false},
    {"SMSTART", exit_sme, true},
};

/* The same with everything of SME live, in each mode: first thing after a yield, and not. */
static void exits_sme(void)
{
    struct fp_difference why;
    u32 svl = sme_max_svl(), ways = 0;

    for (u32 mode = 0; mode < 4; mode++) {
        bool good = true;
        for (u32 i = 0; i < 2 * ARRAY_SIZE(exits) && good; i++) {
            u32 way = i / 2;
            if (exits[way].changes_fp)
                continue;
            ways += i & 1;
            sme_enter(sme_want(), mode, sve_max_vl(), svl, pattern_seed(0, 0x2f00 + i));
            if (i & 1)
                yield();
            probe_call(exits[way].run, 0);
            good = sme_held(&why);
            if (!good)
                diag("%s", exits[way].name);
        }
        if (!ok(good, "exits: SVCR %u: all held across %u ways out (28)", mode, ways))
            fp_difference_diag(&why);
        ways = 0;
    }
    sme_open();
}

void scenario_exits(void)
{
    static struct fp_image want, got;
    struct fp_difference why;

    fp_open();
    u32 max = sve_max_vl();
    for (u32 i = 0; i < ARRAY_SIZE(exits); i++) {
        if (exits[i].changes_fp && !on_fermata)
            continue;
        bool good = true;
        /* At the full length, and FPSIMD alone with everything above it clean; each also right
         * after a yield. */
        for (u32 form = 0; form < 4 && good; form++) {
            u32 vl = form & 1 ? max : 0;
            if (max)
                sve_set_vl(max);
            fp_image_fill(&want, vl, pattern_seed(0, 0x200 + i * 4 + form));
            fp_image_load(&want);
            if (form & 2)
                yield();
            probe_call(exits[i].run, 0);
            fp_image_store(&got, vl);
            good = fp_image_equal(&got, &want, &why);
        }
        ok(good, "exits: FP registers held across: %s", exits[i].name);
        if (!good)
            fp_difference_diag(&why);
    }
    if (!has_sme())
        return;
    sme_open();
    exits_sme();
}
