/*
 * Nested page tables. The RAM of a VM is one block, 2 MiB aligned in both spaces, so it is mapped
 * by 2 MiB pages from guest-physical 0; whatever else a guest touches faults and stops it. SVM
 * walks them with the hypervisor's own paging mode, so their depth is its depth, and U is set all
 * the way: to the nested walk every guest access is a user access. In EPT entries the same three
 * bits are read, write and execute (SDM 3, 29.3.2).
 */
#include "npt.h"
#include "paging.h"
#include "virt.h"
#include "hv/pages.h"

#define ENTRIES 512u
#define LEAF    2u /* level of the 2 MiB entries */
#define RIGHTS  (PTE_P | PTE_W | PTE_U)

static u64 *new_table(struct vm *vm)
{
    u64 *table = pages_alloc(1, PAGE_SIZE, PAGES_HYPERVISOR);

    if (table)
        vm->arch.npt_pages++;
    return table;
}

static unsigned levels(void)
{
    return virt->stage2_levels ? virt->stage2_levels : paging_levels();
}

static u64 span(unsigned level)
{
    return 1ull << (12 + 9 * (level - 1));
}

static bool map_2m(struct vm *vm, u64 gpa, u64 host)
{
    u64 *table = vm->arch.npt;

    for (unsigned level = levels(); level > LEAF; level--) {
        u64 *entry = &table[gpa / span(level) % ENTRIES];
        if (!*entry) {
            u64 *below = new_table(vm);
            if (!below)
                return false;
            *entry = (u64)(uintptr_t)below | RIGHTS;
        }
        table = (u64 *)(uintptr_t)(*entry & PTE_ADDRESS);
    }
    table[gpa / span(LEAF) % ENTRIES] = host | virt->stage2_leaf;
    return true;
}

bool npt_create(struct vm *vm)
{
    vm->arch.npt_pages = 0;
    vm->arch.npt = new_table(vm);
    if (!vm->arch.npt)
        return false;
    for (u64 at = 0; at < vm->ram_bytes; at += span(LEAF)) {
        if (!map_2m(vm, vm->ram_gpa + at, (u64)(uintptr_t)vm->ram + at))
            return false;
    }
    return true;
}

static void free_table(struct vm *vm, u64 *table, unsigned level)
{
    for (unsigned i = 0; level > LEAF && i < ENTRIES; i++) {
        if (table[i])
            free_table(vm, (u64 *)(uintptr_t)(table[i] & PTE_ADDRESS), level - 1);
    }
    pages_free(table, 1, PAGES_HYPERVISOR);
    vm->arch.npt_pages--;
}

void npt_destroy(struct vm *vm)
{
    if (!vm->arch.npt)
        return;
    free_table(vm, vm->arch.npt, levels());
    vm->arch.npt = NULL;
    CHECK(vm->arch.npt_pages == 0);
}
