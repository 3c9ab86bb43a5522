/*
 * `id-walk`: what the ID registers say against what instructions do. Each row is a field and an
 * instruction that exists from some value of it on: offered, it works first thing after a yield;
 * not offered, it is Undefined, be it that the CPU lacks it or that the hypervisor keeps it. A
 * field that a VM reads as anything but zero and that is in no row and in no mask of `nothing`
 * fails, so that no feature passes through unlooked at.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/sme.h"

enum how {
    WORKS = 0, /* if and only if offered */
    LOOSE = 1, /* may work without: a NOP elsewhere, no trap, or what FA64 lets streaming mode do */
    STREAMING = 2, /* in streaming mode with ZA on, where the VM has that */
    BITS = 4,      /* the word is bits of FPCR, which are storage if offered */
    NEGATIVE = 8,  /* 15 is less than 0 */
    OR = 16,       /* the next row's field offers the same */
    ID_SPACE = 32, /* its absence may be reported as a trapped ID register (FEAT_IDST) */
    LONG = 128,    /* Undefined all the same where vectors have less than 256 bits */
    NEEDS_FGT = 64 /* kept by FEAT_FGT alone; without that it is switched: see refuse */
};

/* Names are part of the row: a pointer would take a relocation too. */
struct row {
    u32 word;
    u8 id, shift, width, least, how;
    char name[11];
};

#define ID(crm, op2) ((crm) << 3 | (op2))
#define PFR0         ID(4, 0)
#define PFR1         ID(4, 1)
#define PFR2         ID(4, 2)
#define ZFR0         ID(4, 4)
#define SMFR0        ID(4, 5)
#define FPFR0        ID(4, 7)
#define DFR0         ID(5, 0)
#define DFR1         ID(5, 1)
#define ISAR0        ID(6, 0)
#define ISAR1        ID(6, 1)
#define ISAR2        ID(6, 2)
#define ISAR3        ID(6, 3)
#define MMFR0        ID(7, 0)
#define MMFR1        ID(7, 1)
#define MMFR2        ID(7, 2)
#define MMFR3        ID(7, 3)
#define MMFR4        ID(7, 4)

#define ROW(id, shift, least, how, name, word)                                                     \
    {                                                                                              \
        word, id, shift, 4, least, how, name                                                       \
    }
#define BIT_ROW(id, shift, how, name, word)                                                        \
    {                                                                                              \
        word, id, shift, 1, 1, how, name                                                           \
    }
#define MRS_EL1(crn, crm, op2) MRS_X0(3, 0, crn, crm, op2)

/* DDI 0487, D24.2 for the fields, C6 to C8 for the instructions. */
static const struct row rows[] = {
    ROW(PFR0, 16, 0, NEGATIVE, "FP", 0x9e670000),
    ROW(PFR0, 16, 1, NEGATIVE, "FP16", 0x1ee22820),
    ROW(PFR0, 16, 1, NEGATIVE | BITS, "FPCR.FZ16", BIT(19)),
    ROW(PFR0, 20, 0, NEGATIVE, "AdvSIMD", 0x4ea08400),
    ROW(PFR0, 20, 1, NEGATIVE, "FP16 vector", 0x4e421420),
    ROW(PFR0, 28, 1, WORKS, "RAS", MRS_EL1(5, 3, 0)),
    ROW(PFR0, 32, 1, WORKS, "SVE", 0x04a00000),
    ROW(PFR0, 32, 1, WORKS, "ZCR_EL1", MRS_EL1(1, 2, 0)),
    ROW(PFR0, 40, 1, OR, "MPAM", 0),
    ROW(PFR1, 16, 1, WORKS, "MPAM", MRS_EL1(10, 5, 0)),
    ROW(PFR0, 44, 1, WORKS, "AMU", MRS_X0(3, 3, 13, 2, 0)),
    ROW(PFR0, 48, 1, WORKS, "DIT", 0xd503405f),
    ROW(PFR0, 56, 2, OR, "CSV2", 0),
    ROW(PFR1, 32, 2, WORKS, "CSV2", MRS_EL1(13, 0, 7)),
    ROW(PFR1, 0, 1, LOOSE, "BTI", 0xd503245f),
    ROW(PFR1, 4, 2, LOOSE, "SSBS", 0xd503403f),
    ROW(PFR1, 8, 2, WORKS, "MTE", MRS_EL1(1, 0, 6)),
    ROW(PFR1, 24, 1, WORKS, "SME", SMSTOP),
    ROW(PFR1, 24, 1, WORKS, "SMCR_EL1", MRS_EL1(1, 2, 6)),
    ROW(PFR1, 24, 1, NEEDS_FGT, "TPIDR2_EL0", MRS_X0(3, 3, 13, 0, 5)),
    ROW(PFR1, 24, 1, NEEDS_FGT, "SMPRI_EL1", MRS_EL1(1, 2, 4)),
    ROW(PFR1, 24, 1, ID_SPACE, "SMIDR_EL1", MRS_X0(3, 1, 0, 0, 6)),
    ROW(PFR1, 24, 2, STREAMING, "ZT0", 0xc0480001),
    ROW(PFR1, 36, 1, LOOSE, "NMI", MRS_EL1(4, 3, 0)),
    ROW(PFR1, 44, 1, WORKS, "GCS", MRS_EL1(2, 5, 1)),
    ROW(PFR1, 48, 1, WORKS, "THE", MRS_EL1(13, 0, 6)),
    ROW(PFR2, 32, 1, WORKS, "FPMR", MRS_X0(3, 3, 4, 4, 2)),
    ROW(ZFR0, 0, 1, WORKS, "SVE2", 0x04a07000),
    ROW(ZFR0, 0, 2, WORKS, "SVE2.1", 0x4400e000),
    ROW(ZFR0, 4, 1, WORKS, "SVE AES", 0x4522e000),
    ROW(ZFR0, 4, 2, WORKS, "SVE PMULL", 0x45026820),
    ROW(ZFR0, 16, 1, WORKS, "SVE BitPerm", 0x4500b000),
    ROW(ZFR0, 20, 1, WORKS, "SVE BF16", 0x64608000),
    ROW(ZFR0, 24, 1, WORKS, "SVE B16B16", 0x65000000),
    ROW(ZFR0, 32, 1, WORKS, "SVE SHA3", 0x4520f400),
    ROW(ZFR0, 40, 1, WORKS, "SVE SM4", 0x4523e000),
    ROW(ZFR0, 44, 1, WORKS, "SVE I8MM", 0x45009800),
    ROW(ZFR0, 52, 1, WORKS, "SVE F32MM", 0x64a0e400),
    ROW(ZFR0, 56, 1, LONG, "SVE F64MM", 0x64e0e400),
    BIT_ROW(SMFR0, 0, STREAMING, "MOP4", 0x80000000),
    BIT_ROW(SMFR0, 23, STREAMING | LOOSE, "SFEXPA", 0x04a0b800),
    BIT_ROW(SMFR0, 24, STREAMING | LOOSE, "SSVE AES", 0x4522e000),
    BIT_ROW(SMFR0, 28, STREAMING | LOOSE, "SF8DP2", 0x64208400),
    BIT_ROW(SMFR0, 29, STREAMING | LOOSE, "SF8DP4", 0x64608400),
    BIT_ROW(SMFR0, 30, STREAMING | LOOSE, "SF8FMA", 0x64a08800),
    BIT_ROW(SMFR0, 32, STREAMING, "F32F32", 0x80800000),
    BIT_ROW(SMFR0, 33, STREAMING, "BI32I32", 0x80800008),
    BIT_ROW(SMFR0, 34, STREAMING, "B16F32", 0x81800000),
    BIT_ROW(SMFR0, 35, STREAMING, "F16F32", 0x81a00000),
    ROW(SMFR0, 36, 15, STREAMING, "I8I32", 0xa0800000),
    BIT_ROW(SMFR0, 40, STREAMING, "F8F32", 0x80a00000),
    BIT_ROW(SMFR0, 41, STREAMING, "F8F16", 0x80a00008),
    BIT_ROW(SMFR0, 42, STREAMING, "F16F16", 0x81800008),
    BIT_ROW(SMFR0, 43, STREAMING, "B16B16", 0x81a00008),
    ROW(SMFR0, 44, 5, STREAMING, "I16I32", 0xa0800008),
    BIT_ROW(SMFR0, 48, STREAMING, "F64F64", 0x80c00000),
    ROW(SMFR0, 52, 15, STREAMING, "I16I64", 0xa0c00000),
    ROW(SMFR0, 56, 1, STREAMING, "SME2", 0xc08b0000),
    ROW(SMFR0, 56, 2, STREAMING, "SME2.1", 0xc0020200),
    BIT_ROW(SMFR0, 60, STREAMING, "LUTv2", 0xc04f33e0),
    BIT_ROW(FPFR0, 26, WORKS, "F8F16MM", 0x6e02ec20),
    BIT_ROW(FPFR0, 27, WORKS, "F8F32MM", 0x6e82ec20),
    BIT_ROW(FPFR0, 28, WORKS, "F8DP2", 0x4e42fc20),
    BIT_ROW(FPFR0, 29, WORKS, "F8DP4", 0x4e02fc20),
    BIT_ROW(FPFR0, 30, WORKS, "F8FMA", 0x0ec2fc20),
    BIT_ROW(FPFR0, 31, WORKS, "F8CVT", 0x2e217820),
    ROW(ISAR0, 4, 1, WORKS, "AES", 0x4e284820),
    ROW(ISAR0, 4, 2, WORKS, "PMULL", 0x0ee1e000),
    ROW(ISAR0, 8, 1, WORKS, "SHA1", 0x5e281820),
    ROW(ISAR0, 12, 1, WORKS, "SHA256", 0x5e282820),
    ROW(ISAR0, 12, 2, WORKS, "SHA512", 0xcec08020),
    ROW(ISAR0, 16, 1, WORKS, "CRC32", 0x1ac04000),
    ROW(ISAR0, 20, 2, WORKS, "LSE", 0xf83f0001),
    ROW(ISAR0, 20, 3, WORKS, "LSE128", 0x19221001),
    ROW(ISAR0, 24, 1, WORKS, "TME", 0xd5233160),
    ROW(ISAR0, 28, 1, WORKS, "RDM", 0x6e828420),
    ROW(ISAR0, 32, 1, WORKS, "SHA3", 0xce020c20),
    ROW(ISAR0, 36, 1, WORKS, "SM3", 0xce420c20),
    ROW(ISAR0, 40, 1, WORKS, "SM4", 0xcec08420),
    ROW(ISAR0, 44, 1, WORKS, "DotProd", 0x4e829420),
    ROW(ISAR0, 48, 1, WORKS, "FHM", 0x0e22ec20),
    ROW(ISAR0, 52, 1, WORKS, "FlagM", 0xd500401f),
    ROW(ISAR0, 52, 2, WORKS, "FlagM2", 0xd500405f),
    ROW(ISAR0, 56, 1, WORKS, "TLBIOS", 0xd508811f),
    ROW(ISAR0, 56, 2, WORKS, "TLBIRANGE", 0xd508863f),
    ROW(ISAR0, 60, 1, WORKS, "RNDR", 0xd53b2400),
    ROW(ISAR1, 0, 1, WORKS, "DPB", 0xd50b7c20),
    ROW(ISAR1, 0, 2, WORKS, "DPB2", 0xd50b7d20),
    ROW(ISAR1, 12, 1, WORKS, "JSCVT", 0x1e7e0000),
    ROW(ISAR1, 16, 1, WORKS, "FCMA", 0x6e82c420),
    ROW(ISAR1, 20, 1, WORKS, "LRCPC", 0xf8bfc000),
    ROW(ISAR1, 20, 2, WORKS, "LRCPC2", 0xd9400000),
    ROW(ISAR1, 20, 3, WORKS, "LRCPC3", 0xd9c00801),
    ROW(ISAR1, 24, 1, OR, "PACGA", 0),
    ROW(ISAR1, 28, 1, OR, "PACGA", 0),
    ROW(ISAR2, 8, 1, WORKS, "PACGA", 0x9ac03000),
    ROW(ISAR1, 32, 1, WORKS, "FRINTTS", 0x1e684020),
    ROW(ISAR1, 36, 1, LOOSE, "SB", 0xd50330ff),
    ROW(ISAR1, 40, 1, WORKS, "SPECRES", 0xd50b739f),
    ROW(ISAR1, 40, 2, WORKS, "SPECRES2", 0xd50b73df),
    ROW(ISAR1, 44, 1, WORKS, "BF16", 0x6e42fc20),
    ROW(ISAR1, 44, 2, BITS, "FPCR.EBF", BIT(13)),
    ROW(ISAR1, 48, 1, LOOSE, "DGH", 0xd50320df),
    ROW(ISAR1, 52, 1, WORKS, "I8MM", 0x4e82a420),
    ROW(ISAR1, 56, 1, LOOSE, "DSB nXS", 0xd5033a3f),
    ROW(ISAR2, 0, 2, LOOSE, "WFXT", 0xd503101f),
    ROW(ISAR2, 20, 1, WORKS, "HBC", 0x54000030),
    ROW(ISAR2, 28, 1, LOOSE, "CLRBHB", 0xd50322df),
    ROW(ISAR2, 52, 1, WORKS, "CSSC", 0xdac01800),
    ROW(ISAR2, 56, 1, WORKS, "LUT", 0x4e821020),
    ROW(ISAR3, 0, 1, WORKS, "CPA", 0x9a002000),
    ROW(ISAR3, 4, 1, WORKS, "FAMINMAX", 0x4ea2dc20),
    ROW(ISAR3, 28, 1, WORKS, "FPRCVT", 0x9e2a00a0),
    ROW(DFR0, 8, 1, NEGATIVE, "PMU", MRS_X0(3, 3, 9, 12, 0)),
    ROW(DFR0, 32, 1, WORKS, "SPE", MRS_EL1(9, 9, 0)),
    ROW(DFR0, 40, 1, WORKS, "TRF", MRS_EL1(1, 2, 1)),
    ROW(DFR0, 44, 1, WORKS, "TRBE", MRS_EL1(9, 11, 0)),
    ROW(MMFR1, 16, 1, WORKS, "LORegions", MRS_EL1(10, 4, 3)),
    ROW(MMFR1, 20, 1, WORKS, "PAN", 0xd500409f),
    ROW(MMFR1, 44, 1, BITS, "FPCR.AH", 7),
    ROW(MMFR2, 4, 1, WORKS, "UAO", 0xd500407f),
    ROW(MMFR3, 0, 1, WORKS, "TCR2_EL1", MRS_EL1(2, 0, 3)),
    ROW(MMFR3, 4, 1, WORKS, "SCTLR2_EL1", MRS_EL1(1, 0, 3)),
    ROW(MMFR3, 8, 1, WORKS, "PIR_EL1", MRS_EL1(10, 2, 3)),
    ROW(MMFR3, 16, 1, WORKS, "POR_EL1", MRS_EL1(10, 2, 4)),
    ROW(MMFR3, 24, 1, WORKS, "MAIR2_EL1", MRS_EL1(10, 2, 1)),
};

#define F(shift) (15ull << (shift))

/* Looked at, and no instruction of EL1 tells it from its absence. */
static const struct {
    u8 id;
    u64 mask;
} nothing[] = {
    {PFR0, F(0) | F(4) | F(56) | F(60)}, /* EL0, EL1, CSV2, CSV3 */
    {SMFR0, BIT(63)},                    /* FA64: scenarios sme and sme-lazy */
    {FPFR0, 3},                          /* F8E4M3, F8E5M2: formats of F8CVT and the others */
    {DFR0,
     F(0) | F(12) | F(20) | F(28) | F(36)}, /* debug version, BRPs, WRPs, CTX_CMPs, DoubleLock */
    {ISAR2, F(4) | F(40) | F(48)},          /* RPRES, PRFMSLC, RPRFM */
    {ISAR3, F(16)},                         /* LSFE: no emulator has it yet */
    {MMFR0,
     F(0) | F(4) | F(8) | F(16) | F(20) | F(24) | F(28) | F(44)}, /* sizes, granules, BigEnd, ExS */
    {MMFR1,
     F(0) | F(12) | F(24) | F(36) | F(48) | F(60)}, /* HAFDBS, HPDS, SpecSEI, ETS, nTLBPA, ECBHB */
    {MMFR2, F(8) | F(16) | F(20) | F(28) | F(32) | F(48) | F(52) | F(60)},
    /* LSM, VARange, CCIDX, ST, AT, TTL, BBM, E0PD */
};

/* SVE outside streaming mode where there is SME alone. */
#define NEEDS_STREAMING OUTCOME(EC_SME, SMTC_NOT_STREAMING)

static u64 memory[64] ALIGNED(64);
static u64 ids[64]; /* by ID() */

static bool row_offered(const struct row *r)
{
    s32 value = (s32)(ids[r->id] >> r->shift & ((1u << r->width) - 1));

    if (r->how & NEGATIVE && value == 15)
        value = -1;
    return value >= r->least;
}

static bool row_right(const struct row *r, bool offered)
{
    if (r->how & STREAMING && has_sme())
        sysreg_write(svcr, SVCR_SM | SVCR_ZA);
    yield();
    if (r->how & BITS) {
        fpcr_write(r->word);
        yield();
        u64 want = offered ? r->word : 0, got = fpcr_read();
        fpcr_write(0);
        if (got != want)
            diag("%s %s: 0x%lx", r->name, offered ? "offered" : "not offered", (unsigned long)got);
        return got == want;
    }
    struct probe p = probe_word(r->word, (u64)memory);
    if (r->how & STREAMING && has_sme())
        sysreg_write(svcr, 0);
    if (r->how & LONG && offered && sve_vl() < 32)
        return true;
    if (p.ec == (offered ? EC_NONE : EC_UNKNOWN))
        return true;
    if (!offered && r->how & NEEDS_FGT && on_fermata && p.ec == EC_NONE) {
        diag("%s works, not offered", r->name);
        return true;
    }
    if (!offered && (r->how & LOOSE || (r->how & ID_SPACE && p.ec == EC_SYSREG) ||
                     (r->id == PFR0 && has_sme() && outcome(&p) == NEEDS_STREAMING)))
        return true;
    diag("%s %s: EC 0x%x (0xff: it worked)", r->name, offered ? "offered" : "not offered", p.ec);
    return false;
}

/* All fields the table knows; fields of SMFR0 and FPFR0 are bits. */
static void unlooked(void)
{
    u32 bad = 0;

    for (u32 id = ID(4, 0); id < ARRAY_SIZE(ids); id++) {
        u64 known = 0;
        for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
            if (rows[i].id == id)
                known |= ((1ull << rows[i].width) - 1) << rows[i].shift;
        for (u32 i = 0; i < ARRAY_SIZE(nothing); i++)
            if (nothing[i].id == id)
                known |= nothing[i].mask;
        if (!(ids[id] & ~known))
            continue;
        diag("S3_0_C0_C%u_%u: 0x%lx, not looked at: 0x%lx", id >> 3, id & 7, (unsigned long)ids[id],
             (unsigned long)(ids[id] & ~known));
        bad++;
    }
    if (on_fermata)
        ok_eq(bad, 0, "id-walk: every field offered has been looked at");
}

void scenario_id_walk(void)
{
    u32 counts[2] = {0, 0}, bad = 0;
    bool offered = false;

    sme_open();
    /* Open what the VM does not know of, too: closed, its own EL1 would take the exception. */
    sysreg_write(cpacr_el1, CPACR_FPEN(3) | CPACR_ZEN(3) | CPACR_SMEN(3));
    for (u32 id = ID(4, 0); id < ARRAY_SIZE(ids); id++)
        ids[id] = probe_word(MRS_X0(3, 0, 0, id >> 3, id & 7), 0).value;
    if (has_sve())
        sve_set_vl(SVE_MAX_VL);
    if (has_sme())
        sme_set_svl(SVE_MAX_VL);
    for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
        offered = row_offered(&rows[i]) || offered;
        if (rows[i].how & OR)
            continue;
        if (rows[i].id == ZFR0 && has_sme() && !has_sve()) {
            offered = false; /* SME alone: ZFR0 says what of SVE there is in streaming mode */
            continue;
        }
        counts[offered]++;
        bad += !row_right(&rows[i], offered);
        offered = false;
    }
    ok(!bad, "id-walk: %u features offered work, %u not offered are Undefined", counts[1],
       counts[0]);
    unlooked();
}
