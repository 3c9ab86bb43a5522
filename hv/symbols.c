/*
 * Looks up functions in the symbol table the build links in. There are no stand-ins here: a
 * compiler that sees a constant's weak value takes it for the value.
 */
#include "hv/symbols.h"

const char *symbol_find(u64 offset, u64 *into)
{
    u32 low = 0;
    u32 high = symbol_count;

    if (symbol_count == 0 || offset < symbol_offsets[0] || offset >= symbol_offsets[symbol_count])
        return NULL;
    /* The last symbol that does not begin after `offset`. */
    while (high - low > 1) {
        const u32 middle = low + (high - low) / 2;
        if (symbol_offsets[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    *into = offset - symbol_offsets[low];
    return symbol_names + symbol_name_offsets[low];
}
