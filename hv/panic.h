/* The end of the hypervisor itself: said in full, with a backtrace, and never twice. */
#ifndef FERMATA_PANIC_H
#define FERMATA_PANIC_H

#include "hv/base.h"

/*
 * For arch/'s exception vectors: the hypervisor itself faulted. `pc` and `frame_pointer` are those
 * of the interrupted code (frame_pointer 0: none to be trusted), `registers` is text of whole
 * lines, made by arch/, printed as it is. panic() of base.h is for everything else.
 */
NORETURN void panic_exception(u64 pc, u64 frame_pointer, const char *registers, const char *fmt,
                              ...) PRINTF_LIKE(4, 5);

/* Set by hv_main: where the image runs, for symbols and gdb. */
void panic_image(u64 base, u64 bytes);

#endif
