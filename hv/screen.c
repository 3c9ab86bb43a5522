/* Text on the firmware's framebuffer (UEFI 2.10, 12.9: 32 bits a pixel, red and blue in any order).
 */
#include "hv/screen.h"
#include "boot/boot_info.h"

#define INK        0x00c0c0c0u /* grey: the same in either order of colours */
#define WIDTH_MOST 16384u

static struct {
    volatile u32 *pixels; /* NULL: there is no screen */
    u32 stride;           /* pixels from line to line */
    u32 scale;            /* pixels of a dot, each way */
    u32 columns, rows;    /* of letters */
    u32 column, row;      /* where the next one goes */
} text;

static void fill(u32 x, u32 y, u32 width, u32 height, u32 colour)
{
    for (u32 line = y; line < y + height; line++) {
        volatile u32 *at = text.pixels + (size_t)line * text.stride + x;
        for (u32 n = 0; n < width; n++)
            at[n] = colour;
    }
}

static void clear_row(u32 row)
{
    fill(0, row * SCREEN_CELL_HEIGHT * text.scale, text.columns * SCREEN_CELL_WIDTH * text.scale,
         SCREEN_CELL_HEIGHT * text.scale, 0);
}

void screen_init(const struct boot_screen *screen)
{
    const u32 scale = screen->width >= SCREEN_WIDE ? 2 : 1;

    text.pixels = NULL;
    if (screen->base == 0 || screen->base % 4 != 0 || screen->width > screen->stride ||
        screen->stride > WIDTH_MOST || screen->height > WIDTH_MOST ||
        (u64)screen->stride * screen->height * 4 > screen->bytes)
        return;
    text.scale = scale;
    text.stride = screen->stride;
    text.columns = screen->width / (SCREEN_CELL_WIDTH * scale);
    text.rows = screen->height / (SCREEN_CELL_HEIGHT * scale);
    text.column = 0;
    text.row = 0;
    if (text.columns == 0 || text.rows < 2)
        return;
    text.pixels = (volatile u32 *)(uintptr_t)screen->base;
    fill(0, 0, screen->width, screen->height, 0);
}

static void next_line(void)
{
    text.column = 0;
    text.row = (text.row + 1) % text.rows;
    clear_row((text.row + 1) % text.rows);
}

static void draw(char c)
{
    const u8 *glyph = screen_font[(c >= ' ' && c <= '~' ? c : '?') - ' '];
    const u32 x = text.column * SCREEN_CELL_WIDTH * text.scale;
    const u32 y = text.row * SCREEN_CELL_HEIGHT * text.scale;

    for (u32 column = 0; column < SCREEN_GLYPH_COLUMNS; column++) {
        for (u32 dot = 0; glyph[column] >> dot != 0; dot++) {
            if ((glyph[column] >> dot & 1) != 0)
                fill(x + column * text.scale, y + (dot + 1) * text.scale, text.scale, text.scale,
                     INK);
        }
    }
}

void screen_put(char c)
{
    if (text.pixels == NULL || c == '\r')
        return;
    if (c == '\n') {
        next_line();
        return;
    }
    if (text.column == text.columns)
        next_line();
    draw(c);
    text.column++;
}
