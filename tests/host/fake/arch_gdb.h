/* The fake machine under a debugger: register 0 is the PC, 1 to 3 are words of the vCPU, the rest
 * its FP registers. */
#ifndef FAKE_ARCH_GDB_H
#define FAKE_ARCH_GDB_H

#define ARCH_GDB_CORE        4u
#define ARCH_GDB_CORE_MAX    8u
#define ARCH_GDB_BREAK_BYTES 2u
#define ARCH_GDB_BREAK_ALIGN 1u

#endif
