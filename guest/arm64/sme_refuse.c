/*
 * `sme-refuse`: what a VM reads about SME and what it may do agree. Denied, everything is
 * Undefined; ZT0 and FPMR not offered are Undefined (each field of ID_AA64SMFR0_EL1: id_walk.c).
 * And reserved values: written everywhere, read back as hardware gives them, and held.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/sme_scenarios.h"

struct instruction {
    const char *name;
    u32 word;
};

static const struct instruction all_of_sme[] = {
    {"SMSTART", SMSTART},
    {"SMSTART SM", SMSTART_SM},
    {"SMSTART ZA", SMSTART_ZA},
    {"SMSTOP", SMSTOP},
    {"SMSTOP SM", SMSTOP_SM},
    {"SMSTOP ZA", SMSTOP_ZA},
    {"MRS SVCR", MRS_X0(3, 3, 4, 2, 2)},
    {"MSR SVCR", MSR_X0(3, 3, 4, 2, 2)},
    {"MRS SMCR_EL1", MRS_X0(3, 0, 1, 2, 6)},
    {"MSR SMCR_EL1", MSR_X0(3, 0, 1, 2, 6)},
    {"RDSVL", 0x04bf5820},
    {"ADDSVL", 0x04605820},
    {"ADDSPL", 0x04605840 | 1 << 5},
    {"ZERO {ZA}", 0xc00800ff},
    {"LDR ZA", 0xe1000000},
    {"STR ZA", 0xe1200000},
    {"LD1W ZA0H.S", 0xe09f0000},
    {"FMOPA.S", 0x80800000},
    {"BFMOPA.S", 0x81800000},
    {"SMOPA.S", 0xa0800000},
    {"MOVA Z0.B, ZA0H", 0xc0020000},
    {"MOVA ZA0H.B, Z0", 0xc0000000},
    {"ADDHA", 0xc0900000},
    {"ADDVA", 0xc0910000},
};

static const struct instruction zt0[] = {
    {"ZERO {ZT0}", 0xc0480001}, {"LDR ZT0", 0xe11f8000},    {"STR ZT0", 0xe13f8000},
    {"LUTI2 Z0.B", 0xc0cc0000}, {"LUTI4 Z0.B", 0xc0ca0000}, {"MOVT X0, ZT0[0]", 0xc04c03e0},
};

static const struct instruction fpmr_access[] = {
    {"MRS FPMR", MRS_X0(3, 3, 4, 4, 2)},
    {"MSR FPMR", MSR_X0(3, 3, 4, 4, 2)},
};

/* Encodings beside the mode's: MSR SVCRSM and its like with CRm 0 and 8. */
static const struct instruction unallocated[] = {
    {"MSR (immediate) 3, 3, CRm 1", 0xd503417f},
    {"MSR (immediate) 3, 3, CRm 9", 0xd503497f},
};

static u8 memory[64 * 256] ALIGNED(16);

/* `also`: one more exception class that is right. The mode is set anew for each. */
static bool undefined(const struct instruction *list, u32 count, u32 also, u64 mode)
{
    bool good = true;

    for (u32 i = 0; i < count; i++) {
        if (has_sme())
            sysreg_write(svcr, mode);
        yield();
        struct probe p = probe_word(list[i].word, (u64)memory);
        if (p.ec != EC_UNKNOWN && p.ec != also) {
            diag("%s: EC 0x%x (0xff: it worked), want Undefined", list[i].name, p.ec);
            good = false;
        }
    }
    return good;
}

/*
 * With SMEN closed, a machine whose SME the VM does not know of traps to the VM's EL1 first
 * (FACTS).
 */
static void denied(void)
{
    ok(sysreg_read(id_aa64smfr0_el1) == 0, "sme-refuse: no SME: ID_AA64SMFR0_EL1 is zero");
    for (u32 smen = 0; smen < 4; smen++) {
        sysreg_write(cpacr_el1, CPACR_FPEN(3) | (has_sve() ? CPACR_ZEN(3) : 0) | CPACR_SMEN(smen));
        ok(undefined(all_of_sme, ARRAY_SIZE(all_of_sme), smen & 1 ? EC_UNKNOWN : EC_SME, 0) &&
               undefined(zt0, ARRAY_SIZE(zt0), smen & 1 ? EC_UNKNOWN : EC_SME, 0),
           "sme-refuse: no SME: all of it is Undefined, CPACR_EL1.SMEN %u", smen);
    }
    fp_open();
    if (has_fpmr())
        skip("the VM has FPMR", "sme-refuse: FPMR is Undefined");
    else
        ok(undefined(fpmr_access, ARRAY_SIZE(fpmr_access), EC_UNKNOWN, 0),
           "sme-refuse: no FPMR: Undefined");
}

static void offered(void)
{
    u32 version = sysreg_read(id_aa64smfr0_el1) >> 56 & 0xf;

    sme_set_svl(SVE_MAX_VL);
    sysreg_write(svcr, 3);
    ok((version >= 1) == has_sme2(),
       "sme-refuse: ID_AA64PFR1_EL1.SME %s ID_AA64SMFR0_EL1.SMEver %u", "agrees with", version);
    ok(probe_word(MRS_X0(3, 1, 0, 0, 6), 0).ec == EC_NONE, "sme-refuse: SMIDR_EL1 can be read");
    if (has_sme2()) {
        skip("offered", "sme-refuse: ZT0 is Undefined");
    } else {
        /* Open what the VM does not know of: closed, its own EL1 would take the exception. */
        sysreg_write(smcr_el1, sysreg_read(smcr_el1) | SMCR_EZT0);
        ok(undefined(zt0, ARRAY_SIZE(zt0), EC_UNKNOWN, 3), "sme-refuse: no SME2: ZT0 is Undefined");
        sme_set_svl(SVE_MAX_VL);
    }
    if (has_fpmr())
        skip("offered", "sme-refuse: FPMR is Undefined");
    else
        ok(undefined(fpmr_access, ARRAY_SIZE(fpmr_access), EC_UNKNOWN, 0),
           "sme-refuse: no FPMR: Undefined");
    ok(undefined(unallocated, ARRAY_SIZE(unallocated), EC_UNKNOWN, 0),
       "sme-refuse: MSR SVCR's unallocated neighbours are Undefined");
    sysreg_write(svcr, 0);
}

/*
 * Every LEN, by itself and under all reserved bits: the largest length there is that is not above
 * it, or the smallest (DDI 0487, SMCR_EL1.LEN).
 */
static bool length_right(u32 len, u32 got, const u32 *lengths, u32 count)
{
    u32 want = lengths[count - 1];

    for (u32 i = count; i--;)
        if (lengths[i] <= len * 16 + 16)
            want = lengths[i];
    if (got != want)
        diag("LEN %u: %u bits, want %u", len, got * 8, want * 8);
    return got == want;
}

static void reserved_zcr(void)
{
    u32 vls[VLS_MAX], vl_count = sve_lengths(vls);
    bool good = true;

    if (!vl_count) {
        skip("no SVE", "sme-refuse: ZCR_EL1: every LEN, reserved bits read as zero");
        return;
    }
    for (u32 len = 0; len < 16; len++) {
        sysreg_write(zcr_el1, (len & 1 ? ~0xfull : 0) | len);
        yield();
        good =
            good && sysreg_read(zcr_el1) == len && length_right(len, (u32)sve_vl(), vls, vl_count);
    }
    ok(good, "sme-refuse: ZCR_EL1: every LEN, reserved bits read as zero");
}

static void reserved_smcr(void)
{
    u32 svls[SVLS_MAX], svl_count = sme_lengths(svls);
    u64 known = 0xf | smcr_flags();
    bool good = true;

    for (u32 len = 0; len < 16; len++) {
        u64 value = (len & 1 ? ~known : 0) | smcr_flags() | len;
        sysreg_write(smcr_el1, value);
        yield();
        /* A reserved bit is zero or storage; QEMU stores FA64 even where there is none. */
        u64 read = sysreg_read(smcr_el1);
        good = good && (read & known) == (value & known) && !(read & ~value) &&
               length_right(len, (u32)sme_svl(), svls, svl_count);
    }
    ok(good, "sme-refuse: SMCR_EL1: every LEN, reserved bits zero or as written");
    sme_set_svl(SVE_MAX_VL);
}

/*
 * Write, read at once, be away, read again. Bits of `must` are as written, bits outside `may` are
 * zero, and all is as it was at first. A reserved bit of SVCR may be storage (RES0; in QEMU it is)
 * or become zero when a hypervisor writes the register, but is never set by anyone else.
 */
static bool stays(const char *name, u32 mrs, u64 value, u64 may, u64 must)
{
    bool loose = mrs == MRS_X0(3, 3, 4, 2, 2);

    probe_word(mrs & ~(1u << 21), value);
    struct probe first = probe_word(mrs, 0);

    for (u32 y = 0; y < 3; y++)
        yield();
    struct probe second = probe_word(mrs, 0);
    bool good =
        first.ec == EC_NONE && second.ec == EC_NONE &&
        (first.value == second.value ||
         (loose && !(second.value & ~first.value) && !((first.value ^ second.value) & 3))) &&
        !(first.value & ~(may & (loose ? value : ~0ull))) && (first.value & must) == (value & must);
    if (!good)
        diag("%s: wrote 0x%lx, read 0x%lx (EC 0x%x), later 0x%lx (EC 0x%x)", name,
             (unsigned long)value, (unsigned long)first.value, first.ec,
             (unsigned long)second.value, second.ec);
    return good;
}

static const u64 values[] = {~0ull,
                             0xffffffff00000000,
                             0xfffffffffffffff0,
                             0x5555555555555555,
                             0xaaaaaaaaaaaaaaaa,
                             0x1ff,
                             0xffffffffffffc000,
                             0};

static void reserved_values(void)
{
    bool modes = true, pointer = true, priority = true;

    for (u32 i = 0; i < ARRAY_SIZE(values); i++) {
        u64 v = values[i];
        modes = modes && stays("SVCR", MRS_X0(3, 3, 4, 2, 2), v, ~0ull, 3);
        pointer = pointer && stays("TPIDR2_EL0", MRS_X0(3, 3, 13, 0, 5), v, ~0ull, ~0ull);
        priority = priority && stays("SMPRI_EL1", MRS_X0(3, 0, 1, 2, 4), v, 0xf, smpri_mask());
    }
    ok(modes, "sme-refuse: SVCR: SM and ZA held, reserved bits no one else's");
    ok(pointer, "sme-refuse: TPIDR2_EL0: all 64 bits held");
    ok(priority, "sme-refuse: SMPRI_EL1: reserved bits read as zero, priority held");
}

/* Reserved formats (bits 8:0) and bits above LSCALE2: what comes back is hardware's. */
static void reserved_fpmr(void)
{
    bool good = true;

    if (!has_fpmr()) {
        skip("no FPMR", "sme-refuse: FPMR: reserved values");
        return;
    }
    for (u32 i = 0; i < ARRAY_SIZE(values); i++)
        good = good && stays("FPMR", MRS_X0(3, 3, 4, 4, 2), values[i], ~0ull, 0x0000003fff7fc000);
    ok(good, "sme-refuse: FPMR: reserved values stay as hardware took them");
}

void scenario_sme_refuse(void)
{
    sme_open();
    if (!has_sme()) {
        denied();
        neighbours_start();
        reserved_zcr();
        reserved_fpmr();
        neighbours_stop();
        return;
    }
    sme_neighbours_start();
    offered();
    reserved_smcr();
    reserved_zcr();
    reserved_values();
    reserved_fpmr();
    sme_neighbours_stop();
    sme_open();
}
