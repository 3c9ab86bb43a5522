/*
 * A context as records (hv/abi.h), in and out: struct fermata_fp_x86_control and XSAVE's standard
 * format, whatever the format of the area is.
 *
 * What IA32_XFD disables leaves as INIT, as XSAVE under that IA32_XFD would store it, and is
 * refused when it comes (BUGS 9). PKRU travels in the control record alone.
 */
#include "cpu.h"
#include "fp_hw.h"
#include "virt.h"
#include "xstate_layout.h"
#include "arch/arch.h"
#include "hv/abi.h"
#include "hv/fp_transfer.h"

#define TILECFG_N 17u

struct record {
    u32 type, bytes;
};

struct found {
    const struct fermata_fp_x86_control *control;
    const struct xsave_image *image; /* NULL: everything is in INIT */
    size_t image_bytes;
};

/* Bytes of the XSTATE record's payload. */
static size_t image_bytes(u64 enabled)
{
    return cpu_has.xsave ? xstate_bytes(&xstate_layout, enabled & XSTATE_GATED, false)
                         : XSTATE_MIN_BYTES;
}

size_t arch_fp_export_bytes(const struct vcpu *v)
{
    return fp_record_bytes(sizeof(struct fermata_fp_x86_control)) +
           fp_record_bytes(image_bytes(v->fp.arch.enabled));
}

/* What is in INIT is written out, so that nobody has to know what an older save left there. */
static void clean_legacy(struct xsave_image *image)
{
    struct fxsave_image *l = &image->legacy;

    if (!(image->header.xstate_bv & XCR0_X87)) {
        l->fcw = FCW_RESET;
        l->fsw = l->fop = 0;
        l->ftw = 0;
        l->fip = l->fdp = 0;
        memset(l->st, 0, sizeof(l->st));
    }
    if (!(image->header.xstate_bv & XCR0_SSE))
        memset(l->xmm, 0, sizeof(l->xmm));
    l->reserved0 = 0;
    memset(l->reserved1, 0, sizeof(l->reserved1));
    memset(l->software, 0, sizeof(l->software));
}

static void export_image(const struct vcpu *v, struct xsave_image *to)
{
    const struct arch_fp *fp = &v->fp.arch;
    const void *area = v->fp.area.base;

    if (!area) {
        xstate_reset(to, 0);
    } else if (cpu_has.xsave) {
        xstate_convert(&xstate_layout, to, 0, area, fp->allocated & ~fp->xfd);
    } else {
        memcpy(&to->legacy, area, XSTATE_LEGACY_BYTES);
        to->header.xstate_bv = XCR0_X87 | XCR0_SSE;
    }
    clean_legacy(to);
    to->legacy.software[0] = fp->xcr0; /* where Linux puts it, and gdb looks for it */
}

void arch_fp_export(const struct vcpu *v, void *to)
{
    const struct arch_fp *fp = &v->fp.arch;
    const struct fermata_fp_x86_control control = {
        .xcr0 = fp->xcr0,
        .xcr0_ever = fp->enabled,
        .xfd = fp->xfd,
        .xfd_err = fp->xfd_err,
        .pkru = fp->pkru,
    };
    struct record record = {FERMATA_FP_X86_CONTROL, sizeof(control)};
    u8 *at = to;

    memset(to, 0, arch_fp_export_bytes(v));
    memcpy(at, &record, sizeof(record));
    memcpy(at + sizeof(record), &control, sizeof(control));
    at += fp_record_bytes(sizeof(control));
    record = (struct record){FERMATA_FP_X86_XSTATE, (u32)image_bytes(fp->enabled)};
    memcpy(at, &record, sizeof(record));
    export_image(v, (struct xsave_image *)(void *)(at + sizeof(record)));
}

/* ---- In ---- */

static bool all_zero(const u8 *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}

static const char *take(struct found *found, const struct record *record, const u8 *payload)
{
    if (record->type == FERMATA_FP_X86_CONTROL) {
        if (found->control)
            return "a second control record";
        if (record->bytes != sizeof(*found->control))
            return "a control record of another size";
        found->control = (const void *)payload;
        return NULL;
    }
    if (!found->control)
        return "the control record does not come first";
    if (record->type != FERMATA_FP_X86_XSTATE)
        return "a record of a type that x86-64 does not have";
    if (found->image)
        return "a second XSTATE record";
    if (record->bytes < XSTATE_MIN_BYTES)
        return "an XSTATE record shorter than its header";
    found->image = (const void *)payload;
    found->image_bytes = record->bytes;
    return NULL;
}

/* Finds the records; nothing of what they say is looked at but their sizes (BUGS 16). */
static const char *find(const u8 *records, size_t n, struct found *found)
{
    size_t at = 0;

    *found = (struct found){0};
    while (n - at >= sizeof(struct record)) {
        const struct record *record = (const void *)(records + at);
        size_t room = n - at - sizeof(*record);
        const u8 *payload = records + at + sizeof(*record);

        if (record->bytes > room || ALIGN_UP((size_t)record->bytes, (size_t)8) > room)
            return "a record longer than what is there";
        size_t padding = ALIGN_UP((size_t)record->bytes, (size_t)8) - record->bytes;
        if (!all_zero(payload + record->bytes, padding))
            return "padding that is not zero";
        const char *wrong = take(found, record, payload);
        if (wrong)
            return wrong;
        at += fp_record_bytes(record->bytes);
    }
    if (at != n)
        return "bytes behind the last record";
    return found->control ? NULL : "no control record";
}

/* Could some x86-64 have these? */
static const char *control_wrong(const struct fermata_fp_x86_control *c)
{
    if (!xcr0_valid(c->xcr0, XSTATE_MANAGED))
        return "an XCR0 that XSETBV would refuse";
    if ((c->xcr0 & ~c->xcr0_ever) || !xcr0_valid(c->xcr0_ever | XCR0_SSE, XSTATE_MANAGED))
        return "an xcr0_ever that its XCR0 cannot have had";
    if ((c->xfd & ~XCR0_TILEDATA) || (c->xfd_err & ~XCR0_TILEDATA))
        return "reserved bits in IA32_XFD or IA32_XFD_ERR";
    return c->zero ? "a reserved word that is not zero" : NULL;
}

/* And may this VM? */
static const char *control_denied(const struct vcpu *v, const struct fermata_fp_x86_control *c)
{
    const struct arch_fp *fp = &v->fp.arch;
    u64 perm = fp->perm | XCR0_X87 | XCR0_SSE;

    if (!cpu_has.xsave && c->xcr0 != XCR0_X87)
        return "an XCR0, which this machine does not have";
    if (c->xcr0_ever & ~perm)
        return "components that the VM's fp list leaves out";
    if ((c->xfd | c->xfd_err) && !fp_xfd_offered(v))
        return "IA32_XFD, which the VM does not have";
    return c->pkru && !fp->pku ? "PKRU, which the VM does not have" : NULL;
}

/* XRSTOR would refuse it, with a #GP or #NM of our own, or leave registers as they are (BUGS 15).
 */
static const char *image_wrong(const struct found *found)
{
    const struct fermata_fp_x86_control *c = found->control;
    const struct xsave_image *image = found->image;
    u64 bv = image->header.xstate_bv;

    if (found->image_bytes != image_bytes(c->xcr0_ever))
        return "an XSTATE record of another size than its xcr0_ever asks for";
    if (image->header.xcomp_bv)
        return "an XCOMP_BV that is not zero: only the standard format comes in";
    if (!all_zero((const u8 *)image->header.reserved, sizeof(image->header.reserved)))
        return "reserved bytes in the XSAVE header";
    if (bv & ~((c->xcr0_ever | XCR0_SSE) & XSTATE_GATED))
        return "an XSTATE_BV with components that were never enabled";
    if (bv & c->xfd)
        return "an XSTATE_BV with components that IA32_XFD disables";
    if (image->legacy.mxcsr & ~fp_hw.mxcsr_mask)
        return "reserved bits in MXCSR";
    if ((bv & XCR0_TILECFG) &&
        !fp_tilecfg_valid((const u8 *)image + xstate_offset(&xstate_layout, 0, TILECFG_N)))
        return "a TILECFG that LDTILECFG would refuse";
    return NULL;
}

static u64 bv_of(const struct found *found)
{
    return found->image ? found->image->header.xstate_bv : 0;
}

/* The control state that will be, but for what only the CPU knows. */
static void take_control(const struct vcpu *v, struct fp_ctx *ctx, const struct found *found)
{
    struct arch_fp *fp = &ctx->arch;

    fp->xcr0 = found->control->xcr0;
    fp->enabled = found->control->xcr0_ever | XCR0_X87 | XCR0_SSE;
    fp->xfd = found->control->xfd;
    fp->xfd_err = found->control->xfd_err;
    fp->pkru = found->control->pkru;
    fp->armed = fp_xfd_offered(v) && !(bv_of(found) & XCR0_TILEDATA);
    fp_plan(ctx);
}

bool arch_fp_import_check(const struct vcpu *v, const void *records, size_t n, size_t *area_bytes,
                          bool *denied, const char **why)
{
    struct fp_ctx ctx = v->fp;
    struct found found;

    *denied = false;
    *why = find(records, n, &found);
    if (!*why)
        *why = control_wrong(found.control);
    if (!*why) {
        *why = control_denied(v, found.control);
        *denied = *why != NULL;
    }
    if (!*why && found.image)
        *why = image_wrong(&found);
    if (*why)
        return false;
    take_control(v, &ctx, &found);
    bool init = !bv_of(&found) && (!found.image || found.image->legacy.mxcsr == MXCSR_RESET);
    *area_bytes = init ? 0 : ctx.arch.bytes;
    return true;
}

void arch_fp_import(struct vcpu *v, const void *records, size_t n, struct fp_area *area)
{
    struct arch_fp *fp = &v->fp.arch;
    struct found found;

    CHECK(!find(records, n, &found));
    fp->code32 = fp_needs_32bit_form(&v->fp); /* the standard format does not say which it is */
    take_control(v, &v->fp, &found);
    CHECK(!area->base || (area->bytes >= fp->bytes && found.image));
    if (area->base && cpu_has.xsave) {
        xstate_convert(&xstate_layout, area->base, fp_xcomp(fp->allocated), found.image,
                       fp->allocated);
    } else if (area->base) {
        struct xsave_image image = *found.image;
        clean_legacy(&image);
        memcpy(area->base, &image.legacy, XSTATE_LEGACY_BYTES);
    }
    fp_xfd_apply(v);
    if (v->pcpu->current == v)
        arch_fp_controls(v);
}
