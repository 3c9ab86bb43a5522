/*
 * The UEFI application: collects what the hypervisor needs to know, leaves the firmware, and enters
 * it. Whatever goes wrong before that is one sentence on ConOut and an EFI status: the firmware
 * then carries on with its boot order, and nothing has been changed on the machine.
 */
#include "boot/boot.h"
#include "boot/config.h"
#include "boot/memory_map.h"
#include "arch/arch.h"

#define CONFIG_PATH "\\fermata.conf"

/* Our image, page tables and stacks, and the smallest VM. */
#define MEMORY_LEAST MiB(16)

/* Static: it outlives the firmware as part of the image, which is EfiLoaderCode. */
static struct boot_info info;

static EFI_STATUS parse(const char *file, const char *text, u64 bytes)
{
    char why[CONFIG_ERROR_MAX];

    if (!config_parse(file, text, bytes, &info.config, why, sizeof(why)))
        return boot_fail(EFI_INVALID_PARAMETER, "%s", why);
    return EFI_SUCCESS;
}

static EFI_STATUS read_config(const struct volume *volume)
{
    void *text;
    u64 bytes;

    EFI_STATUS status = volume_read(volume, CONFIG_PATH, CONFIG_FILE_MAX, &text, &bytes);
    if (status == EFI_NOT_FOUND) {
        boot_say("no " CONFIG_PATH " on this volume: running the built-in guest");
        return parse(NULL, builtin_conf, strlen(builtin_conf));
    }
    if (status == EFI_BAD_BUFFER_SIZE)
        return boot_fail(
            EFI_INVALID_PARAMETER,
            "fermata.conf:1: the file is %llu bytes long; at most %llu are possible, so "
            "check that it is a config",
            (unsigned long long)bytes, (unsigned long long)CONFIG_FILE_MAX);
    if (EFI_ERROR(status))
        return boot_fail(status, CONFIG_PATH " is there but cannot be read (%s); check the volume",
                         boot_status_text(status));
    status = parse("fermata.conf", text, bytes);
    boot_free(text, bytes + 1);
    return status;
}

/* The config and the kernels: all that comes from files. */
static EFI_STATUS read_volume(EFI_HANDLE image)
{
    struct volume volume;

    EFI_STATUS status = volume_open(&volume, image);
    if (EFI_ERROR(status))
        return boot_fail(status, "the volume it was started from cannot be opened (%s); check it",
                         boot_status_text(status));
    status = read_config(&volume);
    if (!EFI_ERROR(status))
        guests_load(&volume, &info.config);
    volume_close(&volume);
    return status;
}

static EFI_STATUS check_machine(void)
{
    char why[BOOT_TEXT];

    if (!arch_preflight(why, sizeof(why)))
        return boot_fail(EFI_UNSUPPORTED, "%s", why);
    EFI_STATUS status = firmware_map(&info);
    if (EFI_ERROR(status))
        return status;
    u64 bytes = memory_map_bytes(info.regions, info.nregions, BOOT_MEMORY_FREE) +
                memory_map_bytes(info.regions, info.nregions, BOOT_MEMORY_RECLAIM);
    if (bytes < MEMORY_LEAST)
        return boot_fail(EFI_OUT_OF_RESOURCES,
                         "the machine has %llu MiB of free memory; give it at least %llu MiB",
                         (unsigned long long)(bytes >> 20),
                         (unsigned long long)(MEMORY_LEAST >> 20));
    return EFI_SUCCESS;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
    firmware_init(system);
    /* The firmware resets the machine five minutes after it started a loader; reading may take
     * longer. */
    efi_services->SetWatchdogTimer(0, 0, 0, NULL);

    EFI_STATUS status = check_machine();
    if (EFI_ERROR(status))
        return status;
    status = read_volume(image);
    if (EFI_ERROR(status))
        return status;
    info.image_base = (u64)__image_start;
    info.image_bytes = (u64)(__image_end - __image_start);
    info.system_table = (u64)system;
    status = machine_describe(&info);
    if (EFI_ERROR(status))
        return status;
    status = leave_firmware(image, &info);
    if (EFI_ERROR(status))
        return status;
    boot_enter(&info);
}
