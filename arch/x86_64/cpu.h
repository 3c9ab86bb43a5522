/*
 * One instruction each: the wrappers C needs, and what boot found out about this CPU.
 */
#ifndef FERMATA_X86_CPU_H
#define FERMATA_X86_CPU_H

#include "hv/base.h"
#include "x86.h"

struct cpuid_regs {
    u32 eax, ebx, ecx, edx;
};

/* What the hypervisor itself relies on or passes on; filled once by cpu_detect(). */
struct cpu_features {
    char vendor[13];
    char brand[49];
    u32 max_leaf;
    u32 max_extended;
    bool svm, npt, nrip, decode_assists, clean_bits, flush_by_asid;
    bool vmx;
    bool invpcid_hidden; /* VMX without the control for it: INVPCID of a guest would be #UD */
    u64 cr4_refused;     /* VMX: CR4 bits that an entry would refuse */
    bool nx, pages_1g, invariant_tsc, hypervisor, tsc_aux;
    bool xsave, xsaveopt, xsavec, xsaves, xgetbv1, pku;
    bool xfd;                 /* 0xD.1 EAX[4]: IA32_XFD and IA32_XFD_ERR are there */
    bool fpu_pointers_always; /* 8000_0008 EBX[2]: FIP/FDP/FOP saved whatever FSW.ES says */
    bool no_fcs_fds;          /* 7.0 EBX[13]: FCS and FDS are gone */
    bool ibpb;                /* 8000_0008 EBX[12], 7.0 EDX[26]: MSR PRED_CMD */
    u64 xcr0;                 /* what XSETBV of this CPU accepts: CPUID 0xD.0 EDX:EAX */
    u64 without;              /* XCR0 bits whose feature bits CPUID does not set */
    u32 physical_bits;
    u32 asids;
};

extern struct cpu_features cpu_has;

/* Fills cpu_has from CPUID. No MSR, no control register: safe in the firmware. */
void cpu_detect(void);

/* Free-running counter rate, found by apic.c. */
extern u64 tsc_hz;

static inline struct cpuid_regs cpuid(u32 leaf, u32 subleaf)
{
    struct cpuid_regs r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

static inline u64 rdmsr(u32 msr)
{
    u32 low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return (u64)high << 32 | low;
}

static inline void wrmsr(u32 msr, u64 value)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

#define CONTROL_REGISTER(n)                                                                        \
    static inline u64 read_cr##n(void)                                                             \
    {                                                                                              \
        u64 value;                                                                                 \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(value)::"memory");                            \
        return value;                                                                              \
    }                                                                                              \
    static inline void write_cr##n(u64 value)                                                      \
    {                                                                                              \
        __asm__ volatile("mov %0, %%cr" #n ::"r"(value) : "memory");                               \
    }
CONTROL_REGISTER(0)
CONTROL_REGISTER(2)
CONTROL_REGISTER(3)
CONTROL_REGISTER(4)

#define DEBUG_REGISTER(n)                                                                          \
    static inline u64 read_dr##n(void)                                                             \
    {                                                                                              \
        u64 value;                                                                                 \
        __asm__ volatile("mov %%dr" #n ", %0" : "=r"(value));                                      \
        return value;                                                                              \
    }                                                                                              \
    static inline void write_dr##n(u64 value)                                                      \
    {                                                                                              \
        __asm__ volatile("mov %0, %%dr" #n ::"r"(value));                                          \
    }
DEBUG_REGISTER(0)
DEBUG_REGISTER(1)
DEBUG_REGISTER(2)
DEBUG_REGISTER(3)
DEBUG_REGISTER(6)

static inline u64 xgetbv(u32 index)
{
    u32 low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
    return (u64)high << 32 | low;
}

static inline void xsetbv(u32 index, u64 value)
{
    __asm__ volatile("xsetbv" ::"c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

/* Both need CR4.PKE; PKRU itself never governs us, for we map no user page (paging.c, BUGS 13). */
static inline u32 rdpkru(void)
{
    u32 value, zero;

    __asm__ volatile("rdpkru" : "=a"(value), "=d"(zero) : "c"(0));
    return value;
}

static inline void wrpkru(u32 value)
{
    __asm__ volatile("wrpkru" ::"a"(value), "c"(0), "d"(0) : "memory");
}

static inline u64 rdtsc(void)
{
    u32 low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (u64)high << 32 | low;
}

static inline u8 in8(u16 port)
{
    u8 value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void out8(u16 port, u8 value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline void pause(void)
{
    __asm__ volatile("pause" ::: "memory");
}

#endif
