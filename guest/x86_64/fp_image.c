/* Images of the FP registers: made, loaded, read, compared. */
#include "guest/x86_64/fp.h"

struct fp_dump fp_dumps[MAX_CPUS];
static struct fp_image read_back[MAX_CPUS];
static ALIGNED(64) u8 xsave_area[MAX_CPUS][XSAVE_MAX];

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
    if (features.pku)
        fp_wrpkru(image->pkru);
    /* FIP, FDP and FOP: a CPU may keep them only while an exception is pending, QEMU drops them. */
    fp_fxsave(back->fx);
    memcpy(image->fx + FX_FOP, back->fx + FX_FOP, 2);
    memcpy(image->fx + FX_FIP, back->fx + FX_FIP, 16);
}

/* The parts of an XSAVE area in standard form, component offsets by CPUID(0xD,i).EBX. */
static void image_of_xsave(struct fp_image *image, const u8 *area)
{
    memcpy(image->fx, area, FX_BYTES);
    if (features.avx)
        for (u32 i = 0; i < 16; i++) {
            memcpy(image->ymm[i], area + FX_XMM + 16 * i, 16);
            memcpy(image->ymm[i] + 16, area + cpuid(0xd, 2).ebx + 16 * i, 16);
        }
    if (features.pku && (features.xcr0 & XCR0_PKRU))
        memcpy(&image->pkru, area + cpuid(0xd, 9).ebx, 4);
}

void fp_read(struct fp_image *image, enum fp_first first)
{
    u32 id = this_cpu()->id;

    memset(image, 0, sizeof(*image));
    memset(xsave_area[id], 0, XSAVE_MAX);
    if (first == FIRST_XSAVE && features.xsave) {
        /* FCW and MXCSR are written even for INIT components, and XSTATE_BV's zero bits mean
         * zeroes. */
        fp_xsave(xsave_area[id], ~0ull);
        image_of_xsave(image, xsave_area[id]);
        image->xcr0 = fp_xgetbv(0);
        return;
    }
    if (first == FIRST_XGETBV && features.xsave)
        image->xcr0 = fp_xgetbv(0);
    if (first == FIRST_MOVUPS)
        fp_xmm_store(xsave_area[id]);
    if (first == FIRST_VMOV && features.avx)
        fp_ymm_store(image->ymm);
    fp_fxsave(image->fx);
    /* The other way of reading XMM must agree; a difference shows as an impossible image. */
    if (first == FIRST_MOVUPS && memcmp(xsave_area[id], image->fx + FX_XMM, 256))
        memcpy(image->fx + FX_XMM, xsave_area[id], 256);
    if (features.avx && first != FIRST_VMOV)
        fp_ymm_store(image->ymm);
    if (features.pku)
        image->pkru = fp_rdpkru();
    if (features.xsave)
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
        if (got->pkru != want->pkru || got->xcr0 != want->xcr0)
            diag("%s: PKRU 0x%x want 0x%x, XCR0 0x%lx want 0x%lx", what, got->pkru, want->pkru,
                 (unsigned long)got->xcr0, (unsigned long)want->xcr0);
    }
    return false;
}
