/* The kernels that the config names, into memory. */
#include "boot/boot.h"
#include "boot/unpack.h"
#include "hv/console.h"

#define KERNEL_MAX MiB(64)

/* The hypervisor says it when it refuses the VM, with the VM's name and line in front. */
PRINTF_LIKE(2, 3) static void refuse(struct boot_vm *vm, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    format_text_v(vm->error, sizeof(vm->error), fmt, args);
    va_end(args);
}

static void read_kernel(const struct volume *volume, struct boot_vm *vm)
{
    void *data = NULL;
    EFI_STATUS status = volume_read(volume, vm->kernel, KERNEL_MAX, &data, &vm->image_bytes);

    if (status == EFI_NOT_FOUND)
        refuse(vm, "kernel '%.100s' is not on the volume; copy it there or correct the path",
               vm->kernel);
    else if (status == EFI_NO_MAPPING)
        refuse(vm, "kernel '%.100s' is a directory; name a file in it", vm->kernel);
    else if (status == EFI_BAD_BUFFER_SIZE)
        refuse(vm, "kernel '%.100s' is longer than %llu MiB; strip its debug information",
               vm->kernel, (unsigned long long)(KERNEL_MAX >> 20));
    else if (status == EFI_OUT_OF_RESOURCES)
        refuse(vm, "kernel '%.100s' finds no memory; give the machine more", vm->kernel);
    else if (EFI_ERROR(status))
        refuse(vm, "kernel '%.100s' cannot be read (%s); check the volume", vm->kernel,
               boot_status_text(status));
    else if (!vm->image_bytes)
        refuse(vm, "kernel '%.100s' is empty; copy it again", vm->kernel);
    if (vm->error[0])
        vm->image_bytes = 0;
    else
        vm->image = (u64)data;
}

static void unpack_builtin(struct boot_vm *vm)
{
    size_t packed = (size_t)(builtin_guest_end - builtin_guest);
    u64 bytes = unpack_bytes(builtin_guest, packed);
    u8 *image = boot_alloc(bytes);

    if (!image) {
        refuse(vm, "the built-in guest finds no memory; give the machine more");
    } else if (!unpack(builtin_guest, packed, image)) {
        refuse(vm, "the built-in guest is damaged; copy the EFI image again");
        boot_free(image, bytes);
    } else {
        vm->image = (u64)image;
        vm->image_bytes = bytes;
    }
}

/* A kernel that several VMs name is in memory once. */
static bool share_kernel(const struct boot_config *config, struct boot_vm *vm)
{
    for (const struct boot_vm *other = config->vms; other < vm; other++) {
        if (other->image && !strcmp(other->kernel, vm->kernel)) {
            vm->image = other->image;
            vm->image_bytes = other->image_bytes;
            return true;
        }
    }
    return false;
}

/* Whether it is a kernel at all is for vm_create() to say: it looks at the image itself. */
static void load(const struct volume *volume, const struct boot_config *config, struct boot_vm *vm)
{
    if (share_kernel(config, vm))
        return;
    if (!strcmp(vm->kernel, "builtin"))
        unpack_builtin(vm);
    else
        read_kernel(volume, vm);
}

void guests_load(const struct volume *volume, struct boot_config *config)
{
    for (u32 i = 0; i < config->nvms; i++)
        load(volume, config, &config->vms[i]);
}
