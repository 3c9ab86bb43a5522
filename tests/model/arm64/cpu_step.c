/* See cpu.h: what instructions do (DDI 0487, C6, C7, C8 and C9, the operation of each). */
#include "cpu.h"

static const struct exc none;

/* The check each operation's pseudocode begins with. */
struct exc cpu_check(const struct cpu *cpu, enum cpu_op op)
{
    switch (op) {
    case OP_LDR_Q:
    case OP_STR_Q:
        return CheckFPEnabled64(cpu);
    case OP_LD1:
    case OP_ST1:
        return CheckFPAdvSIMDEnabled64(cpu);
    case OP_LDR_Z:
    case OP_STR_Z:
    case OP_LDR_P:
    case OP_STR_P:
    case OP_ADD_Z:
    case OP_RDVL:
        return CheckSVEEnabled(cpu);
    case OP_WRFFR:
    case OP_RDFFR:
    case OP_SETFFR:
        return CheckNonStreamingSVEEnabled(cpu);
    case OP_MSR_SVCR:
        return CheckSMEAccess(cpu);
    case OP_RDSVL:
        return CheckSMEEnabled(cpu);
    case OP_LDR_ZA:
    case OP_STR_ZA:
    case OP_ZERO_ZA:
        return CheckSMEAndZAEnabled(cpu);
    case OP_MOVA:
    case OP_MOVA_Z:
        return CheckStreamingSVEAndZAEnabled(cpu);
    case OP_LDR_ZT0:
    case OP_STR_ZT0:
    case OP_ZERO_ZT0:
        return CheckSMEZT0Enabled(cpu);
    default:
        return none; /* MRS and MSR have theirs by register */
    }
}

static void add_z(struct cpu *cpu, u32 n, u32 m)
{
    u8 sum[CPU_VL_MAX];

    for (u32 i = 0; i < CurrentVL(cpu); i++)
        sum[i] = (u8)(cpu->z[n][i] + cpu->z[m][i]);
    cpu_set_z(cpu, n, sum);
}

/* ZA[n], of SVL bytes; what a CPU does with the rest of the row is as with Z. */
static void set_za(struct cpu *cpu, u32 n, const void *value)
{
    u32 svl = CurrentSVL(cpu);
    u8 *row = cpu->za[n % svl];

    memcpy(row, value, svl);
    if (cpu->has.uppers == UPPERS_ZEROED)
        memset(row + svl, 0, CPU_VL_MAX - svl);
}

/* A slice of ZA0.B is a vector of ZA. Inactive bytes stay as they are. */
static void mova(struct cpu *cpu, const struct insn *insn)
{
    u32 svl = CurrentSVL(cpu), row = insn->n % svl;
    const u8 *from = insn->op == OP_MOVA ? cpu->z[insn->m] : cpu->za[row];
    const u8 *to = insn->op == OP_MOVA ? cpu->za[row] : cpu->z[insn->m];
    u8 merged[CPU_VL_MAX];

    for (u32 i = 0; i < svl; i++)
        merged[i] = cpu->p[0][i / 8] >> i % 8 & 1 ? from[i] : to[i];
    if (insn->op == OP_MOVA)
        set_za(cpu, row, merged);
    else
        cpu_set_z(cpu, insn->m, merged);
}

/* ZERO {ZA}: all of it that is there at this length; QEMU zeroes the rest too, as it may. */
static void zero_za(struct cpu *cpu)
{
    static const u8 zeros[CPU_VL_MAX];

    if (cpu->has.uppers == UPPERS_QEMU)
        memset(cpu->za, 0, sizeof(cpu->za));
    for (u32 n = 0; n < CurrentSVL(cpu); n++)
        set_za(cpu, n, zeros);
}

static void set_ffr(struct cpu *cpu)
{
    u8 ones[CPU_PL_MAX];

    memset(ones, 0xff, sizeof(ones));
    cpu_set_ffr(cpu, ones);
}

static void vector(struct cpu *cpu, struct insn *insn)
{
    u32 n = insn->n, m = insn->m, vl = CurrentVL(cpu);

    switch (insn->op) {
    case OP_LDR_Q:
    case OP_LD1:
        cpu_set_v(cpu, n, insn->data);
        break;
    case OP_STR_Q:
    case OP_ST1:
        memcpy(insn->data, cpu->z[n], 16);
        break;
    case OP_LDR_Z:
        cpu_set_z(cpu, n, insn->data);
        break;
    case OP_STR_Z:
        memcpy(insn->data, cpu->z[n], vl);
        break;
    case OP_LDR_P:
        cpu_set_p(cpu, n, insn->data);
        break;
    case OP_STR_P:
        memcpy(insn->data, cpu->p[n], vl / 8);
        break;
    case OP_ADD_Z:
        add_z(cpu, n, m);
        break;
    case OP_WRFFR:
        cpu_set_ffr(cpu, cpu->p[n]);
        break;
    case OP_RDFFR:
        cpu_set_p(cpu, n, cpu->ffr);
        break;
    case OP_SETFFR:
        set_ffr(cpu);
        break;
    default:
        break;
    }
}

static void matrix(struct cpu *cpu, struct insn *insn)
{
    u32 n = insn->n, svl = CurrentSVL(cpu);

    switch (insn->op) {
    case OP_RDVL:
        insn->value = CurrentVL(cpu);
        break;
    case OP_RDSVL:
        insn->value = svl;
        break;
    case OP_MSR_SVCR:
        if (n & SVCR_SM)
            SetPSTATE_SM(cpu, insn->m & 1);
        if (n & SVCR_ZA)
            SetPSTATE_ZA(cpu, insn->m & 1);
        break;
    case OP_LDR_ZA:
        set_za(cpu, n, insn->data);
        break;
    case OP_STR_ZA:
        memcpy(insn->data, cpu->za[n % svl], svl);
        break;
    case OP_ZERO_ZA:
        zero_za(cpu);
        break;
    case OP_MOVA:
    case OP_MOVA_Z:
        mova(cpu, insn);
        break;
    case OP_LDR_ZT0:
        memcpy(cpu->zt0, insn->data, sizeof(cpu->zt0));
        break;
    case OP_STR_ZT0:
        memcpy(insn->data, cpu->zt0, sizeof(cpu->zt0));
        break;
    case OP_ZERO_ZT0:
        memset(cpu->zt0, 0, sizeof(cpu->zt0));
        break;
    default:
        break;
    }
}

struct exc cpu_step(struct cpu *cpu, struct insn *insn)
{
    if (insn->op == OP_MRS)
        return cpu_mrs(cpu, insn->n, &insn->value);
    if (insn->op == OP_MSR)
        return cpu_msr(cpu, insn->n, insn->value);

    struct exc e = cpu_check(cpu, insn->op);
    if (e.el)
        return e;
    vector(cpu, insn);
    matrix(cpu, insn);
    return none;
}
