/* What scenario `debugged` waits for, and where: tests/emu/stub_test.py drives it by Fermata's gdb
 * stub. */
#ifndef GUEST_DEBUGGED_H
#define GUEST_DEBUGGED_H

#include "guest/guest.h"

#define DEBUGGED_VALUE 0x0123456789abcdefull
#define DEBUGGED_TURNS 100000u

/* The debugger's breakpoint: gives up the CPU. */
void debugged_loop(void);

/* Watched, and written by the debugger. */
extern volatile u64 debugged_word;

#endif
