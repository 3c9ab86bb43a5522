/* One LZ4 block (the LZ4 project's lz4_Block_format.md), behind its unpacked length. See unpack.h.
 */
#include "boot/unpack.h"

#define HEADER    4u
#define MIN_MATCH 4u

/* What is left to read and to fill. */
struct cursor {
    const u8 *in, *in_end;
    u8 *start, *out, *out_end;
};

/* The rest of a length whose four bits say 15: bytes are added up to the first that is not 255. */
static bool more_length(struct cursor *c, size_t *length)
{
    u8 byte;

    do {
        if (c->in == c->in_end || *length > MiB(64))
            return false;
        byte = *c->in++;
        *length += byte;
    } while (byte == 255);
    return true;
}

static bool literals(struct cursor *c, size_t n)
{
    if (n == 15 && !more_length(c, &n))
        return false;
    if (n > (size_t)(c->in_end - c->in) || n > (size_t)(c->out_end - c->out))
        return false;
    memcpy(c->out, c->in, n);
    c->in += n;
    c->out += n;
    return true;
}

/* A copy of what came before. It may overlap what it writes: that is how a run is said. */
static bool match(struct cursor *c, size_t n)
{
    if (c->in_end - c->in < 2)
        return false;
    size_t offset = (size_t)(c->in[0] | c->in[1] << 8);
    c->in += 2;
    if (n == 15 && !more_length(c, &n))
        return false;
    n += MIN_MATCH;
    if (!offset || offset > (size_t)(c->out - c->start) || n > (size_t)(c->out_end - c->out))
        return false;
    for (; n; n--, c->out++)
        *c->out = c->out[-(ptrdiff_t)offset];
    return true;
}

u64 unpack_bytes(const u8 *packed, size_t n)
{
    u32 bytes = 0;

    if (n > HEADER)
        memcpy(&bytes, packed, HEADER);
    return bytes;
}

bool unpack(const u8 *packed, size_t n, u8 *to)
{
    struct cursor c = {packed + HEADER, packed + n, to, to, to + unpack_bytes(packed, n)};

    if (n <= HEADER)
        return false;
    while (c.in != c.in_end) {
        u8 token = *c.in++;
        if (!literals(&c, token >> 4))
            return false;
        if (c.in == c.in_end) /* the last sequence has no copy */
            return c.out == c.out_end;
        if (!match(&c, token & 15))
            return false;
    }
    return false;
}
