/* The layout of FP images: sizes and copies, nothing of the machine. */
#include "vec_layout.h"

void vec_relayout(const void *from, void *to)
{
    struct vec_header header;

    memcpy(&header, from, sizeof(header));
    memcpy(to, from, vec_bytes((enum vec_form)header.form, header.vl));
}

u32 vec_round_down(u32 lengths, u32 bytes)
{
    u32 best = 0;

    for (u32 n = 0; n < 16; n++) {
        u32 length = VEC_VL_MIN * (n + 1);
        if ((lengths & (1u << n)) && length <= bytes)
            best = length;
    }
    return best;
}
