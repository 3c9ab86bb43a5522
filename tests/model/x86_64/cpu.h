/*
 * An executable model of what an x86-64 CPU computes with: x87, SSE, AVX, AVX-512, PKRU and AMX
 * state, the XSAVE feature set, XFD, and the control bits that gate them. Written from the Intel
 * SDM, section by section (the numbers are in cpu*.c); where AMD's APM differs, a configuration
 * says so. An instruction is a function: it returns the vector of the exception it raises, or 0,
 * and then nothing has changed but what the manual says changes.
 *
 * Errata of emulators are switches, so that what the hypervisor does about them is tried here too.
 */
#ifndef MODEL_X86_CPU_H
#define MODEL_X86_CPU_H

#include "hv/base.h"

#define X86_COMPONENTS 19u
#define X86_TILES      8u
#define X86_TILE_BYTES 1024u
#define X86_AREA_BYTES 12288u

#define X86_X87      BIT(0)
#define X86_SSE      BIT(1)
#define X86_AVX      BIT(2)
#define X86_AVX512   (BIT(5) | BIT(6) | BIT(7))
#define X86_PKRU     BIT(9)
#define X86_TILECFG  BIT(17)
#define X86_TILEDATA BIT(18)
#define X86_AMX      (X86_TILECFG | X86_TILEDATA)

#define X86_MSR_XFD     0x1c4u
#define X86_MSR_XFD_ERR 0x1c5u
#define X86_MSR_XSS     0xda0u

enum x86_vector { X86_NONE = 0, X86_UD = 6, X86_NM = 7, X86_GP = 13, X86_MF = 16, X86_XM = 19 };

/* tests/emu/ERRATA.md has each of them. */
#define ERRATUM_XINUSE18_INVERTED BIT(0) /* Bochs: XINUSE[18] */
#define ERRATUM_HALF_TILES        BIT(1) /* Bochs: XSAVE* and XRSTOR* move 8 of 16 rows */
#define ERRATUM_TILECFG_SWAPPED                                                                    \
    BIT(2)                            /* Bochs: rows where colsb belongs, and the other way round */
#define ERRATUM_STTILECFG_UD   BIT(3) /* Bochs: in its real encoding */
#define ERRATUM_TILECFG_CLEARS BIT(4) /* Bochs: XRSTOR of TILECFG takes the tiles along */
#define ERRATUM_NARROW_RESTORE                                                                     \
    BIT(5) /* Bochs: compacted, a mask narrower than XCOMP_BV: wrong places */
#define ERRATUM_TILEZERO_UNUSED                                                                    \
    BIT(9) /* Bochs: a zeroed tile is out of use: allowed, but not what CPUs do */
#define ERRATUM_AVX_TAKES_ZMM                                                                      \
    BIT(10)                         /* Bochs: XRSTOR that puts AVX in INIT takes ZMM_Hi256 along */
#define ERRATUM_MXCSR_STAYS BIT(11) /* Bochs: compacted, SSE in INIT: MXCSR is not reset */
#define ERRATUM_XSTATE_BV63 BIT(12) /* Bochs: compacted, XSTATE_BV[63] is taken */
#define ERRATUM_XSAVEC_MXCSR                                                                       \
    BIT(13) /* Bochs: XSAVEC stores MXCSR with AVX alone; harmless, not mended */
#define ERRATUM_XSAVE_IGNORES_TS BIT(6) /* QEMU */
#define ERRATUM_XINUSE_ALL       BIT(7) /* QEMU: everything enabled counts as in use */
#define ERRATUM_EMMS_IGNORES_TS  BIT(8) /* QEMU */
#define ERRATA_BOCHS                                                                               \
    (ERRATUM_XINUSE18_INVERTED | ERRATUM_HALF_TILES | ERRATUM_TILECFG_SWAPPED |                    \
     ERRATUM_STTILECFG_UD | ERRATUM_TILECFG_CLEARS | ERRATUM_NARROW_RESTORE |                      \
     ERRATUM_TILEZERO_UNUSED | ERRATUM_AVX_TAKES_ZMM | ERRATUM_MXCSR_STAYS | ERRATUM_XSTATE_BV63 | \
     ERRATUM_XSAVEC_MXCSR)
#define ERRATA_QEMU (ERRATUM_XSAVE_IGNORES_TS | ERRATUM_XINUSE_ALL | ERRATUM_EMMS_IGNORES_TS)

struct x86_config {
    u64 xcr0;    /* bits XCR0 can have; 0: no XSAVE */
    u64 xss;     /* bits IA32_XSS can have */
    u64 xfd;     /* bits IA32_XFD can have; 0: there is no such MSR */
    u64 aligned; /* components on a 64-byte boundary in the compacted format */
    u32 bytes[X86_COMPONENTS], offset[X86_COMPONENTS];
    bool xsaveopt, xsavec, xsaves, xgetbv1;
    bool pku;
    bool no_fcs_fds;       /* CPUID 7.0 EBX[13] */
    bool pointers_with_es; /* AMD: FIP, FDP, FOP move only while FSW.ES is set (APM 2, 11.5; XSA-52)
                            */
    u32 mxcsr_mask;
    u64 errata;
};

/* What an x87 instruction without a memory operand of its own leaves alone is FDP. */
struct x86_x87 {
    u16 fcw, fsw, fop, fcs, fds;
    u8 ftw; /* abridged: a bit per physical register, 1 = not empty */
    u64 fip, fdp;
    u8 st[8][10]; /* ST(0) to ST(7) */
};

struct x86_tilecfg { /* LDTILECFG's operand: SDM 2 */
    u8 palette, start_row, reserved[14];
    u16 colsb[16];
    u8 rows[16];
};
_Static_assert(sizeof(struct x86_tilecfg) == 64, "SDM 2, LDTILECFG");

/* Everything that computes: what a guest must find as it left it. */
struct x86_state {
    struct x86_x87 x87;
    u32 mxcsr, pkru;
    u8 zmm[32][64];
    u64 k[8];
    struct x86_tilecfg tilecfg;
    u8 tile[X86_TILES][X86_TILE_BYTES];
    bool tiles_used; /* XINUSE[18]: the CPU tracks writes, not values (seen on Sapphire Rapids:
                        TILEZERO sets it) */
};

struct x86_cpu {
    const struct x86_config *config;
    u64 cr0, cr4, xcr0, xss, xfd, xfd_err;
    bool long64; /* 64-bit code */
    unsigned cpl;
    struct x86_state s;
    /* XINUSE where hardware is free to choose, as a real CPU chose it; 0: by the values (SDM
     * 1, 13.6). */
    const u64 *in_use;
};

enum x86_save { X86_XSAVE, X86_XSAVEOPT, X86_XSAVEC, X86_XSAVES };

/* Power-up as far as software is concerned: FNINIT done, everything in its initial configuration,
 * XCR0 = 1. */
void x86_reset(struct x86_cpu *cpu, const struct x86_config *config);
void x86_init_component(struct x86_cpu *cpu, unsigned n);

/* A machine that has `xcr0`, laid out as CPUs are (CPUID 0xD of Sapphire Rapids). */
void x86_layout(struct x86_config *config, u64 xcr0);
u32 x86_offset(const struct x86_config *config, u64 xcomp_bv,
               unsigned n); /* of component n in an image */
u32 x86_bytes(const struct x86_config *config, u64 xcr0,
              bool compacted); /* CPUID 0xD.0 EBX, 0xD.1 EBX */

/* Which components are not in their initial configuration: SDM 1, 13.6. MXCSR is no part of it. */
u64 x86_xinuse(const struct x86_cpu *cpu);

/* The XSAVE feature set. `rexw`: the form with 64-bit pointers. `area` counts as aligned if it is.
 */
int x86_save(struct x86_cpu *cpu, enum x86_save kind, void *area, u64 mask, bool rexw);
int x86_restore(struct x86_cpu *cpu, bool supervisor, const void *area, u64 mask, bool rexw);
int x86_fxsave(struct x86_cpu *cpu, void *area, bool rexw);
int x86_fxrstor(struct x86_cpu *cpu, const void *area, bool rexw);
int x86_xgetbv(struct x86_cpu *cpu, u32 index, u64 *value);
int x86_xsetbv(struct x86_cpu *cpu, u32 index, u64 value);

/* XFD, XFD_ERR, XSS. False: #GP. */
bool x86_rdmsr(const struct x86_cpu *cpu, u32 msr, u64 *value);
bool x86_wrmsr(struct x86_cpu *cpu, u32 msr, u64 value);

/* What an instruction of a class checks before it does anything: SDM 2, exception classes; SDM
 * 3, 2.5. */
int x86_check_x87(const struct x86_cpu *cpu, bool waits);
int x86_check_fwait(const struct x86_cpu *cpu);
int x86_check_mmx(const struct x86_cpu *cpu, bool emms);
int x86_check_sse(const struct x86_cpu *cpu);
int x86_check_vex(const struct x86_cpu *cpu);
int x86_check_evex(const struct x86_cpu *cpu);
int x86_check_amx(struct x86_cpu *cpu, bool needs_tiledata);
int x86_check_pkru(const struct x86_cpu *cpu);

/* x87 and MXCSR keep what the hardware keeps of a value. */
u16 x86_fcw(u16 value);
u16 x86_fsw(u16 value, u16 fcw);

/* AMX: SDM 2. */
bool x86_tilecfg_valid(const struct x86_tilecfg *c);
int x86_ldtilecfg(struct x86_cpu *cpu, const struct x86_tilecfg *c);
int x86_sttilecfg(struct x86_cpu *cpu, struct x86_tilecfg *c);
int x86_tilerelease(struct x86_cpu *cpu);
int x86_tilezero(struct x86_cpu *cpu, unsigned t);
int x86_tileloadd(struct x86_cpu *cpu, unsigned t, const u8 *from, u64 stride);
int x86_tilestored(struct x86_cpu *cpu, unsigned t, u8 *to, u64 stride);
enum x86_dot { X86_TDPBSSD, X86_TDPBSUD, X86_TDPBUSD, X86_TDPBUUD };
int x86_tdp(struct x86_cpu *cpu, enum x86_dot kind, unsigned to, unsigned left, unsigned right);

#endif
