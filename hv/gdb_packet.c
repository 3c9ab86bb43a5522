/* See gdb_packet.h. */
#include "hv/gdb_packet.h"
#include "hv/console.h"

enum { OUTSIDE, INSIDE, SUM_HIGH, SUM_LOW };

#define ESCAPE     '}' /* the next byte is itself XOR 0x20 */
#define INTERRUPT  0x03
#define LINE_BYTES 256

static int digit(u8 c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static void start(struct gdb_in *in)
{
    in->state = INSIDE;
    in->n = 0;
    in->sum = 0;
    in->escaped = in->overrun = false;
}

static void payload(struct gdb_in *in, u8 byte)
{
    in->sum = (u8)(in->sum + byte);
    if (byte == ESCAPE && !in->escaped) {
        in->escaped = true;
        return;
    }
    if (in->n == in->room)
        in->overrun = true;
    else
        in->data[in->n++] = in->escaped ? byte ^ 0x20 : byte;
    in->escaped = false;
}

static enum gdb_input outside(struct gdb_in *in, u8 byte)
{
    if (byte == '$')
        start(in);
    else if (byte == INTERRUPT)
        return GDB_INTERRUPT;
    else if (byte == '-')
        return GDB_NACK;
    return GDB_NOTHING; /* '+', and line noise */
}

enum gdb_input gdb_take(struct gdb_in *in, u8 byte)
{
    switch (in->state) {
    case INSIDE:
        if (byte == '#')
            in->state = SUM_HIGH;
        else if (byte == '$') /* the end of the last one was lost */
            start(in);
        else
            payload(in, byte);
        return GDB_NOTHING;
    case SUM_HIGH:
        in->overrun |= digit(byte) < 0;
        in->wanted = (u8)((unsigned)digit(byte) << 4);
        in->state = SUM_LOW;
        return GDB_NOTHING;
    case SUM_LOW:
        in->state = OUTSIDE;
        if (digit(byte) < 0 || in->overrun || in->escaped || (in->wanted | digit(byte)) != in->sum)
            return GDB_BAD;
        return GDB_PACKET;
    default:
        return outside(in, byte);
    }
}

void gdb_begin(struct gdb_out *out)
{
    out->n = 0;
    out->full = false;
}

void gdb_byte(struct gdb_out *out, u8 byte)
{
    if (out->n == out->room)
        out->full = true;
    else
        out->data[out->n++] = byte;
}

void gdb_text(struct gdb_out *out, const char *text)
{
    while (*text)
        gdb_byte(out, (u8)*text++);
}

void gdb_printf(struct gdb_out *out, const char *fmt, ...)
{
    char line[LINE_BYTES];
    va_list args;

    va_start(args, fmt);
    format_text_v(line, sizeof(line), fmt, args);
    va_end(args);
    gdb_text(out, line);
}

void gdb_hex(struct gdb_out *out, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const u8 *b = bytes;

    for (size_t i = 0; i < n; i++) {
        gdb_byte(out, (u8)digits[b[i] >> 4]);
        gdb_byte(out, (u8)digits[b[i] & 15]);
    }
}

void gdb_send(const struct gdb_out *out, void (*put)(u8 byte))
{
    static const char digits[] = "0123456789abcdef";
    u8 sum = 0;

    put('$');
    for (u32 i = 0; i < out->n; i++) {
        u8 byte = out->data[i];
        if (byte == '$' || byte == '#' || byte == ESCAPE || byte == '*') { /* '*' would be a run */
            sum = (u8)(sum + ESCAPE);
            put(ESCAPE);
            byte ^= 0x20;
        }
        sum = (u8)(sum + byte);
        put(byte);
    }
    put('#');
    put((u8)digits[sum >> 4]);
    put((u8)digits[sum & 15]);
}

bool gdb_next(struct gdb_text *text, const char *word)
{
    size_t n = strlen(word);

    if (n > (size_t)(text->end - text->at) || memcmp(text->at, word, n) != 0)
        return false;
    text->at += n;
    return true;
}

bool gdb_end(const struct gdb_text *text)
{
    return text->at == text->end;
}

bool gdb_number(struct gdb_text *text, u64 *value)
{
    u32 n = 0;

    *value = 0;
    for (; text->at < text->end && digit(*text->at) >= 0; text->at++, n++) {
        if (n == 16)
            return false;
        *value = *value << 4 | (u64)digit(*text->at);
    }
    return n != 0;
}

bool gdb_bytes(struct gdb_text *text, void *to, size_t n)
{
    u8 *out = to;

    if (n > (size_t)(text->end - text->at) / 2)
        return false;
    for (size_t i = 0; i < n; i++, text->at += 2) {
        int high = digit(text->at[0]), low = digit(text->at[1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (u8)(high << 4 | low);
    }
    return true;
}
