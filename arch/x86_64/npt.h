/* Nested page tables: a VM's RAM and nothing else (APM 2, 15.25). */
#ifndef FERMATA_X86_NPT_H
#define FERMATA_X86_NPT_H

#include "hv/vm.h"

/* Builds vm->arch.npt over vm->ram. False: no memory; npt_destroy() takes what there is. */
bool npt_create(struct vm *vm);
void npt_destroy(struct vm *vm);

#endif
