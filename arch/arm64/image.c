/*
 * The arm64 `Image` (Linux Documentation/arch/arm64/booting.rst): is it one, and where does it go.
 */
#include "arch/arch.h"
#include "boot/boot_info.h"
#include "guest.h"
#include "hv/console.h"
#include "image.h"
#include "sysreg.h"

#define IMAGE_MAGIC      0x644d5241u /* "ARM\x64" */
#define IMAGE_BIG_ENDIAN BIT(0)
#define OLD_TEXT_OFFSET  0x80000u /* an image without image_size has no text_offset either */
#define DTB_BYTES        0x2000u  /* its device tree lies in the last pages of RAM */

struct image_header {
    u32 code[2];
    u64 text_offset;
    u64 image_size; /* with what the file does not hold (.bss); 0: old */
    u64 flags;
    u64 reserved[3];
    u32 magic;
    u32 pe;
};
_Static_assert(sizeof(struct image_header) == 64, "booting.rst, section 4");

bool image_place(const void *image, size_t bytes, u64 memory, struct image_place *place, char *why,
                 size_t n)
{
    struct image_header h;

    if (bytes < sizeof(h)) {
        format_text(why, n, "%lu bytes are too few for an arm64 Image: the file is truncated",
                    (u64)bytes);
        return false;
    }
    memcpy(&h, image, sizeof(h));
    if (h.magic != IMAGE_MAGIC) {
        format_text(why, n,
                    "not an arm64 Image (no \"ARM\\x64\" at offset 56): give the uncompressed "
                    "arch/arm64/boot/Image, not an ELF file or Image.gz");
        return false;
    }
    if (h.flags & IMAGE_BIG_ENDIAN) {
        format_text(why, n, "a big-endian arm64 Image: build it little-endian");
        return false;
    }
    u64 offset = h.image_size ? h.text_offset : OLD_TEXT_OFFSET;
    u64 size = h.image_size > bytes ? h.image_size : bytes;
    if (offset % PAGE_SIZE || offset >= MiB(2)) {
        format_text(why, n, "its text_offset 0x%lx is not a page below 2 MiB: the file is damaged",
                    offset);
        return false;
    }
    /* Subtractions only: image_size is whatever the file says. */
    if (memory < DTB_BYTES + offset || size > memory - DTB_BYTES - offset) {
        format_text(why, n,
                    "it needs %lu KiB at offset 0x%lx, which memory = %luM does not hold: "
                    "give the VM more",
                    (size >> 10) + 1, offset, memory >> 20);
        return false;
    }
    if (h.image_size && bytes > h.image_size) {
        format_text(why, n, "the file has %lu bytes, its header says %lu: it is damaged",
                    (u64)bytes, h.image_size);
        return false;
    }
    *place = (struct image_place){.offset = offset, .dtb_offset = memory - DTB_BYTES};
    return true;
}

bool arch_image_check(const void *image, size_t bytes, u64 memory, char *why, size_t n)
{
    struct image_place place;

    return image_place(image, bytes, memory, &place, why, n);
}
