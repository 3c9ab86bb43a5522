/* Areas that nothing asks to grow or is spared from, for what is linked without hv/fp.c. */
#include "hv/fp.h"

void fp_spare(struct vcpu *v, size_t bytes)
{
    (void)v;
    (void)bytes;
}

bool fp_grow(struct vcpu *v)
{
    (void)v;
    return true;
}
