/*
 * What a VM does not have must be Undefined (EC 0), not half there: SME, SVE when denied, PMU,
 * EL2's registers. Every ID register can be read (id_walk.c: and says the truth). State of optional
 * units that the VM can reach must be its own: held while the other vCPUs write theirs (BUGS 18;
 * FACTS on TPIDR2_EL0).
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/fp.h"

struct instruction {
    const char *name;
    u32 word;
};

static const struct instruction sme[] = {
    {"SMSTART", 0xd503477f},
    {"SMSTART SM", 0xd503437f},
    {"SMSTART ZA", 0xd503457f},
    {"SMSTOP", 0xd503467f},
    {"MRS SVCR", MRS_X0(3, 3, 4, 2, 2)},
    {"MSR SVCR", MSR_X0(3, 3, 4, 2, 2)},
    {"MRS SMCR_EL1", MRS_X0(3, 0, 1, 2, 6)},
    {"MSR SMCR_EL1", MSR_X0(3, 0, 1, 2, 6)},
    {"RDSVL X0, #1", 0x04bf5820},
    {"ADDSVL X0, X0, #1", 0x04605820},
    {"ZERO {ZA}", 0xc00800ff},
    {"LDR ZA[W12, 0], [X0]", 0xe1000000},
    {"STR ZA[W12, 0], [X0]", 0xe1200000},
    {"FMOPA ZA0.S", 0x80800000},
    {"MOVA Z0.B from ZA0H", 0xc0020000},
    {"ADDHA ZA0.S", 0xc0900000},
    {"ZERO {ZT0}", 0xc0480001},
    {"LDR ZT0, [X0]", 0xe11f8000},
};

static const struct instruction sve[] = {
    {"PTRUE P0.B", 0x2518e3e0},   {"ADD Z0.S", 0x04a00000},     {"LDR Z0, [X0]", 0x85804000},
    {"STR Z0, [X0]", 0xe5804000}, {"RDVL X0, #1", 0x04bf5020},  {"CNTB X0", 0x0420e3e0},
    {"RDFFR P0.B", 0x2519f000},   {"WRFFR P0.B", 0x25289000},   {"MRS ZCR_EL1", 0xd5381200},
    {"MSR ZCR_EL1", 0xd5181200},  {"WHILELT P0.S", 0x25a01400},
};

/* Not this level's, or not this VM's. */
static const struct instruction foreign[] = {
    {"MRS HCR_EL2", MRS_X0(3, 4, 1, 1, 0)},
    {"MSR HCR_EL2", MSR_X0(3, 4, 1, 1, 0)},
    {"MRS CPTR_EL2", MRS_X0(3, 4, 1, 1, 2)},
    {"MSR CPTR_EL2", MSR_X0(3, 4, 1, 1, 2)},
    {"MRS ZCR_EL2", MRS_X0(3, 4, 1, 2, 0)},
    {"MRS ZCR_EL12", MRS_X0(3, 5, 1, 2, 0)},
    {"MRS CPACR_EL12", MRS_X0(3, 5, 1, 0, 2)},
    {"MRS VTTBR_EL2", MRS_X0(3, 4, 2, 1, 0)},
    {"MRS SCR_EL3", MRS_X0(3, 6, 1, 1, 0)},
    {"MRS CNTHP_CTL_EL2", MRS_X0(3, 4, 14, 2, 1)},
    {"ERET to EL2's copy SPSR_EL2", MRS_X0(3, 4, 4, 0, 0)},
};

static const struct instruction pmu[] = {
    {"MRS PMCR_EL0", MRS_X0(3, 3, 9, 12, 0)},       {"MSR PMCR_EL0", MSR_X0(3, 3, 9, 12, 0)},
    {"MRS PMCCNTR_EL0", MRS_X0(3, 3, 9, 13, 0)},    {"MRS PMUSERENR_EL0", MRS_X0(3, 3, 9, 14, 0)},
    {"MSR PMCNTENSET_EL0", MSR_X0(3, 3, 9, 12, 1)}, {"MSR PMINTENSET_EL1", MSR_X0(3, 0, 9, 14, 1)},
};

/* May be there or Undefined, but must not hang, crash or reach the machine's own. */
static const struct instruction harmless[] = {
    {"MDSCR_EL1", MRS_X0(2, 0, 0, 2, 2)},
    {"MSR MDSCR_EL1", MSR_X0(2, 0, 0, 2, 2)},
    {"DBGBVR0_EL1", MSR_X0(2, 0, 0, 0, 4)},
    {"DBGBCR0_EL1", MSR_X0(2, 0, 0, 0, 5)},
    {"DBGWVR0_EL1", MSR_X0(2, 0, 0, 0, 6)},
    {"OSLAR_EL1", MSR_X0(2, 0, 1, 0, 4)},
    {"OSLSR_EL1", MRS_X0(2, 0, 1, 1, 4)},
    {"OSDLR_EL1", MSR_X0(2, 0, 1, 3, 4)},
    {"MDRAR_EL1", MRS_X0(2, 0, 1, 0, 0)},
    {"DBGAUTHSTATUS_EL1", MRS_X0(2, 0, 7, 14, 6)},
    {"MDCCSR_EL0", MRS_X0(2, 3, 0, 1, 0)},
    {"TRCPRGCTLR", MRS_X0(2, 1, 0, 1, 0)},
    {"TRFCR_EL1", MRS_X0(3, 0, 1, 2, 1)},
    {"PMSCR_EL1", MRS_X0(3, 0, 9, 9, 0)},
    {"TRBLIMITR_EL1", MRS_X0(3, 0, 9, 11, 0)},
    {"ICC_SRE_EL1", MRS_X0(3, 0, 12, 12, 5)},
    {"ICC_IAR1_EL1", MRS_X0(3, 0, 12, 12, 0)},
    {"ICC_SGI1R_EL1", MSR_X0(3, 0, 12, 11, 5)},
    {"AMCR_EL0", MRS_X0(3, 3, 13, 2, 0)},
    {"ERRIDR_EL1", MRS_X0(3, 0, 5, 3, 0)},
    {"LORC_EL1", MRS_X0(3, 0, 10, 4, 3)},
    {"MPAM1_EL1", MRS_X0(3, 0, 10, 5, 0)},
    {"ACTLR_EL1", MRS_X0(3, 0, 1, 0, 1)},
    {"S3_0_C15_C0_0", MRS_X0(3, 0, 15, 0, 0)},
    {"DC CISW", 0xd5087e40},
    {"SMC #0", 0xd4000003},
    {"HVC #1", 0xd4000022},
    {"HVC #0xffff", 0xd41fffe2},
    {"BRK #0", 0xd4200000},
    {"HLT #0", 0xd4400000},
};

/* Storage a VM might reach without its unit being offered: if it can, it must be the vCPU's own. */
static const struct instruction storage[] = {
    {"TPIDR2_EL0", MRS_X0(3, 3, 13, 0, 5)},     {"SMPRI_EL1", MRS_X0(3, 0, 1, 2, 4)},
    {"SCXTNUM_EL0", MRS_X0(3, 3, 13, 0, 7)},    {"SCXTNUM_EL1", MRS_X0(3, 0, 13, 0, 7)},
    {"APIAKeyLo_EL1", MRS_X0(3, 0, 2, 1, 0)},   {"APIAKeyHi_EL1", MRS_X0(3, 0, 2, 1, 1)},
    {"APIBKeyLo_EL1", MRS_X0(3, 0, 2, 1, 2)},   {"APDAKeyLo_EL1", MRS_X0(3, 0, 2, 2, 0)},
    {"APDBKeyHi_EL1", MRS_X0(3, 0, 2, 2, 3)},   {"APGAKeyLo_EL1", MRS_X0(3, 0, 2, 3, 0)},
    {"GCR_EL1", MRS_X0(3, 0, 1, 0, 6)},         {"RGSR_EL1", MRS_X0(3, 0, 1, 0, 5)},
    {"TFSR_EL1", MRS_X0(3, 0, 5, 6, 0)},        {"DISR_EL1", MRS_X0(3, 0, 12, 1, 1)},
    {"LORN_EL1", MRS_X0(3, 0, 10, 4, 2)},       {"DBGBVR0_EL1", MRS_X0(2, 0, 0, 0, 4)},
    {"DBGWVR0_EL1", MRS_X0(2, 0, 0, 0, 6)},     {"MDCCINT_EL1", MRS_X0(2, 0, 0, 2, 0)},
    {"CNTV_CVAL_EL0", MRS_X0(3, 3, 14, 3, 2)},  {"CNTP_CVAL_EL0", MRS_X0(3, 3, 14, 2, 2)},
    {"PMCNTENSET_EL0", MRS_X0(3, 3, 9, 12, 1)}, {"PMSELR_EL0", MRS_X0(3, 3, 9, 12, 5)},
};
#define MRS_TO_MSR (1u << 21) /* the L bit */

static u64 memory[64];

/* All of the list must be Undefined; `also` is one more exception class that is right (or
 * EC_UNKNOWN again). */
static bool undefined(const struct instruction *list, u32 count, u32 also)
{
    bool good = true;

    for (u32 i = 0; i < count; i++) {
        struct probe p = probe_word(list[i].word, (u64)memory);
        if (p.ec != EC_UNKNOWN && p.ec != also) {
            diag("%s: EC 0x%x (0xff: it worked), want Undefined", list[i].name, p.ec);
            good = false;
        }
    }
    return good;
}

static void refuse_sme(void)
{
    bool offered = sysreg_read(id_aa64pfr1_el1) >> 24 & 0xf;

    if (offered) {
        skip("the VM has it: see sme-refuse", "refuse: SME is Undefined");
        return;
    }
    ok_eq(sysreg_read(S3_0_C0_C4_5), 0, "refuse: no SME: ID_AA64SMFR0_EL1 is zero");
    sysreg_write(cpacr_el1, CPACR_FPEN(3) | CPACR_ZEN(3) | CPACR_SMEN(3));
    yield();
    ok(undefined(sme, ARRAY_SIZE(sme), EC_UNKNOWN),
       "refuse: SME is Undefined, CPACR_EL1.SMEN open");
    /* With its own SMEN closed the machine's SME, which the VM does not know of, traps to EL1 first
     * (FACTS). */
    sysreg_write(cpacr_el1, CPACR_FPEN(3) | CPACR_ZEN(3));
    yield();
    ok(undefined(sme, ARRAY_SIZE(sme), EC_SME), "refuse: SME faults, CPACR_EL1.SMEN closed");
    fp_open();
}

static void refuse_sve(void)
{
    /* With SME alone SVE traps as not streaming, and ZFR0 says what there is of it in that mode. */
    bool alone = sysreg_read(id_aa64pfr1_el1) >> 24 & 0xf;

    if (has_sve()) {
        skip("the VM has it", "refuse: SVE is Undefined");
        return;
    }
    if (!alone)
        ok_eq(sysreg_read(S3_0_C0_C4_4), 0, "refuse: ID_AA64ZFR0_EL1 is zero");
    sysreg_write(cpacr_el1, CPACR_FPEN(3) | CPACR_ZEN(3) | CPACR_SMEN(3));
    yield();
    ok(undefined(sve, ARRAY_SIZE(sve), alone ? EC_SME : EC_UNKNOWN),
       "refuse: SVE is Undefined, CPACR_EL1.ZEN open");
    sysreg_write(cpacr_el1, CPACR_FPEN(3) | (alone ? CPACR_SMEN(3) : 0));
    yield();
    u32 ec = probe_word(sve[0].word, 0).ec; /* SVE's or SME's gate, which the CPU has of the two */
    ok((ec == EC_SVE || ec == EC_SME || ec == EC_UNKNOWN) && undefined(sve, ARRAY_SIZE(sve), ec),
       "refuse: SVE faults, CPACR_EL1.ZEN closed");
    fp_open();
}

/* The whole ID space is readable: what is reserved reads as zero (DDI 0487, D19.3: op0 3, op1 0,
 * CRn 0, CRm 1-7). */
static void id_registers(void)
{
    bool good = true;

    for (u32 crm = 1; crm < 8; crm++)
        for (u32 op2 = 0; op2 < 8; op2++)
            if (probe_word(MRS_X0(3, 0, 0, crm, op2), 0).ec != EC_NONE) {
                diag("S3_0_C0_C%u_%u cannot be read", crm, op2);
                good = false;
            }
    ok(good, "refuse: every ID register can be read");
    ok(probe_word(MRS_X0(3, 0, 0, 0, 0), 0).ec == EC_NONE &&
           probe_word(MRS_X0(3, 0, 0, 0, 6), 0).ec == EC_NONE &&
           probe_word(MRS_X0(3, 3, 0, 0, 1), 0).ec == EC_NONE &&
           probe_word(MRS_X0(3, 3, 0, 0, 7), 0).ec == EC_NONE &&
           probe_word(MRS_X0(3, 1, 0, 0, 1), 0).ec == EC_NONE &&
           probe_word(MRS_X0(3, 1, 0, 0, 0), 0).ec == EC_NONE,
       "refuse: MIDR, REVIDR, CTR, DCZID, CLIDR, CCSIDR can be read");
    ok_eq(sysreg_read(mpidr_el1) & 0xff00ffffff, machine.mpidr[0],
          "refuse: MPIDR_EL1 is what the device tree says");
}

static void advertised(void)
{
    u64 pfr0 = sysreg_read(id_aa64pfr0_el1);

    ok((pfr0 >> 16 & 0xf) != 0xf && (pfr0 >> 20 & 0xf) == (pfr0 >> 16 & 0xf),
       "refuse: ID_AA64PFR0_EL1 offers FP and AdvSIMD alike");
}

static void harmless_instructions(void)
{
    u32 faulted = 0, worked = 0;
    const char *unexpected = NULL;

    for (u32 i = 0; i < ARRAY_SIZE(harmless); i++) {
        struct probe p = probe_word(harmless[i].word, 0);
        if (p.ec == EC_NONE)
            worked++;
        else if (p.ec == EC_UNKNOWN || p.ec == EC_BRK)
            faulted++;
        else
            unexpected = harmless[i].name;
    }
    if (unexpected)
        diag("%s faulted, but neither as Undefined nor as BRK", unexpected);
    ok(!unexpected, "refuse: %u optional instructions survived: %u faulted, %u worked",
       (u32)ARRAY_SIZE(harmless), faulted, worked);
    struct probe smc = probe_word(0xd4000003, 0);
    ok_eq(smc.ec, EC_UNKNOWN, "refuse: SMC is Undefined");
}

/* Writes of another vCPU to all of the storage that can be written. */
static void write_storage(void *argument)
{
    u64 state = pattern_seed((u32)this_cpu()->index, 0xc00);

    (void)argument;
    for (u32 i = 0; i < ARRAY_SIZE(storage); i++)
        probe_word(storage[i].word & ~MRS_TO_MSR, pattern_next(&state));
}

static void own_storage(void)
{
    bool good = true;
    u64 state = pattern_seed(0, 0xc01);

    for (u32 i = 0; i < ARRAY_SIZE(storage); i++) {
        struct probe w = probe_word(storage[i].word & ~MRS_TO_MSR, pattern_next(&state));
        struct probe before = probe_word(storage[i].word, 0);
        if (w.ec != EC_NONE || before.ec != EC_NONE)
            continue;
        for (u32 cpu = 1; cpu < cpus_online(); cpu++) {
            cpu_job(cpu, write_storage, NULL);
            cpu_wait(cpu);
        }
        for (u32 y = 0; y < 4; y++)
            yield();
        struct probe after = probe_word(storage[i].word, 0);
        if (after.ec != EC_NONE || after.value != before.value) {
            diag("%s: 0x%lx became 0x%lx", storage[i].name, (unsigned long)before.value,
                 (unsigned long)after.value);
            good = false;
        }
        probe_word(storage[i].word & ~MRS_TO_MSR, 0);
    }
    ok(good, "refuse: optional registers that can be written are the vCPU's own");
}

void scenario_refuse(void)
{
    fp_open();
    id_registers();
    advertised();
    refuse_sme();
    refuse_sve();
    ok(undefined(foreign, ARRAY_SIZE(foreign), EC_UNKNOWN), "refuse: EL2's and EL3's registers");
    u64 pmuver = sysreg_read(id_aa64dfr0_el1) >> 8 & 0xf;
    if (pmuver == 0 || pmuver == 0xf)
        ok(undefined(pmu, ARRAY_SIZE(pmu), EC_UNKNOWN),
           "refuse: the PMU, not offered, is Undefined");
    else
        skip("offered", "refuse: the PMU is Undefined");
    harmless_instructions();
    own_storage();
}
