/*
 * The image moves itself to where the firmware loaded it. It is linked at address 0 and position
 * independent, so all there is to do is to add the load address to each pointer in .relro and
 * .data. The linker left a list of them; the build fails when the list holds anything else
 * (tools/check_image.py).
 */
#include "boot/boot.h"

struct elf_rela { /* ELF-64, "Relocation" */
    u64 offset;
    u64 info; /* the low 32 bits are the type */
    u64 addend;
};

#ifdef __aarch64__
#define R_RELATIVE 1027u /* R_AARCH64_RELATIVE */
#else
#define R_RELATIVE 8u /* R_X86_64_RELATIVE */
#endif

/*
 * Called by start.S before anything else, so it must not use a pointer that needs relocation
 * itself. False: an entry of another type, nothing of which can be trusted; the firmware gets
 * EFI_LOAD_ERROR.
 */
bool boot_relocate(u8 *image, const struct elf_rela *from, const struct elf_rela *to)
{
    for (const struct elf_rela *r = from; r < to; r++) {
        if ((u32)r->info != R_RELATIVE)
            return false;
        u64 value = (u64)image + r->addend;
        memcpy(image + r->offset, &value, sizeof(value));
    }
    return true;
}
