/*
 * What the arm64 guest's C files share: the vCPU record, expected exceptions, system registers,
 * firmware calls.
 */
#ifndef GUEST_ARM64_CPU_H
#define GUEST_ARM64_CPU_H

#include "guest/guest.h"
#include "guest/arm64/layout.h"

/* System registers by name; those that the assembler knows only with +sve are spelt by number here.
 */
#define zcr_el1            S3_0_C1_C2_0
#define SYSREG_TEXT_(name) #name
#define SYSREG_TEXT(name)  SYSREG_TEXT_(name)
#define sysreg_read(name)                                                                          \
    ({                                                                                             \
        u64 value_;                                                                                \
        __asm__ volatile("mrs %0, " SYSREG_TEXT(name) : "=r"(value_)::"memory");                   \
        value_;                                                                                    \
    })
#define sysreg_write(name, value)                                                                  \
    do {                                                                                           \
        u64 written_ = (value);                                                                    \
        __asm__ volatile("msr " SYSREG_TEXT(name) ", %0\n\tisb" ::"r"(written_) : "memory");       \
    } while (0)

#define CPACR_ZEN(n)  ((u64)(n) << 16)
#define CPACR_FPEN(n) ((u64)(n) << 20)
#define CPACR_SMEN(n) ((u64)(n) << 24)

/* ESR_ELx.EC (DDI 0487, ESR_EL1) */
#define EC_UNKNOWN 0x00
#define EC_FP      0x07
#define EC_SVC     0x15
#define EC_SYSREG  0x18
#define EC_SVE     0x19
#define EC_SME     0x1d
#define EC_IABORT  0x21
#define EC_DABORT  0x25
#define EC_BRK     0x3c
#define EC_NONE    0xff /* ours: the instruction completed */

/* Exception frame of vectors.S. */
struct frame {
    u64 x[31];
    u64 sp, elr, spsr, esr, far;
};
_Static_assert(sizeof(struct frame) == FRAME_BYTES, "vectors.S");
_Static_assert(offsetof(struct frame, sp) == FRAME_SP, "vectors.S");
_Static_assert(offsetof(struct frame, elr) == FRAME_ELR, "vectors.S");
_Static_assert(offsetof(struct frame, far) == FRAME_FAR, "vectors.S");

/* What start.S found in a fresh vCPU before it changed anything. */
struct reset_regs {
    u64 cpacr, sctlr, tpidr_el0, tpidrro_el0, tpidr_el1, contextidr;
    u64 x; /* X1 to X30, ORed */
};

/* How an expected exception is answered. */
enum trap_mode {
    TRAP_FATAL,  /* not expected: say what happened, fail the VM */
    TRAP_RECORD, /* note it and go on behind the instruction */
    TRAP_OPEN, /* EC 0x07, 0x19 and 0x1d: open CPACR_EL1 and retry, as a lazy kernel does; others as
                * above
                */
};

/* One vCPU; lies at the bottom of its stack. */
struct cpu {
    u64 index;
    struct reset_regs reset;

    u32 mode; /* enum trap_mode */
    u32 traps;
    u32 opened_fp, opened_sve, opened_sme; /* TRAP_OPEN's work */
    u32 ec;                                /* of the last expected exception */
    u32 vector;
    u64 esr, elr, far;

    void (*job)(void *); /* NULL: idle. Written by vCPU 0, cleared by the vCPU when done. */
    void *job_argument;
    u32 online;

    u32 slot[4]; /* one instruction and RET, for probe_word() */
    u64 el0_stack[64] ALIGNED(16);
};
_Static_assert(offsetof(struct cpu, reset) == CPU_RESET, "start.S");
_Static_assert(sizeof(struct reset_regs) + CPU_RESET == CPU_ASM_BYTES, "start.S");

static inline struct cpu *this_cpu(void)
{
    u64 sp;

    __asm__ volatile("mov %0, sp" : "=r"(sp));
    return (struct cpu *)(sp & ~(u64)(STACK_SIZE - 1));
}

struct cpu *cpu_at(u32 index);

/* ---- probe.c: run something that may fault --------------------------------------------------- */

struct probe {
    u32 ec;    /* EC_NONE if it completed */
    u32 traps; /* exceptions taken */
    u64 esr, elr, far;
    u64 value; /* X0 afterwards */
};

/* Run function(argument) at EL1; every faulting instruction in it is skipped. */
struct probe probe_call(u64 (*function)(u64), u64 argument);

/* Run the one instruction `word` with X0 = argument, at EL1 or at EL0. */
struct probe probe_word(u32 word, u64 argument);
struct probe probe_word_el0(u32 word, u64 argument);

/* Run function(argument) at EL0 (PC-relative leaf code only); an SVC brings the result back. */
u64 el0_run(u64 (*function)(u64), u64 argument);

#define SYSREG_ENC(op0, op1, crn, crm, op2)                                                        \
    (((u32)(op0)-2) << 19 | (u32)(op1) << 16 | (u32)(crn) << 12 | (u32)(crm) << 8 | (u32)(op2) << 5)
#define MRS_X0(op0, op1, crn, crm, op2) (0xd5300000u | SYSREG_ENC(op0, op1, crn, crm, op2))
#define MSR_X0(op0, op1, crn, crm, op2) (0xd5100000u | SYSREG_ENC(op0, op1, crn, crm, op2))

/* ---- platform.c ------------------------------------------------------------------------------ */

/* The machine as the device tree describes it (dtb.c fills it). */
struct machine {
    u64 ram_base, ram_size;
    u64 uart;
    u32 cpus;
    u64 mpidr[MAX_CPUS];
    const char *bootargs;
};
extern struct machine machine;

/* Read the flattened device tree at dtb. False if it is not one. */
bool dtb_read(const void *dtb, struct machine *m);

struct smccc {
    u64 x0, x1, x2, x3;
};
/* HVC #0 by SMCCC 1.1. */
struct smccc smccc(u64 function, u64 a1, u64 a2, u64 a3);

#define PSCI_VERSION       0x84000000u
#define PSCI_CPU_OFF       0x84000002u
#define PSCI_CPU_ON        0xc4000003u
#define PSCI_AFFINITY_INFO 0xc4000004u
#define PSCI_SYSTEM_OFF    0x84000008u
#define PSCI_FEATURES      0x8400000au

#define PSCI_NOT_SUPPORTED  (-1)
#define PSCI_INVALID_PARAMS (-2)
#define PSCI_ALREADY_ON     (-4)

/* PSCI calls whose results are 32-bit signed numbers. */
s32 psci(u64 function, u64 a1, u64 a2, u64 a3);

void platform_detect(void);

/* ---- main.c: the other vCPUs ----------------------------------------------------------------- */

/* vCPUs that are running, this one included. The first call starts them all. */
u32 cpus_online(void);

/* Start vCPU index by CPU_ON and wait until it is in its loop. */
bool cpu_start(u32 index);

/* Have vCPU index run job(argument); wait for it to finish. */
void cpu_job(u32 index, void (*job)(void *), void *argument);
void cpu_wait(u32 index);

/* Entered by start.S and vectors.S. */
NORETURN void guest_main(const void *dtb);
NORETURN void secondary_main(void);
void secondary_entry(void);
void trap(struct frame *frame, u64 vector);
u64 el0_call(u64 entry, u64 stack, u64 function, u64 argument);
void el0_exit(void);
void el0_stub(void);

#endif
