/* CPUs that leak FP state by themselves, and the bit that stops each (BUGS 29). */
#ifndef FERMATA_X86_LEAKS_H
#define FERMATA_X86_LEAKS_H

#include "hv/base.h"

struct leak {
    const char *name; /* NULL: this CPU is not known to leak */
    u32 msr;
    unsigned bit;
};

/* By vendor and CPUID leaf 1 EAX. Pure. */
struct leak leak_of(const char *vendor, u32 signature);

/* Sets that bit on this CPU, and says so. Under a hypervisor it is the host's to set: not touched.
 */
void leaks_close(void);

#endif
