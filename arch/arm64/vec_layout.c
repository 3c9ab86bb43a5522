/* The layout of FP images: sizes and copies, nothing of the machine. */
#include "vec_layout.h"

size_t vec_bytes(enum vec_form form, u32 vl)
{
    if (form == VEC_FPSIMD)
        return VEC_V_OFFSET + VEC_V_BYTES;
    return vec_p_offset(vl) + 17u * (vl / 8);
}

size_t vec_p_offset(u32 vl)
{
    return VEC_Z_OFFSET + (size_t)32 * vl;
}

size_t vec_moved(enum vec_form form, u32 vl)
{
    size_t status = sizeof(u64); /* FPSR and FPCR, 32 bits each */

    if (form == VEC_FPSIMD)
        return VEC_V_BYTES + status;
    return (size_t)32 * vl + 17u * (vl / 8) + status;
}

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
