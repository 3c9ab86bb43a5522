/*
 * Text on the firmware's framebuffer: the console of a machine without a UART. Light letters on
 * black, whole lines; at the bottom it goes on at the top, and the line below the one being written
 * is always empty, which shows where the end is. Nothing is ever read back: framebuffers are slow.
 */
#ifndef FERMATA_SCREEN_H
#define FERMATA_SCREEN_H

#include "hv/base.h"

struct boot_screen;

#define SCREEN_GLYPHS        95u /* ' ' to '~' */
#define SCREEN_GLYPH_COLUMNS 5u
#define SCREEN_CELL_WIDTH    6u /* dots, with the space between letters */
#define SCREEN_CELL_HEIGHT   9u
#define SCREEN_WIDE          1280u /* from this many pixels on, a dot is 2 x 2 of them */

extern const u8 screen_font[SCREEN_GLYPHS][SCREEN_GLYPH_COLUMNS];

/* Clears it. A screen too small for a letter, or that would lie outside its memory, stays unused.
 */
void screen_init(const struct boot_screen *screen);

/* One character at the cursor; '\n' begins the next line, so does the right edge. Others that are
 * not printable ASCII come out as '?', but for '\r', which is nothing. */
void screen_put(char c);

#endif
