/* The XSAVE feature set, FXSAVE and FXRSTOR: SDM 1, 13.4 to 13.14; 10.5. */
#include "tests/model/x86_64/cpu.h"
#include "arch/x86_64/x86.h"

#include <string.h>

#define HEADER_AT  512u
#define FIRST_AT   576u
#define COMPACTED  BIT(63)
#define MXCSR_INIT 0x1f80u

struct header { /* SDM 1, 13.4.2 */
    u64 xstate_bv, xcomp_bv, reserved[6];
};

/* ---- Layout: SDM 1, 13.4.3; 13.5 ---- */

void x86_layout(struct x86_config *config, u64 xcr0)
{
    static const struct {
        u8 n;
        u32 bytes, offset;
    } usual[] = {{2, 256, 576}, {5, 64, 1088},  {6, 512, 1152},  {7, 1024, 1664},
                 {9, 8, 2688},  {17, 64, 2752}, {18, 8192, 2816}};

    config->xcr0 = xcr0;
    config->aligned = X86_AMX;
    for (u32 i = 0; i < ARRAY_SIZE(usual); i++) {
        config->bytes[usual[i].n] = usual[i].bytes;
        config->offset[usual[i].n] = usual[i].offset;
    }
}

/* Where the n-th begins among `components` when they are packed. */
static u32 packed(const struct x86_config *config, u64 components, unsigned n)
{
    u32 at = FIRST_AT;

    for (unsigned i = 2; i < n; i++) {
        if (!(components & BIT(i)))
            continue;
        if (config->aligned & BIT(i))
            at = ALIGN_UP(at, 64u);
        at += config->bytes[i];
    }
    return n < X86_COMPONENTS && (config->aligned & BIT(n)) ? ALIGN_UP(at, 64u) : at;
}

u32 x86_offset(const struct x86_config *config, u64 xcomp_bv, unsigned n)
{
    return xcomp_bv & COMPACTED ? packed(config, xcomp_bv, n) : config->offset[n];
}

u32 x86_bytes(const struct x86_config *config, u64 xcr0, bool compacted)
{
    u32 bytes = FIRST_AT;

    if (compacted)
        return packed(config, xcr0, X86_COMPONENTS);
    for (unsigned n = 2; n < X86_COMPONENTS; n++) {
        if ((xcr0 & BIT(n)) && config->offset[n] + config->bytes[n] > bytes)
            bytes = config->offset[n] + config->bytes[n];
    }
    return bytes;
}

/* ---- XINUSE: SDM 1, 13.6 ---- */

static bool all_zero(const void *p, size_t n)
{
    const u8 *bytes = p;

    for (size_t i = 0; i < n; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}

static bool part_zero(const struct x86_state *s, u32 first, u32 count, u32 from, u32 bytes)
{
    for (u32 i = first; i < first + count; i++) {
        if (!all_zero(s->zmm[i] + from, bytes))
            return false;
    }
    return true;
}

static bool x87_is_init(const struct x86_cpu *cpu)
{
    static const struct x86_x87 init = {.fcw = 0x37f};
    struct x86_x87 x = cpu->s.x87;

    if (cpu->config->pointers_with_es && !(x.fsw & 0x80)) /* they do not count then */
        x.fip = x.fdp = x.fop = x.fcs = x.fds = 0;
    return memcmp(&x, &init, sizeof(init)) == 0;
}

static u64 by_value(const struct x86_cpu *cpu)
{
    const struct x86_state *s = &cpu->s;

    return (x87_is_init(cpu) ? (u64)0 : (u64)BIT(0)) | (part_zero(s, 0, 16, 0, 16) ? 0 : BIT(1)) |
           (part_zero(s, 0, 16, 16, 16) ? 0 : BIT(2)) |
           (all_zero(s->k, sizeof(s->k)) ? 0 : BIT(5)) |
           (part_zero(s, 0, 16, 32, 32) ? 0 : BIT(6)) | (part_zero(s, 16, 16, 0, 64) ? 0 : BIT(7)) |
           (s->pkru ? BIT(9) : 0) | (s->tilecfg.palette ? BIT(17) : 0) |
           (s->tiles_used ? BIT(18) : 0);
}

u64 x86_xinuse(const struct x86_cpu *cpu)
{
    u64 errata = cpu->config->errata;

    if (cpu->in_use)
        return *cpu->in_use;
    if (errata & ERRATUM_XINUSE_ALL)
        return ~0ull;
    return by_value(cpu) ^ (errata & ERRATUM_XINUSE18_INVERTED ? X86_TILEDATA : 0);
}

/* ---- Components to memory and back: SDM 1, 13.5 ---- */

/* SDM 1, 13.5.1: the two forms of the pointers. */
static void put_x87(const struct x86_cpu *cpu, u8 *area, bool rexw)
{
    const struct x86_x87 *x = &cpu->s.x87;
    bool kept = !cpu->config->pointers_with_es || (x->fsw & 0x80);
    u16 fop = kept ? x->fop : 0, fcs = 0, fds = 0;
    u64 fip = kept ? x->fip : 0, fdp = kept ? x->fdp : 0;

    if (!cpu->config->no_fcs_fds && kept)
        fcs = x->fcs, fds = x->fds;
    memcpy(area, &x->fcw, 2);
    memcpy(area + 2, &x->fsw, 2);
    area[4] = x->ftw;
    area[5] = 0;
    memcpy(area + 6, &fop, 2);
    memcpy(area + 8, &fip, 8);
    memcpy(area + 16, &fdp, 8);
    if (!rexw) {
        memset(area + 12, 0, 4);
        memset(area + 20, 0, 4);
        memcpy(area + 12, &fcs, 2);
        memcpy(area + 20, &fds, 2);
    }
    for (u32 i = 0; i < 8; i++) {
        memset(area + 32 + 16 * i, 0, 16);
        memcpy(area + 32 + 16 * i, x->st[i], 10);
    }
}

static void get_x87(struct x86_cpu *cpu, const u8 *area, bool rexw)
{
    struct x86_x87 *x = &cpu->s.x87;
    struct x86_x87 was = *x;
    u64 fip = 0, fdp = 0;
    u16 fcw, fsw;

    memcpy(&fcw, area, 2);
    memcpy(&fsw, area + 2, 2);
    x->fcw = x86_fcw(fcw);
    x->fsw = x86_fsw(fsw, x->fcw);
    x->ftw = area[4];
    memcpy(&x->fop, area + 6, 2);
    x->fop &= 0x7ff;
    memcpy(&fip, area + 8, rexw ? 8 : 4);
    memcpy(&fdp, area + 16, rexw ? 8 : 4);
    x->fip = fip, x->fdp = fdp;
    x->fcs = x->fds = 0;
    if (!rexw && !cpu->config->no_fcs_fds) {
        memcpy(&x->fcs, area + 12, 2);
        memcpy(&x->fds, area + 20, 2);
    }
    if (cpu->config->pointers_with_es && !(x->fsw & 0x80))
        x->fip = was.fip, x->fdp = was.fdp, x->fop = was.fop, x->fcs = was.fcs, x->fds = was.fds;
    for (u32 i = 0; i < 8; i++)
        memcpy(x->st[i], area + 32 + 16 * i, 10);
}

static void copy_rows(u8 *to, const u8 *from, u32 rows)
{
    for (u32 t = 0; t < X86_TILES; t++)
        memcpy(to + X86_TILE_BYTES * t, from + X86_TILE_BYTES * t, 64 * rows);
}

static void swap_tilecfg(struct x86_tilecfg *c)
{
    struct x86_tilecfg was = *c;

    for (u32 i = 0; i < 16; i++) {
        c->rows[i] = (u8)was.colsb[i];
        c->colsb[i] = was.rows[i];
    }
}

static void put_tilecfg(const struct x86_cpu *cpu, u8 *at)
{
    struct x86_tilecfg c = cpu->s.tilecfg;

    if (cpu->config->errata & ERRATUM_TILECFG_SWAPPED)
        swap_tilecfg(&c);
    memcpy(at, &c, 64);
}

static void put(const struct x86_cpu *cpu, unsigned n, u8 *at)
{
    const struct x86_state *s = &cpu->s;

    switch (n) {
    case 2:
    case 6:
        for (u32 i = 0; i < 16; i++)
            memcpy(at + (n == 2 ? 16 : 32) * i, s->zmm[i] + (n == 2 ? 16 : 32), n == 2 ? 16 : 32);
        break;
    case 5:
        memcpy(at, s->k, 64);
        break;
    case 7:
        memcpy(at, s->zmm[16], 1024);
        break;
    case 9:
        memset(at, 0, 8);
        memcpy(at, &s->pkru, 4);
        break;
    case 17:
        put_tilecfg(cpu, at);
        break;
    case 18:
        copy_rows(at, s->tile[0], cpu->config->errata & ERRATUM_HALF_TILES ? 8 : 16);
        break;
    default:
        break;
    }
}

/* SDM 1, 13.5.12: an image that LDTILECFG would refuse becomes the initial configuration. */
static void get_tilecfg(struct x86_cpu *cpu, const u8 *at)
{
    struct x86_tilecfg c;

    memcpy(&c, at, 64);
    x86_init_component(cpu, 17);
    if (x86_tilecfg_valid(&c) && c.palette)
        cpu->s.tilecfg = c;
}

static void get(struct x86_cpu *cpu, unsigned n, const u8 *at)
{
    struct x86_state *s = &cpu->s;

    switch (n) {
    case 2:
    case 6:
        for (u32 i = 0; i < 16; i++)
            memcpy(s->zmm[i] + (n == 2 ? 16 : 32), at + (n == 2 ? 16 : 32) * i, n == 2 ? 16 : 32);
        break;
    case 5:
        memcpy(s->k, at, 64);
        break;
    case 7:
        memcpy(s->zmm[16], at, 1024);
        break;
    case 9:
        memcpy(&s->pkru, at, 4);
        break;
    case 17:
        get_tilecfg(cpu, at);
        break;
    case 18:
        copy_rows(s->tile[0], at, cpu->config->errata & ERRATUM_HALF_TILES ? 8 : 16);
        s->tiles_used = true;
        break;
    default:
        break;
    }
}

/* ---- XSAVE, XSAVEOPT, XSAVEC, XSAVES: SDM 1, 13.7, 13.9, 13.10, 13.11 ---- */

static int check_xsave(const struct x86_cpu *cpu, bool there, bool supervisor, const void *area)
{
    bool ts = (cpu->cr0 & CR0_TS) && !(cpu->config->errata & ERRATUM_XSAVE_IGNORES_TS);

    if (!cpu->config->xcr0 || !there || !(cpu->cr4 & CR4_OSXSAVE))
        return X86_UD;
    if (ts)
        return X86_NM;
    if ((supervisor && cpu->cpl != 0) || ((uintptr_t)area & 63))
        return X86_GP;
    return X86_NONE;
}

/* SDM 1, 13.14: a component that XFD disables is stored as if it were in its initial configuration.
 */
static const struct x86_cpu *seen_by_save(const struct x86_cpu *cpu, u64 rfbm, u64 *in_use)
{
    static struct x86_cpu seen;
    u64 hidden = cpu->xfd & cpu->xcr0 & rfbm;

    *in_use = x86_xinuse(cpu) & ~hidden;
    if (!hidden)
        return cpu;
    seen = *cpu;
    for (unsigned n = 2; n < X86_COMPONENTS; n++) {
        if (hidden & BIT(n))
            x86_init_component(&seen, n);
    }
    return &seen;
}

static void put_legacy(const struct x86_cpu *cpu, u8 *area, u64 what, bool mxcsr, bool rexw)
{
    if (what & X86_X87)
        put_x87(cpu, area, rexw);
    if (mxcsr) {
        memcpy(area + 24, &cpu->s.mxcsr, 4);
        memcpy(area + 28, &cpu->config->mxcsr_mask, 4);
    }
    for (u32 i = 0; i < 16 && (what & X86_SSE); i++)
        memcpy(area + 160 + 16 * i, cpu->s.zmm[i], 16);
}

int x86_save(struct x86_cpu *cpu, enum x86_save kind, void *area, u64 mask, bool rexw)
{
    const struct x86_config *config = cpu->config;
    bool compacted = kind >= X86_XSAVEC;
    bool there = kind == X86_XSAVE || (kind == X86_XSAVEOPT && config->xsaveopt) ||
                 (kind == X86_XSAVEC && config->xsavec) || (kind == X86_XSAVES && config->xsaves);
    int vector = check_xsave(cpu, there, kind == X86_XSAVES, area);
    struct header *h = (struct header *)((u8 *)area + HEADER_AT);
    u64 rfbm = mask & (cpu->xcr0 | (kind == X86_XSAVES ? cpu->xss : 0)), in_use;

    if (vector)
        return vector;
    const struct x86_cpu *seen = seen_by_save(cpu, rfbm, &in_use);
    u64 xcomp = compacted ? COMPACTED | rfbm : 0;
    /* MXCSR counts as SSE in the compacted format, and is always stored in the other. */
    if (compacted && cpu->s.mxcsr != MXCSR_INIT)
        in_use |= X86_SSE;
    u64 stored = kind == X86_XSAVE ? rfbm : rfbm & in_use;
    u64 with_mxcsr = config->errata & ERRATUM_XSAVEC_MXCSR ? X86_SSE | X86_AVX : X86_SSE;
    bool mxcsr = compacted ? (stored & with_mxcsr) != 0 : (rfbm & (X86_SSE | X86_AVX)) != 0;
    put_legacy(seen, area, stored, mxcsr, rexw);
    for (unsigned n = 2; n < X86_COMPONENTS; n++) {
        if (stored & BIT(n))
            put(seen, n, (u8 *)area + x86_offset(config, xcomp, n));
    }
    if (compacted) {
        h->xstate_bv = rfbm & in_use;
        h->xcomp_bv = xcomp;
    } else {
        h->xstate_bv = (h->xstate_bv & ~rfbm) | (rfbm & in_use);
    }
    return X86_NONE;
}

/* ---- XRSTOR, XRSTORS: SDM 1, 13.8, 13.12 ---- */

static bool header_good(const struct x86_config *config, const struct header *h, u64 enabled,
                        bool compacted, bool supervisor)
{
    if (compacted) {
        /* XSTATE_BV[63] is refused too, though XCOMP_BV[63] is set (seen on Sapphire Rapids). */
        u64 there = config->errata & ERRATUM_XSTATE_BV63 ? h->xcomp_bv : h->xcomp_bv & ~COMPACTED;
        return !(h->xcomp_bv & ~COMPACTED & ~enabled) && !(h->xstate_bv & ~there) &&
               all_zero(h->reserved, sizeof(h->reserved));
    }
    return !supervisor && !h->xcomp_bv && !h->reserved[0] && !(h->xstate_bv & ~enabled);
}

static void get_legacy(struct x86_cpu *cpu, const u8 *area, u64 rfbm, u64 bv, bool rexw)
{
    if (rfbm & X86_X87) {
        if (bv & X86_X87)
            get_x87(cpu, area, rexw);
        else
            x86_init_component(cpu, 0);
    }
    if (rfbm & X86_SSE) {
        x86_init_component(cpu, 1);
        for (u32 i = 0; i < 16 && (bv & X86_SSE); i++)
            memcpy(cpu->s.zmm[i], area + 160 + 16 * i, 16);
    }
}

/* Where Bochs looks for component n: it adds up what is restored, not what is there. */
static u32 restored_from(const struct x86_config *config, const struct header *h, u64 rfbm,
                         unsigned n)
{
    u64 xcomp = h->xcomp_bv;

    if (config->errata & ERRATUM_NARROW_RESTORE)
        xcomp &= rfbm | COMPACTED;
    return x86_offset(config, xcomp, n);
}

int x86_restore(struct x86_cpu *cpu, bool supervisor, const void *area, u64 mask, bool rexw)
{
    const struct x86_config *config = cpu->config;
    int vector = check_xsave(cpu, !supervisor || config->xsaves, supervisor, area);
    const struct header *h = (const struct header *)((const u8 *)area + HEADER_AT);
    u64 enabled = cpu->xcr0 | (supervisor ? cpu->xss : 0), rfbm = mask & enabled;
    u32 mxcsr;

    if (vector)
        return vector;
    bool compacted = (h->xcomp_bv & COMPACTED) && config->xsavec;
    if (!header_good(config, h, enabled, compacted, supervisor))
        return X86_GP;
    /* SDM 1, 13.8.1 and 13.8.2: the standard form loads MXCSR whatever XSTATE_BV says. */
    bool loads_mxcsr =
        compacted ? (rfbm & h->xstate_bv & X86_SSE) != 0 : (rfbm & (X86_SSE | X86_AVX)) != 0;
    memcpy(&mxcsr, (const u8 *)area + 24, 4);
    if (loads_mxcsr && (mxcsr & ~config->mxcsr_mask))
        return X86_GP;
    u64 disabled = rfbm & h->xstate_bv & cpu->xfd;
    if (disabled) { /* SDM 1, 13.14 */
        cpu->xfd_err = disabled;
        return X86_NM;
    }
    get_legacy(cpu, area, rfbm, h->xstate_bv, rexw);
    if (loads_mxcsr)
        cpu->s.mxcsr = mxcsr;
    else if ((rfbm & X86_SSE) && !(config->errata & ERRATUM_MXCSR_STAYS))
        cpu->s.mxcsr = MXCSR_INIT;
    for (unsigned n = 2; n < X86_COMPONENTS; n++) {
        if (!(rfbm & BIT(n)))
            continue;
        if (h->xstate_bv & BIT(n))
            get(cpu, n, (const u8 *)area + restored_from(config, h, rfbm, n));
        else
            x86_init_component(cpu, n);
        if (n == 2 && !(h->xstate_bv & X86_AVX) && (config->errata & ERRATUM_AVX_TAKES_ZMM))
            x86_init_component(cpu, 6);
    }
    return X86_NONE;
}

/* ---- FXSAVE, FXRSTOR: SDM 1, 10.5; SDM 3, 2.5: EM and TS are #NM ---- */

int x86_fxsave(struct x86_cpu *cpu, void *area, bool rexw)
{
    if (cpu->cr0 & (CR0_EM | CR0_TS))
        return X86_NM;
    if ((uintptr_t)area & 15)
        return X86_GP;
    put_legacy(cpu, area, X86_X87 | X86_SSE, true, rexw);
    return X86_NONE;
}

int x86_fxrstor(struct x86_cpu *cpu, const void *area, bool rexw)
{
    u32 mxcsr;

    if (cpu->cr0 & (CR0_EM | CR0_TS))
        return X86_NM;
    memcpy(&mxcsr, (const u8 *)area + 24, 4);
    if (((uintptr_t)area & 15) || (mxcsr & ~cpu->config->mxcsr_mask))
        return X86_GP;
    get_legacy(cpu, area, X86_X87 | X86_SSE, X86_X87 | X86_SSE, rexw);
    cpu->s.mxcsr = mxcsr;
    return X86_NONE;
}
