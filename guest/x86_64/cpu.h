/*
 * The guest's view of an x86 CPU: control registers, MSRs, CPUID, faults that are expected, other
 * vCPUs.
 */
#ifndef GUEST_X86_CPU_H
#define GUEST_X86_CPU_H

#include "guest/guest.h"
#include "guest/x86_64/layout.h"

/* Exception vectors used here (APM vol. 2, 8.2). NO_FAULT stands in expectation tables. */
enum vector {
    VECTOR_DE = 0,
    VECTOR_UD = 6,
    VECTOR_NM = 7,
    VECTOR_GP = 13,
    VECTOR_PF = 14,
    VECTOR_MF = 16,
    VECTOR_XM = 19,
    NO_FAULT = 255,
};

/* A stub that may fault. Its first two fields are known to vectors.S (layout.h). */
struct
try {
    u64 rsp;
    u32 armed;
    u32 vector; /* NO_FAULT or what ended the stub */
    u64 error;
    u64 rip;
    u64 cr2;
};

struct trap_frame {
    u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    u64 vector, error, rip, cs, rflags, rsp, ss;
};

struct tss64 {
    u32 reserved0;
    u64 rsp0, rsp1, rsp2;
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3;
    u16 io_map;
} PACKED;

typedef void (*stub_fn)(void *);

/* One vCPU: at the bottom of its stack block, so that RSP tells which vCPU this is. */
struct cpu {
    u32 id;
    volatile u32 online;
    struct try try;
    bool (*nm_handler)(struct trap_frame *); /* true: handled, retry the instruction */
    bool fp_ready;                           /* fp_first() was here */
    void (*volatile work)(void *);           /* a job for this vCPU, NULL when idle */
    void *work_arg;
    u64 gdt[GDT_BYTES / 8];
    struct tss64 tss;
};
_Static_assert(offsetof(struct try, rsp) == TRY_RSP, "vectors.S knows struct try");
_Static_assert(offsetof(struct try, armed) == TRY_ARMED, "vectors.S knows struct try");
_Static_assert(sizeof(struct cpu) < STACK_BYTES / 4, "the rest of the block is the stack");

/* What CPUID offers this guest, read once by vCPU 0. */
struct features {
    u32 cpus;
    u64 xcr0; /* CPUID(0xD,0) EDX:EAX, 0 without XSAVE */
    bool x2apic, xsave, avx, avx2, fma, bmi1, pku, xsaveopt, xsavec, xgetbv1, xsaves, popcnt, ssse3;
    bool avx512;                       /* F and BW, and all three components */
    bool amx, amx_int8, amx_bf16, xfd; /* xfd: of the tile data */
    bool tcg_signature; /* QEMU TCG seen directly: no hypervisor of ours in between */
};
extern struct features features;

/* CPUID(0xD,n): where component n >= 2 lies in the standard form; bytes is 0 if it is not offered.
 */
struct component {
    u32 bytes, offset;
    bool aligned; /* to 64 bytes in the compacted form */
};
#define COMPONENTS 19
extern struct component components[COMPONENTS];

extern u32 boot_cr0[MAX_CPUS], boot_cr4[MAX_CPUS]; /* as the boot protocol left them */

struct cpuid {
    u32 eax, ebx, ecx, edx;
};
struct cpuid cpuid(u32 leaf, u32 subleaf);
u64 read_cr0(void);
void write_cr0(u64 value);
u64 read_cr4(void);
void write_cr4(u64 value);
u64 rdmsr(u32 index);
void wrmsr(u32 index, u64 value);
u64 rdtsc(void);
u8 in8(u16 port);
void out8(u16 port, u8 value);
void cpu_pause(void);

/* The vCPU this code runs on. */
struct cpu *this_cpu(void);
struct cpu *cpu_at(u32 id);

/*
 * Run stub(arg) at CPL 0 or CPL 3; returns the vector that ended it or NO_FAULT. Details are in
 * this_cpu()->try. At CPL 3 stub must lie in .user and arg in .user_bss.
 */
u32 try_stub(stub_fn stub, void *arg);
u32 try_stub_user(stub_fn stub, void *arg);

/*
 * True if the last try ended as wanted: the vector; and for a fault RIP = `at` (a stub's first
 * instruction, usually) and an error code of 0 (#GP, #UD, #NM as raised by the instructions tested
 * here).
 */
bool fault_is(u32 want, const void *at);

const char *vector_name(u32 vector);

/* Bring up the other vCPUs once (INIT, SIPI by x2APIC); returns how many vCPUs are on line. */
u32 cpus_start(void);

/* Give vCPU id (not the caller) a job, and wait for its end. */
void cpu_run(u32 id, void (*job)(void *), void *arg);
void cpu_wait(u32 id);

/* platform.c */
void platform_init(void);
void features_init(void);

/* Called by vectors.S and boot.S */
void trap(struct trap_frame *frame);
void cpu_main(u32 id);

#endif
