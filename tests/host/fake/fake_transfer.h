/* What records the fake machine exports: transfer.c. */
#ifndef FAKE_TRANSFER_H
#define FAKE_TRANSFER_H

#include "hv/abi.h"
#include "hv/base.h"

struct fake_record {
    u32 type, bytes;
};

struct fake_control {
    struct fake_record record;
    u64 xcr, xcr_ever, ctrl;
};

/* Could `bytes` bytes be an area that a save made under xcr_ever? */
bool fake_area_sound(const void *area, size_t bytes, u64 xcr_ever);

#endif
