/* arm64 under a debugger: numbers of arch/arch.h's debugger section. */
#ifndef FERMATA_ARM64_ARCH_GDB_H
#define FERMATA_ARM64_ARCH_GDB_H

#define ARCH_GDB_CORE        34u /* X0 to X30, SP, PC, CPSR: org.gnu.gdb.aarch64.core */
#define ARCH_GDB_CORE_MAX    8u
#define ARCH_GDB_BREAK_BYTES 4u /* BRK */
#define ARCH_GDB_BREAK_ALIGN 4u

#endif
