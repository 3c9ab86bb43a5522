/*
 * Registers a guest may name but not reach. Three answers: the filtered ID registers; debug and
 * auxiliary registers that the architecture demands, reading as zero and ignoring writes; and
 * Undefined for all that belongs to features the guest does not see.
 */
#include "arch/arch.h"
#include "guest.h"
#include "id_filter.h"
#include "hv/console.h"
#include "sysreg.h"

/* ISS of EC 0x18 (DDI 0487 D19.2.37). */
#define ISS_READ     BIT(0)
#define ISS_CRM(iss) ((iss) >> 1 & 15)
#define ISS_RT(iss)  ((iss) >> 5 & 31)
#define ISS_CRN(iss) ((iss) >> 10 & 15)
#define ISS_OP1(iss) ((iss) >> 14 & 7)
#define ISS_OP2(iss) ((iss) >> 17 & 7)
#define ISS_OP0(iss) ((iss) >> 20 & 3)

/* One number for a register's name. */
#define REGISTER(op0, op1, crn, crm, op2)                                                          \
    ((u32)(op0) << 16 | (u32)(op1) << 12 | (u32)(crn) << 8 | (u32)(crm) << 4 | (u32)(op2))

#define OSLSR_EL1   REGISTER(2, 0, 1, 1, 4)
#define OSLSR_OSLM  BIT(3) /* an OS lock is implemented; OSLK 0: not locked */
#define REVIDR_EL1  REGISTER(3, 0, 0, 0, 6)
#define AIDR_EL1    REGISTER(3, 1, 0, 0, 7)
#define SMIDR       REGISTER(3, 1, 0, 0, 6)
#define ACTLR_EL1   REGISTER(3, 0, 1, 0, 1)
#define CNTP_TVAL   REGISTER(3, 3, 14, 2, 0)
#define CNTP_CTL    REGISTER(3, 3, 14, 2, 1)
#define CNTP_CVAL   REGISTER(3, 3, 14, 2, 2)
#define SMIDR_SHOWN 0xffff8000u /* Implementer, Revision, SMPS */
#define CTL_ENABLE  BIT(0)
#define CTL_IMASK   BIT(1)
#define CTL_ISTATUS BIT(2)

enum answer { ANSWERED, UNDEFINED };

/* The hardware's ID register, for those of which anything is passed on. */
static u64 hardware_id(u32 crm, u32 op2)
{
    switch (crm << 3 | op2) {
    case 4 << 3:
        return sysreg_read(id_aa64pfr0_el1);
    case (4 << 3) + 1:
        return sysreg_read(id_aa64pfr1_el1);
    case (4 << 3) + 2:
        return sysreg_read(ID_AA64PFR2_EL1);
    case (4 << 3) + 4:
        return sysreg_read(ID_AA64ZFR0_EL1);
    case (4 << 3) + 5:
        return sysreg_read(ID_AA64SMFR0_EL1);
    case (4 << 3) + 7:
        return sysreg_read(ID_AA64FPFR0_EL1);
    case 5 << 3:
        return sysreg_read(id_aa64dfr0_el1);
    case 6 << 3:
        return sysreg_read(id_aa64isar0_el1);
    case (6 << 3) + 1:
        return sysreg_read(id_aa64isar1_el1);
    case (6 << 3) + 2:
        return sysreg_read(ID_AA64ISAR2_EL1);
    case (6 << 3) + 3:
        return sysreg_read(S3_0_C0_C6_3);
    case 7 << 3:
        return sysreg_read(id_aa64mmfr0_el1);
    case (7 << 3) + 1:
        return sysreg_read(id_aa64mmfr1_el1);
    case (7 << 3) + 2:
        return sysreg_read(ID_AA64MMFR2_EL1);
    default:
        return 0;
    }
}

/*
 * The EL1 physical timer: its registers work, its interrupt would have nowhere to go. ISTATUS is
 * what a guest that polls sees.
 */
static u64 timer_read(const struct arch_vcpu *a, u32 reg)
{
    u64 now = arch_ticks();

    if (reg == CNTP_CVAL)
        return a->cntp_cval;
    if (reg == CNTP_TVAL)
        return (u32)(a->cntp_cval - now);
    bool passed = (a->cntp_ctl & CTL_ENABLE) && now >= a->cntp_cval;
    return a->cntp_ctl | (passed ? CTL_ISTATUS : 0);
}

static void timer_write(struct arch_vcpu *a, u32 reg, u64 value)
{
    if (reg == CNTP_CVAL)
        a->cntp_cval = value;
    else if (reg == CNTP_TVAL)
        a->cntp_cval = arch_ticks() + (u64)(s64)(s32)value;
    else
        a->cntp_ctl = value & (CTL_ENABLE | CTL_IMASK);
}

static enum answer read_register(struct vcpu *v, u32 reg, u32 iss, u64 *value)
{
    *value = 0;
    if (ISS_OP0(iss) == 3 && ISS_OP1(iss) == 0 && ISS_CRN(iss) == 0 && ISS_CRM(iss) >= 1 &&
        ISS_CRM(iss) <= 7) {
        u32 crm = ISS_CRM(iss), op2 = ISS_OP2(iss);
        *value = id_filter(crm, op2, hardware_id(crm, op2), &v->vm->arch.fp, stage2_parange());
        return ANSWERED;
    }
    switch (reg) {
    case REVIDR_EL1:
        *value = sysreg_read(revidr_el1);
        return ANSWERED;
    case AIDR_EL1:
        *value = sysreg_read(aidr_el1);
        return ANSWERED;
    case SMIDR: /* without Affinity and what a later CPU adds: a vCPU is on no PE for good */
        if (!(v->vm->arch.fp.units & FP_UNIT_SME))
            return UNDEFINED;
        *value = sysreg_read(SMIDR_EL1) & SMIDR_SHOWN;
        return ANSWERED;
    case ACTLR_EL1:
        return ANSWERED;
    case OSLSR_EL1:
        *value = OSLSR_OSLM;
        return ANSWERED;
    case CNTP_TVAL:
    case CNTP_CTL:
    case CNTP_CVAL:
        *value = timer_read(&v->arch, reg);
        return ANSWERED;
    default:
        /* Debug registers (op1 = 1 is trace, which is hidden): RAZ. */
        return ISS_OP0(iss) == 2 && ISS_OP1(iss) != 1 ? ANSWERED : UNDEFINED;
    }
}

static enum answer write_register(struct vcpu *v, u32 reg, u32 iss, u64 value)
{
    switch (reg) {
    case CNTP_TVAL:
    case CNTP_CTL:
    case CNTP_CVAL:
        timer_write(&v->arch, reg, value);
        return ANSWERED;
    case OSLSR_EL1: /* read-only */
        return UNDEFINED;
    case ACTLR_EL1:
        return ANSWERED;
    default:
        return ISS_OP0(iss) == 2 && ISS_OP1(iss) != 1 ? ANSWERED : UNDEFINED;
    }
}

enum vcpu_event sysreg_trap(struct vcpu *v, u64 esr)
{
    u32 iss = ESR_ISS(esr);
    u32 reg = REGISTER(ISS_OP0(iss), ISS_OP1(iss), ISS_CRN(iss), ISS_CRM(iss), ISS_OP2(iss));
    enum answer answer;
    u64 value;

    if (iss & ISS_READ) {
        answer = read_register(v, reg, iss, &value);
        if (answer == ANSWERED)
            guest_x_set(v, ISS_RT(iss), value);
    } else {
        answer = write_register(v, reg, iss, guest_x(v, ISS_RT(iss)));
    }
    if (answer == ANSWERED) {
        skip_instruction(v);
        return VCPU_RESUME;
    }
    say_debug("vm %s: vCPU %u at 0x%lx: %s of S%u_%u_C%u_C%u_%u, which it does not have: Undefined",
              vm_name(v->vm), v->id, v->arch.pc, iss & ISS_READ ? "read" : "write", ISS_OP0(iss),
              ISS_OP1(iss), ISS_CRN(iss), ISS_CRM(iss), ISS_OP2(iss));
    inject_undefined(v);
    return VCPU_RESUME;
}
