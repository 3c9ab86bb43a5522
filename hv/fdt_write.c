/*
 * Writes flattened device trees, in order and in place: the structure block grows in the caller's
 * buffer, the property names are gathered beside it and moved behind it at the end.
 */
#include "hv/fdt.h"

#define HEADER_BYTES  40u
#define RESERVE_BYTES 16u /* the reservation map: its terminating entry alone */
#define STRUCTS_AT    (HEADER_BYTES + RESERVE_BYTES)

enum { FDT_BEGIN_NODE = 1, FDT_END_NODE = 2, FDT_PROP = 3, FDT_END = 9 };

static void store(u8 *at, u32 value)
{
    at[0] = (u8)(value >> 24);
    at[1] = (u8)(value >> 16);
    at[2] = (u8)(value >> 8);
    at[3] = (u8)value;
}

/* Appends bytes and pads with zeros to a whole word. */
static void append(struct fdt_writer *w, const void *data, u32 bytes)
{
    const u32 room = w->full ? 0 : w->bytes - w->used;

    if (bytes > room || ALIGN_UP(bytes, 4u) > room) {
        w->full = true;
        return;
    }
    if (bytes != 0)
        memcpy(w->at + w->used, data, bytes);
    memset(w->at + w->used + bytes, 0, ALIGN_UP(bytes, 4u) - bytes);
    w->used += ALIGN_UP(bytes, 4u);
}

static void append_u32(struct fdt_writer *w, u32 value)
{
    u8 word[4];

    store(word, value);
    append(w, word, sizeof(word));
}

/* Offset of a property name among the strings; each is there once. */
static u32 string_offset(struct fdt_writer *w, const char *name)
{
    const u32 bytes = (u32)strlen(name) + 1;
    u32 at = 0;

    while (at < w->strings_used) {
        if (strcmp(w->strings + at, name) == 0)
            return at;
        at += (u32)strlen(w->strings + at) + 1;
    }
    if (bytes > FDT_WRITER_STRINGS - w->strings_used) {
        w->full = true;
        return 0;
    }
    memcpy(w->strings + at, name, bytes);
    w->strings_used += bytes;
    return at;
}

void fdt_begin(struct fdt_writer *w, void *buffer, u32 bytes)
{
    w->at = buffer;
    w->bytes = bytes & ~3u;
    w->used = STRUCTS_AT;
    w->depth = 0;
    w->strings_used = 0;
    w->full = w->bytes < STRUCTS_AT;
    if (!w->full)
        memset(w->at, 0, STRUCTS_AT);
}

void fdt_begin_node(struct fdt_writer *w, const char *name)
{
    append_u32(w, FDT_BEGIN_NODE);
    append(w, name, (u32)strlen(name) + 1);
    w->depth++;
}

void fdt_end_node(struct fdt_writer *w)
{
    append_u32(w, FDT_END_NODE);
    if (w->depth-- == 0)
        w->full = true; /* more ends than beginnings: no tree at all */
}

void fdt_add(struct fdt_writer *w, const char *name, const void *data, u32 bytes)
{
    append_u32(w, FDT_PROP);
    append_u32(w, bytes);
    append_u32(w, string_offset(w, name));
    append(w, data, bytes);
}

void fdt_add_empty(struct fdt_writer *w, const char *name)
{
    fdt_add(w, name, NULL, 0);
}

void fdt_add_cells(struct fdt_writer *w, const char *name, const u32 *cells, u32 n)
{
    append_u32(w, FDT_PROP);
    append_u32(w, n * 4);
    append_u32(w, string_offset(w, name));
    for (u32 i = 0; i < n; i++)
        append_u32(w, cells[i]);
}

void fdt_add_u32(struct fdt_writer *w, const char *name, u32 value)
{
    fdt_add_cells(w, name, &value, 1);
}

void fdt_add_u64(struct fdt_writer *w, const char *name, u64 value)
{
    const u32 cells[2] = {(u32)(value >> 32), (u32)value};

    fdt_add_cells(w, name, cells, 2);
}

void fdt_add_string(struct fdt_writer *w, const char *name, const char *text)
{
    fdt_add(w, name, text, (u32)strlen(text) + 1);
}

void fdt_add_strings(struct fdt_writer *w, const char *name, const char *list, u32 bytes)
{
    fdt_add(w, name, list, bytes);
}

u32 fdt_finish(struct fdt_writer *w)
{
    append_u32(w, FDT_END);
    const u32 structs_bytes = w->used - STRUCTS_AT;
    const u32 strings_at = w->used;
    append(w, w->strings, w->strings_used);
    if (w->full || w->depth != 0)
        return 0;

    const u32 header[] = {
        0xd00dfeed,      /* magic */
        w->used,         /* totalsize */
        STRUCTS_AT,      /* off_dt_struct */
        strings_at,      /* off_dt_strings */
        HEADER_BYTES,    /* off_mem_rsvmap */
        17,              /* version */
        16,              /* last_comp_version */
        0,               /* boot_cpuid_phys */
        w->strings_used, /* size_dt_strings */
        structs_bytes,   /* size_dt_struct */
    };
    for (u32 i = 0; i < ARRAY_SIZE(header); i++)
        store(w->at + (size_t)i * 4, header[i]);
    return w->used;
}
