/* What the FP registers and target descriptions of both architectures have in common. */
#include "hv/console.h"
#include "hv/fp_transfer.h"
#include "hv/gdb_session.h"

#include <stdarg.h>

void gdb_xml_add(struct gdb_xml *text, const char *fmt, ...)
{
    const size_t left = text->room - text->n;
    va_list args;

    va_start(args, fmt);
    const size_t n = (size_t)format_text_v(text->at + text->n, left, fmt, args);
    va_end(args);
    text->n += n < left ? n : left - 1;
}

bool gdb_take_records(struct vcpu *v, size_t *bytes)
{
    memset(gdb.records, 0, GDB_RECORDS_MAX);
    return fp_export(v, gdb.records, GDB_RECORDS_MAX, bytes) == FP_TRANSFER_OK;
}

bool gdb_give_records(struct vcpu *v, size_t bytes)
{
    const char *why;

    return fp_import(v, gdb.records, bytes, &why) == FP_TRANSFER_OK;
}
