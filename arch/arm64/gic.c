/*
 * GICv3, and which GIC there is, for one interrupt: the EL2 physical timer. Everything the firmware
 * had enabled is turned off; guests get no interrupt controller at all (ICC_* are Undefined for
 * them: ICH_HCR_EL2 and ICC_SRE_EL2.Enable).
 */
#include "gic.h"
#include "gicv2.h"
#include "arch/arch.h"
#include "boot/boot_info.h"
#include "hv/acpi.h"
#include "hv/console.h"
#include "hv/fdt.h"
#include "mmu.h"
#include "sysreg.h"

#define GICD_CTLR      0x0000u
#define GICD_TYPER     0x0004u
#define GICD_ICENABLER 0x0180u
#define GICD_BYTES     0x10000u
#define CTLR_ENABLE_GRP1                                                                           \
    BIT(1) /* EnableGrp1A seen from Non-secure, EnableGrp1 without Security                        \
            */
#define CTLR_ARE          BIT(4)
#define CTLR_RWP          BIT(31)
#define GICR_CTLR         0x0000u
#define GICR_TYPER        0x0008u
#define GICR_WAKER        0x0014u
#define GICR_SGI          0x10000u /* the second frame: */
#define GICR_IGROUPR0     (GICR_SGI + 0x080u)
#define GICR_ISENABLER0   (GICR_SGI + 0x100u)
#define GICR_ICENABLER0   (GICR_SGI + 0x180u)
#define GICR_IPRIORITYR   (GICR_SGI + 0x400u)
#define GICR_IGRPMODR0    (GICR_SGI + 0xd00u)
#define TYPER_VLPIS       BIT(1)
#define TYPER_LAST        BIT(4)
#define WAKER_PROCESSOR   BIT(1) /* ProcessorSleep */
#define WAKER_CHILDREN    BIT(2) /* ChildrenAsleep */
#define SPIN_LIMIT        1000000u
#define GICR_FRAMES       0x20000u /* RD_base and SGI_base; twice that with virtual LPIs */
#define GICR_DEFAULT_SPAN 0x1000000u

static u64 gicd, gicr, gicr_bytes;
static u64 gicc; /* not 0: it is a GICv2 */

static u32 read32(u64 address)
{
    return *(volatile u32 *)address;
}

static void write32(u64 address, u64 value)
{
    *(volatile u32 *)address = (u32)value;
}

static u64 read64(u64 address)
{
    return *(volatile u64 *)address;
}

static void wait_clear(u64 address, u64 bit, const char *what)
{
    for (u32 n = 0; n < SPIN_LIMIT; n++) {
        if (!(read32(address) & bit))
            return;
    }
    panic("the GIC does not answer (%s at 0x%lx)", what, address);
}

static bool find_in_fdt(const struct boot_info *info)
{
    static const char *const v2[] = {"arm,gic-400", "arm,cortex-a15-gic", "arm,cortex-a7-gic"};
    struct fdt fdt;
    u64 bytes;

    if (!info->fdt || !fdt_open(&fdt, (const void *)info->fdt, MiB(2)))
        return false;
    fdt_node node = fdt_compatible(&fdt, FDT_NONE, "arm,gic-v3");
    if (node != FDT_NONE)
        return fdt_reg(&fdt, node, 0, &gicd, &bytes) && fdt_reg(&fdt, node, 1, &gicr, &gicr_bytes);
    for (u32 n = 0; node == FDT_NONE && n < ARRAY_SIZE(v2); n++)
        node = fdt_compatible(&fdt, FDT_NONE, v2[n]);
    return node != FDT_NONE && fdt_reg(&fdt, node, 0, &gicd, &bytes) &&
           fdt_reg(&fdt, node, 1, &gicc, &bytes);
}

/* ID_AA64PFR0_EL1.GIC: the CPU interface of a GICv3 is in the CPU. */
static bool has_registers(void)
{
    return (sysreg_read(id_aa64pfr0_el1) >> 24 & 15) != 0;
}

static bool find_in_madt(const struct boot_info *info)
{
    struct acpi_madt madt;

    if (!acpi_madt(info, &madt) || !madt.gicd)
        return false;
    gicd = madt.gicd;
    if (madt.gic_version == 2 || !has_registers()) {
        gicc = madt.gicc;
        return gicc != 0;
    }
    gicr = madt.gicr;
    gicr_bytes = madt.gicr_bytes ? madt.gicr_bytes : 2 * GICR_FRAMES;
    return gicr != 0;
}

void gic_find(const struct boot_info *info)
{
    if (!find_in_madt(info) && !find_in_fdt(info))
        panic("no GICv3 and no GICv2 in the firmware's tables (ACPI MADT or device tree): Fermata "
              "needs one for its timer");
    if (gicc) {
        gicv2_map(gicd, gicc);
        return;
    }
    if (!has_registers())
        panic("the firmware names a GICv3, but this CPU has none of its registers: enable its "
              "system register interface in the firmware");
    if (gicr_bytes > GICR_DEFAULT_SPAN)
        gicr_bytes = GICR_DEFAULT_SPAN;
    mmu_map(gicd, GICD_BYTES, MMU_DEVICE);
    mmu_map(gicr, gicr_bytes, MMU_DEVICE);
}

u32 gic_version(void)
{
    return gicc ? 2 : 3;
}

/* The redistributor whose affinity (GICR_TYPER[63:32]) is this CPU's. */
static u64 own_redistributor(u64 mpidr)
{
    u64 affinity = (mpidr & 0xffffff) | (mpidr >> 32 & 0xff) << 24;

    for (u64 at = gicr; at + GICR_FRAMES <= gicr + gicr_bytes;) {
        u64 typer = read64(at + GICR_TYPER);
        if (typer >> 32 == affinity)
            return at;
        if (typer & TYPER_LAST)
            break;
        at += typer & TYPER_VLPIS ? 2 * GICR_FRAMES : GICR_FRAMES;
    }
    panic("the GIC has no redistributor for this CPU (MPIDR_EL1 0x%lx)", mpidr);
}

static void distributor_init(void)
{
    u32 lines = (read32(gicd + GICD_TYPER) & 31) + 1;

    write32(gicd + GICD_CTLR, CTLR_ARE);
    for (u32 n = 1; n < lines; n++) /* 0 is the redistributor's */
        write32(gicd + GICD_ICENABLER + 4 * n, ~0u);
    wait_clear(gicd + GICD_CTLR, CTLR_RWP, "GICD_CTLR.RWP");
    write32(gicd + GICD_CTLR, CTLR_ARE | CTLR_ENABLE_GRP1);
    wait_clear(gicd + GICD_CTLR, CTLR_RWP, "GICD_CTLR.RWP");
}

static void redistributor_init(u64 at)
{
    write32(at + GICR_WAKER, read32(at + GICR_WAKER) & ~WAKER_PROCESSOR);
    wait_clear(at + GICR_WAKER, WAKER_CHILDREN, "GICR_WAKER.ChildrenAsleep");
    write32(at + GICR_ICENABLER0, ~0u);
    wait_clear(at + GICR_CTLR, BIT(3), "GICR_CTLR.RWP");
    write32(at + GICR_IGROUPR0, ~0u);
    write32(at + GICR_IGRPMODR0, 0);
    *(volatile u8 *)(at + GICR_IPRIORITYR + GIC_CNTHP_INTID) = 0x80;
    write32(at + GICR_ISENABLER0, BIT(GIC_CNTHP_INTID));
    dsb(sy);
}

void gic_init(struct pcpu *cpu)
{
    cpu->arch.mpidr = sysreg_read(mpidr_el1);
    if (gicc) {
        gicv2_init();
        return;
    }
    cpu->arch.gicr = own_redistributor(cpu->arch.mpidr);
    distributor_init();
    redistributor_init(cpu->arch.gicr);

    sysreg_write(ICC_SRE_EL2, 7); /* SRE, DFB, DIB; Enable=0: ICC_SRE_EL1 of a guest traps */
    isb();
    sysreg_write(ICC_IGRPEN1_EL1, 0);
    sysreg_write(ICC_PMR_EL1, 0xff);
    sysreg_write(ICC_BPR1_EL1, 0);
    sysreg_write(ICC_CTLR_EL1, 0); /* EOImode 0: one write ends an interrupt */
    sysreg_write(ICC_IGRPEN1_EL1, 1);
    /* No virtual interface, and every ICC_* access of a guest traps: TC, TALL0, TALL1, TSEI. */
    sysreg_write(ICH_HCR_EL2, BIT(10) | BIT(11) | BIT(12) | BIT(13));
    sysreg_write(ICH_VMCR_EL2, 0);
    isb();
}

u32 gic_take(void)
{
    if (gicc)
        return gicv2_take();
    return (u32)sysreg_read(ICC_IAR1_EL1) & 0xffffff;
}

void gic_end(u32 intid)
{
    if (gicc)
        gicv2_end(intid);
    else
        sysreg_write(ICC_EOIR1_EL1, intid);
}
