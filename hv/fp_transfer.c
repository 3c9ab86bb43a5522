/* FP state in and out as records: fp_transfer.h. */
#include "hv/fp_transfer.h"
#include "arch/arch.h"
#include "hv/abi.h"
#include "hv/console.h"
#include "hv/pages.h"

/* The caller's vCPU has its state in registers and is put aside for the while; any other is
 * already in memory, for what leaves a CPU is saved and scrubbed. */
static bool put_aside(struct vcpu *v)
{
    bool current = v->pcpu->current == v;

    if (current)
        fp_switch_out(v);
    CHECK(v->fp.cpu == FP_NOWHERE); /* I7 */
    return current;
}

static enum fp_transfer take_up(struct vcpu *v, bool current, enum fp_transfer result)
{
    return !current || fp_switch_in(v) ? result : FP_TRANSFER_LOST;
}

enum fp_transfer fp_export(struct vcpu *v, void *to, size_t room, size_t *bytes)
{
    bool current = put_aside(v);
    enum fp_transfer result = FP_TRANSFER_INVALID;

    *bytes = arch_fp_export_bytes(v);
    if (*bytes <= room) {
        arch_fp_export(v, to);
        result = FP_TRANSFER_OK;
    }
    return take_up(v, current, result);
}

/* Everything is known to be right and there is room: from here on nothing is refused. */
static void replace(struct vcpu *v, const void *records, size_t n, struct fp_area *area)
{
    struct fp_ctx *fp = &v->fp;

    fp_area_free(&v->vm->fp_quota, &fp->area);
    arch_fp_import(v, records, n, area);
    fp->area = *area;
    fp->spare = 0; /* that was said of the old one */
    fp->stats.grows += area->base != NULL;
}

enum fp_transfer fp_import(struct vcpu *v, const void *records, size_t n, const char **why)
{
    struct fp_area area = {NULL, 0};
    size_t area_bytes = 0;
    bool denied = false;

    if (!arch_fp_import_check(v, records, n, &area_bytes, &denied, why))
        return denied ? FP_TRANSFER_DENIED : FP_TRANSFER_INVALID;
    *why = "";
    if (area_bytes && !fp_take_area(v, area_bytes, &area)) {
        *why = "no memory for its FP save area";
        return FP_TRANSFER_NO_MEMORY;
    }
    bool current = put_aside(v);
    replace(v, records, n, &area);
    return take_up(v, current, FP_TRANSFER_OK);
}

static s64 status(struct vcpu *caller, const struct vcpu *v, enum fp_transfer result,
                  const char *why)
{
    if (*why)
        say_debug("vm %s: vCPU %u: import of FP state to vCPU %u refused: %s", vm_name(caller->vm),
                  caller->id, v->id, why);
    switch (result) {
    case FP_TRANSFER_OK:
        return FERMATA_OK;
    case FP_TRANSFER_DENIED:
        return FERMATA_DENIED;
    case FP_TRANSFER_NO_MEMORY:
        return FERMATA_NO_MEMORY;
    case FP_TRANSFER_LOST:
        vcpu_crash(caller, "no memory for its FP save area after an export or import");
        return FERMATA_NO_MEMORY;
    default:
        return FERMATA_INVALID;
    }
}

static s64 export_call(struct vcpu *caller, struct vcpu *v, const struct fermata_fp_transfer *t,
                       void *records, u64 *value)
{
    size_t bytes;
    enum fp_transfer result = fp_export(v, records, t->bytes, &bytes);

    *value = bytes;
    if (result == FP_TRANSFER_INVALID && t->bytes == 0)
        result = FP_TRANSFER_OK; /* it only asked how many there are */
    return status(caller, v, result, "");
}

/* The records are looked at twice, so they are taken out of the guest's reach first. */
static s64 import_call(struct vcpu *caller, struct vcpu *v, const struct fermata_fp_transfer *t,
                       const void *records)
{
    size_t pages = (t->bytes + PAGE_SIZE - 1) / PAGE_SIZE;
    const char *why;
    void *copy;

    if (t->bytes == 0)
        return FERMATA_INVALID;
    copy = pages_alloc(pages, PAGE_SIZE, PAGES_HYPERVISOR);
    if (!copy)
        return FERMATA_NO_MEMORY;
    memcpy(copy, records, t->bytes);
    enum fp_transfer result = fp_import(v, copy, t->bytes, &why);
    memset(copy, 0, t->bytes); /* register contents are not left lying about */
    pages_free(copy, pages, PAGES_HYPERVISOR);
    return status(caller, v, result, why);
}

s64 fp_transfer_call(struct vcpu *caller, bool import, u64 gpa, u64 *value)
{
    const void *from = vm_ram(caller->vm, gpa, sizeof(struct fermata_fp_transfer));
    struct fermata_fp_transfer t;

    if (!from || gpa % 8)
        return FERMATA_INVALID;
    memcpy(&t, from, sizeof(t));

    struct vcpu *v = vm_vcpu(caller->vm, t.vcpu);
    void *records = t.bytes ? vm_ram(caller->vm, t.records, t.bytes) : NULL;

    if (!v || t.zero || t.records % 8 || t.bytes > FP_RECORDS_MAX || (t.bytes && !records))
        return FERMATA_INVALID;
    /* Running on another CPU at this moment: its registers are not to be had from here. */
    if (v != caller && v->pcpu->current == v)
        return FERMATA_INVALID;
    return import ? import_call(caller, v, &t, records)
                  : export_call(caller, v, &t, records, value);
}
