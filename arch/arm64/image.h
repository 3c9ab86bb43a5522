/* Where an arm64 Image goes. Pure. */
#ifndef FERMATA_IMAGE_H
#define FERMATA_IMAGE_H

#include "hv/base.h"

struct image_place {
    u64 offset;     /* of the image from the start of RAM; its first byte is the entry */
    u64 dtb_offset; /* of the device tree, page aligned, to the end of RAM */
};

/*
 * Is `image` (bytes long) an arm64 Image that fits `memory` bytes of RAM, and where? Reads nothing
 * beyond `bytes`. On false `why` says what is wrong with it.
 */
bool image_place(const void *image, size_t bytes, u64 memory, struct image_place *place, char *why,
                 size_t n);

#endif
