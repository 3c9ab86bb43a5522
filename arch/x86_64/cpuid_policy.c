/*
 * The CPUID policy. A feature is shown only if it stands here, so that what tomorrow's CPU adds is
 * hidden until someone has thought about its state. Why each hidden one is hidden: README.md.
 */
#include "cpuid_policy.h"
#include "hv/abi.h"
#include "xstate_layout.h"

#define B(n) (1u << (n))

/* Leaf 1 ECX: SSE3 PCLMUL SSSE3 CX16 PCID SSE4.1 SSE4.2 x2APIC MOVBE POPCNT AES RDRAND. */
#define L1_ECX                                                                                     \
    (B(0) | B(1) | B(9) | B(13) | B(17) | B(19) | B(20) | B(21) | B(22) | B(23) | B(25) | B(30))
#define L1_ECX_AVX        (B(12) | B(28) | B(29)) /* FMA AVX F16C */
#define L1_ECX_XSAVE      B(26)
#define L1_ECX_OSXSAVE    B(27)
#define L1_ECX_HYPERVISOR B(31)
/* Leaf 1 EDX: FPU VME DE PSE TSC MSR PAE CX8 APIC SEP MTRR PGE CMOV PAT PSE36 CLFSH MMX FXSR SSE
 * SSE2. Not MCE, MCA. */
#define L1_EDX                                                                                     \
    (B(0) | B(1) | B(2) | B(3) | B(4) | B(5) | B(6) | B(8) | B(9) | B(11) | B(12) | B(13) |        \
     B(15) | B(16) | B(17) | B(19) | B(23) | B(24) | B(25) | B(26))
#define L1_EDX_HTT B(28)

/* Leaf 7.0 EBX: FSGSBASE BMI1 SMEP BMI2 ERMS INVPCID ZERO_FCS_FDS RDSEED ADX SMAP CLFLUSHOPT CLWB
 * SHA, and FDP_EXCPTN_ONLY, which is a fact and not a feature. */
#define L7_EBX                                                                                     \
    (B(0) | B(3) | B(6) | B(7) | B(8) | B(9) | B(10) | B(13) | B(18) | B(19) | B(20) | B(23) |     \
     B(24) | B(29))
#define L7_EBX_AVX B(5) /* AVX2 */
/* F DQ IFMA PF ER CD BW VL; VBMI VBMI2 VNNI BITALG VPOPCNTDQ; 4VNNIW 4FMAPS VP2INTERSECT FP16 */
#define L7_EBX_AVX512  (B(16) | B(17) | B(21) | B(26) | B(27) | B(28) | B(30) | B(31))
#define L7_ECX_AVX512  (B(1) | B(6) | B(11) | B(12) | B(14))
#define L7_EDX_AVX512  (B(2) | B(3) | B(8) | B(23))
#define L7_EDX_AMX     (B(22) | B(24) | B(25))       /* BF16 TILE INT8 */
#define L7_ECX         (B(2) | B(8) | B(27) | B(28)) /* UMIP GFNI MOVDIRI MOVDIR64B */
#define L7_ECX_PKU     B(3)
#define L7_ECX_OSPKE   B(4)
#define L7_ECX_AVX     (B(9) | B(10)) /* VAES VPCLMULQDQ */
#define L7_EDX         (B(4) | B(14)) /* FSRM SERIALIZE */
#define L71_EAX        (B(10) | B(11) | B(12))
#define L71_EAX_AVX    (B(4) | B(23))        /* AVX-VNNI AVX-IFMA */
#define L71_EAX_AVX512 B(5)                  /* BF16 */
#define L71_EAX_AMX    B(21)                 /* FP16 */
#define L71_EDX_AVX    (B(4) | B(5) | B(10)) /* AVX-VNNI-INT8 AVX-NE-CONVERT AVX-VNNI-INT16 */
#define L71_EDX_AMX    B(8)                  /* COMPLEX */
/* INT8 BF16 COMPLEX FP16 FP8 TRANSPOSE TF32 AVX512 MOVRS: all work on the eight tiles there are */
#define L1E1_EAX 0x1ffu

/* Leaf 8000_0001 ECX: LAHF CR8 ABM SSE4A MISALIGN PREFETCHW TBM. Not SVM, LWP, TOPOEXT, MWAITX. */
#define X1_ECX     (B(0) | B(4) | B(5) | B(6) | B(7) | B(8) | B(21))
#define X1_ECX_AVX (B(11) | B(16)) /* XOP FMA4: their state is the YMM registers */
/* 8000_0001 EDX: what leaf 1 has too, SYSCALL NX MMXEXT PDPE1GB LM 3DNOWEXT 3DNOW. Not RDTSCP,
 * FFXSR. */
#define X1_EDX ((L1_EDX & 0x0183f3ffu) | B(11) | B(20) | B(22) | B(26) | B(29) | B(30) | B(31))
#define X8_EBX (B(0) | B(2)) /* CLZERO, XSAVE keeps the x87 pointers */

static u32 if_set(bool condition, u32 bits)
{
    return condition ? bits : 0;
}

static struct cpuid_regs leaf_1(const struct cpuid_view *view, struct cpuid_regs r)
{
    bool xsave = view->permitted != 0;

    r.ecx &= L1_ECX | if_set(view->avx, L1_ECX_AVX) | if_set(xsave, L1_ECX_XSAVE);
    r.ecx |= L1_ECX_HYPERVISOR | B(21); /* x2APIC is ours to give: the guest's APIC is emulated */
    r.ecx |= if_set((view->cr4 & CR4_OSXSAVE) != 0, L1_ECX_OSXSAVE);
    r.edx = (r.edx & L1_EDX) | if_set(view->vcpus > 1, L1_EDX_HTT);
    r.ebx = (r.ebx & 0xff00) | view->vcpus << 16 | view->vcpu << 24; /* CLFLUSH size stays */
    return r;
}

static struct cpuid_regs leaf_4(struct cpuid_regs r)
{
    /* Caches as they are, but nobody shares them: bits 31-14 count sharers and cores. */
    r.eax &= 0x3fff;
    return r;
}

static struct cpuid_regs leaf_7(const struct cpuid_view *view, u32 subleaf, struct cpuid_regs r)
{
    if (subleaf == 0) {
        r.eax = r.eax > 1 ? 1 : r.eax;
        r.ebx &= L7_EBX | if_set(view->avx, L7_EBX_AVX) | if_set(view->avx512, L7_EBX_AVX512);
        r.ecx &= L7_ECX | if_set(view->avx, L7_ECX_AVX) | if_set(view->avx512, L7_ECX_AVX512) |
                 if_set(view->pku, L7_ECX_PKU);
        r.ecx |= if_set((view->cr4 & CR4_PKE) != 0, L7_ECX_OSPKE);
        r.edx &= L7_EDX | if_set(view->avx512, L7_EDX_AVX512) | if_set(view->amx, L7_EDX_AMX);
        return r;
    }
    if (subleaf != 1)
        return (struct cpuid_regs){0};
    r.eax &= L71_EAX | if_set(view->avx, L71_EAX_AVX) | if_set(view->avx512, L71_EAX_AVX512) |
             if_set(view->amx, L71_EAX_AMX);
    r.ebx = r.ecx = 0;
    r.edx &= if_set(view->avx, L71_EDX_AVX) | if_set(view->amx, L71_EDX_AMX);
    return r;
}

static u32 log2_ceil(u32 n)
{
    u32 shift = 0;

    while ((1u << shift) < n)
        shift++;
    return shift;
}

/* One thread per core, one package: x2APIC ID = vCPU index. */
static struct cpuid_regs leaf_b(const struct cpuid_view *view, u32 subleaf)
{
    struct cpuid_regs r = {0, 0, subleaf & 0xff, view->vcpu};

    if (subleaf == 0) {
        r.ebx = 1;
        r.ecx |= 1u << 8; /* SMT level */
    } else if (subleaf == 1) {
        r.eax = log2_ceil(view->vcpus);
        r.ebx = view->vcpus;
        r.ecx |= 2u << 8; /* core level */
    }
    return r;
}

static struct cpuid_regs leaf_d(const struct cpuid_view *view, u32 subleaf, struct cpuid_regs raw)
{
    struct cpuid_regs none = {0};

    if (!view->permitted)
        return none;
    if (subleaf == 0)
        return (struct cpuid_regs){
            (u32)view->permitted, xstate_bytes(view->layout, view->xcr0, false),
            xstate_bytes(view->layout, view->permitted, false), (u32)(view->permitted >> 32)};
    if (subleaf == 1) { /* XSAVEOPT XSAVEC XGETBV(1); XSAVES XFD; of IA32_XSS, nothing */
        raw.eax &= B(0) | B(1) | B(2) | if_set(view->xsaves, B(3)) | if_set(view->xfd, B(4));
        return (struct cpuid_regs){
            raw.eax, if_set(raw.eax & B(1), xstate_bytes(view->layout, view->xcr0, true)), 0, 0};
    }
    if (subleaf < 2 || subleaf > 62 || !(view->permitted & BIT(subleaf)))
        return none;
    raw.ecx &= B(1) | if_set(view->xfd, B(2)); /* user state; aligned; with a bit in IA32_XFD */
    raw.edx = 0;
    return raw;
}

/* AMX: the palettes (0x1D: 0 the highest, n one each) and what TMUL can do (0x1E). */
static struct cpuid_regs leaf_amx(const struct cpuid_view *view, u32 leaf, u32 subleaf,
                                  struct cpuid_regs r)
{
    if (!view->amx || subleaf > 1)
        return (struct cpuid_regs){0};
    if (leaf == 0x1d && subleaf == 0)
        return (struct cpuid_regs){r.eax ? 1 : 0, 0, 0, 0};
    if (leaf == 0x1e && subleaf == 1)
        return (struct cpuid_regs){r.eax & L1E1_EAX, 0, 0, 0};
    return r;
}

static u32 max_basic(const struct cpuid_view *view)
{
    return view->amx ? CPUID_MAX_AMX : CPUID_MAX_BASIC;
}

static struct cpuid_regs leaf_hypervisor(u32 leaf)
{
    if (leaf == 0x40000000)
        return (struct cpuid_regs){0x40000001, FERMATA_CPUID_EBX, FERMATA_CPUID_ECX,
                                   FERMATA_CPUID_EDX};
    return (struct cpuid_regs){leaf == 0x40000001 ? FERMATA_ABI_VERSION : 0, 0, 0, 0};
}

static struct cpuid_regs extended(const struct cpuid_view *view, u32 leaf, struct cpuid_regs r)
{
    switch (leaf) {
    case 0x80000000:
        r.eax = r.eax > CPUID_MAX_EXTENDED ? CPUID_MAX_EXTENDED : r.eax;
        break;
    case 0x80000001:
        r.ecx &= X1_ECX | if_set(view->avx, X1_ECX_AVX);
        r.edx &= X1_EDX;
        break;
    case 0x80000007:
        r = (struct cpuid_regs){0, 0, 0, r.edx & B(8)}; /* invariant TSC */
        break;
    case 0x80000008:
        /* Addresses as they are, but linear ones of 48 bits: LA57 is not offered. */
        r.eax = (r.eax & 0xff) | 48u << 8;
        r.ebx &= X8_EBX;
        r.ecx = view->vcpus - 1;
        r.edx = 0;
        break;
    default:
        break; /* names, cache and TLB descriptors */
    }
    return r;
}

bool cpuid_in_range(const struct cpuid_view *view, u32 leaf, u32 highest, u32 max_extended)
{
    if (leaf >> 16 == 0x4000)
        return true;
    if (leaf >= 0x80000000)
        return leaf <= max_extended && leaf <= CPUID_MAX_EXTENDED;
    return leaf <= highest && leaf <= max_basic(view);
}

struct cpuid_regs cpuid_policy(const struct cpuid_view *view, u32 leaf, u32 subleaf,
                               struct cpuid_regs raw)
{
    if (leaf >= 0x80000000)
        return extended(view, leaf, raw);
    if (leaf >> 16 == 0x4000)
        return leaf_hypervisor(leaf);
    switch (leaf) {
    case 0:
        raw.eax = raw.eax > max_basic(view) ? max_basic(view) : raw.eax;
        return raw;
    case 1:
        return leaf_1(view, raw);
    case 2:
        return raw;
    case 4:
        return leaf_4(raw);
    case 7:
        return leaf_7(view, subleaf, raw);
    case 0xb:
        return leaf_b(view, subleaf);
    case 0xd:
        return leaf_d(view, subleaf, raw);
    case 0x1d:
    case 0x1e:
        return leaf_amx(view, leaf, subleaf, raw);
    default:
        return (struct cpuid_regs){0}; /* MONITOR, power, DCA, PMU, ...: not there */
    }
}

u64 cpuid_cr4_offered(const struct cpuid_view *view, struct cpuid_regs leaf1,
                      struct cpuid_regs leaf7)
{
    struct cpuid_regs one = cpuid_policy(view, 1, 0, leaf1);
    struct cpuid_regs seven = cpuid_policy(view, 7, 0, leaf7);
    u64 cr4 = CR4_TSD | CR4_PCE; /* no CPUID bit; RDPMC is intercepted whatever PCE says */

    cr4 |= one.edx & B(1) ? CR4_VME | CR4_PVI : 0;
    cr4 |= one.edx & B(2) ? CR4_DE : 0;
    cr4 |= one.edx & B(3) ? CR4_PSE : 0;
    cr4 |= one.edx & B(6) ? CR4_PAE : 0;
    cr4 |= one.edx & B(13) ? CR4_PGE : 0;
    cr4 |= one.edx & B(24) ? CR4_OSFXSR : 0;
    cr4 |= one.edx & B(25) ? CR4_OSXMMEXCPT : 0;
    cr4 |= one.ecx & B(17) ? CR4_PCIDE : 0;
    cr4 |= one.ecx & B(26) ? CR4_OSXSAVE : 0;
    cr4 |= seven.ebx & B(0) ? CR4_FSGSBASE : 0;
    cr4 |= seven.ebx & B(7) ? CR4_SMEP : 0;
    cr4 |= seven.ebx & B(20) ? CR4_SMAP : 0;
    cr4 |= seven.ecx & B(2) ? CR4_UMIP : 0;
    cr4 |= seven.ecx & B(3) ? CR4_PKE : 0;
    return cr4;
}
