/* Finds what the boot CPU has: ID registers, and vector lengths by trying them. */
#include "features.h"
#include "fp_moves.h"
#include "sysreg.h"

struct arm64_features features;

static u32 field(u64 id, u32 shift)
{
    return (u32)(id >> shift) & 15;
}

/* ID_AA64MMFR0_EL1.PARange; a later encoding is at least 48 bits, and more than 48 is not used. */
static u32 physical_bits(u32 parange)
{
    static const u8 bits[] = {32, 36, 40, 42, 44, 48};

    return parange < ARRAY_SIZE(bits) ? bits[parange] : 48;
}

/*
 * A length that is asked for rounds down to one that exists (DDI 0487, ZCR_EL2.LEN), so what RDVL
 * answers to each request is the list. The caller has opened the gate.
 */
static void find_sve_lengths(void)
{
    for (u32 len = 0; len < 16; len++) {
        sysreg_write(ZCR_EL2, len);
        isb();
        u32 vl = (u32)fp_move_rdvl();
        features.sve_vls |= 1u << (vl / 16 - 1);
        features.sve_vl = vl;
    }
}

/* RDSVL answers whatever the mode. Below the shortest that exists it is the shortest. */
static void find_sme_lengths(void)
{
    for (u32 len = 0; len < 16; len++) {
        sysreg_write(SMCR_EL2, len);
        isb();
        u32 svl = (u32)fp_move_rdsvl();
        features.sme_vls |= 1u << (svl / 16 - 1);
        features.sme_vl = svl;
    }
}

static void find_lengths(void)
{
    u64 before = sysreg_read(cptr_el2);

    if (features.e2h)
        sysreg_write(cptr_el2, before | CPTR_VHE_FPEN | (features.sve ? CPTR_VHE_ZEN : 0) |
                                   (features.sme ? CPTR_VHE_SMEN : 0));
    else
        sysreg_write(cptr_el2, before & ~(CPTR_TFP | (features.sve ? CPTR_TZ : 0) |
                                          (features.sme ? CPTR_TSM : 0)));
    isb();
    if (features.sme) {
        fp_move_svcr_set(0); /* whatever the firmware did with it */
        find_sme_lengths();
    }
    if (features.sve)
        find_sve_lengths();
    sysreg_write(cptr_el2, before);
    isb();
}

static void find_sme(u64 pfr1)
{
    features.sme2 = field(pfr1, 24) >= 2;
    features.fa64 = sysreg_read(ID_AA64SMFR0_EL1) >> 63;
    features.smps = sysreg_read(SMIDR_EL1) >> 15 & 1;
    features.sme_storage = !features.fgt;
}

void features_find(void)
{
    u64 pfr0 = sysreg_read(id_aa64pfr0_el1);
    u64 pfr1 = sysreg_read(id_aa64pfr1_el1);
    u64 mmfr0 = sysreg_read(id_aa64mmfr0_el1);
    u64 mmfr1 = sysreg_read(id_aa64mmfr1_el1);
    u64 mmfr2 = sysreg_read(ID_AA64MMFR2_EL1);

    features = (struct arm64_features){
        .e2h = (sysreg_read(hcr_el2) & HCR_E2H) != 0,
        .vhe = field(mmfr1, 8) != 0,
        .fpsimd = field(pfr0, 16) != 15 && field(pfr0, 20) != 15,
        .sve = field(pfr0, 32) != 0,
        .sme = field(pfr1, 24) != 0,
        .mte = field(pfr1, 8) != 0,
        .fgt = field(mmfr0, 56) != 0,
        .fgt2 = field(mmfr0, 56) > 1,
        .hcx = field(mmfr1, 40) != 0,
        .fwb = field(mmfr2, 40) != 0,
        .ras = field(pfr0, 28) != 0,
        .mpam = field(pfr0, 40) != 0,
        .amu = field(pfr0, 44) != 0,
        .lor = field(mmfr1, 16) != 0,
        .pan = field(mmfr1, 20) != 0,
        .vmid16 = field(mmfr1, 4) == 2,
        .e2h0 = (sysreg_read(ID_AA64MMFR4_EL1) >> 24 & 15) == 0,
        .pa_bits = physical_bits(field(mmfr0, 0)),
    };
    /* EnFPM is in HCRX_EL2: without it nobody could keep FPMR from a guest. */
    features.fpmr = features.hcx && field(sysreg_read(ID_AA64PFR2_EL1), 32) != 0;
    if (features.sme)
        find_sme(pfr1);
    if (features.sve || features.sme)
        find_lengths();
}
