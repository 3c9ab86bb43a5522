/* See cpu.h: vector lengths, PSTATE.SM and ZA, the vector registers. */
#include "cpu.h"

void cpu_reset(struct cpu *cpu, const struct cpu_has *has)
{
    memset(cpu, 0, sizeof(*cpu));
    cpu->has = *has;
    cpu->el = has->el2 ? 2 : 1;
}

/* ---- Lengths (J1.3 aarch64/functions/sve) ---- */

static u64 min(u64 a, u64 b)
{
    return a < b ? a : b;
}

/* ImplementedSVEVectorLength(): the longest there is that is not longer than asked for. */
static u32 ImplementedSVEVectorLength(const struct cpu *cpu, u64 len)
{
    while (len && !(cpu->has.vls & 1u << len))
        len--;
    return 16 * ((u32)len + 1);
}

/* ImplementedSMEVectorLength(): likewise, or the shortest there is. */
static u32 ImplementedSMEVectorLength(const struct cpu *cpu, u64 len)
{
    if (!cpu->has.svls)
        return 16;
    while (len && !(cpu->has.svls & 1u << len))
        len--;
    while (!(cpu->has.svls & 1u << len))
        len++;
    return 16 * ((u32)len + 1);
}

/* The LEN that counts at the current EL: EL1's, and no more than EL2 allows. */
static u64 effective_len(const struct cpu *cpu, u64 el1, u64 el2)
{
    if (cpu->el == 2)
        return el2 & 15;
    return cpu->has.el2 ? min(el1 & 15, el2 & 15) : el1 & 15;
}

u32 CurrentNSVL(const struct cpu *cpu)
{
    return ImplementedSVEVectorLength(cpu, effective_len(cpu, cpu->reg[R_ZCR_EL1], cpu->seen.zcr));
}

u32 CurrentSVL(const struct cpu *cpu)
{
    return ImplementedSMEVectorLength(cpu,
                                      effective_len(cpu, cpu->reg[R_SMCR_EL1], cpu->seen.smcr));
}

u32 CurrentVL(const struct cpu *cpu)
{
    return cpu->sm ? CurrentSVL(cpu) : CurrentNSVL(cpu);
}

/* ---- PSTATE.SM and ZA (J1.3 aarch64/functions/sysregisters) ---- */

static void ResetSVEState(struct cpu *cpu)
{
    memset(cpu->z, 0, sizeof(cpu->z));
    memset(cpu->p, 0, sizeof(cpu->p));
    memset(cpu->ffr, 0, sizeof(cpu->ffr));
    cpu->fpsr = 0x0800009f;
    cpu->fpmr = 0;
}

static void ResetSMEState(struct cpu *cpu)
{
    memset(cpu->za, 0, sizeof(cpu->za));
    memset(cpu->zt0, 0, sizeof(cpu->zt0));
}

void SetPSTATE_SM(struct cpu *cpu, bool value)
{
    if (cpu->sm != value) {
        ResetSVEState(cpu);
        cpu->sm = value;
    }
}

void SetPSTATE_ZA(struct cpu *cpu, bool value)
{
    if (cpu->za_on != value) {
        ResetSMEState(cpu);
        cpu->za_on = value;
    }
}

/* ---- Changes of length and level ---- */

static void cut(struct cpu *cpu, u32 vl)
{
    for (u32 n = 0; n < 32; n++)
        memset(cpu->z[n] + vl, 0, CPU_VL_MAX - vl);
    for (u32 n = 0; n < 16; n++)
        memset(cpu->p[n] + vl / 8, 0, CPU_PL_MAX - vl / 8);
    memset(cpu->ffr + vl / 8, 0, CPU_PL_MAX - vl / 8);
}

/* Only a CPU that cuts does anything here (B1.2.2, and the same for ZA). */
void cpu_lengths_changed(struct cpu *cpu, u32 before)
{
    u32 svl = CurrentSVL(cpu), vl = CurrentVL(cpu);

    if (cpu->has.uppers == UPPERS_QEMU && vl < before)
        cut(cpu, vl);
    if (cpu->has.uppers != UPPERS_CUT)
        return;
    if (cpu->has.vls || cpu->sm)
        cut(cpu, vl);
    for (u32 n = 0; cpu->za_on && n < CPU_VL_MAX; n++) {
        if (n < svl)
            memset(cpu->za[n] + svl, 0, CPU_VL_MAX - svl);
        else
            memset(cpu->za[n], 0, CPU_VL_MAX);
    }
}

void cpu_synchronize(struct cpu *cpu)
{
    u32 before = CurrentVL(cpu);

    cpu->seen =
        (struct cpu_controls){cpu->reg[R_CPTR_EL2], cpu->reg[R_ZCR_EL2], cpu->reg[R_SMCR_EL2]};
    cpu_lengths_changed(cpu, before);
}

/* DDI 0584 A, 3.2: where SVE is disabled the length counts as 128 bits. */
static u32 enabled_length(const struct cpu *cpu)
{
    return IsSVEEnabled(cpu) ? CurrentVL(cpu) : 16;
}

void cpu_set_el(struct cpu *cpu, u8 el)
{
    cpu_synchronize(cpu);
    u32 before = enabled_length(cpu);
    bool fp = !CheckFPEnabled64(cpu).el;
    cpu->el = el;
    if (cpu->has.uppers == UPPERS_CUT)
        cpu_lengths_changed(cpu, before);
    else if (cpu->has.uppers == UPPERS_QEMU && fp && !CheckFPEnabled64(cpu).el &&
             enabled_length(cpu) < before)
        cut(cpu, enabled_length(cpu));
}

/* ---- Registers (J1.3 aarch64/functions/registers) ---- */

/* The low `low` bytes are written, then zeroes to `vl`; what is above is the CPU's choice. */
static void write(const struct cpu *cpu, u8 *to, const void *value, u32 low, u32 vl, u32 all)
{
    memcpy(to, value, low);
    if (cpu->has.uppers == UPPERS_ZEROED)
        vl = all;
    memset(to + low, 0, vl - low);
}

/*
 * V[]: without SVE at this EL, what lies above bit 127 is not reached, or zeroed all the same. QEMU
 * goes by SVE's controls also in streaming mode, where SME's count: so it zeroes here and there.
 */
void cpu_set_v(struct cpu *cpu, u32 n, const void *value)
{
    bool enabled = IsSVEEnabled(cpu);

    if (cpu->has.uppers == UPPERS_QEMU && cpu->sm && !enabled)
        enabled = !cpacr_disables(cpu, ZEN_SHIFT) && !cptr_disables(cpu, ZEN_SHIFT, TZ_BIT);
    write(cpu, cpu->z[n], value, 16, enabled ? CurrentVL(cpu) : 16, CPU_VL_MAX);
}

void cpu_set_z(struct cpu *cpu, u32 n, const void *value)
{
    u32 vl = CurrentVL(cpu);

    write(cpu, cpu->z[n], value, vl, vl, CPU_VL_MAX);
}

void cpu_set_p(struct cpu *cpu, u32 n, const void *value)
{
    u32 pl = CurrentVL(cpu) / 8;

    write(cpu, cpu->p[n], value, pl, pl, CPU_PL_MAX);
}

void cpu_set_ffr(struct cpu *cpu, const void *value)
{
    u32 pl = CurrentVL(cpu) / 8;

    write(cpu, cpu->ffr, value, pl, pl, CPU_PL_MAX);
}
