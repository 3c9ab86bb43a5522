/* Looks up functions in the symbol table the build links in. */
#include "hv/symbols.h"

/* Stand-ins for the first link, and for a build without the table. */
__attribute__((weak)) const u32 symbol_count = 0;
__attribute__((weak)) const u32 symbol_offsets[1] = {0};
__attribute__((weak)) const u32 symbol_name_offsets[1] = {0};
__attribute__((weak)) const char symbol_names[1] = {0};

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
