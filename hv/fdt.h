/*
 * Flattened device trees (Devicetree Specification 0.4, chapter 5): a reader for what firmware
 * hands over, pure and bounded so that no blob can make it read outside itself, and a small writer
 * for the trees guests get. Own code, and why: adr/0001-own-fdt-code.md.
 */
#ifndef FERMATA_FDT_H
#define FERMATA_FDT_H

#include "hv/base.h"

struct boot_uart;

#define FDT_MAX_DEPTH 16u /* of nodes; deeper ones are not entered */

struct fdt {
    const u8 *structs; /* the structure block */
    u32 structs_bytes;
    const char *strings;
    u32 strings_bytes;
};

/* A node: offset of its FDT_BEGIN_NODE in the structure block. */
#define FDT_NONE (~0u)
typedef u32 fdt_node;

struct fdt_prop {
    const u8 *at; /* NULL: there is no such property */
    u32 bytes;
};

/* Accepts a blob of at most `max` bytes: magic, version, and both blocks within it. */
bool fdt_open(struct fdt *fdt, const void *blob, u64 max);

/* Bytes of the blob by its header (so that it can be copied or reserved); 0: not a device tree. */
u32 fdt_bytes(const void *blob, u64 max);

/* What is wrong with a whole blob, *at being how far into its structure it makes sense; NULL:
 * nothing. What comes before the fault can be read all the same. */
const char *fdt_fault(const void *blob, u64 max, u32 *at);

/* By full path ("/chosen", "/soc/serial@9000000"; the unit address may be left out), or FDT_NONE.
 */
fdt_node fdt_path(const struct fdt *fdt, const char *path);

/* The next node after `from` (FDT_NONE: from the start) whose "compatible" has this string. */
fdt_node fdt_compatible(const struct fdt *fdt, fdt_node from, const char *compatible);

/* The node `node` is in, or FDT_NONE for the root. */
fdt_node fdt_parent(const struct fdt *fdt, fdt_node node);

struct fdt_prop fdt_prop(const struct fdt *fdt, fdt_node node, const char *name);

/* A property that is one string, 0-terminated within its bytes, or NULL. */
const char *fdt_string(const struct fdt *fdt, fdt_node node, const char *name);

/* Cell `index` of a property of 32-bit cells, or `otherwise`. */
u32 fdt_u32(const struct fdt *fdt, fdt_node node, const char *name, u32 index, u32 otherwise);

/*
 * Entry `index` of "reg", by the parent's #address-cells and #size-cells. Addresses are those of
 * the parent bus: "ranges" on the way up are applied where they are simple; false if they are not.
 */
bool fdt_reg(const struct fdt *fdt, fdt_node node, u32 index, u64 *base, u64 *bytes);

/* The UART that /chosen stdout-path names; where it names none the alias serial0, else the first
 * that is not disabled. False: none, or one Fermata cannot drive. */
bool fdt_console(const struct fdt *fdt, struct boot_uart *uart);

/* ---- Writer ---- */

#define FDT_WRITER_STRINGS 512u

/* Everything that does not fit sets `full`, and fdt_finish() then returns 0: no check in between.
 */
struct fdt_writer {
    u8 *at;
    u32 bytes;
    u32 used;
    u32 depth;
    u32 strings_used;
    bool full;
    char strings[FDT_WRITER_STRINGS];
};

/* Begins a tree in `buffer` (8-byte aligned) with an empty reservation map. */
void fdt_begin(struct fdt_writer *w, void *buffer, u32 bytes);
void fdt_begin_node(struct fdt_writer *w, const char *name); /* the root's name is "" */
void fdt_end_node(struct fdt_writer *w);
void fdt_add(struct fdt_writer *w, const char *name, const void *data, u32 bytes);
void fdt_add_empty(struct fdt_writer *w, const char *name);
void fdt_add_u32(struct fdt_writer *w, const char *name, u32 value);
void fdt_add_u64(struct fdt_writer *w, const char *name, u64 value);
void fdt_add_cells(struct fdt_writer *w, const char *name, const u32 *cells, u32 n);
void fdt_add_string(struct fdt_writer *w, const char *name, const char *text);
/* Strings one after the other, each 0-terminated, `bytes` in all: a "compatible" list. */
void fdt_add_strings(struct fdt_writer *w, const char *name, const char *list, u32 bytes);

/* Ends the tree; bytes of the whole blob, or 0 if it did not fit or nodes are left open. */
u32 fdt_finish(struct fdt_writer *w);

#endif
