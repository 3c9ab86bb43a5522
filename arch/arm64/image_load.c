/* Puts kernel and device tree into a VM's RAM, so that a guest with its caches off sees them. */
#include "arch/arch.h"
#include "boot/boot_info.h"
#include "guest.h"
#include "hv/console.h"
#include "image.h"
#include "sysreg.h"

/* CTR_EL0: log2 of the smallest data cache line, in words. */
static u64 cache_line(void)
{
    return 4ull << (sysreg_read(ctr_el0) >> 16 & 15);
}

#define CTR_IDC BIT(28) /* instruction fetches need no cleaning of the data caches */

/*
 * With its MMU off a guest reads past the caches, unless stage 2 forces them (FEAT_S2FWB): then all
 * of RAM is written back, for the zeros of vm_create() are in the caches too. What was written is
 * also code: with FEAT_S2FWB too it is cleaned, unless CTR_EL0.IDC says that fetches see it as it
 * is, and the instruction caches forget what was there before.
 */
static void make_visible(const u8 *ram, u64 bytes)
{
    if (!features.fwb || !(sysreg_read(ctr_el0) & CTR_IDC)) {
        u64 line = cache_line();
        for (u64 at = 0; at < bytes; at += line)
            __asm__ volatile("dc civac, %0" : : "r"(ram + at) : "memory");
    }
    dsb(sy);
    __asm__ volatile("ic ialluis" : : : "memory");
    dsb(ish);
    isb();
}

bool image_load(struct vm *vm, u64 *entry, u64 *dtb, char *why, size_t n)
{
    const struct boot_vm *config = vm->config;
    const void *file = (const void *)config->image;
    struct image_place place;

    if (!image_place(file, config->image_bytes, vm->ram_bytes, &place, why, n))
        return false;
    memcpy(vm->ram + place.offset, file, config->image_bytes);
    if (!guest_dtb(vm, vm->ram + place.dtb_offset, (u32)(vm->ram_bytes - place.dtb_offset))) {
        format_text(why, n, "its device tree does not fit: shorten cmdline");
        return false;
    }
    make_visible(vm->ram, vm->ram_bytes);
    *entry = vm->ram_gpa + place.offset;
    *dtb = vm->ram_gpa + place.dtb_offset;
    return true;
}
