/* x86-64 under a debugger: numbers of arch/arch.h's debugger section. */
#ifndef FERMATA_X86_ARCH_GDB_H
#define FERMATA_X86_ARCH_GDB_H

#define ARCH_GDB_CORE        24u /* RAX to GS, as org.gnu.gdb.i386.core begins */
#define ARCH_GDB_CORE_MAX    8u
#define ARCH_GDB_BREAK_BYTES 1u /* INT3 */
#define ARCH_GDB_BREAK_ALIGN 1u

#endif
