/* Finds and reads ACPI tables. Everything is copied out byte by byte: nothing is aligned there. */
#include "hv/acpi.h"
#include "boot/boot_info.h"

/* System description table header (ACPI 6.5, 5.2.6). */
#define HEADER_BYTES 36u
#define LENGTH_AT    4u
#define TABLE_MAX    MiB(1) /* no table of interest comes near; a wild length is refused early */

/* RSDP (5.2.5.3). */
#define RSDP_V1_BYTES    20u
#define RSDP_V2_BYTES    36u
#define RSDP_REVISION_AT 15u
#define RSDP_RSDT_AT     16u
#define RSDP_XSDT_AT     24u

/* Generic Address Structure (5.2.3.2), within the SPCR at 40. */
#define SPCR_TYPE_AT  36u
#define SPCR_GAS_AT   40u
#define SPCR_BYTES    52u
#define GAS_MEMORY    0u
#define GAS_IO        1u
#define GAS_BYTES_4   3u /* access size: 1 byte, 2 word, 3 dword */
#define MADT_FIRST_AT 44u

static u64 get(const u8 *at, u32 bytes)
{
    u64 value = 0;

    for (u32 i = bytes; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

/* The bytes at a physical address if one region of RAM holds them all, or NULL. */
static const u8 *memory(const struct boot_info *info, u64 address, u64 bytes)
{
    const u32 n = info->nregions < BOOT_MAX_REGIONS ? info->nregions : BOOT_MAX_REGIONS;

    for (u32 i = 0; address != 0 && i < n; i++) {
        const struct boot_region *r = &info->regions[i];
        const u64 offset = address - r->base;
        if (r->type != BOOT_MEMORY_MMIO && address >= r->base && offset < r->bytes &&
            bytes <= r->bytes - offset)
            return (const u8 *)(uintptr_t)address;
    }
    return NULL;
}

static bool sums_to_zero(const u8 *at, u64 bytes)
{
    u8 sum = 0;

    for (u64 i = 0; i < bytes; i++)
        sum = (u8)(sum + at[i]);
    return sum == 0;
}

/* The table at an address, whole and with a right checksum. */
static bool table_at(const struct boot_info *info, u64 address, struct acpi_table *table)
{
    const u8 *at = memory(info, address, HEADER_BYTES);

    if (at == NULL)
        return false;
    const u32 bytes = (u32)get(at + LENGTH_AT, 4);
    if (bytes < HEADER_BYTES || bytes > TABLE_MAX || memory(info, address, bytes) == NULL ||
        !sums_to_zero(at, bytes))
        return false;
    *table = (struct acpi_table){.at = at, .bytes = bytes};
    return true;
}

/* The XSDT if there is a good one, else the RSDT; *entry is the bytes of each of its addresses. */
static bool root_table(const struct boot_info *info, struct acpi_table *root, u32 *entry)
{
    const u8 *rsdp = memory(info, info->rsdp, RSDP_V1_BYTES);

    if (rsdp == NULL || memcmp(rsdp, "RSD PTR ", 8) != 0 || !sums_to_zero(rsdp, RSDP_V1_BYTES))
        return false;
    if (rsdp[RSDP_REVISION_AT] >= 2 && memory(info, info->rsdp, RSDP_V2_BYTES) != NULL &&
        sums_to_zero(rsdp, RSDP_V2_BYTES) && table_at(info, get(rsdp + RSDP_XSDT_AT, 8), root) &&
        memcmp(root->at, "XSDT", 4) == 0) {
        *entry = 8;
        return true;
    }
    *entry = 4;
    return table_at(info, get(rsdp + RSDP_RSDT_AT, 4), root) && memcmp(root->at, "RSDT", 4) == 0;
}

bool acpi_find(const struct boot_info *info, const char signature[4], struct acpi_table *table)
{
    struct acpi_table root;
    struct acpi_table found;
    u32 entry;

    if (!root_table(info, &root, &entry))
        return false;
    for (u32 at = HEADER_BYTES; at + entry <= root.bytes; at += entry) {
        if (table_at(info, get(root.at + at, entry), &found) &&
            memcmp(found.at, signature, 4) == 0) {
            *table = found;
            return true;
        }
    }
    return false;
}

/* ---- SPCR ---- */

/* Interface types (Microsoft, Debug Port Table 2, table 3): those that are 16550s and PL011s. */
static u32 spcr_kind(u32 type, u32 space)
{
    switch (type) {
    case 0x00: /* 16550 */
    case 0x01: /* 16450 with the 16550's FIFO interface */
    case 0x12: /* 16550 by its generic address */
        return space == GAS_IO       ? BOOT_UART_16550_IO
               : space == GAS_MEMORY ? BOOT_UART_16550_MMIO
                                     : BOOT_UART_NONE;
    case 0x03: /* PL011 */
    case 0x0d: /* SBSA generic UART, 32-bit accesses only */
    case 0x0e: /* SBSA generic UART */
        return space == GAS_MEMORY ? BOOT_UART_PL011 : BOOT_UART_NONE;
    default:
        return BOOT_UART_NONE;
    }
}

bool acpi_console(const struct boot_info *info, struct boot_uart *uart)
{
    struct acpi_table spcr;

    if (!acpi_find(info, "SPCR", &spcr) || spcr.bytes < SPCR_BYTES)
        return false;
    const u8 *gas = spcr.at + SPCR_GAS_AT;
    const u32 kind = spcr_kind(spcr.at[SPCR_TYPE_AT], gas[0]);
    const u64 base = get(gas + 4, 8);
    if (kind == BOOT_UART_NONE || base == 0 || (kind == BOOT_UART_16550_IO && base > 0xfff8))
        return false;
    /* Register bit width 32 means 4 bytes from register to register; access size says how wide. */
    *uart = (struct boot_uart){
        .kind = kind,
        .stride = kind == BOOT_UART_16550_MMIO && gas[1] == 32 ? 4 : 1,
        .access_bytes = kind == BOOT_UART_16550_MMIO && gas[3] == GAS_BYTES_4 ? 4 : 1,
        .from = BOOT_UART_FROM_SPCR,
        .base = base,
    };
    return true;
}

/* ---- MADT ---- */

/* Interrupt controller structures (ACPI 6.5, table 5.21). */
enum {
    MADT_LOCAL_APIC = 0x00,
    MADT_LOCAL_APIC_ADDRESS = 0x05,
    MADT_LOCAL_X2APIC = 0x09,
    MADT_GICC = 0x0b,
    MADT_GICD = 0x0c,
    MADT_GICR = 0x0e,
};

static void madt_gicc(struct acpi_madt *madt, const u8 *at, u32 bytes)
{
    if (bytes < 76)
        return;
    madt->cpus += (u32)get(at + 12, 4) & 1;
    if (madt->gicc == 0)
        madt->gicc = get(at + 32, 8);
    /* A redistributor of its own, where no GICR structure describes them all. */
    if (madt->gicr == 0)
        madt->gicr = get(at + 60, 8);
}

static void madt_entry(struct acpi_madt *madt, const u8 *at, u32 bytes)
{
    switch (at[0]) {
    case MADT_LOCAL_APIC:
        if (bytes >= 8)
            madt->cpus += (u32)get(at + 4, 4) & 1;
        break;
    case MADT_LOCAL_APIC_ADDRESS:
        if (bytes >= 12)
            madt->local_apic = get(at + 4, 8);
        break;
    case MADT_LOCAL_X2APIC:
        if (bytes >= 16) {
            madt->cpus += (u32)get(at + 8, 4) & 1;
            madt->x2apic = true;
        }
        break;
    case MADT_GICC:
        madt_gicc(madt, at, bytes);
        break;
    case MADT_GICD:
        if (bytes >= 24) {
            madt->gicd = get(at + 8, 8);
            madt->gic_version = at[20];
        }
        break;
    case MADT_GICR:
        if (bytes >= 16 && madt->gicr_bytes == 0) {
            madt->gicr = get(at + 4, 8);
            madt->gicr_bytes = get(at + 12, 4);
        }
        break;
    default:
        break;
    }
}

bool acpi_madt(const struct boot_info *info, struct acpi_madt *madt)
{
    struct acpi_table table;

    *madt = (struct acpi_madt){0};
    if (!acpi_find(info, "APIC", &table) || table.bytes < MADT_FIRST_AT)
        return false;
    madt->local_apic = get(table.at + 36, 4);
    for (u32 at = MADT_FIRST_AT; at + 2 <= table.bytes;) {
        const u32 bytes = table.at[at + 1];
        if (bytes < 2 || bytes > table.bytes - at)
            break; /* torn: what came before still counts */
        madt_entry(madt, table.at + at, bytes);
        at += bytes;
    }
    return true;
}
