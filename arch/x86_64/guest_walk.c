/* The guest's page tables, walked in software: APM 2, 5.2 (legacy) and 5.3 (long mode). Pure. */
#include "guest_walk.h"
#include "x86.h"

#define ENTRY_P  1u
#define ENTRY_PS 0x80u

/* One entry of 4 or 8 bytes, little endian. False: outside RAM. */
static bool read_entry(const struct guest_memory *m, u64 at, unsigned bytes, u64 *entry)
{
    u64 offset = at - m->base;

    if (at < m->base || offset > m->bytes || m->bytes - offset < bytes)
        return false;
    *entry = 0;
    memcpy(entry, m->ram + offset, bytes);
    return true;
}

/* The shape of one paging mode: levels, index bits per level, bytes per entry. */
struct shape {
    unsigned levels, index_bits, entry_bytes;
    u64 root, address_mask;
};

static struct shape shape_of(const struct guest_memory *m)
{
    if (m->efer & EFER_LMA)
        return (struct shape){m->cr4 & CR4_LA57 ? 5 : 4, 9, 8, m->cr3 & 0x000ffffffffff000ull,
                              0x000ffffffffff000ull};
    if (m->cr4 & CR4_PAE)
        return (struct shape){3, 9, 8, m->cr3 & 0xffffffe0, 0x000ffffffffff000ull};
    return (struct shape){2, 10, 4, m->cr3 & 0xfffff000, 0xfffff000};
}

/* Can an entry at this level (1 = page table) map a page itself? */
static bool may_be_large(const struct guest_memory *m, const struct shape *s, unsigned level)
{
    if (s->entry_bytes == 4)
        return level == 2 && (m->cr4 & CR4_PSE);
    return level == 2 || (level == 3 && s->levels >= 4);
}

bool guest_translate(const struct guest_memory *m, u64 linear, u64 *physical)
{
    if (!(m->cr0 & CR0_PG)) {
        *physical = linear & 0xffffffff;
        return true;
    }
    struct shape s = shape_of(m);
    if (s.levels < 4)
        linear &= 0xffffffff;
    u64 table = s.root;

    for (unsigned level = s.levels; level > 0; level--) {
        unsigned shift = 12 + s.index_bits * (level - 1);
        u64 index = linear >> shift & ((1u << s.index_bits) - 1);
        u64 entry;

        if (s.levels == 3 && level == 3)
            index &= 3; /* four PDPTEs */
        if (!read_entry(m, table + index * s.entry_bytes, s.entry_bytes, &entry))
            return false;
        if (!(entry & ENTRY_P))
            return false;
        bool large = level > 1 && (entry & ENTRY_PS) && may_be_large(m, &s, level);
        u64 offset = (1ull << shift) - 1;
        if (large && s.entry_bytes == 4) {
            /* PSE-36: bits 20-13 are the address's 39-32. */
            *physical = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32 | (linear & offset);
            return true;
        }
        if (large || level == 1) {
            *physical = (entry & s.address_mask & ~offset) | (linear & offset);
            return true;
        }
        table = entry & s.address_mask;
    }
    return false;
}

size_t guest_read(const struct guest_memory *m, u64 linear, u8 *to, size_t n)
{
    size_t done = 0;

    while (done < n) {
        u64 physical, page;
        u64 at = linear + done;
        if (!guest_translate(m, at, &physical))
            break;
        page = PAGE_SIZE - (at & (PAGE_SIZE - 1));
        for (; page > 0 && done < n; page--, done++, physical++) {
            u64 offset = physical - m->base;
            if (physical < m->base || offset >= m->bytes)
                return done;
            to[done] = m->ram[offset];
        }
    }
    return done;
}
