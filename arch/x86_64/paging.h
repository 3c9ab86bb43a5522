/* The hypervisor's own address space: identity mapped, W^X, guards. */
#ifndef FERMATA_X86_PAGING_H
#define FERMATA_X86_PAGING_H

#include "hv/base.h"

struct boot_info;

/* Page table entry bits (APM 2, 5.3); nested tables use the same format (15.25.5). */
#define PTE_P       BIT(0)
#define PTE_W       BIT(1)
#define PTE_U       BIT(2)
#define PTE_PWT     BIT(3)
#define PTE_PCD     BIT(4)
#define PTE_PS      BIT(7)
#define PTE_NX      BIT(63)
#define PTE_ADDRESS 0x000ffffffffff000ull

/* Levels of the tables this CPU walks now: 5 if the firmware left CR4.LA57 set, else 4. */
unsigned paging_levels(void);

/* Builds the tables from the memory map and moves to them. After pages_init(). */
void paging_init(const struct boot_info *info);

/* Is there memory at this address that can be read without side effects: mapped, and no device? */
bool paging_is_memory(u64 address);

/* Maps device registers, uncached, read-write; for what no region of the memory map covers. */
void paging_map_device(u64 base, u64 bytes);

/*
 * Gives a page of free memory a protection key (SDM 3, 4.6.2), which PKRU must not apply to: it
 * stays a supervisor page. For the self-test.
 */
void paging_set_key(void *page, unsigned key);

/* The last act: firmware code that also holds data becomes writable (ResetSystem). */
void paging_open_for_firmware(void);

#endif
