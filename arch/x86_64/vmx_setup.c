/* What of a VMCS is the same for every vCPU: the state that exits return to. */
#include "vmx.h"
#include "exceptions.h"
#include "paging.h"

/* Where exits go. Nothing of it changes after boot but RSP (vmx_enter.S). */
void vmx_host_state_init(void)
{
    struct PACKED {
        u16 limit;
        u64 base;
    } gdtr, idtr;

    __asm__ volatile("sgdt %0" : "=m"(gdtr));
    __asm__ volatile("sidt %0" : "=m"(idtr));
    const u64 *tss = (const u64 *)(uintptr_t)(gdtr.base + SELECTOR_TSS);
    u64 tss_base = (tss[0] >> 16 & 0xffffff) | (tss[0] >> 56 & 0xff) << 24 | tss[1] << 32;
    const u16 selectors[] = {SELECTOR_DATA, SELECTOR_CODE, SELECTOR_DATA, SELECTOR_DATA, 0, 0,
                             SELECTOR_TSS};

    for (unsigned i = 0; i < ARRAY_SIZE(selectors); i++)
        vmwrite((enum vmcs_field)(HOST_ES + 2 * i), selectors[i]);
    vmwrite(HOST_CR0_FIELD, HOST_CR0);
    vmwrite(HOST_CR3_FIELD, read_cr3());
    vmwrite(HOST_CR4_FIELD, read_cr4());
    vmwrite(HOST_PAT, rdmsr(MSR_PAT));
    vmwrite(HOST_EFER, rdmsr(MSR_EFER));
    vmwrite(HOST_FS_BASE, 0);
    vmwrite(HOST_GS_BASE, 0);
    vmwrite(HOST_TR_BASE, tss_base);
    vmwrite(HOST_GDTR_BASE, gdtr.base);
    vmwrite(HOST_IDTR_BASE, idtr.base);
    vmwrite(HOST_SYSENTER_CS, 0);
    vmwrite(HOST_SYSENTER_ESP, 0);
    vmwrite(HOST_SYSENTER_EIP, 0);
    vmwrite(HOST_RIP, (u64)(uintptr_t)vmx_exit_entry);
}
