/*
 * GICv2 (IHI 0048B) for one interrupt: the EL2 physical timer. Its CPU interface is registers in
 * memory, which no guest has mapped. Whether the GIC has the Security Extensions, and on which side
 * of them we are, changes which group a bit means; each write below is right on all three.
 */
#include "gicv2.h"
#include "gic.h"
#include "arch/arch.h"
#include "mmu.h"
#include "sysreg.h"

#define GICD_CTLR       0x000u
#define GICD_TYPER      0x004u
#define GICD_IGROUPR0   0x080u
#define GICD_ISENABLER0 0x100u
#define GICD_ICENABLER  0x180u
#define GICD_ICACTIVER0 0x380u
#define GICD_IPRIORITYR 0x400u
#define GICD_BYTES      0x1000u
#define GICC_CTLR       0x000u
#define GICC_PMR        0x004u
#define GICC_BPR        0x008u
#define GICC_IAR        0x00cu
#define GICC_EOIR       0x010u
#define GICC_BYTES      0x2000u
#define CTLR_ENABLE     BIT(0) /* the group we see; without Security Extensions group 0 */
#define INTID           0x3ffu
#define FIRST_PPI       16u
#define PRIORITY        0x80u

static u64 gicd, gicc;

static u32 read32(u64 address)
{
    return *(volatile u32 *)address;
}

static void write32(u64 address, u64 value)
{
    *(volatile u32 *)address = (u32)value;
}

void gicv2_map(u64 distributor, u64 interface)
{
    gicd = distributor;
    gicc = interface;
    mmu_map(gicd, GICD_BYTES, MMU_DEVICE);
    mmu_map(gicc, GICC_BYTES, MMU_DEVICE);
}

void gicv2_init(void)
{
    const u32 lines = (read32(gicd + GICD_TYPER) & 31) + 1;

    write32(gicc + GICC_CTLR, 0);
    write32(gicd + GICD_CTLR, 0);
    for (u32 n = 0; n < lines; n++)
        write32(gicd + GICD_ICENABLER + 4 * n, ~0u);
    /* What the firmware took and never ended would keep ours out. */
    write32(gicd + GICD_ICACTIVER0, ~0u);
    write32(gicd + GICD_IGROUPR0, 0); /* ignored from Non-secure, where all is group 1 */
    *(volatile u8 *)(gicd + GICD_IPRIORITYR + GIC_CNTHP_INTID) = PRIORITY;
    write32(gicd + GICD_ISENABLER0, BIT(GIC_CNTHP_INTID));
    write32(gicd + GICD_CTLR, CTLR_ENABLE);
    write32(gicc + GICC_PMR, 0xff);
    write32(gicc + GICC_BPR, 0);
    write32(gicc + GICC_CTLR, CTLR_ENABLE); /* FIQEn 0: by IRQ; EOImode 0: one write ends it */
    dsb(sy);
}

u32 gicv2_take(void)
{
    const u32 iar = read32(gicc + GICC_IAR);

    /* Nobody sends SGIs to us, and they cannot all be disabled. Their end needs the sender too. */
    if ((iar & INTID) < FIRST_PPI) {
        write32(gicc + GICC_EOIR, iar);
        return GIC_SPURIOUS;
    }
    return iar & INTID;
}

void gicv2_end(u32 intid)
{
    write32(gicc + GICC_EOIR, intid);
    dsb(sy); /* ended before the world switch, not some time after it */
}
