/* Extended feature disable (Intel SDM vol. 1, 13.14), of the tile data: the one component that has
 * it. */
#ifndef GUEST_X86_XFD_H
#define GUEST_X86_XFD_H

#include "guest/x86_64/tiles.h"

#define MSR_XFD     0x1c4
#define MSR_XFD_ERR 0x1c5

/* The two MSRs of the calling vCPU. */
void xfd_set(u64 xfd);
u64 xfd_err_take(void); /* reads XFD_ERR and clears it */

/* threads.c: an operating system that gives tiles to a thread when it first touches them, on every
 * vCPU at once. */
void xfd_threads(void);

#endif
