/* Sets of address ranges. A sorted array: a handful of entries, searched from the front. */
#include "hv/ranges.h"

static u64 end_of(const struct range *r)
{
    return r->base + r->bytes;
}

static void delete_at(struct ranges *set, u32 i)
{
    set->n--;
    memmove(&set->r[i], &set->r[i + 1], (set->n - i) * sizeof(set->r[0]));
}

static bool insert_at(struct ranges *set, u32 i, u64 base, u64 bytes)
{
    if (set->n == RANGES_MAX)
        return false;
    memmove(&set->r[i + 1], &set->r[i], (set->n - i) * sizeof(set->r[0]));
    set->r[i] = (struct range){.base = base, .bytes = bytes};
    set->n++;
    return true;
}

bool ranges_add(struct ranges *set, u64 base, u64 bytes)
{
    u32 i = 0;

    if (bytes == 0 || base + bytes < base)
        return false;
    while (i < set->n && set->r[i].base < base)
        i++;
    /* It goes in front of entry i: no overlap with it, nor with the one before. */
    struct range *before = i > 0 ? &set->r[i - 1] : NULL;
    struct range *after = i < set->n ? &set->r[i] : NULL;
    if (before != NULL && end_of(before) > base)
        return false;
    if (after != NULL && base + bytes > after->base)
        return false;

    const bool joins_before = before != NULL && end_of(before) == base;
    const bool joins_after = after != NULL && base + bytes == after->base;
    if (joins_before && joins_after) {
        before->bytes += bytes + after->bytes;
        delete_at(set, i);
    } else if (joins_before) {
        before->bytes += bytes;
    } else if (joins_after) {
        after->base = base;
        after->bytes += bytes;
    } else {
        return insert_at(set, i, base, bytes);
    }
    return true;
}

bool ranges_remove(struct ranges *set, u64 base, u64 bytes)
{
    const u64 end = base + bytes < base ? ~0ull : base + bytes;
    bool whole = true;
    u32 i = 0;

    while (i < set->n && bytes != 0) {
        struct range *r = &set->r[i];
        const u64 r_end = end_of(r);
        if (r_end <= base) {
            i++;
            continue;
        }
        if (r->base >= end)
            break;
        const bool keeps_low = r->base < base;
        const bool keeps_high = r_end > end;
        if (keeps_low) {
            r->bytes = base - r->base;
            if (keeps_high)
                whole = insert_at(set, i + 1, end, r_end - end);
            i++;
        } else if (keeps_high) {
            *r = (struct range){.base = end, .bytes = r_end - end};
            i++;
        } else {
            delete_at(set, i);
        }
    }
    return whole;
}

/* The address in `r` for the allocation, or false. */
static bool fits(const struct range *r, u64 bytes, u64 align, bool highest, u64 *base)
{
    if (r->bytes < bytes)
        return false;
    if (highest) {
        *base = ALIGN_DOWN(end_of(r) - bytes, align);
        return *base >= r->base;
    }
    *base = ALIGN_UP(r->base, align);
    return *base >= r->base && *base - r->base <= r->bytes - bytes;
}

bool ranges_take(struct ranges *set, u64 bytes, u64 align, bool highest, u64 *base)
{
    if (bytes == 0)
        return false;
    for (u32 i = 0; i < set->n; i++) {
        const u32 at = highest ? set->n - 1 - i : i;
        if (fits(&set->r[at], bytes, align, highest, base)) {
            /* A full set that cannot be cut loses memory, not correctness. */
            (void)ranges_remove(set, *base, bytes);
            return true;
        }
    }
    return false;
}

u64 ranges_total(const struct ranges *set)
{
    u64 total = 0;

    for (u32 i = 0; i < set->n; i++)
        total += set->r[i].bytes;
    return total;
}
