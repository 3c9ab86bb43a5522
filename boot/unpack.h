/* The built-in guest is packed in the image (tools/pack.py). Pure. */
#ifndef FERMATA_UNPACK_H
#define FERMATA_UNPACK_H

#include "hv/base.h"

/* Bytes that `packed` unpacks to; 0 if it is too short to say. */
u64 unpack_bytes(const u8 *packed, size_t n);

/*
 * Unpacks all `n` bytes of `packed` into `to`, which has unpack_bytes() of room. False: it is
 * damaged; nothing was read outside `packed` or written outside `to`.
 */
bool unpack(const u8 *packed, size_t n, u8 *to);

#endif
