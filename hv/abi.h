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
 * Status: 0, or one of the negative numbers below (SMCCC's). An undefined function returns
 * NOT_SUPPORTED, and is said once on the hypervisor's console.
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

#define FERMATA_OK            0
#define FERMATA_NOT_SUPPORTED (-1)
#define FERMATA_INVALID       (-3) /* SMCCC INVALID_PARAMETER */

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
