/* The MSRs a guest of VMX reaches without an exit: one bitmap for all. Ports need none: all exit.
 */
#include "vmx.h"
#include "hv/pages.h"

u64 vmx_msr_bitmap_pa;

/* 1 = exit. Two maps for reads, two for writes, of 8192 MSRs each (SDM 3, 25.6.9). */
static void allow(u8 *map, u32 msr, bool write)
{
    u32 at = (write ? 2048u : 0u) + (msr >= 0xc0000000 ? 1024u : 0u) + (msr & 0x1fff) / 8;

    map[at] &= (u8) ~(1u << (msr & 7));
}

/*
 * A guest has its own copy in the VMCS, or (KERNEL_GS_BASE, which SWAPGS changes unseen) in the CPU
 * until another comes. The four syscall MSRs are free to read only: so their values are known.
 */
bool vmx_msr_bitmap_init(void)
{
    static const u32 own[] = {MSR_FS_BASE,     MSR_GS_BASE,      MSR_KERNEL_GS_BASE,
                              MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP};
    u8 *map = pages_alloc(1, PAGE_SIZE, PAGES_HYPERVISOR);

    if (!map)
        return false;
    memset(map, 0xff, PAGE_SIZE);
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        allow(map, own[i], false);
        allow(map, own[i], true);
    }
    for (u32 msr = MSR_STAR; msr <= MSR_SFMASK; msr++)
        allow(map, msr, false);
    vmx_msr_bitmap_pa = (u64)(uintptr_t)map;
    return true;
}
