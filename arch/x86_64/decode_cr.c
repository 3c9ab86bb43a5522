/* MOV CRn, r and MOV r, CRn: APM 3, MOV(CRn). Pure and bounded: at most 15 bytes, one pass. */
#include "decode_cr.h"

static bool legacy_prefix(u8 byte)
{
    switch (byte) {
    case 0x26: /* segment overrides, operand and address size, REPs: all without meaning here */
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xf0: /* LOCK MOV CR0 names CR8 on AMD; CR4 with LOCK would have been #UD */
    case 0xf2:
    case 0xf3:
        return true;
    default:
        return false;
    }
}

size_t decode_prefixes(const u8 *bytes, size_t n, bool long_mode)
{
    size_t at = 0;

    while (at < n && at < 14 &&
           (legacy_prefix(bytes[at]) || (long_mode && (bytes[at] & 0xf0) == 0x40)))
        at++;
    return at;
}

bool decode_cr_access(const u8 *bytes, size_t n, bool long_mode, struct cr_access *out)
{
    size_t at = 0;
    u8 rex = 0;

    if (n > 15)
        n = 15; /* no instruction is longer */
    for (; at < n; at++) {
        if (legacy_prefix(bytes[at]))
            rex = 0; /* a REX before another prefix is ignored */
        else if (long_mode && (bytes[at] & 0xf0) == 0x40)
            rex = bytes[at];
        else
            break;
    }
    if (n - at < 3 || bytes[at] != 0x0f || (bytes[at + 1] & 0xfd) != 0x20)
        return false;
    out->write = bytes[at + 1] == 0x22;
    /* MOD is ignored by the CPU: the operands are always registers. */
    u8 modrm = bytes[at + 2];
    out->cr = (u8)((modrm >> 3 & 7) | (rex & 4 ? 8 : 0));
    out->gpr = (u8)((modrm & 7) | (rex & 1 ? 8 : 0));
    out->length = (u8)(at + 3);
    return true;
}
