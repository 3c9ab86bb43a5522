/*
 * EL2's own stage-1 tables (DDI 0487 D8): 4 KiB granule, 48 bits, identity. Memory that is RAM is
 * mapped writable and never executable, the image by its sections, devices one by one, and all else
 * not at all. SCTLR_EL2.WXN makes the hardware hold W^X too.
 *
 * HCR_EL2.E2H changes the format: with E2H=0, AP[1] is RES1 and bit 54 is XN; with E2H=1 AP[1]=1
 * would give EL0 access (and so forbid EL2 to execute), and bits 54:53 are UXN and PXN.
 */
#include "mmu.h"
#include "arch/arch.h"
#include "boot/boot_info.h"
#include "exceptions.h"
#include "hv/pages.h"
#include "hv/uart.h"
#include "sysreg.h"

/* Bounds of the image's parts, page aligned (boot/arm64/efi.lds). */
extern const char __image_start[], __text_start[], __text_end[], __rodata_end[];
extern const char __data_start[], __image_end[];

#define ENTRIES 512u
#define LEVELS  4u

#define DESC_VALID    BIT(0)
#define DESC_TABLE    BIT(1) /* at level 3: a page */
#define DESC_ATTR(n)  ((u64)(n) << 2)
#define DESC_AP1      BIT(6)
#define DESC_READONLY BIT(7)
#define DESC_INNER    (3ull << 8)
#define DESC_AF       BIT(10)
#define DESC_PXN      BIT(53)
#define DESC_XN       BIT(54)
#define DESC_ADDRESS  BITS(47, 12)

/* MAIR_EL2: attribute 0 is Normal write-back, 1 Device-nGnRE. */
#define MAIR        0x04ffull
#define ATTR_NORMAL 0u
#define ATTR_DEVICE 1u

static u64 *root;

/* void mmu_switch(ttbr, tcr, mair, sctlr, hcr): mmu_switch.S */
void mmu_switch(u64 ttbr, u64 tcr, u64 mair, u64 sctlr, u64 hcr);

static u64 attributes(enum mmu_kind kind)
{
    u64 common = DESC_AF | (features.e2h ? 0 : DESC_AP1);
    u64 never = DESC_XN | (features.e2h ? DESC_PXN : 0);
    u64 normal = DESC_ATTR(ATTR_NORMAL) | DESC_INNER;

    switch (kind) {
    case MMU_READ:
        return common | normal | never | DESC_READONLY;
    case MMU_WRITE:
        return common | normal | never;
    case MMU_EXEC:
        return common | normal | DESC_READONLY;
    case MMU_DEVICE:
        return common | DESC_ATTR(ATTR_DEVICE) | never;
    case MMU_NONE:
        break;
    }
    return 0;
}

static u64 *new_table(void)
{
    u64 *table = pages_alloc(1, PAGE_SIZE, PAGES_HYPERVISOR);

    if (!table)
        panic("no memory for page tables: give the machine more");
    return table;
}

/* A block becomes a table of smaller ones with the same attributes. */
static u64 *split(u64 *entry, u32 level)
{
    u64 *table = new_table();
    u64 step = 1ull << (39 - 9 * (level + 1));

    for (u64 n = 0; (*entry & DESC_VALID) && n < ENTRIES; n++)
        table[n] = (*entry + n * step) | (level + 1 == LEVELS - 1 ? DESC_TABLE : 0);
    *entry = (u64)table | DESC_TABLE | DESC_VALID;
    return table;
}

/* The part of [from, to) that lies under `table`, whose first byte is at `base`. */
static void map_level(u64 *table, u32 level, u64 base, u64 from, u64 to, enum mmu_kind kind)
{
    u64 size = 1ull << (39 - 9 * level);

    for (u64 at = ALIGN_DOWN(from, size); at < to; at += size) {
        u64 *entry = &table[(at - base) / size];
        bool whole = from <= at && at + size <= to;
        if (level == LEVELS - 1) {
            *entry = kind == MMU_NONE ? 0 : at | attributes(kind) | DESC_VALID | DESC_TABLE;
            continue;
        }
        bool is_table = (*entry & (DESC_VALID | DESC_TABLE)) == (DESC_VALID | DESC_TABLE);
        if (whole && level > 0 && !is_table) { /* there are no blocks at level 0 */
            *entry = kind == MMU_NONE ? 0 : at | attributes(kind) | DESC_VALID;
            continue;
        }
        u64 *next = is_table ? (u64 *)(*entry & DESC_ADDRESS) : split(entry, level);
        map_level(next, level + 1, at, from > at ? from : at, to < at + size ? to : at + size,
                  kind);
    }
}

void mmu_map(u64 base, u64 bytes, enum mmu_kind kind)
{
    u64 from = ALIGN_DOWN(base, (u64)PAGE_SIZE);
    u64 to = ALIGN_UP(base + bytes, (u64)PAGE_SIZE);

    CHECK(to <= BIT(48));
    map_level(root, 0, 0, from, to, kind);
}

static enum mmu_kind region_kind(u32 type)
{
    switch (type) {
    case BOOT_MEMORY_FREE:
    case BOOT_MEMORY_RECLAIM:
    case BOOT_MEMORY_LOADER:
        return MMU_WRITE;
    case BOOT_MEMORY_FIRMWARE:
        return MMU_READ;
    default:
        return MMU_NONE; /* runtime services are not called on arm64: PSCI ends the machine */
    }
}

static void map_part(const char *from, const char *to, enum mmu_kind kind)
{
    mmu_map((u64)from, (u64)(to - from), kind);
}

static void map_device(u64 base, u64 bytes)
{
    if (bytes)
        mmu_map(base, bytes, MMU_DEVICE);
}

void mmu_build(const struct boot_info *info)
{
    root = new_table();
    for (u32 n = 0; n < info->nregions; n++) {
        const struct boot_region *r = &info->regions[n];
        enum mmu_kind kind = region_kind(r->type);
        if (kind != MMU_NONE)
            mmu_map(r->base, r->bytes, kind);
    }
    map_part(__image_start, __text_start, MMU_READ);
    map_part(__text_start, __text_end, MMU_EXEC);
    map_part(__text_end, __rodata_end, MMU_READ);
    map_part(__data_start, __image_end, MMU_WRITE);
    for (u64 guard = 0, n = 0; (guard = stack_guard((u32)n)) != 0; n++)
        mmu_map(guard, PAGE_SIZE, MMU_NONE);
    mmu_map(0, PAGE_SIZE, MMU_NONE);
    map_device(info->uart.base, uart_mmio_bytes(&info->uart));
    map_device(info->mirror.base, uart_mmio_bytes(&info->mirror));
    map_device(info->config.gdb.uart.base, uart_mmio_bytes(&info->config.gdb.uart));
    map_device(info->screen.base, info->screen.bytes);
}

/* TCR_EL2 (D19.2): 48 bits by TTBR0 only, walks cacheable and inner shareable. */
static u64 tcr(void)
{
    u64 range = sysreg_read(id_aa64mmfr0_el1) & 15;
    u64 walk = 16 | (1ull << 8) | (1ull << 10) | (3ull << 12);

    if (range > 5)
        range = 5;
    if (features.e2h) /* EPD1, T1SZ and TG1 of the half that is not used; IPS */
        return walk | BIT(23) | (16ull << 16) | (2ull << 30) | (range << 32);
    return walk | (range << 16) | BIT(31) | BIT(23);
}

void mmu_enable(u64 hcr)
{
    u64 sctlr = 0x30c50830ull     /* RES1, and in the format of E2H=1 what keeps EL0 untrapped */
                | BIT(0) | BIT(2) /* M, C */
                | BIT(3)          /* SA: SP alignment is checked */
                | BIT(12)         /* I */
                | BIT(19);        /* WXN */

    mmu_switch((u64)root, tcr(), MAIR, sctlr, hcr);
}
