/*
 * The I/O and MSR permission maps. One pair serves every VM: all ports exit, and all MSRs but those
 * that VMLOAD and VMSAVE give each guest its own copy of (APM 2, 15.10, 15.11).
 */
#include "svm.h"
#include "cpu.h"
#include "hv/pages.h"

#define IOPM_PAGES  3u
#define MSRPM_PAGES 2u

u64 svm_iopm_pa, svm_msrpm_pa;

static const u32 own_msrs[] = {
    MSR_STAR,    MSR_LSTAR,          MSR_CSTAR,       MSR_SFMASK,       MSR_FS_BASE,
    MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP};

/* Two bits per MSR, read then write, in three 2 KiB vectors of 8192 MSRs each. */
static void allow(u8 *map, u32 msr)
{
    u32 vector = msr < 0x2000 ? 0 : msr < 0xc0010000 ? 1 : 2;
    u32 at = vector * 8192 + (msr & 0x1fff);

    map[at / 4] &= (u8) ~(3u << (at % 4 * 2));
}

bool svm_maps_init(void)
{
    u8 *io = pages_alloc(IOPM_PAGES, PAGE_SIZE, PAGES_HYPERVISOR);
    u8 *msr = pages_alloc(MSRPM_PAGES, PAGE_SIZE, PAGES_HYPERVISOR);

    if (!io || !msr)
        return false;
    memset(io, 0xff, IOPM_PAGES * PAGE_SIZE);
    memset(msr, 0xff, MSRPM_PAGES * PAGE_SIZE);
    for (size_t i = 0; i < ARRAY_SIZE(own_msrs); i++)
        allow(msr, own_msrs[i]);
    svm_iopm_pa = (u64)(uintptr_t)io;
    svm_msrpm_pa = (u64)(uintptr_t)msr;
    return true;
}
