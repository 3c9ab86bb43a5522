/*
 * A guest's stage 1, walked in software for the debugger: granules of 4, 16 and 64 KiB, any size of
 * the address space that 48 bits allow. 52-bit output addresses are not followed.
 */
#include "gdb_arm64.h"

#define SCTLR_M       BIT(0)
#define DESC_VALID    1u
#define DESC_TABLE    2u
#define ADDRESS_48    0x0000fffffffff000ull
#define TCR_T0SZ(tcr) ((u32)(tcr)&63)
#define TCR_T1SZ(tcr) ((u32)((tcr) >> 16) & 63)
#define TCR_TG0(tcr)  ((u32)((tcr) >> 14) & 3)
#define TCR_TG1(tcr)  ((u32)((tcr) >> 30) & 3)
#define TCR_TBI0      BIT(37)
#define TCR_TBI1      BIT(38)

/* Bits of an address within a page, by TG0 (4, 64, 16 KiB) and by TG1 (16, 4, 64 KiB). */
static u32 page_bits(bool upper, u64 tcr)
{
    static const u8 tg0[4] = {12, 16, 14, 12}, tg1[4] = {12, 14, 12, 16};

    return upper ? tg1[TCR_TG1(tcr)] : tg0[TCR_TG0(tcr)];
}

static bool read_descriptor(const struct walk *w, u64 at, u64 *descriptor)
{
    u64 offset = at - w->base;

    if (at < w->base || w->bytes < 8 || offset > w->bytes - 8 || at % 8)
        return false;
    memcpy(descriptor, w->ram + offset, 8);
    return true;
}

bool walk_stage1(const struct walk *w, u64 address, u64 *ipa)
{
    bool upper = address >> 55 & 1;
    u32 unused = upper ? TCR_T1SZ(w->tcr) : TCR_T0SZ(w->tcr);
    u32 page = page_bits(upper, w->tcr), stride = page - 3;

    *ipa = address;
    if (!(w->sctlr & SCTLR_M))
        return true;
    if (unused < 16 || unused > 48)
        return false;
    u32 bits = 64 - unused;
    if (w->tcr & (upper ? TCR_TBI1 : TCR_TBI0)) /* the top byte is a tag */
        address = (u64)((s64)(address << 8) >> 8);
    if (address >> bits != (upper ? ~0ull >> bits : 0))
        return false;
    address &= (1ull << bits) - 1;

    u32 level_bits = bits - page; /* to be resolved by all levels together */
    u32 levels = (level_bits + stride - 1) / stride;
    u64 table = (upper ? w->ttbr1 : w->ttbr0) & 0x0000fffffffffffeull;
    for (u32 level = 4 - levels; level < 4; level++) {
        u32 shift = page + stride * (3 - level);
        u64 index = address >> shift, descriptor;
        if (level != 4 - levels)
            index &= (1ull << stride) - 1;
        if (!read_descriptor(w, (table & ~7ull) + 8 * index, &descriptor) ||
            !(descriptor & DESC_VALID))
            return false;
        bool table_or_page = descriptor & DESC_TABLE;
        if (level == 3 ? !table_or_page : !table_or_page && level == 0)
            return false;
        u64 out = descriptor & ADDRESS_48 & ~((1ull << page) - 1);
        if (level == 3 || !table_or_page) {
            u64 offset = (1ull << shift) - 1;
            *ipa = (out & ~offset) | (address & offset);
            return true;
        }
        table = out;
    }
    return false;
}
