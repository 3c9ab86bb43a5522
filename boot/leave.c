/* Out of the firmware: the memory map and ExitBootServices (UEFI 2.10, 7.2.3 and 7.4.6). */
#include "boot/boot.h"
#include "boot/memory_map.h"

_Static_assert(sizeof(struct efi_memory) == sizeof(EFI_MEMORY_DESCRIPTOR), "UEFI 2.10, 7.2.3");

#define MAP_SLACK  64u /* descriptors that may appear between asking for the size and leaving */
#define EXIT_TRIES 8u

struct map {
    void *buffer;
    UINTN room; /* bytes of buffer */
    UINTN used;
    UINTN step;
    UINTN key;
};

static EFI_STATUS map_get(struct map *map)
{
    UINT32 version;

    map->used = map->room;
    return efi_services->GetMemoryMap(&map->used, map->buffer, &map->key, &map->step, &version);
}

static EFI_STATUS map_alloc(struct map *map)
{
    *map = (struct map){.buffer = NULL};
    EFI_STATUS status = map_get(map); /* with no room: says how much it needs */
    if (status != EFI_BUFFER_TOO_SMALL)
        return EFI_ERROR(status) ? status : EFI_DEVICE_ERROR;
    map->room = map->used + MAP_SLACK * map->step;
    map->buffer = boot_alloc(map->room);
    return map->buffer ? EFI_SUCCESS : EFI_OUT_OF_RESOURCES;
}

EFI_STATUS firmware_map(struct boot_info *info)
{
    struct map map;

    EFI_STATUS status = map_alloc(&map);
    if (EFI_ERROR(status))
        return boot_fail(status, "the firmware gives no memory map (%s); try another version of it",
                         boot_status_text(status));
    status = map_get(&map);
    if (!EFI_ERROR(status)) {
        u32 n = memory_map_regions(map.buffer, map.used, map.step, info->regions, BOOT_MAX_REGIONS);
        info->nregions = n < BOOT_MAX_REGIONS ? n : BOOT_MAX_REGIONS;
        if (n > BOOT_MAX_REGIONS)
            boot_say(
                "the memory map has %u regions, %u more than fit: memory above 0x%llx is not used",
                n, n - BOOT_MAX_REGIONS,
                (unsigned long long)info->regions[BOOT_MAX_REGIONS - 1].base);
    }
    boot_free(map.buffer, map.room);
    if (EFI_ERROR(status))
        return boot_fail(status, "the firmware gives no memory map (%s); try another version of it",
                         boot_status_text(status));
    return EFI_SUCCESS;
}

/*
 * ExitBootServices is refused when the map changed since the key was handed out, which the
 * firmware's own shut-down may cause. After a first refusal nothing but GetMemoryMap may be called:
 * hence the buffer with slack, and no message on the way.
 */
EFI_STATUS leave_firmware(EFI_HANDLE image, struct boot_info *info)
{
    struct map map;

    EFI_STATUS status = map_alloc(&map);
    if (EFI_ERROR(status))
        return boot_fail(status, "the firmware gives no memory map (%s); try another version of it",
                         boot_status_text(status));
    for (u32 try = 0; try < EXIT_TRIES; try++) {
        status = map_get(&map);
        if (EFI_ERROR(status))
            break;
        status = efi_services->ExitBootServices(image, map.key);
        if (!EFI_ERROR(status)) {
            u32 n =
                memory_map_regions(map.buffer, map.used, map.step, info->regions, BOOT_MAX_REGIONS);
            info->nregions = n < BOOT_MAX_REGIONS ? n : BOOT_MAX_REGIONS;
            return EFI_SUCCESS;
        }
    }
    return status;
}
