/*
 * The framing of gdb's remote serial protocol (GDB manual, appendix E.1): $data#checksum, escapes,
 * acknowledgements. Pure: bytes in, bytes out.
 */
#ifndef FERMATA_GDB_PACKET_H
#define FERMATA_GDB_PACKET_H

#include "hv/base.h"

/* What a byte of input completed. */
enum gdb_input {
    GDB_NOTHING,   /* go on */
    GDB_PACKET,    /* in.data[0 .. in.n) is a whole packet with the right checksum, unescaped */
    GDB_BAD,       /* a packet with a wrong checksum, or longer than there is room: ask again */
    GDB_INTERRUPT, /* 0x03 outside a packet: gdb's Ctrl-C */
    GDB_NACK,      /* '-': send the last packet again */
};

struct gdb_in {
    u8 *data;
    u32 room; /* of data */
    u32 n;
    u8 state, sum, wanted;
    bool escaped, overrun;
};

/* Takes one byte. After GDB_PACKET the next call starts anew. */
enum gdb_input gdb_take(struct gdb_in *in, u8 byte);

/* A reply under construction. What does not fit is dropped and `full` set: the caller then answers
 * with an error instead. `data` is the payload, not escaped. */
struct gdb_out {
    u8 *data;
    u32 room, n;
    bool full;
};

void gdb_begin(struct gdb_out *out);
void gdb_byte(struct gdb_out *out, u8 byte);
void gdb_text(struct gdb_out *out, const char *text);
void gdb_printf(struct gdb_out *out, const char *fmt, ...) PRINTF_LIKE(2, 3);
void gdb_hex(struct gdb_out *out, const void *bytes, size_t n); /* two digits each */

/* '$', the payload escaped, '#', checksum: each byte to put(). */
void gdb_send(const struct gdb_out *out, void (*put)(u8 byte));

/* ---- Reading a packet: a cursor that never passes the end ---- */

struct gdb_text {
    const u8 *at, *end;
};

/* Consumes `word` if it is next. */
bool gdb_next(struct gdb_text *text, const char *word);
bool gdb_end(const struct gdb_text *text);

/* Hexadecimal digits, at least one, at most 16: big-endian as people write numbers. */
bool gdb_number(struct gdb_text *text, u64 *value);

/* 2 * n hexadecimal digits into n bytes. */
bool gdb_bytes(struct gdb_text *text, void *to, size_t n);

#endif
