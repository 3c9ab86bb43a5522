/*
 * What the VM has of SME, and pictures of all FP state of a vCPU: made, loaded, copied out,
 * compared, and changed as the architecture changes the registers.
 */
#include "guest/arm64/sme.h"

static struct sme_image images[MAX_CPUS][2];

struct sme_image *sme_want(void)
{
    return &images[this_cpu()->index][0];
}

struct sme_image *sme_got(void)
{
    return &images[this_cpu()->index][1];
}

bool has_sme(void)
{
    return (sysreg_read(id_aa64pfr1_el1) >> 24 & 0xf) != 0;
}

bool has_sme2(void)
{
    return (sysreg_read(id_aa64pfr1_el1) >> 24 & 0xf) >= 2;
}

bool has_fa64(void)
{
    return has_sme() && sysreg_read(id_aa64smfr0_el1) >> 63;
}

bool has_fpmr(void)
{
    return (sysreg_read(id_aa64pfr2_el1) >> 32 & 0xf) != 0;
}

u64 smpri_mask(void)
{
    u64 before = sysreg_read(smpri_el1);

    sysreg_write(smpri_el1, 0xf);
    u64 mask = sysreg_read(smpri_el1);
    sysreg_write(smpri_el1, before);
    return mask;
}

void sme_open(void)
{
    fp_open();
    if (!has_sme())
        return;
    sysreg_write(cpacr_el1, sysreg_read(cpacr_el1) | CPACR_SMEN(3));
    sysreg_write(svcr, 0);
}

u64 smcr_flags(void)
{
    return (has_sme2() ? SMCR_EZT0 : 0) | (has_fa64() ? SMCR_FA64 : 0);
}

u32 sme_set_svl(u32 svl)
{
    sysreg_write(smcr_el1, smcr_flags() | (svl / 16 - 1));
    return (u32)sme_svl();
}

u32 sme_max_svl(void)
{
    u64 before = sysreg_read(smcr_el1);
    u32 svl = sme_set_svl(SVE_MAX_VL);

    sysreg_write(smcr_el1, before);
    return svl;
}

u32 sme_lengths(u32 svls[SVLS_MAX])
{
    u64 before = sysreg_read(smcr_el1);
    u32 count = 0;

    for (u32 svl = SVE_MAX_VL; svl >= 16; svl /= 2)
        if (sme_set_svl(svl) == svl)
            svls[count++] = svl;
    sysreg_write(smcr_el1, before);
    return count;
}

u32 sve_lengths(u32 vls[VLS_MAX])
{
    u32 count = 0;

    if (!has_sve())
        return 0;
    u64 before = sysreg_read(zcr_el1);
    for (u32 vl = SVE_MAX_VL; vl >= 16; vl -= 16)
        if (sve_set_vl(vl) == vl)
            vls[count++] = vl;
    sysreg_write(zcr_el1, before);
    return count;
}

/* Formats 0 and 1 of OFP8 only, and any scale: all of it legal (DDI 0487, FPMR). */
static u64 legal_fpmr(u64 r)
{
    return (r & 0x0000003fff7fc000) | (r & 1) | (r >> 1 & 1) << 3 | (r >> 2 & 1) << 6;
}

static void fill(struct sme_image *image, u64 seed)
{
    u32 vl = image->vl;
    u64 r = pattern_next(&seed);

    pattern_fill(image->z, 32 * (vl ? vl : 16), seed);
    if (image->svcr_ & SVCR_ZA) {
        pattern_fill(image->za, image->svl * image->svl, ~seed);
        pattern_fill(image->zt0, sizeof(image->zt0), seed + 1);
    }
    image->fpcr = r & 0x07c00000;
    image->fpsr = r >> 32 & 0x0800009f;
    image->tpidr2 = pattern_next(&seed);
    image->smpri = pattern_next(&seed) & smpri_mask();
    image->fpmr_ = has_fpmr() ? legal_fpmr(pattern_next(&seed)) : 0;
    if (!vl)
        return;
    pattern_fill(image->p, 17 * vl / 8, seed + 2);
    if (!image->ffr)
        return;
    /* FFR holds ones, then zeroes; an odd number of ones, so never none. */
    u8 *ffr = image->p + 16 * (vl / 8);
    memset(ffr, 0, vl / 8);
    for (u32 bit = 0, ones = 1 + (u32)(r % vl); bit < ones; bit++)
        ffr[bit / 8] |= (u8)(1u << bit % 8);
}

/* The picture's description of the mode the vCPU is in now. */
static void describe(struct sme_image *image)
{
    image->svcr_ = sysreg_read(svcr);
    image->smcr = sysreg_read(smcr_el1);
    image->zcr = has_sve() ? sysreg_read(zcr_el1) : 0;
    image->svl = (u32)sme_svl();
    bool streaming = image->svcr_ & SVCR_SM;
    image->vl = has_sve() || streaming ? (u32)sve_vl() : 0;
    image->ffr = image->vl && (!streaming || image->smcr & SMCR_FA64);
}

void sme_enter(struct sme_image *image, u32 mode, u32 vl, u32 svl, u64 seed)
{
    if (has_sve())
        sysreg_write(zcr_el1, (vl ? vl : 16) / 16 - 1);
    sme_set_svl(svl);
    sysreg_write(svcr, mode);
    describe(image);
    fill(image, seed);
    sme_load(image);
}

void sme_load(const struct sme_image *image)
{
    if (image->svcr_ & SVCR_ZA) {
        za_load(image->za, image->svl);
        if (has_sme2())
            zt0_load(image->zt0);
    }
    if (!image->vl)
        fp_load_v(image->z);
    else if (image->ffr)
        sve_load(image->z, image->p);
    else
        sve_load_no_ffr(image->z, image->p);
    fpcr_write(image->fpcr);
    fpsr_write(image->fpsr);
    if (has_fpmr())
        sysreg_write(fpmr, image->fpmr_);
    sysreg_write(tpidr2_el0, image->tpidr2);
    sysreg_write(smpri_el1, image->smpri);
}

void sme_store(struct sme_image *image)
{
    describe(image);
    image->fpcr = fpcr_read();
    image->fpsr = fpsr_read();
    image->fpmr_ = has_fpmr() ? sysreg_read(fpmr) : 0;
    image->tpidr2 = sysreg_read(tpidr2_el0);
    image->smpri = sysreg_read(smpri_el1);
    if (!image->vl)
        fp_store_v(image->z);
    else
        sve_store_z(image->z);
    if (image->ffr)
        sve_store_p(image->p);
    else if (image->vl)
        sve_store_p_only(image->p);
    if (image->svcr_ & SVCR_ZA) {
        za_store(image->za, image->svl);
        if (has_sme2())
            zt0_store(image->zt0);
    }
}

u32 words_differ(const void *a, const void *b, u32 bytes)
{
    const u64 *p = a, *q = b;
    u32 i = 0;

    while (i < bytes / 8 && p[i] == q[i])
        i++;
    return i < bytes / 8 ? i * 8 : (u32)pattern_differs(a, b, bytes);
}

static bool bytes_equal(const u8 *got, const u8 *want, u32 bytes, u32 stride, const char *what,
                        struct fp_difference *why)
{
    u32 at = words_differ(got, want, bytes);

    if (at == bytes)
        return true;
    *why = (struct fp_difference){what, at / stride, at % stride, 0, 0};
    u32 n = bytes - at < 8 ? bytes - at : 8;
    memcpy(&why->got, got + at, n);
    memcpy(&why->want, want + at, n);
    return false;
}

static bool value_equal(u64 got, u64 want, const char *what, struct fp_difference *why)
{
    if (got == want)
        return true;
    *why = (struct fp_difference){what, 0, 0, got, want};
    return false;
}

bool sme_equal(const struct sme_image *got, const struct sme_image *want, struct fp_difference *why)
{
    u32 vl = want->vl, stride = vl ? vl : 16, pl = vl / 8;

    return value_equal(got->svcr_, want->svcr_, "SVCR", why) &&
           value_equal(got->smcr, want->smcr, "SMCR_EL1", why) &&
           value_equal(got->zcr, want->zcr, "ZCR_EL1", why) &&
           value_equal(got->svl, want->svl, "streaming vector length", why) &&
           value_equal(got->vl, vl, "vector length", why) &&
           value_equal(got->fpcr, want->fpcr, "FPCR", why) &&
           value_equal(got->fpsr, want->fpsr, "FPSR", why) &&
           value_equal(got->fpmr_, want->fpmr_, "FPMR", why) &&
           value_equal(got->tpidr2, want->tpidr2, "TPIDR2_EL0", why) &&
           value_equal(got->smpri, want->smpri, "SMPRI_EL1", why) &&
           bytes_equal(got->z, want->z, 32 * stride, stride, vl ? "Z" : "V", why) &&
           (!vl ||
            bytes_equal(got->p, want->p, (want->ffr ? 17 : 16) * pl, pl, "P (16 = FFR)", why)) &&
           (!(want->svcr_ & SVCR_ZA) ||
            (bytes_equal(got->za, want->za, want->svl * want->svl, want->svl, "ZA vector", why) &&
             (!has_sme2() || bytes_equal(got->zt0, want->zt0, 64, 64, "ZT0", why))));
}

bool sme_held(struct fp_difference *why)
{
    sme_store(sme_got());
    return sme_equal(sme_got(), sme_want(), why);
}

void model_svcr(struct sme_image *image, u64 value)
{
    u64 changed = image->svcr_ ^ value;

    image->svcr_ = value;
    if (changed & SVCR_SM) {
        bool streaming = value & SVCR_SM;
        u32 vl = has_sve() ? ((u32)image->zcr & 0xf) * 16 + 16 : 0;
        image->vl = streaming ? image->svl : vl;
        image->ffr = image->vl && (!streaming || image->smcr & SMCR_FA64);
        memset(image->z, 0, 32 * (image->vl ? image->vl : 16));
        memset(image->p, 0, 17 * image->vl / 8);
        image->fpsr = FPSR_AFTER_SM;
        image->fpmr_ = 0;
    }
    if (changed & value & SVCR_ZA) {
        memset(image->za, 0, image->svl * image->svl);
        memset(image->zt0, 0, sizeof(image->zt0));
    }
}
