/*
 * Core files: what a VM, or the hypervisor, held when it died, as lines on the console that
 * tools/core makes an ELF core of, for gdb. `core = yes` in fermata.conf; `monitor core VM` of the
 * gdb stub asks for one of a VM that lives.
 *
 *   fermata: core begin VM ARCH        or: fermata: core begin - ARCH (the hypervisor)
 *   fermata: core regs N OFFSET HEX SUM  of vCPU N, in gdb's order (arch_gdb_get)
 *   fermata: core fp N OFFSET HEX SUM  records of fp_export(), in pieces
 *   fermata: core mem ADDRESS HEX SUM  memory; pieces that are all zero are left out
 *   fermata: core end LINES
 *
 * SUM is the sum of the line's payload bytes, 16 bits. Guest memory has guest-physical addresses,
 * the hypervisor's its own.
 */
#ifndef FERMATA_CORE_H
#define FERMATA_CORE_H

#include "hv/vm.h"

/* fermata.conf's `core`: on a crash, without being asked. */
extern bool core_on;

/* Any VM whose vCPUs still exist; the current vCPU's FP state is put aside and taken up again. */
void core_vm(struct vm *vm);

/* In a panic: the image's memory, the vCPUs' structures and FP areas. Allocates nothing. */
void core_hypervisor(u64 image_base, u64 image_bytes);

#endif
