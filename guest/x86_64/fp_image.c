/* Images of the FP registers: made, loaded, read, compared. */
#include "guest/x86_64/fp.h"

struct fp_dump fp_dumps[MAX_CPUS];
static struct fp_image read_back[MAX_CPUS];
static ALIGNED(64) u8 xsave_area[MAX_CPUS][XSAVE_SMALL];

u16 fx16(const u8 *fx, u32 at)
{
    return (u16)(fx[at] | fx[at + 1] << 8);
}

u32 fx32(const u8 *fx, u32 at)
{
    return (u32)fx16(fx, at) | (u32)fx16(fx, at + 2) << 16;
}

void fx_put16(u8 *fx, u32 at, u16 value)
{
    fx[at] = (u8)value;
    fx[at + 1] = (u8)(value >> 8);
}

void fx_put32(u8 *fx, u32 at, u32 value)
{
    fx_put16(fx, at, (u16)value);
    fx_put16(fx, at + 2, (u16)(value >> 16));
}

void fp_first(void)
{
    struct cpu *cpu = this_cpu();
    struct fp_dump *dump = &fp_dumps[cpu->id];

    if (cpu->fp_ready)
        return;
    cpu->fp_ready = true;
    dump->cr0 = boot_cr0[cpu->id];
    dump->cr4 = boot_cr4[cpu->id];
    if (!features.xsave) {
        fp_fxsave(dump->xsave);
        fp_read(&dump->image, FIRST_FXSAVE);
        return;
    }
    dump->xcr0 = fp_xgetbv(0);
    fp_xsetbv(features.xcr0);
    fp_xsave(dump->xsave, ~0ull);
    if (features.pku)
        write_cr4(read_cr4() | CR4_PKE);
    fp_read(&dump->image, FIRST_VMOV);
}

u32 legal_xcr0(u64 *values)
{
    static const u64 candidates[] = {XCR0_X87,
                                     XCR0_X87 | XCR0_SSE,
                                     XCR0_X87 | XCR0_PKRU,
                                     XCR0_X87 | XCR0_SSE | XCR0_AVX,
                                     XCR0_X87 | XCR0_AMX,
                                     XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512,
                                     XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AMX};
    u32 count = 0;

    for (u32 i = 0; i < ARRAY_SIZE(candidates); i++)
        if ((candidates[i] & ~features.xcr0) == 0 && candidates[i] != features.xcr0)
            values[count++] = candidates[i];
    values[count++] = features.xcr0;
    return count;
}

void fp_pattern(struct fp_image *image, u64 seed)
{
    u8 *fx = image->fx;
    u32 mask = fx32(fp_dumps[this_cpu()->id].image.fx, FX_MASK);

    if (mask == 0)
        mask = 0xffbf; /* APM vol. 2, 11.5.9: what a zero mask means */
    memset(image, 0, sizeof(*image));
    pattern_fill(fx, FX_BYTES, seed);
    fx_put16(fx, FX_FCW,
             (fx16(fx, FX_FCW) & 0x0f00) | 0x7f);    /* PC and RC free, all masked, bit 6 */
    fx_put16(fx, FX_FSW, fx16(fx, FX_FSW) & 0x7f7f); /* no ES, so no B */
    /* Every other one with all x87 registers empty: where EMMS escapes the gate (QEMU), only such a
     * vCPU is lazy. */
    if (fx[FX_FTW + 1] & 1)
        fx[FX_FTW] = 0;
    fx[FX_FTW + 1] = 0;
    fx_put16(fx, FX_FOP, fx16(fx, FX_FOP) & 0x7ff);
    for (u32 at = FX_FIP; at < FX_MXCSR; at += 8) /* canonical addresses */
        memset(fx + at + 5, 0, 3);
    fx_put32(fx, FX_MXCSR, (fx32(fx, FX_MXCSR) | 0x1f80) & mask & 0xffff);
    fx_put32(fx, FX_MASK, mask);
    for (u32 i = 0; i < 8; i++)
        memset(fx + FX_ST + 16 * i + 10, 0, 6);
    if (features.avx) {
        pattern_fill(image->ymm, sizeof(image->ymm), seed + 1);
        for (u32 i = 0; i < 16; i++)
            memcpy(image->ymm[i], fx + FX_XMM + 16 * i, 16);
    }
    if (features.avx512) {
        pattern_fill(image->zmm, sizeof(image->zmm), seed + 3);
        pattern_fill(image->k, sizeof(image->k), seed + 4);
        for (u32 i = 0; i < 16; i++)
            memcpy(image->zmm[i], image->ymm[i], 32);
    }
    if (features.pku)
        pattern_fill(&image->pkru, sizeof(image->pkru), seed + 2);
    image->xcr0 = features.xcr0;
}

void fp_load(struct fp_image *image)
{
    struct fp_image *back = &read_back[this_cpu()->id];

    fp_fxrstor(image->fx);
    if (features.avx)
        fp_ymm_load(image->ymm);
    if (features.avx512) {
        fp_zmm_load(image->zmm);
        fp_k_load(image->k);
    }
    if (features.pku)
        fp_wrpkru(image->pkru);
    /* FIP, FDP and FOP: a CPU may keep them only while an exception is pending, QEMU drops them. */
    fp_fxsave(back->fx);
    memcpy(image->fx + FX_FOP, back->fx + FX_FOP, 2);
    memcpy(image->fx + FX_FIP, back->fx + FX_FIP, 16);
}

u32 xsave_offset(const u8 *area, u32 n)
{
    u64 xcomp;
    u32 at = XSAVE_HEADER_END;

    memcpy(&xcomp, area + XCOMP_BV, 8);
    if (!(xcomp & XCOMP_COMPACTED))
        return components[n].offset;
    for (u32 i = 2; i < n; i++)
        if (xcomp & BIT(i))
            at = (components[i].aligned ? ALIGN_UP(at, 64u) : at) + components[i].bytes;
    return components[n].aligned ? ALIGN_UP(at, 64u) : at;
}

/* The parts of an XSAVE area, which was zeroes: what is in INIT may have been left out. */
static void image_of_xsave(struct fp_image *image, const u8 *area)
{
    const u8 *uppers = area + xsave_offset(area, 2);

    memcpy(image->fx, area, FX_BYTES);
    if (features.avx)
        for (u32 i = 0; i < 16; i++) {
            memcpy(image->ymm[i], area + FX_XMM + 16 * i, 16);
            memcpy(image->ymm[i] + 16, uppers + 16 * i, 16);
        }
    if (features.avx512) {
        memcpy(image->k, area + xsave_offset(area, 5), sizeof(image->k));
        uppers = area + xsave_offset(area, 6);
        for (u32 i = 0; i < 16; i++) {
            memcpy(image->zmm[i], image->ymm[i], 32);
            memcpy(image->zmm[i] + 32, uppers + 32 * i, 32);
        }
        memcpy(image->zmm[16], area + xsave_offset(area, 7), 16 * 64);
    }
    if (features.pku && (features.xcr0 & XCR0_PKRU))
        memcpy(&image->pkru, area + xsave_offset(area, 9), 4);
}

/* The XSAVE form that is this way of reading, or NULL. */
static void (*xsave_form(enum fp_first first))(void *, u64)
{
    if (first == FIRST_XSAVE && features.xsave)
        return fp_xsave;
    if (first == FIRST_XSAVEC && features.xsavec)
        return fp_xsavec;
    if (first == FIRST_XSAVEOPT && features.xsaveopt)
        return fp_xsaveopt;
    if (first == FIRST_XSAVES && features.xsaves)
        return fp_xsaves;
    return NULL;
}

static void read_registers(struct fp_image *image, enum fp_first first, u8 *area)
{
    if (first == FIRST_XGETBV && features.xsave)
        image->xcr0 = fp_xgetbv(0);
    if (first == FIRST_KMOV && features.avx512)
        fp_k_store(image->k);
    if (first == FIRST_MOVUPS)
        fp_xmm_store(area);
    if (first == FIRST_ZMOV && features.avx512)
        fp_zmm_store(image->zmm);
    if (first == FIRST_VMOV && features.avx)
        fp_ymm_store(image->ymm);
    fp_fxsave(image->fx);
    /* The other way of reading XMM must agree; a difference shows as an impossible image. */
    if (first == FIRST_MOVUPS && memcmp(area, image->fx + FX_XMM, 256))
        memcpy(image->fx + FX_XMM, area, 256);
    if (features.avx && first != FIRST_VMOV)
        fp_ymm_store(image->ymm);
    if (features.avx512 && first != FIRST_ZMOV)
        fp_zmm_store(image->zmm);
    if (features.avx512 && first != FIRST_KMOV)
        fp_k_store(image->k);
    if (features.pku)
        image->pkru = fp_rdpkru();
    if (features.xsave)
        image->xcr0 = fp_xgetbv(0);
}

void fp_read(struct fp_image *image, enum fp_first first)
{
    u8 *area = xsave_area[this_cpu()->id];
    void (*form)(void *, u64) = xsave_form(first);

    memset(image, 0, sizeof(*image));
    memset(area, 0, XSAVE_SMALL);
    if (!form) {
        read_registers(image, first, area);
        return;
    }
    /* FCW and MXCSR are written even for INIT components, and XSTATE_BV's zero bits mean zeroes. */
    form(area, FP_NOT_TILES);
    image_of_xsave(image, area);
    image->xcr0 = fp_xgetbv(0);
}

bool fp_holds(const struct fp_image *want, enum fp_first first, const char *what)
{
    struct cpu *cpu = this_cpu();
    struct fp_image *got = &read_back[cpu->id];
    static u32 said; /* a broken hypervisor must not drown its own report */

    fp_read(got, first);
    if (!memcmp(got, want, sizeof(*got)))
        return true;
    if (cpu->id == 0 && said++ < 8) {
        pattern_diag(what, got->fx, want->fx, FX_BYTES);
        pattern_diag(what, got->ymm, want->ymm, sizeof(got->ymm));
        pattern_diag(what, got->zmm, want->zmm, sizeof(got->zmm));
        pattern_diag(what, got->k, want->k, sizeof(got->k));
        if (got->pkru != want->pkru || got->xcr0 != want->xcr0)
            diag("%s: PKRU 0x%x want 0x%x, XCR0 0x%lx want 0x%lx", what, got->pkru, want->pkru,
                 (unsigned long)got->xcr0, (unsigned long)want->xcr0);
    }
    return false;
}
