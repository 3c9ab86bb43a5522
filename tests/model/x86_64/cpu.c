/* The CPU but for the XSAVE feature set and AMX: reset, what gates which class of instruction,
 * MSRs, XCR0. */
#include "tests/model/x86_64/cpu.h"
#include "arch/x86_64/x86.h"

#include <string.h>

/* ---- Values that hardware keeps only in part: SDM 1, 8.1 ---- */

/* Bit 6 reads as 1; 7, 13 to 15 as 0. */
u16 x86_fcw(u16 value)
{
    return (u16)((value & 0x1f3f) | 0x40);
}

/* ES and B say whether an exception flag is set that FCW does not mask: SDM 1, 8.1.3.3 and 8.1.3.4.
 */
u16 x86_fsw(u16 value, u16 fcw)
{
    u16 pending = value & (u16)~fcw & 0x3f;

    return (u16)((value & 0x7f7f & ~0x8080) | (pending ? 0x8080 : 0));
}

/* ---- Initial configurations: SDM 1, 13.6 ---- */

void x86_init_component(struct x86_cpu *cpu, unsigned n)
{
    struct x86_state *s = &cpu->s;
    struct x86_x87 kept = s->x87;

    switch (n) {
    case 0:
        s->x87 = (struct x86_x87){.fcw = 0x37f};
        if (cpu->config->pointers_with_es) { /* nothing but an exception writes them */
            s->x87.fip = kept.fip, s->x87.fdp = kept.fdp, s->x87.fop = kept.fop;
            s->x87.fcs = kept.fcs, s->x87.fds = kept.fds;
        }
        break;
    case 1: /* MXCSR is not part of it */
        for (u32 i = 0; i < 16; i++)
            memset(s->zmm[i], 0, 16);
        break;
    case 2:
        for (u32 i = 0; i < 16; i++)
            memset(s->zmm[i] + 16, 0, 16);
        break;
    case 5:
        memset(s->k, 0, sizeof(s->k));
        break;
    case 6:
        for (u32 i = 0; i < 16; i++)
            memset(s->zmm[i] + 32, 0, 32);
        break;
    case 7:
        memset(s->zmm[16], 0, sizeof(s->zmm) / 2);
        break;
    case 9:
        s->pkru = 0;
        break;
    case 17:
        memset(&s->tilecfg, 0, sizeof(s->tilecfg));
        if (cpu->config->errata & ERRATUM_TILECFG_CLEARS)
            x86_init_component(cpu, 18);
        break;
    case 18:
        memset(s->tile, 0, sizeof(s->tile));
        s->tiles_used = false;
        break;
    default:
        break;
    }
}

void x86_reset(struct x86_cpu *cpu, const struct x86_config *config)
{
    memset(cpu, 0, sizeof(*cpu));
    cpu->config = config;
    cpu->cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE;
    cpu->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    cpu->xcr0 = X86_X87;
    cpu->long64 = true;
    cpu->s.x87.fcw = 0x37f;
    cpu->s.mxcsr = 0x1f80;
}

/* ---- What gates which class ---- */

/* x87 instructions: EM or TS is #NM (SDM 3, 2.5); those that wait take a pending exception (CR0.NE:
 * #MF). */
int x86_check_x87(const struct x86_cpu *cpu, bool waits)
{
    if (cpu->cr0 & (CR0_EM | CR0_TS))
        return X86_NM;
    return waits && (cpu->s.x87.fsw & 0x80) ? X86_MF : X86_NONE;
}

/* FWAIT: MP and TS together (SDM 3, 2.5). */
int x86_check_fwait(const struct x86_cpu *cpu)
{
    if ((cpu->cr0 & CR0_MP) && (cpu->cr0 & CR0_TS))
        return X86_NM;
    return cpu->s.x87.fsw & 0x80 ? X86_MF : X86_NONE;
}

/* MMX: EM is #UD, TS #NM, then what is pending (SDM 3, 12.1). */
int x86_check_mmx(const struct x86_cpu *cpu, bool emms)
{
    if (cpu->cr0 & CR0_EM)
        return X86_UD;
    if (emms && (cpu->config->errata & ERRATUM_EMMS_IGNORES_TS))
        return X86_NONE; /* nor does it take what is pending */
    if (cpu->cr0 & CR0_TS)
        return X86_NM;
    return cpu->s.x87.fsw & 0x80 ? X86_MF : X86_NONE;
}

/* SSE: SDM 3, 13.1.3; SDM 2, exception types 1 to 6 of legacy SSE. */
int x86_check_sse(const struct x86_cpu *cpu)
{
    if ((cpu->cr0 & CR0_EM) || !(cpu->cr4 & CR4_OSFXSR))
        return X86_UD;
    return cpu->cr0 & CR0_TS ? X86_NM : X86_NONE;
}

/* VEX: SDM 2, 2.4. CR0.EM is not asked. */
int x86_check_vex(const struct x86_cpu *cpu)
{
    u64 needed = X86_SSE | X86_AVX;

    if (!(cpu->cr4 & CR4_OSXSAVE) || (cpu->xcr0 & needed) != needed)
        return X86_UD;
    return cpu->cr0 & CR0_TS ? X86_NM : X86_NONE;
}

/* EVEX and the opmask instructions: SDM 2, 2.8. */
int x86_check_evex(const struct x86_cpu *cpu)
{
    u64 needed = X86_SSE | X86_AVX | X86_AVX512;

    if (!(cpu->cr4 & CR4_OSXSAVE) || (cpu->xcr0 & needed) != needed)
        return X86_UD;
    return cpu->cr0 & CR0_TS ? X86_NM : X86_NONE;
}

/*
 * AMX: SDM 2, 2.10 (AMX exception classes): 64-bit mode, CR4.OSXSAVE, XCR0[18:17] = 11b; no CR0.TS.
 * What needs tile data is #NM while XFD disables it, and XFD_ERR says so before the exception can
 * be intercepted: SDM 1, 13.14.
 */
int x86_check_amx(struct x86_cpu *cpu, bool needs_tiledata)
{
    if (!cpu->long64 || !(cpu->cr4 & CR4_OSXSAVE) || (cpu->xcr0 & X86_AMX) != X86_AMX)
        return X86_UD;
    if (!needs_tiledata || !(cpu->xfd & X86_TILEDATA))
        return X86_NONE;
    cpu->xfd_err = cpu->xfd & X86_TILEDATA;
    return X86_NM;
}

/* RDPKRU, WRPKRU: SDM 2. */
int x86_check_pkru(const struct x86_cpu *cpu)
{
    return cpu->config->pku && (cpu->cr4 & CR4_PKE) ? X86_NONE : X86_UD;
}

/* ---- XCR0 and MSRs ---- */

/* SDM 2, XGETBV; SDM 1, 13.2: XCR1 is XCR0 AND XINUSE, whatever XFD is. */
int x86_xgetbv(struct x86_cpu *cpu, u32 index, u64 *value)
{
    if (!cpu->config->xcr0 || !(cpu->cr4 & CR4_OSXSAVE))
        return X86_UD;
    if (index > 1 || (index == 1 && !cpu->config->xgetbv1))
        return X86_GP;
    *value = cpu->xcr0;
    if (index == 1) {
        *value &= x86_xinuse(cpu);
        /* SDM 1, 13.6: in-use SSE includes MXCSR here. */
        if (cpu->s.mxcsr != 0x1f80 && !cpu->in_use)
            *value |= cpu->xcr0 & X86_SSE;
    }
    return X86_NONE;
}

/* SDM 1, 13.3: what XSETBV refuses. */
int x86_xsetbv(struct x86_cpu *cpu, u32 index, u64 value)
{
    u64 avx512 = value & X86_AVX512, amx = value & X86_AMX;

    if (!cpu->config->xcr0 || !(cpu->cr4 & CR4_OSXSAVE))
        return X86_UD;
    if (cpu->cpl != 0 || index != 0 || (value & ~cpu->config->xcr0) || !(value & X86_X87))
        return X86_GP;
    if ((value & X86_AVX) && !(value & X86_SSE))
        return X86_GP;
    if (avx512 && (avx512 != X86_AVX512 || !(value & X86_AVX)))
        return X86_GP;
    if (amx && amx != X86_AMX)
        return X86_GP;
    cpu->xcr0 = value;
    return X86_NONE;
}

bool x86_rdmsr(const struct x86_cpu *cpu, u32 msr, u64 *value)
{
    switch (msr) {
    case X86_MSR_XFD:
        *value = cpu->xfd;
        return cpu->config->xfd;
    case X86_MSR_XFD_ERR:
        *value = cpu->xfd_err;
        return cpu->config->xfd;
    case X86_MSR_XSS:
        *value = cpu->xss;
        return cpu->config->xsaves;
    default:
        return false;
    }
}

/* SDM 1, 13.14 (XFD, XFD_ERR) and 13.3 (XSS). */
bool x86_wrmsr(struct x86_cpu *cpu, u32 msr, u64 value)
{
    switch (msr) {
    case X86_MSR_XFD:
    case X86_MSR_XFD_ERR:
        if (!cpu->config->xfd || (value & ~cpu->config->xfd))
            return false;
        *(msr == X86_MSR_XFD ? &cpu->xfd : &cpu->xfd_err) = value;
        return true;
    case X86_MSR_XSS:
        if (!cpu->config->xsaves || (value & ~cpu->config->xss))
            return false;
        cpu->xss = value;
        return true;
    default:
        return false;
    }
}
