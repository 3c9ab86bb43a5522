/*
 * The only instruction Fermata ever decodes: MOV from and to a control register (0F 20 /r and
 * 0F 22 /r); of others that exit it may have to count the prefixes. Pure.
 */
#ifndef FERMATA_X86_DECODE_CR_H
#define FERMATA_X86_DECODE_CR_H

#include "hv/base.h"

struct cr_access {
    bool write; /* to the control register */
    u8 cr;      /* control register number, 0 to 15 */
    u8 gpr;     /* general register number, 0 to 15 */
    u8 length;  /* of the whole instruction */
};

/*
 * Decodes bytes[0..n), n at most 15, as fetched at RIP. `long_mode`: the code segment is 64-bit, so
 * 0x40 to 0x4f are REX prefixes. False: not this instruction, or not all of it is there.
 */
bool decode_cr_access(const u8 *bytes, size_t n, bool long_mode, struct cr_access *out);

/* How many of bytes[0..n) are prefixes, REX among them in 64-bit code; at most 14. */
size_t decode_prefixes(const u8 *bytes, size_t n, bool long_mode);

#endif
