/* Finds and reads ACPI tables. Everything is copied out byte by byte: nothing is aligned there. */
#include "hv/acpi.h"
#include "boot/boot_info.h"
#include "hv/console.h"

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

#define MADT_FIRST_AT 44u

u64 acpi_number(const u8 *at, u32 bytes)
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

/* What is wrong with the table at an address; NULL: it is whole and its checksum is right. */
static const char *table_at(const struct boot_info *info, u64 address, struct acpi_table *table)
{
    const u8 *at = memory(info, address, HEADER_BYTES);

    if (at == NULL)
        return "is not in any memory of the firmware's map";
    const u32 bytes = (u32)acpi_number(at + LENGTH_AT, 4);
    if (bytes < HEADER_BYTES || bytes > TABLE_MAX || memory(info, address, bytes) == NULL)
        return "has an impossible length";
    if (!sums_to_zero(at, bytes))
        return "has a wrong checksum";
    *table = (struct acpi_table){.at = at, .bytes = bytes};
    return NULL;
}

/* A root table (XSDT, RSDT); what is wrong with it, or NULL. */
static const char *root_at(const struct boot_info *info, u64 address, const char *signature,
                           struct acpi_table *root)
{
    const char *problem = table_at(info, address, root);

    if (problem == NULL && memcmp(root->at, signature, 4) != 0)
        problem = "is another table";
    return problem;
}

/* A fault of the tables: the first is kept, all are counted. */
struct faults {
    u32 n;
    u64 address;
    const char *problem;
    char name[5];
};

static void note(struct faults *f, const char *name, u64 address, const char *problem)
{
    if (problem == NULL || f->n++ != 0)
        return;
    f->address = address;
    f->problem = problem;
    for (u32 i = 0; i < 4; i++)
        f->name[i] = (char)(name[i] >= ' ' && name[i] <= '~' ? name[i] : '?');
}

/* The XSDT if there is a good one, else the RSDT; *entry is the bytes of each of its addresses. */
static bool root_table(const struct boot_info *info, struct acpi_table *root, u32 *entry,
                       struct faults *f)
{
    const u8 *rsdp = memory(info, info->rsdp, RSDP_V1_BYTES);

    if (rsdp == NULL || memcmp(rsdp, "RSD PTR ", 8) != 0 || !sums_to_zero(rsdp, RSDP_V1_BYTES)) {
        note(f, "RSDP", info->rsdp,
             rsdp == NULL ? "is not in any memory of the firmware's map"
                          : "has a wrong signature or checksum");
        return false;
    }
    if (rsdp[RSDP_REVISION_AT] >= 2 && memory(info, info->rsdp, RSDP_V2_BYTES) != NULL) {
        const u64 at = acpi_number(rsdp + RSDP_XSDT_AT, 8);
        const char *problem = sums_to_zero(rsdp, RSDP_V2_BYTES) ? root_at(info, at, "XSDT", root)
                                                                : "is named by a bad RSDP";
        note(f, "XSDT", at, problem);
        *entry = 8;
        if (problem == NULL)
            return true;
    }
    const u64 at = acpi_number(rsdp + RSDP_RSDT_AT, 4);
    const char *problem = root_at(info, at, "RSDT", root);
    note(f, "RSDT", at, problem);
    *entry = 4;
    return problem == NULL;
}

bool acpi_find(const struct boot_info *info, const char signature[4], struct acpi_table *table)
{
    struct faults ignored = {.n = 0};
    struct acpi_table root;
    struct acpi_table found;
    u32 entry;

    if (!root_table(info, &root, &entry, &ignored))
        return false;
    for (u32 at = HEADER_BYTES; at + entry <= root.bytes; at += entry) {
        if (table_at(info, acpi_number(root.at + at, entry), &found) == NULL &&
            memcmp(found.at, signature, 4) == 0) {
            *table = found;
            return true;
        }
    }
    return false;
}

bool acpi_fault(const struct boot_info *info, char *why, size_t n)
{
    struct faults f = {.n = 0};
    struct acpi_table root;
    struct acpi_table found;
    u32 entry;

    if (info->rsdp == 0)
        return false;
    if (root_table(info, &root, &entry, &f)) {
        for (u32 at = HEADER_BYTES; at + entry <= root.bytes; at += entry) {
            const u64 address = acpi_number(root.at + at, entry);
            const u8 *name = memory(info, address, 4);
            note(&f, name != NULL ? (const char *)name : "????", address,
                 table_at(info, address, &found));
        }
    }
    if (f.n != 0)
        format_text(why, n, "ACPI: %s at 0x%lx %s%s: ignored", f.name, f.address, f.problem,
                    f.n > 1 ? ", and there are more such tables" : "");
    return f.n != 0;
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
    madt->cpus += (u32)acpi_number(at + 12, 4) & 1;
    if (madt->gicc == 0)
        madt->gicc = acpi_number(at + 32, 8);
    /* A redistributor of its own, where no GICR structure describes them all. */
    if (madt->gicr == 0)
        madt->gicr = acpi_number(at + 60, 8);
}

static void madt_entry(struct acpi_madt *madt, const u8 *at, u32 bytes)
{
    switch (at[0]) {
    case MADT_LOCAL_APIC:
        if (bytes >= 8)
            madt->cpus += (u32)acpi_number(at + 4, 4) & 1;
        break;
    case MADT_LOCAL_APIC_ADDRESS:
        if (bytes >= 12)
            madt->local_apic = acpi_number(at + 4, 8);
        break;
    case MADT_LOCAL_X2APIC:
        if (bytes >= 16) {
            madt->cpus += (u32)acpi_number(at + 8, 4) & 1;
            madt->x2apic = true;
        }
        break;
    case MADT_GICC:
        madt_gicc(madt, at, bytes);
        break;
    case MADT_GICD:
        if (bytes >= 24) {
            madt->gicd = acpi_number(at + 8, 8);
            madt->gic_version = at[20];
        }
        break;
    case MADT_GICR:
        if (bytes >= 16 && madt->gicr_bytes == 0) {
            madt->gicr = acpi_number(at + 4, 8);
            madt->gicr_bytes = acpi_number(at + 12, 4);
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
    madt->local_apic = acpi_number(table.at + 36, 4);
    for (u32 at = MADT_FIRST_AT; at + 2 <= table.bytes;) {
        const u32 bytes = table.at[at + 1];
        if (bytes < 2 || bytes > table.bytes - at)
            break; /* torn: what came before still counts */
        madt_entry(madt, table.at + at, bytes);
        at += bytes;
    }
    return true;
}
