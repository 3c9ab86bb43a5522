/* A UEFI firmware that misbehaves as told, for the real files of boot/, and the rest of the image.
 */
#ifndef FAKE_EFI_H
#define FAKE_EFI_H

#include "boot/boot.h"

/* All zero but for what fake_efi_reset() sets: a firmware without faults, a volume without files.
 */
struct fake_efi {
    /* What the firmware does. */
    const char *preflight; /* NULL: the machine is fine */
    EFI_STATUS open, get_info, read, map, volume;
    bool no_file_system, directory, no_memory, stuck;
    UINTN chunk;      /* most bytes a read gives */
    u32 refusals;     /* ExitBootServices fails so often */
    u32 descriptors;  /* of the map; each refusal adds one */
    u64 free_pages;   /* in each descriptor */
    const char *conf; /* NULL: no such file */
    const char *kernel;
    u64 long_file;               /* not 0: what it says the kernel's length is */
    struct boot_uart spcr, dbg2; /* what the tables name */
    const char *acpi_fault;
    u16 ports[3];              /* where a 16550 answers; 0: nowhere */
    u32 pci_class, pci_bar[2]; /* of the only PCI card; class 0: there is none */
    struct boot_screen screen; /* base 0: none */
    EFI_GRAPHICS_PIXEL_FORMAT pixel_format;
    /* What was seen. */
    u64 pci_enabled;
    u16 divisor;
    char console[4096];
    size_t console_used;
    u32 exits, opened, closed, calls_after_refusal;
    UINTN key;
    bool left, watchdog_off;
    u32 held; /* allocations that were not freed */
};

extern struct fake_efi fw;
extern EFI_SYSTEM_TABLE fake_efi_table;
extern SIMPLE_TEXT_OUTPUT_INTERFACE fake_efi_console;

/* What boot_enter() was called with. */
extern const struct boot_info *fake_entered;

void fake_efi_reset(void);
void fake_efi_free(void); /* what was handed over to the hypervisor */

/* Starts the application. EFI_SUCCESS: it left the firmware and entered the hypervisor. */
EFI_STATUS fake_efi_start(void);

#endif
