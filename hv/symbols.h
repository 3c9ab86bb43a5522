/* The image's own symbol table, linked in by the build (tools/), for backtraces that read. */
#ifndef FERMATA_SYMBOLS_H
#define FERMATA_SYMBOLS_H

#include "hv/base.h"

/*
 * Made by tools/symbols.py after the first link: function symbols sorted by address, relative to
 * the image base. symbol_offsets[symbol_count] is the end of the last one. Names are 0-terminated,
 * one after the other. The first link gets an empty table.
 */
extern const u32 symbol_count;
extern const u32 symbol_offsets[];      /* from image base */
extern const u32 symbol_name_offsets[]; /* into symbol_names */
extern const char symbol_names[];

/* Name of the function holding `offset` (from the image base) and the distance into it, or NULL. */
const char *symbol_find(u64 offset, u64 *into);

#endif
