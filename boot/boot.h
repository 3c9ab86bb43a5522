/* What the files of boot/ share: the firmware, and how to talk to it. Nothing outside boot/
 * includes it. */
#ifndef FERMATA_BOOT_H
#define FERMATA_BOOT_H

#include <efi.h>

#include "hv/base.h"
#include "boot/boot_info.h"

/* Laid out by boot/<arch>/efi.lds. */
extern const char __image_start[], __image_end[];

/* The built-in guest (builtin_guest.S), packed (unpack.h); config.h has the configuration that runs
 * it. */
extern const u8 builtin_guest[], builtin_guest_end[];

/* ---- start.S, reloc.c ---- */

struct elf_rela;
bool boot_relocate(u8 *image, const struct elf_rela *from, const struct elf_rela *to);

/* Called by start.S. The status goes back to the firmware, which carries on with its boot order. */
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

/* Interrupts off, our own stack, hv_main(info). Only after ExitBootServices. */
NORETURN void boot_enter(const struct boot_info *info);

/* ---- firmware.c: all of them only before ExitBootServices ---- */

extern EFI_SYSTEM_TABLE *efi_system;
extern EFI_BOOT_SERVICES *efi_services;

void firmware_init(EFI_SYSTEM_TABLE *system);

/* "fermata: " and the text and a line end on ConOut. Characters that are not ASCII come out as '?'.
 */
void boot_say(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* "not started: " and the sentence; returns `status`, for `return boot_fail(...)`. */
EFI_STATUS boot_fail(EFI_STATUS status, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The name the UEFI specification gives an error (appendix D), for messages. */
const char *boot_status_text(EFI_STATUS status);

/* Whole pages of EfiLoaderData for `bytes` (1 or more), zeroed; NULL: the firmware has no memory
 * left. */
void *boot_alloc(u64 bytes);
void boot_free(void *pages, u64 bytes);

/* The table with this GUID in the EFI configuration table, or NULL. */
const void *boot_configuration_table(const EFI_GUID *guid);

/* ---- volume.c ---- */

struct volume {
    EFI_FILE_HANDLE root; /* NULL: the device we were started from holds no file system */
};

EFI_STATUS volume_open(struct volume *volume, EFI_HANDLE image);
void volume_close(struct volume *volume);

/*
 * Reads a whole file ('/' or '\' between directories) into fresh pages, followed by at least one 0
 * byte. EFI_NOT_FOUND: no such file. EFI_BAD_BUFFER_SIZE: longer than `max`; *bytes says how long
 * it is. EFI_NO_MAPPING: a directory. Else what the firmware said. Nothing is allocated then.
 */
EFI_STATUS volume_read(const struct volume *volume, const char *path, u64 max, void **data,
                       u64 *bytes);

/* ---- guests.c ---- */

/* Reads each VM's kernel; what is wrong with one is left in its boot_vm.error, the others go on. */
void guests_load(const struct volume *volume, struct boot_config *config);

/* ---- machine.c ---- */

#define BOOT_FDT_MAX MiB(2)

/* Fills rsdp, fdt and the consoles; info->config and ->regions are there already. What is wrong
 * with the firmware's tables is a line; an error has been said. */
EFI_STATUS machine_describe(struct boot_info *info);

/* ---- console.c ---- */

/* Fills uart, mirror and screen, as the config wants them. The only error: both are one port. */
EFI_STATUS console_find(struct boot_info *info);

/* ---- leave.c ---- */

/* The memory map as it is now, into info->regions: enough to look at the machine, not to leave
 * with. */
EFI_STATUS firmware_map(struct boot_info *info);

/*
 * The memory map into info->regions, and ExitBootServices. On success boot services are gone. On an
 * error the firmware may have shut down in part: say nothing more, just return the status to it.
 */
EFI_STATUS leave_firmware(EFI_HANDLE image, struct boot_info *info);

#endif
