/* Port I/O of a guest. */
#ifndef FERMATA_X86_IO_H
#define FERMATA_X86_IO_H

#include "hv/vm.h"

/*
 * One access of `bytes` (1, 2 or 4) to `port`. In: *value gets the data. The event says whether the
 * guest goes on.
 */
enum vcpu_event io_access(struct vcpu *v, u16 port, unsigned bytes, bool in, u32 *value);

#endif
