/*
 * The fake machine's records (hv/abi.h): a control record, then the area as it is. Type numbers are
 * borrowed from x86-64; the payloads are the fake's own.
 */
#include "fake.h"
#include "fake_transfer.h"

static bool has_area(const struct vcpu *v)
{
    return v->fp.area.base != NULL;
}

size_t arch_fp_export_bytes(const struct vcpu *v)
{
    return sizeof(struct fake_control) + (has_area(v) ? 8 + v->fp.area.bytes : 0);
}

void arch_fp_export(const struct vcpu *v, void *to)
{
    const struct arch_fp *fp = &v->fp.arch;
    struct fake_control control = {
        {FERMATA_FP_X86_CONTROL, sizeof(control) - 8}, fp->xcr, fp->xcr_ever, fp->ctrl};
    struct fake_record state = {FERMATA_FP_X86_XSTATE, v->fp.area.bytes};

    memcpy(to, &control, sizeof(control));
    if (!has_area(v))
        return;
    memcpy((u8 *)to + sizeof(control), &state, sizeof(state));
    memcpy((u8 *)to + sizeof(control) + sizeof(state), v->fp.area.base, v->fp.area.bytes);
}

bool arch_fp_import_check(const struct vcpu *v, const void *records, size_t n, size_t *area_bytes,
                          bool *denied, const char **why)
{
    struct fake_control control;
    struct fake_record state;
    size_t left = n - sizeof(control);

    *why = "malformed";
    if (n < sizeof(control))
        return false;
    memcpy(&control, records, sizeof(control));
    if (control.record.type != FERMATA_FP_X86_CONTROL ||
        control.record.bytes != sizeof(control) - 8 || (control.xcr & ~control.xcr_ever))
        return false;
    if (control.xcr_ever & ~(u64)v->vm->arch.fp.xcr) {
        *denied = true;
        return false;
    }
    *area_bytes = 0;
    if (!left)
        return true;
    if (left < sizeof(state))
        return false;
    memcpy(&state, (const u8 *)records + sizeof(control), sizeof(state));
    if (state.type != FERMATA_FP_X86_XSTATE || state.bytes != left - sizeof(state) ||
        !fake_area_sound((const u8 *)records + sizeof(control) + sizeof(state), state.bytes,
                         control.xcr_ever))
        return false;
    *area_bytes = state.bytes;
    return true;
}

void arch_fp_import(struct vcpu *v, const void *records, size_t n, struct fp_area *area)
{
    struct fake_control control;

    memcpy(&control, records, sizeof(control));
    v->fp.arch.xcr = control.xcr;
    v->fp.arch.xcr_ever = control.xcr_ever;
    v->fp.arch.ctrl = control.ctrl;
    v->fp.arch.z_dirty = true; /* nobody has looked */
    if (area->base)
        memcpy(area->base, (const u8 *)records + sizeof(control) + 8, n - sizeof(control) - 8);
}
