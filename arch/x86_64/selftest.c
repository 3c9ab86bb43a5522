#include "arch/arch.h"
bool arch_selftest(struct pcpu *cpu, char *why, size_t n)
{
    (void)cpu;
    (void)why;
    (void)n;
    return true;
}
