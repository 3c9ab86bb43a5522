/* Where a VM's memory is (hv/vm.h). */
#include "hv/vm.h"

void *vm_ram(struct vm *vm, u64 gpa, u64 bytes)
{
    const u64 offset = gpa - vm->ram_gpa;

    if (gpa < vm->ram_gpa || offset > vm->ram_bytes || bytes > vm->ram_bytes - offset)
        return NULL;
    return vm->ram + offset;
}
