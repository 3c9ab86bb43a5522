/* The two ways into the hypervisor. */
#ifndef FERMATA_MAIN_H
#define FERMATA_MAIN_H

#include "hv/base.h"

struct boot_info;
struct pcpu;

/* From boot/, right after ExitBootServices, on the firmware's stack and page tables. */
NORETURN void hv_main(const struct boot_info *info);

/* From arch_stack_switch(), on the CPU's own stack: everything of the firmware is behind us. */
NORETURN void hv_main_on_stack(struct pcpu *cpu);

#endif
