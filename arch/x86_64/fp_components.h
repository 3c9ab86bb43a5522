/*
 * Every state component of x86-64, one row each: what it is called, what becomes of it here, and
 * what it goes with. XCR0's rules, the words of an fp list, CPUID's leaf 0xD, the banner and the
 * layouts all come from this table.
 */
#ifndef FERMATA_X86_FP_COMPONENTS_H
#define FERMATA_X86_FP_COMPONENTS_H

#include "hv/base.h"
#include "arch_fp.h"

#define FP_COMPONENTS 20u

/* n over the bit numbers of `set`, upwards. */
#define FOR_EACH_COMPONENT(n, set)                                                                 \
    for (u64 rest_##n = (set), n; rest_##n && (n = (u64)__builtin_ctzll(rest_##n), 1);             \
         rest_##n &= rest_##n - 1)

enum component_kind {
    COMPONENT_HIDDEN, /* not switched: kept out of CPUID, refused by XSETBV and CR4 */
    COMPONENT_GATED,  /* loaded lazily, behind CR0.TS + CR4.OSXSAVE */
    COMPONENT_EAGER,  /* switched with the vCPU */
};

struct fp_component {
    const char *name; /* as the manuals spell it */
    const char *word; /* in an fp list; several rows may share it */
    u64 group;        /* all of these XCR0 bits or none; the row's own bit among them */
    u64 needs;        /* XCR0 bits that must be set too */
    u32 bytes;        /* what the manuals say it takes; 0: only the CPU can tell */
    u8 kind;          /* enum component_kind */
    bool supervisor;  /* enabled by IA32_XSS: never here, of which nothing is offered */
};

/* By bit number of XCR0 and IA32_XSS (SDM 1, 13.1; group and needs: SDM 1, 13.3). */
extern const struct fp_component fp_components[FP_COMPONENTS];

/* Components behind the gate, and all that are managed. */
#define XSTATE_GATED   (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_AMX)
#define XSTATE_MANAGED (XSTATE_GATED | XCR0_PKRU)

/* The largest part of `set` that hardware would accept: what lacks part of its group or what it
 * needs is left out. */
u64 fp_components_closed(u64 set);

/* Would hardware whose CPUID 0xD reports `permitted` accept this value in XSETBV(0)? SDM 1, 13.3.
 */
bool xcr0_valid(u64 value, u64 permitted);

#endif
