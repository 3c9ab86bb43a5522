/* See bare.h. */
#include "bare.h"
#include "sysreg.h"

#define HVC_0 0xd4000002u
#define SVC_0 0xd4000001u
#define RET   0xd65f03c0u

#define SPSR_DAIF 0x3c0u
#define EC(esr)   ((u32)((esr) >> 26) & 0x3f)

u32 bare_code[4] ALIGNED(64);

/* Encodings (DDI 0487 C6, C7, C8, C9): memory at [X0], values in X1, an index in W12. */
static u32 encoding(const struct insn *insn)
{
    u32 n = insn->n, m = insn->m;

    switch (insn->op) {
    case OP_LDR_Q:
        return 0x3dc00000u | n;
    case OP_STR_Q:
        return 0x3d800000u | n;
    case OP_LD1:
        return 0x4c407c00u | n;
    case OP_ST1:
        return 0x4c007c00u | n;
    case OP_LDR_Z:
        return 0x85804000u | n;
    case OP_STR_Z:
        return 0xe5804000u | n;
    case OP_LDR_P:
        return 0x85800000u | n;
    case OP_STR_P:
        return 0xe5800000u | n;
    case OP_ADD_Z:
        return 0x04200000u | m << 16 | n << 5 | n;
    case OP_WRFFR:
        return 0x25289000u | n << 5;
    case OP_RDFFR:
        return 0x2519f000u | n;
    case OP_SETFFR:
        return 0x252c9000u;
    case OP_RDVL:
        return 0x04bf5021u;
    case OP_RDSVL:
        return 0x04bf5821u;
    case OP_MSR_SVCR:
        return 0xd503407fu | (n << 1 | (m & 1)) << 8;
    default:
        return 0;
    }
}

static u32 encoding_sme(const struct insn *insn)
{
    u32 n = insn->n, m = insn->m;
    u32 name = n >> 11 << 16 | (n >> 7 & 15) << 12 | (n >> 3 & 15) << 8 | (n & 7) << 5;

    switch (insn->op) {
    case OP_MRS:
        return 0xd5380001u | name;
    case OP_MSR:
        return 0xd5180001u | name;
    case OP_LDR_ZA:
        return 0xe1000000u;
    case OP_STR_ZA:
        return 0xe1200000u;
    case OP_ZERO_ZA:
        return 0xc00800ffu;
    case OP_MOVA:
        return 0xc0000000u | m << 5;
    case OP_MOVA_Z:
        return 0xc0020000u | m;
    case OP_LDR_ZT0:
        return 0xe11f8000u;
    case OP_STR_ZT0:
        return 0xe13f8000u;
    case OP_ZERO_ZT0:
        return 0xc0480001u;
    default:
        return encoding(insn);
    }
}

static void write_code(u32 first, u32 second)
{
    bare_code[0] = first;
    bare_code[1] = second;
    __asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" ::"r"(bare_code)
                     : "memory");
}

static struct exc exception(u8 el, u64 esr)
{
    return (struct exc){el, (u8)EC(esr), (u32)esr & 0x1ffffff};
}

struct exc bare_step(u8 el, struct insn *insn)
{
    struct bare_run run = {
        .pc = (u64)(uintptr_t)bare_code,
        .spsr = SPSR_DAIF | (el ? 5 : 0),
        .x0 = (u64)(uintptr_t)insn->data,
        .x1 = insn->value,
        .x12 = insn->n,
    };
    static const struct exc none;

    write_code(encoding_sme(insn), el == 2 ? RET : el == 1 ? HVC_0 : SVC_0);
    if (el == 2)
        bare_call(&run);
    else
        bare_enter(&run);
    isb(); /* what an MSR wrote counts from here */
    if (EC(run.esr_el2) != 0x16)
        return exception(2, run.esr_el2);
    if (run.esr_el2 & 1 && EC(run.esr_el1) != 0x15)
        return exception(1, run.esr_el1);
    insn->value = run.x1;
    return none;
}

static u64 try_length(enum cpu_op op, u32 reg, u64 len)
{
    struct insn insn = {.op = OP_MSR, .n = reg, .value = len};

    bare_step(2, &insn);
    insn.op = op;
    bare_step(2, &insn);
    return insn.value;
}

static u32 lengths(enum cpu_op op, u32 reg)
{
    u32 found = 0;

    for (u64 len = 0; len < 16; len++)
        found |= 1u << (try_length(op, reg, len) / 16 - 1);
    return found;
}

struct cpu_has bare_features(void)
{
    u64 pfr0 = sysreg_read(id_aa64pfr0_el1), pfr1 = sysreg_read(id_aa64pfr1_el1);
    u64 mmfr0 = sysreg_read(id_aa64mmfr0_el1), mmfr1 = sysreg_read(id_aa64mmfr1_el1);
    struct cpu_has has = {.el2 = true, .uppers = UPPERS_QEMU};
    bool sve = pfr0 >> 32 & 15, sme = pfr1 >> 24 & 15;

    sysreg_write(cptr_el2, CPTR_RES1 & ~(CPTR_TZ | CPTR_TFP | CPTR_TSM));
    isb();
    has.vls = sve ? lengths(OP_RDVL, R_ZCR_EL2) : 0;
    has.svls = sme ? lengths(OP_RDSVL, R_SMCR_EL2) : 0;
    has.sme2 = (pfr1 >> 24 & 15) >= 2;
    has.fa64 = sme && sysreg_read(ID_AA64SMFR0_EL1) >> 63;
    has.fgt = mmfr0 >> 56 & 15;
    has.idst = sysreg_read(ID_AA64MMFR2_EL1) >> 36 & 15;
    has.vhe = mmfr1 >> 8 & 15;
    has.hcx = mmfr1 >> 40 & 15;
    has.fpmr = sysreg_read(S3_0_C0_C4_2) >> 32 & 15;
    if (sme) {
        struct insn smidr = {.op = OP_MRS, .n = R_SMIDR_EL1};
        bare_step(2, &smidr);
        has.smidr = smidr.value;
    }
    return has;
}
