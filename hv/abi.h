/*
 * What a guest may ask of Fermata: hypercalls. The only header a guest shares with the hypervisor
 * (it is also included by assembly, so: plain #defines).
 *
 * x86-64  VMMCALL (AMD) or VMCALL (Intel) at CPL 0, EAX = function, RDI, RSI = arguments.
 *         On return RAX = status, RDX = value; every other register is preserved. From CPL > 0:
 * #UD. Fermata is found by CPUID: leaf 1 ECX[31] is set, leaf 0x40000000 returns the signature in
 *         EBX:ECX:EDX, leaf 0x40000001 EAX the version.
 * arm64   HVC #0 by SMCCC 1.1 (64-bit fast calls, vendor-specific hypervisor service): X0 =
 * function, X1, X2 = arguments. On return X0 = status, X1 = value, X2 and X3 = 0; the rest is
 * preserved. PSCI 1.1 and the SMCCC calls (version, features, vendor UID) are answered as Arm
 * DEN0022 and DEN0028 say.
 *
 * Status: 0, or one of the negative numbers below (SMCCC's, and from -4 on Fermata's own). An
 * undefined function returns NOT_SUPPORTED, and is said once on the hypervisor's console.
 */
#ifndef FERMATA_ABI_H
#define FERMATA_ABI_H

#define FERMATA_ABI_VERSION 0x00010000 /* major << 16 | minor */

/* "FermataHyper" in EBX, ECX, EDX, as CPUID signatures are spelt. */
#define FERMATA_CPUID_EBX 0x6d726546
#define FERMATA_CPUID_ECX 0x48617461
#define FERMATA_CPUID_EDX 0x72657079

/* What SMCCC's vendor hypervisor UID call (0x8600FF01) returns in W0 to W3: the UUID
 * bb8b3899-2dbf-42e2-b1e2-601bcffa3ad6, in DEN0028's order of bytes. */
#define FERMATA_UID_0 0x99388bbb
#define FERMATA_UID_1 0xe242bf2d
#define FERMATA_UID_2 0x1b60e2b1
#define FERMATA_UID_3 0xd63afacf

#ifdef __aarch64__
#define FERMATA_HC_BASE                                                                            \
    0xc6000000 /* SMCCC: fast, 64-bit, owner 6 (vendor-specific hypervisor service) */
#else
#define FERMATA_HC_BASE 0x46450000
#endif

#define FERMATA_HC_VERSION (FERMATA_HC_BASE + 0) /* value = FERMATA_ABI_VERSION */
#define FERMATA_HC_YIELD                                                                           \
    (FERMATA_HC_BASE + 1) /* give the rest of this quantum to the next runnable vCPU */
#define FERMATA_HC_STAT                                                                            \
    (FERMATA_HC_BASE + 2) /* argument 1: FERMATA_STAT_*; value = that counter of the calling vCPU  \
                           */
#define FERMATA_HC_POWER_OFF                                                                       \
    (FERMATA_HC_BASE + 3) /* argument 1: 0 = passed, else failed; the whole VM ends */

/*
 * A vCPU's FP state as a sequence of records. Argument 1: guest-physical address of a struct
 * fermata_fp_transfer, 8-byte aligned. EXPORT writes at most `bytes` bytes of records to `records`;
 * value = the bytes there are (`bytes` of 0 asks for them; fewer than there are is INVALID). IMPORT
 * reads exactly `bytes` bytes and replaces the whole FP state of that vCPU, or refuses with
 * INVALID, DENIED or NO_MEMORY and changes nothing. On arm64 a vCPU that went off is in reset
 * state, and coming on resets it again.
 */
#define FERMATA_HC_FP_EXPORT (FERMATA_HC_BASE + 4)
#define FERMATA_HC_FP_IMPORT (FERMATA_HC_BASE + 5)

#define FERMATA_OK            0
#define FERMATA_NOT_SUPPORTED (-1)
#define FERMATA_INVALID       (-3) /* SMCCC INVALID_PARAMETER */
#define FERMATA_DENIED        (-4) /* well formed, but not permitted to this VM */
#define FERMATA_NO_MEMORY     (-5) /* no save area to be had; nothing has changed */

/*
 * A record is a header of two 32-bit words, type and bytes of payload, then the payload, padded
 * with zeros to a multiple of 8. Types and payloads are those of ELF core notes where there is one
 * (the layouts Linux and gdb use), else Fermata's own, which begin with "F" 0x46. The control
 * record comes first and once; every other type at most once.
 */
#define FERMATA_FP_PRFPREG     0x2        /* arm64: user_fpsimd_state */
#define FERMATA_FP_X86_XSTATE  0x202      /* x86-64: XSAVE, standard format */
#define FERMATA_FP_ARM_SVE     0x405      /* arm64: user_sve_header and data, not streaming */
#define FERMATA_FP_ARM_SSVE    0x40b      /* arm64: the same in streaming mode */
#define FERMATA_FP_ARM_ZA      0x40c      /* arm64: user_za_header and rows */
#define FERMATA_FP_ARM_ZT      0x40d      /* arm64: ZT0 */
#define FERMATA_FP_ARM_FPMR    0x40e      /* arm64: FPMR, 64 bits */
#define FERMATA_FP_X86_CONTROL 0x46000001 /* struct fermata_fp_x86_control */
#define FERMATA_FP_ARM_CONTROL 0x46000002 /* struct fermata_fp_arm_control */

#ifndef __ASSEMBLER__
struct fermata_fp_transfer {
    unsigned int vcpu; /* index in the VM; the calling vCPU or another */
    unsigned int zero;
    unsigned long records; /* guest-physical address */
    unsigned long bytes;
};

/* In the order in which they take effect: XCR0, XFD, then the XSTATE record (FACTS, Linux's and
 * KVM's order): a component of XSTATE must be enabled in xcr0_ever and not be armed in xfd. */
struct fermata_fp_x86_control {
    unsigned long xcr0;
    unsigned long xcr0_ever; /* every component ever enabled: what XSTATE may contain */
    unsigned long xfd;
    unsigned long xfd_err;
    unsigned int pkru;
    unsigned int zero;
};

/* Lengths that the VM may use are its config's; these are the guest's own registers. */
struct fermata_fp_arm_control {
    unsigned long zcr_el1;
    unsigned long smcr_el1;
    unsigned long svcr; /* bit 0 SM, bit 1 ZA: decides which records there must be */
    unsigned long tpidr2_el0;
    unsigned long smpri_el1;
};
#endif

/* Counters of one vCPU since it was made. */
#define FERMATA_STAT_EXITS 0 /* times the guest left for the hypervisor, for any reason */
#define FERMATA_STAT_PREEMPTIONS                                                                   \
    1 /* times its quantum ended while another vCPU was runnable, or not */
#define FERMATA_STAT_SWITCHES  2 /* times it was switched in after another vCPU ran */
#define FERMATA_STAT_FP_TRAPS  3
#define FERMATA_STAT_FP_LOADS  4
#define FERMATA_STAT_FP_SAVES  5
#define FERMATA_STAT_FP_SCRUBS 6
#define FERMATA_STAT_FP_GROWS  7
#define FERMATA_STAT_FP_BYTES  8  /* moved between registers and memory, both directions */
#define FERMATA_STAT_FP_CYCLES 9  /* spent moving FP state: TSC, or CNTPCT_EL0 ticks */
#define FERMATA_STAT_FP_AREA   10 /* bytes of save area it owns now */
#define FERMATA_STATS          11

#endif
