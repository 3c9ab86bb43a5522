/*
 * bare.efi: starts \guest.elf by PVH on a UEFI machine with no hypervisor in between, with
 * \cmdline.txt as its command line, as `qemu -kernel` does where there is no such option. What the
 * guest prints then is what Fermata's guests are compared with; on a real machine it is how the
 * guest's own tests are tested.
 *
 * It is boot/ up to ExitBootServices; hv_main(), which boot/ enters then, is this program's.
 */
#include "arch/x86_64/pvh.h"
#include "boot/boot.h"
#include "hv/main.h"

#define KERNEL_MAX  MiB(16)
#define CMDLINE_MAX 2047u
#define MEMORY      MiB(4) /* what the guest needs, and asks for in guest.lds */

/* bare_x86_enter.S: what runs without paging, copied below 4 GiB. */
extern const u8 bare_enter[], bare_enter_end[];
typedef void enter_fn(u32 entry, u32 start_info); /* does not return */

static struct boot_info info;
static struct pvh_image kernel;
static void *file;
static char *cmdline;
static u64 enter_page;

/* hv/ asserts in debug builds. */
void panic(const char *fmt, ...)
{
    (void)fmt;
    for (;;)
        __asm__ volatile("cli; hlt");
}

void hv_main(const struct boot_info *unused)
{
    (void)unused;
    memset((void *)MiB(1), 0, MEMORY - MiB(1));
    u64 start_info = pvh_load(&kernel, file, NULL, MEMORY, cmdline);
    ((enter_fn *)enter_page)(kernel.entry, (u32)start_info);
    __builtin_unreachable();
}

static EFI_STATUS claim(u64 base, u64 bytes)
{
    EFI_PHYSICAL_ADDRESS at = base;
    EFI_STATUS status =
        efi_services->AllocatePages(AllocateAddress, EfiLoaderData, bytes >> PAGE_SHIFT, &at);

    if (EFI_ERROR(status))
        return boot_fail(status, "memory at 0x%lx is not free (%s); the guest is linked for it",
                         (unsigned long)base, boot_status_text(status));
    return EFI_SUCCESS;
}

static EFI_STATUS read_files(EFI_HANDLE image)
{
    char why[BOOT_TEXT];
    struct volume volume;
    void *text = NULL;
    u64 bytes;

    EFI_STATUS status = volume_open(&volume, image);
    if (!EFI_ERROR(status))
        status = volume_read(&volume, "\\guest.elf", KERNEL_MAX, &file, &bytes);
    if (EFI_ERROR(status))
        return boot_fail(status, "no \\guest.elf on this volume (%s)", boot_status_text(status));
    if (!pvh_check(file, bytes, MEMORY, &kernel, why, sizeof(why)))
        return boot_fail(EFI_LOAD_ERROR, "\\guest.elf: %s", why);
    status = volume_read(&volume, "\\cmdline.txt", CMDLINE_MAX, &text, &bytes);
    if (EFI_ERROR(status))
        return boot_fail(status, "no \\cmdline.txt on this volume (%s)", boot_status_text(status));
    cmdline = text;
    return EFI_SUCCESS;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
    EFI_PHYSICAL_ADDRESS below = 0xffffffff;

    firmware_init(system);
    EFI_STATUS status = read_files(image);
    if (!EFI_ERROR(status))
        status = claim(kernel.start_info, PAGE_SIZE);
    if (!EFI_ERROR(status))
        status = claim(MiB(1), MEMORY - MiB(1));
    if (EFI_ERROR(status))
        return status;
    status = efi_services->AllocatePages(AllocateMaxAddress, EfiLoaderCode, 1, &below);
    if (EFI_ERROR(status))
        return boot_fail(status, "no page below 4 GiB (%s)", boot_status_text(status));
    enter_page = below;
    memcpy((void *)enter_page, bare_enter, (size_t)(bare_enter_end - bare_enter));
    status = leave_firmware(image, &info);
    if (EFI_ERROR(status))
        return status;
    boot_enter(&info);
}
