/* Files of the volume the image was started from (UEFI 2.10, 13.4 and 13.5). */
#include "boot/boot.h"

EFI_STATUS volume_open(struct volume *volume, EFI_HANDLE image)
{
    EFI_GUID loaded_image = EFI_LOADED_IMAGE_PROTOCOL_GUID;
    EFI_GUID file_system = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
    EFI_LOADED_IMAGE_PROTOCOL *loaded;
    EFI_SIMPLE_FILE_SYSTEM_PROTOCOL *files;

    volume->root = NULL;
    EFI_STATUS status = efi_services->HandleProtocol(image, &loaded_image, (void **)&loaded);
    if (EFI_ERROR(status))
        return status;
    /* Started from the network, or handed over in memory: there is a device or none, but no files.
     */
    if (!loaded->DeviceHandle || EFI_ERROR(efi_services->HandleProtocol(
                                     loaded->DeviceHandle, &file_system, (void **)&files)))
        return EFI_SUCCESS;
    return files->OpenVolume(files, &volume->root);
}

void volume_close(struct volume *volume)
{
    if (volume->root)
        volume->root->Close(volume->root);
    volume->root = NULL;
}

/* How long the file is; EFI_NO_MAPPING for a directory. */
static EFI_STATUS file_bytes(EFI_FILE_HANDLE file, u64 *bytes)
{
    EFI_GUID id = EFI_FILE_INFO_ID;
    union {
        EFI_FILE_INFO info;
        u8 room[sizeof(EFI_FILE_INFO) + BOOT_TEXT * sizeof(CHAR16)]; /* the name follows it */
    } u;
    UINTN n = sizeof(u);

    EFI_STATUS status = file->GetInfo(file, &id, &n, &u.info);
    if (EFI_ERROR(status))
        return status;
    *bytes = u.info.FileSize;
    return u.info.Attribute & EFI_FILE_DIRECTORY ? EFI_NO_MAPPING : EFI_SUCCESS;
}

/* A read may give less than asked for; one that gives nothing before the end is a broken file
 * system. */
static EFI_STATUS read_whole(EFI_FILE_HANDLE file, u8 *to, u64 bytes)
{
    while (bytes) {
        UINTN n = bytes;
        EFI_STATUS status = file->Read(file, &n, to);
        if (EFI_ERROR(status))
            return status;
        if (!n || n > bytes)
            return EFI_VOLUME_CORRUPTED;
        to += n;
        bytes -= n;
    }
    return EFI_SUCCESS;
}

static EFI_STATUS read_file(EFI_FILE_HANDLE file, u64 max, void **data, u64 *bytes)
{
    EFI_STATUS status = file_bytes(file, bytes);
    if (EFI_ERROR(status))
        return status;
    if (*bytes > max)
        return EFI_BAD_BUFFER_SIZE;
    u8 *to = boot_alloc(*bytes + 1);
    if (!to)
        return EFI_OUT_OF_RESOURCES;
    status = read_whole(file, to, *bytes);
    if (EFI_ERROR(status)) {
        boot_free(to, *bytes + 1);
        return status;
    }
    *data = to;
    return EFI_SUCCESS;
}

/*
 * The firmware's way to write a path: UCS-2, one backslash between names. Some file systems take an
 * empty name, as in "\\a" with two, for the directory itself, so runs of separators become one.
 */
static void widen(const char *path, CHAR16 *wide, size_t room)
{
    size_t n = 0;

    for (; *path && n < room - 1; path++) {
        CHAR16 c = (CHAR16)(*path == '/' ? '\\' : *path);
        if (c != '\\' || !n || wide[n - 1] != '\\')
            wide[n++] = c;
    }
    wide[n] = 0;
}

EFI_STATUS volume_read(const struct volume *volume, const char *path, u64 max, void **data,
                       u64 *bytes)
{
    CHAR16 wide[BOOT_TEXT];
    EFI_FILE_HANDLE file;

    *bytes = 0;
    if (!volume->root)
        return EFI_NOT_FOUND;
    widen(path, wide, ARRAY_SIZE(wide));
    EFI_STATUS status = volume->root->Open(volume->root, &file, wide, EFI_FILE_MODE_READ, 0);
    if (EFI_ERROR(status))
        return status;
    status = read_file(file, max, data, bytes);
    file->Close(file);
    return status;
}
