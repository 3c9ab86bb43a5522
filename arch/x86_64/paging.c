/*
 * The hypervisor's own page tables. Every byte of the memory map is identity mapped with the least
 * it needs: our code read-execute, constants read-only, everything else never executable, device
 * registers uncached, page 0 and the page below every stack not at all. No page is a user page: so
 * neither SMEP nor SMAP nor a guest's PKRU (BUGS 13) has anything to say about us.
 */
#include "paging.h"
#include "cpu.h"
#include "stacks.h"
#include "arch/arch.h"
#include "boot/boot_info.h"
#include "hv/pages.h"
#include "hv/uart.h"

#define ENTRIES 512u

/* boot/x86_64/efi.lds */
extern const u8 __image_start[], __text_start[], __text_end[], __rodata_end[], __data_start[],
    __image_end[];

static u64 *root;

unsigned paging_levels(void)
{
    return read_cr4() & CR4_LA57 ? 5 : 4;
}

static u64 address_of(const void *p)
{
    return (u64)(uintptr_t)p;
}

static u64 *table_of(u64 entry)
{
    return (u64 *)(uintptr_t)(entry & PTE_ADDRESS);
}

/* Bytes one entry of a table at `level` covers: level 1 is the page table. */
static u64 span(unsigned level)
{
    return 1ull << (12 + 9 * (level - 1));
}

static u64 *new_table(void)
{
    u64 *table = pages_alloc(1, PAGE_SIZE, PAGES_HYPERVISOR);

    CHECK(table != NULL); /* boot/ refuses machines without the few pages this takes */
    return table;
}

/* A large page becomes a table of the next smaller ones with the same rights. */
static void split(u64 *entry, unsigned level)
{
    u64 *table = new_table();
    u64 rights = *entry & ~PTE_ADDRESS & ~(level == 2 ? PTE_PS : 0);

    for (u64 i = 0; i < ENTRIES; i++)
        table[i] = ((*entry & PTE_ADDRESS) + i * span(level - 1)) | rights;
    *entry = address_of(table) | PTE_P | PTE_W;
}

static bool large_allowed(unsigned level)
{
    return level == 1 || level == 2 || (level == 3 && cpu_has.pages_1g);
}

/* The table below `entry`, made or split into being. */
static u64 *descend(u64 *entry, unsigned level)
{
    if (!(*entry & PTE_P))
        *entry = address_of(new_table()) | PTE_P | PTE_W;
    else if (*entry & PTE_PS)
        split(entry, level);
    return table_of(*entry);
}

/* Sets [base, base + bytes) to `rights` (0: not mapped), splitting what is in the way. */
static void map(u64 base, u64 bytes, u64 rights)
{
    u64 end = base + bytes;

    while (base < end) {
        u64 *table = root;
        unsigned level = paging_levels();

        while (!(large_allowed(level) && base % span(level) == 0 && end - base >= span(level))) {
            table = descend(&table[base / span(level) % ENTRIES], level);
            level--;
        }
        u64 *entry = &table[base / span(level) % ENTRIES];
        /* A table that a larger page replaces would be lost: keep it and fill it instead. */
        if (level > 1 && (*entry & PTE_P) && !(*entry & PTE_PS)) {
            map(base, span(level) / 2, rights);
            map(base + span(level) / 2, span(level) / 2, rights);
        } else {
            *entry = rights ? base | rights | (level > 1 ? PTE_PS : 0) : 0;
        }
        base += span(level);
    }
}

bool paging_is_memory(u64 address)
{
    const u64 *table = root;

    for (unsigned level = paging_levels(); table && level > 0; level--) {
        if (level == paging_levels() && address / span(level) >= ENTRIES)
            return false;
        u64 entry = table[address / span(level) % ENTRIES];
        if (!(entry & PTE_P))
            return false;
        if (level == 1 || (entry & PTE_PS))
            return !(entry & PTE_PCD);
        table = table_of(entry);
    }
    return false;
}

static u64 rights_of(u32 type)
{
    switch (type) {
    case BOOT_MEMORY_FREE:
    case BOOT_MEMORY_RECLAIM:
    case BOOT_MEMORY_LOADER:
    case BOOT_MEMORY_RUNTIME_DATA:
        return PTE_P | PTE_W | PTE_NX;
    case BOOT_MEMORY_RUNTIME_CODE:
        return PTE_P; /* holds data too: see paging_open_for_firmware() */
    case BOOT_MEMORY_MMIO:
        return PTE_P | PTE_W | PTE_NX | PTE_PCD | PTE_PWT;
    default:
        return PTE_P | PTE_NX; /* ACPI tables and what is reserved: read only */
    }
}

static void map_image(void)
{
    u64 start = address_of(__image_start), text = address_of(__text_start);
    u64 text_end = address_of(__text_end), rodata_end = address_of(__rodata_end);
    u64 data = address_of(__data_start), end = address_of(__image_end);

    CHECK(((start | text | text_end | rodata_end | data | end) & ~PAGE_MASK) == 0);
    map(start, text - start, PTE_P | PTE_NX);
    map(text, text_end - text, PTE_P);
    map(text_end, rodata_end - text_end, PTE_P | PTE_NX);
    map(data, end - data, PTE_P | PTE_W | PTE_NX);
}

static void map_guards(void)
{
    for (unsigned i = 0; i < STACKS; i++)
        map(address_of(stacks[i].guard), PAGE_SIZE, 0);
    map(0, PAGE_SIZE, 0);
}

/* WP: read-only holds for us too. OSXSAVE and PKE: the movers' instructions. TS: see fp_moves.S. */
static void enable(void)
{
    u64 cr4 = read_cr4() & CR4_LA57;

    cr4 |= CR4_PAE | CR4_DE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    if (cpu_has.xsave)
        cr4 |= CR4_OSXSAVE;
    if (cpu_has.pku)
        cr4 |= CR4_PKE;
    if (cpu_has.max_leaf >= 7 && (cpuid(7, 0).ebx & BIT(7)))
        cr4 |= CR4_SMEP;
    wrmsr(MSR_EFER, (rdmsr(MSR_EFER) | EFER_NXE) & ~(u64)(EFER_SCE | EFER_LMSLE | EFER_FFXSR));
    write_cr4(cr4);
    write_cr3(address_of(root));
    write_cr0(HOST_CR0);
}

static void map_device(u64 base, u64 bytes)
{
    const u64 from = ALIGN_DOWN(base, (u64)PAGE_SIZE);

    if (bytes)
        map(from, ALIGN_UP(base + bytes, (u64)PAGE_SIZE) - from, rights_of(BOOT_MEMORY_MMIO));
}

void paging_init(const struct boot_info *info)
{
    root = new_table();
    for (u32 i = 0; i < info->nregions; i++) {
        const struct boot_region *r = &info->regions[i];
        map(r->base, r->bytes, rights_of(r->type));
    }
    map_device(info->uart.base, uart_mmio_bytes(&info->uart));
    map_device(info->mirror.base, uart_mmio_bytes(&info->mirror));
    map_device(info->config.gdb.uart.base, uart_mmio_bytes(&info->config.gdb.uart));
    map_device(info->screen.base, info->screen.bytes);
    map_image();
    map_guards();
    enable();
}

void paging_map_device(u64 base, u64 bytes)
{
    map_device(base, bytes);
    write_cr3(address_of(root));
}

void paging_set_key(void *page, unsigned key)
{
    map(address_of(page), PAGE_SIZE, rights_of(BOOT_MEMORY_FREE) | (u64)key << 59);
    write_cr3(address_of(root));
}

void paging_open_for_firmware(void)
{
    write_cr0(read_cr0() & ~(u64)CR0_WP & ~(u64)CR0_TS);
}
