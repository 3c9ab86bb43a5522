/* The few services of the firmware that boot/ uses, in the shapes it uses them. */
#include "boot/boot.h"
#include "hv/console.h"

EFI_SYSTEM_TABLE *efi_system;
EFI_BOOT_SERVICES *efi_services;

void firmware_init(EFI_SYSTEM_TABLE *system)
{
    efi_system = system;
    efi_services = system->BootServices;
}

/* ConOut takes UCS-2 and wants CR LF. Machines without any console have a NULL here. */
static void print(const char *text)
{
    CHAR16 line[64];
    UINTN used = 0;

    if (!efi_system->ConOut)
        return;
    while (*text) {
        char c = *text++;
        if (c == '\n')
            line[used++] = '\r';
        line[used++] = (CHAR16)((c >= ' ' && c <= '~') || c == '\n' ? c : '?');
        if (used >= ARRAY_SIZE(line) - 3 || !*text) {
            line[used] = 0;
            efi_system->ConOut->OutputString(efi_system->ConOut, line);
            used = 0;
        }
    }
}

static void say_v(const char *prefix, const char *fmt, va_list args)
{
    char text[3 * BOOT_TEXT];

    format_text_v(text, sizeof(text), fmt, args);
    print(prefix);
    print(text);
    print("\n");
}

void boot_say(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say_v("fermata: ", fmt, args);
    va_end(args);
}

EFI_STATUS boot_fail(EFI_STATUS status, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say_v("fermata: not started: ", fmt, args);
    va_end(args);
    return status;
}

const char *boot_status_text(EFI_STATUS status)
{
    static const struct {
        EFI_STATUS status;
        const char *text;
    } names[] = {
        {EFI_LOAD_ERROR, "load error"},
        {EFI_INVALID_PARAMETER, "invalid parameter"},
        {EFI_UNSUPPORTED, "unsupported"},
        {EFI_BAD_BUFFER_SIZE, "bad buffer size"},
        {EFI_BUFFER_TOO_SMALL, "buffer too small"},
        {EFI_NOT_READY, "not ready"},
        {EFI_DEVICE_ERROR, "device error"},
        {EFI_OUT_OF_RESOURCES, "out of memory"},
        {EFI_VOLUME_CORRUPTED, "volume corrupted"},
        {EFI_NO_MEDIA, "no medium"},
        {EFI_MEDIA_CHANGED, "medium changed"},
        {EFI_NOT_FOUND, "not found"},
        {EFI_ACCESS_DENIED, "access denied"},
        {EFI_NO_MAPPING, "no mapping"},
        {EFI_TIMEOUT, "timeout"},
        {EFI_SECURITY_VIOLATION, "security violation"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (names[i].status == status)
            return names[i].text;
    }
    return "a firmware error";
}

void *boot_alloc(u64 bytes)
{
    EFI_PHYSICAL_ADDRESS at = 0;
    u64 rounded = ALIGN_UP(bytes, PAGE_SIZE);

    if (!bytes || rounded < bytes ||
        EFI_ERROR(efi_services->AllocatePages(AllocateAnyPages, EfiLoaderData,
                                              rounded >> PAGE_SHIFT, &at)))
        return NULL;
    return memset((void *)at, 0, rounded);
}

void boot_free(void *pages, u64 bytes)
{
    efi_services->FreePages((EFI_PHYSICAL_ADDRESS)pages, ALIGN_UP(bytes, PAGE_SIZE) >> PAGE_SHIFT);
}

const void *boot_configuration_table(const EFI_GUID *guid)
{
    for (UINTN i = 0; i < efi_system->NumberOfTableEntries; i++) {
        const EFI_CONFIGURATION_TABLE *entry = &efi_system->ConfigurationTable[i];
        if (!memcmp(&entry->VendorGuid, guid, sizeof(*guid)))
            return entry->VendorTable;
    }
    return NULL;
}
