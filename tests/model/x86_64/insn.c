/* See insn.h. */
#include "tests/model/x86_64/insn.h"
#include "arch/x86_64/x86.h"

#include <string.h>

u64 insn_fold(const void *p, size_t n)
{
    const u8 *bytes = p;
    u64 sum = 0xcbf29ce484222325ull;

    for (size_t i = 0; i < n; i++)
        sum = (sum ^ bytes[i]) * 0x100000001b3ull;
    return sum;
}

/* The same bytes wherever it is executed. */
static void fill(void *to, size_t n, u64 seed)
{
    u8 *bytes = to;

    for (size_t i = 0; i < n; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        bytes[i] = (u8)(seed >> 56);
    }
}

/* ---- x87 and MMX ---- */

static void pointers(struct x86_cpu *cpu, u64 seed)
{
    struct x86_x87 *x = &cpu->s.x87;

    x->fip = seed >> 18, x->fdp = seed >> 20, x->fop = (u16)(seed >> 5 & 0x7ff);
    if (!cpu->long64) {
        x->fip &= 0xffffffff, x->fdp &= 0xffffffff;
        x->fcs = cpu->config->no_fcs_fds ? 0 : (u16)seed;
        x->fds = cpu->config->no_fcs_fds ? 0 : (u16)(seed >> 16);
    }
}

static void x87_load(struct x86_cpu *cpu, u64 seed)
{
    struct x86_x87 *x = &cpu->s.x87;
    u16 words[3];

    fill(words, sizeof(words), seed);
    fill(x->st, sizeof(x->st), seed + 1);
    x->fcw = x86_fcw(words[0]);
    if (seed % 3)
        x->fcw |= 0x3f; /* nothing pending */
    x->fsw = x86_fsw(words[1], x->fcw);
    x->ftw = (u8)words[2];
    pointers(cpu, seed);
}

static void fld1(struct x86_cpu *cpu, u64 seed)
{
    struct x86_x87 *x = &cpu->s.x87;
    static const u8 one[10] = {[7] = 0x80, [8] = 0xff, [9] = 0x3f};
    u16 top = (u16)((x->fsw - 0x800) & 0x3800);

    memmove(x->st[1], x->st[0], 70);
    memcpy(x->st[0], one, 10);
    x->fsw = (u16)((x->fsw & ~0x3800) | top);
    x->ftw |= (u8)(1u << (top >> 11));
    pointers(cpu, seed);
}

/* What software can see of it: AMD's pointers are anyone's unless an exception is pending. */
static u64 x87_read(const struct x86_cpu *cpu)
{
    struct x86_x87 seen = cpu->s.x87;

    if (cpu->config->pointers_with_es && !(seen.fsw & 0x80))
        seen.fip = seen.fdp = seen.fop = seen.fcs = seen.fds = 0;
    return insn_fold(seen.st, sizeof(seen.st)) ^ insn_fold(&seen.fip, 16) ^
           ((u64)seen.fcw << 48 | (u64)seen.fsw << 32 | (u64)seen.fop << 16 | seen.ftw) ^
           ((u64)seen.fcs << 16 | seen.fds);
}

static int x87(struct x86_cpu *cpu, const struct insn *insn, u64 *result)
{
    bool waits = insn->op == OP_FLD1;
    int vector = insn->op == OP_FWAIT ? x86_check_fwait(cpu)
                 : insn->op == OP_MMX || insn->op == OP_EMMS
                     ? x86_check_mmx(cpu, insn->op == OP_EMMS)
                     : x86_check_x87(cpu, waits);

    if (vector)
        return vector;
    switch (insn->op) {
    case OP_X87_LOAD:
        x87_load(cpu, insn->seed);
        break;
    case OP_X87_READ:
        *result = x87_read(cpu);
        break;
    case OP_FNINIT:
        cpu->s.x87.fcw = 0x37f, cpu->s.x87.fsw = 0, cpu->s.x87.ftw = 0;
        cpu->s.x87.fip = cpu->s.x87.fdp = cpu->s.x87.fop = cpu->s.x87.fcs = cpu->s.x87.fds = 0;
        break;
    case OP_FLD1:
        fld1(cpu, insn->seed);
        break;
    case OP_MMX: /* MM0 := seed; TOP := 0, all tags valid */
        memcpy(cpu->s.x87.st[0], &insn->seed, 8);
        cpu->s.x87.st[0][8] = cpu->s.x87.st[0][9] = 0xff;
        cpu->s.x87.fsw &= (u16)~0x3800;
        cpu->s.x87.ftw = 0xff;
        break;
    case OP_EMMS: /* SDM 3, 12.2: TOP too; not so in QEMU, where it is let through */
        if (!(cpu->config->errata & ERRATUM_EMMS_IGNORES_TS))
            cpu->s.x87.fsw &= (u16)~0x3800;
        cpu->s.x87.ftw = 0;
        break;
    default:
        break;
    }
    return X86_NONE;
}

/* ---- SSE, AVX, AVX-512 ---- */

static void vectors_load(struct x86_cpu *cpu, u32 from, u32 bytes, u64 seed)
{
    for (u32 i = 0; i < 16; i++) {
        if (seed % 4 == 0)
            memset(cpu->s.zmm[i] + from, 0, bytes);
        else
            fill(cpu->s.zmm[i] + from, bytes, seed + i);
    }
}

static int sse(struct x86_cpu *cpu, const struct insn *insn, u8 *memory, u64 *result)
{
    int vector = x86_check_sse(cpu);
    u32 mxcsr;

    if (vector)
        return vector;
    switch (insn->op) {
    case OP_SSE_LOAD:
        vectors_load(cpu, 0, 16, insn->seed);
        break;
    case OP_SSE_READ:
        for (u32 i = 0; i < 16; i++)
            *result = *result * 31 + insn_fold(cpu->s.zmm[i], 16);
        break;
    case OP_LDMXCSR:
        mxcsr = (u32)insn->seed & 0x1ffff;
        if (mxcsr & ~cpu->config->mxcsr_mask)
            return X86_GP;
        cpu->s.mxcsr = insn->seed % 3 ? mxcsr : 0x1f80;
        break;
    default:
        memcpy(memory, &cpu->s.mxcsr, 4);
        break;
    }
    return X86_NONE;
}

/* VEX zeroes what is above what it writes; VZEROALL everything. */
static int avx(struct x86_cpu *cpu, const struct insn *insn, u64 *result)
{
    int vector = x86_check_vex(cpu);

    if (vector)
        return vector;
    for (u32 i = 0; i < 16; i++) {
        if (insn->op == OP_AVX_READ) {
            *result = *result * 31 + insn_fold(cpu->s.zmm[i], 32);
            continue;
        }
        memset(cpu->s.zmm[i], 0, 64);
        if (insn->op == OP_AVX_LOAD)
            fill(cpu->s.zmm[i], 32, insn->seed + i);
    }
    return X86_NONE;
}

static int evex(struct x86_cpu *cpu, const struct insn *insn, u64 *result)
{
    int vector = x86_check_evex(cpu);

    if (vector)
        return vector;
    switch (insn->op) {
    case OP_EVEX_LOAD:
        for (u32 i = insn->which; i < 32; i++)
            fill(cpu->s.zmm[i], 64, insn->seed + i);
        break;
    case OP_EVEX_READ:
        *result = insn_fold(cpu->s.zmm, sizeof(cpu->s.zmm));
        break;
    case OP_KMOV_LOAD:
        fill(cpu->s.k, sizeof(cpu->s.k), insn->seed);
        break;
    default:
        *result = insn_fold(cpu->s.k, sizeof(cpu->s.k));
        break;
    }
    return X86_NONE;
}

/* ---- The rest ---- */

static int pkru(struct x86_cpu *cpu, const struct insn *insn, u64 *result)
{
    int vector = x86_check_pkru(cpu);

    if (!vector && insn->op == OP_WRPKRU)
        cpu->s.pkru = (u32)insn->seed;
    if (!vector)
        *result = cpu->s.pkru;
    return vector;
}

static int amx(struct x86_cpu *cpu, const struct insn *insn, u8 *memory)
{
    switch (insn->op) {
    case OP_LDTILECFG:
        return x86_ldtilecfg(cpu, (const struct x86_tilecfg *)(const void *)memory);
    case OP_STTILECFG:
        return x86_sttilecfg(cpu, (struct x86_tilecfg *)(void *)memory);
    case OP_TILERELEASE:
        return x86_tilerelease(cpu);
    case OP_TILEZERO:
        return x86_tilezero(cpu, insn->which);
    case OP_TILELOADD:
        return x86_tileloadd(cpu, insn->which, memory, 64);
    case OP_TILESTORED:
        return x86_tilestored(cpu, insn->which, memory, 64);
    default:
        return x86_tdp(cpu, (enum x86_dot)insn->which, 0, 1, 2);
    }
}

int insn_execute(struct x86_cpu *cpu, const struct insn *insn, u8 *memory, u64 *result)
{
    bool rexw = insn->rexw && cpu->long64;

    *result = 0;
    switch (insn->op) {
    case OP_X87_LOAD ... OP_EMMS:
        return x87(cpu, insn, result);
    case OP_SSE_LOAD ... OP_STMXCSR:
        return sse(cpu, insn, memory, result);
    case OP_AVX_LOAD ... OP_VZEROALL:
        return avx(cpu, insn, result);
    case OP_EVEX_LOAD ... OP_KMOV_READ:
        return evex(cpu, insn, result);
    case OP_SAVE:
        return x86_save(cpu, (enum x86_save)insn->which, memory, insn->mask, rexw);
    case OP_RESTORE:
        return x86_restore(cpu, insn->which, memory, insn->mask, rexw);
    case OP_FXSAVE:
        return x86_fxsave(cpu, memory, rexw);
    case OP_FXRSTOR:
        return x86_fxrstor(cpu, memory, rexw);
    case OP_XGETBV:
        return x86_xgetbv(cpu, insn->which, result);
    case OP_RDPKRU:
    case OP_WRPKRU:
        return pkru(cpu, insn, result);
    default:
        return amx(cpu, insn, memory);
    }
}
