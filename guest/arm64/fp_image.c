/*
 * Patterns in the FP registers: made, loaded, copied out and compared.
 */
#include "guest/arm64/fp.h"

bool has_sve(void)
{
    return (sysreg_read(id_aa64pfr0_el1) >> 32 & 0xf) != 0;
}

void fp_open(void)
{
    sysreg_write(cpacr_el1,
                 sysreg_read(cpacr_el1) | CPACR_FPEN(3) | (has_sve() ? CPACR_ZEN(3) : 0));
}

u32 sve_set_vl(u32 vl)
{
    sysreg_write(zcr_el1, vl / 16 - 1);
    return (u32)sve_vl();
}

u32 sve_max_vl(void)
{
    if (!has_sve())
        return 0;
    u64 zcr = sysreg_read(zcr_el1);
    u32 vl = sve_set_vl(SVE_MAX_VL);
    sysreg_write(zcr_el1, zcr);
    return vl;
}

void fp_image_fill(struct fp_image *image, u32 vl, u64 seed)
{
    u32 stride = vl ? vl : 16;

    image->vl = vl;
    pattern_fill(image->z, 32 * stride, seed);
    u64 extra = pattern_next(&seed);
    /* RMode, FZ, DN, AHP; cumulative exceptions and QC. What a CPU lacks reads as zero: see
     * fp_image_load. */
    image->fpcr = extra & 0x07c00000;
    image->fpsr = extra >> 32 & 0x0800009f;
    if (!vl)
        return;
    u32 pl = vl / 8;
    pattern_fill(image->p, 16 * pl, ~seed);
    memset(image->p + 16 * pl, 0, pl);
    for (u32 bit = 0, ones = 1 + (u32)(extra % vl); bit < ones; bit++)
        image->p[16 * pl + bit / 8] |= (u8)(1u << bit % 8);
}

void fp_image_load(const struct fp_image *image)
{
    if (image->vl) {
        sve_load(image->z, image->p);
    } else {
        /* FPSIMD and nothing else: writing V clears the rest of Z, and this the predicates. */
        if (has_sve())
            sve_clear_p();
        fp_load_v(image->z);
    }
    fpcr_write(image->fpcr);
    fpsr_write(image->fpsr);
}

void fp_image_store(struct fp_image *image, u32 vl)
{
    image->vl = vl;
    image->fpcr = fpcr_read();
    image->fpsr = fpsr_read();
    if (vl) {
        sve_store_z(image->z);
        sve_store_p(image->p);
    } else {
        fp_store_v(image->z);
    }
}

static bool words_equal(const u8 *got, const u8 *want, u32 bytes, u32 stride, const char *what,
                        struct fp_difference *why)
{
    u32 at = (u32)pattern_differs(got, want, bytes);

    if (at == bytes)
        return true;
    u32 start = at & ~7u, n = bytes - start < 8 ? bytes - start : 8;
    *why = (struct fp_difference){what, at / stride, at % stride, 0, 0};
    memcpy(&why->got, got + start, n);
    memcpy(&why->want, want + start, n);
    return false;
}

bool fp_image_equal(const struct fp_image *got, const struct fp_image *want,
                    struct fp_difference *why)
{
    u32 vl = want->vl, stride = vl ? vl : 16;

    if (got->vl != vl) {
        *why = (struct fp_difference){"vector length", 0, 0, got->vl, vl};
        return false;
    }
    if (!words_equal(got->z, want->z, 32 * stride, stride, vl ? "Z" : "V", why))
        return false;
    if (vl && !words_equal(got->p, want->p, 17 * vl / 8, vl / 8, "P (16 = FFR)", why))
        return false;
    if (got->fpcr != want->fpcr) {
        *why = (struct fp_difference){"FPCR", 0, 0, got->fpcr, want->fpcr};
        return false;
    }
    if (got->fpsr != want->fpsr) {
        *why = (struct fp_difference){"FPSR", 0, 0, got->fpsr, want->fpsr};
        return false;
    }
    return true;
}

void fp_difference_diag(const struct fp_difference *why)
{
    diag("%s %u byte %u: got 0x%016lx, want 0x%016lx", why->what, why->number, why->offset,
         (unsigned long)why->got, (unsigned long)why->want);
}

bool all_zero(const void *p, size_t bytes)
{
    const u8 *b = p;

    while (bytes && !*b) {
        b++;
        bytes--;
    }
    return bytes == 0;
}
