/*
 * Read before every file of a model of x86-64: puts the model (cpu.h) behind the hypervisor's
 * accessors (arch/x86_64/cpu.h). One that is not listed here does not link.
 */
#if !defined(MODEL_X86_MACHINE_H) && !defined(__ASSEMBLY__)
#define MODEL_X86_MACHINE_H

#define cpuid  native_cpuid
#define rdmsr  native_rdmsr
#define wrmsr  native_wrmsr
#define xgetbv native_xgetbv
#define xsetbv native_xsetbv
#define rdpkru native_rdpkru
#define wrpkru native_wrpkru
#define rdtsc  native_rdtsc
#define pause  native_pause
#include "arch/x86_64/cpu.h"
#undef cpuid
#undef rdmsr
#undef wrmsr
#undef xgetbv
#undef xsetbv
#undef rdpkru
#undef wrpkru
#undef rdtsc
#undef pause

/* At the hypervisor's level of the CPU that runs (machine.c): none of them may fault. */
struct cpuid_regs cpuid(u32 leaf, u32 subleaf);
u64 rdmsr(u32 msr);
void wrmsr(u32 msr, u64 value);
u64 xgetbv(u32 index);
void xsetbv(u32 index, u64 value);
u32 rdpkru(void);
void wrpkru(u32 value);
u64 rdtsc(void);

#endif
