/*
 * Why a guest left: one handler per exception class (ESR_EL2.EC), by table. And the trap controls
 * that make it leave.
 */
#include "arch/arch.h"
#include "exceptions.h"
#include "fp_arm64.h"
#include "gdb_arm64.h"
#include "gic.h"
#include "guest.h"
#include "guest_el1.h"
#include "hv/console.h"
#include "timer.h"

/* ---- Controls ---- */

#define HFGRTR2_EL2  S3_4_C3_C1_2
#define HFGWTR2_EL2  S3_4_C3_C1_3
#define HDFGRTR2_EL2 S3_4_C3_C1_0
#define HDFGWTR2_EL2 S3_4_C3_C1_1
#define HFGITR2_EL2  S3_4_C3_C1_7

/* MDCR_EL2: the debug registers and OS lock, PMU, SPE, trace and trace buffer trap. */
#define MDCR_HPMN  31ull /* kept: what PMCR_EL0.N said at reset */
#define MDCR_TRAPS (BIT(5) | BIT(6) | BIT(9) | BIT(10) | BIT(11) | BIT(14) | BIT(19))

/*
 * Everything a guest has no use for is left at 0 and so traps or stays Undefined: API and APK
 * (pointer authentication), ATA (memory tags), EnSCXT, EnAMVOFFSET, NV.
 */
u64 guest_hcr(void)
{
    return HCR_VM | HCR_SWIO | HCR_PTW | HCR_FMO | HCR_IMO | HCR_AMO | HCR_FB | HCR_BSU_IS |
           HCR_TWI | HCR_TWE | HCR_TID1 | HCR_TID3 | HCR_TSC | HCR_TIDCP | HCR_TACR | HCR_RW |
           (features.e2h ? HCR_E2H : 0) | (features.lor ? HCR_TLOR : 0) |
           (features.ras ? HCR_TERR | HCR_TEA : 0) | (features.fwb ? HCR_FWB : 0) |
           (features.mte ? HCR_TID5 : 0);
}

void guest_traps_init(void)
{
    sysreg_write(mdcr_el2, (sysreg_read(mdcr_el2) & MDCR_HPMN) | MDCR_TRAPS);
    sysreg_write(hstr_el2, 0);
    fp_traps(0);       /* HCRX_EL2, HFGRTR_EL2, HFGWTR_EL2 */
    if (features.smps) /* a guest's priority of streaming execution is its own affair only */
        sysreg_write(SMPRIMAP_EL2, 0);
    if (features.fgt) {
        sysreg_write(HFGITR_EL2, 0);
        sysreg_write(HDFGRTR_EL2, 0);
        sysreg_write(HDFGWTR_EL2, 0);
        if (features.amu)
            sysreg_write(HAFGRTR_EL2, 0);
    }
    if (features.fgt2) {
        sysreg_write(HFGRTR2_EL2, 0);
        sysreg_write(HFGWTR2_EL2, 0);
        sysreg_write(HFGITR2_EL2, 0);
        sysreg_write(HDFGRTR2_EL2, 0);
        sysreg_write(HDFGWTR2_EL2, 0);
    }
    if (features.mpam)
        sysreg_write(MPAM2_EL2, BIT(49) | BIT(48)); /* TRAPMPAM0EL1, TRAPMPAM1EL1 */
    sysreg_write(vpidr_el2, sysreg_read(midr_el1));
    sysreg_write(vtcr_el2, stage2_vtcr());
    stage2_none();
    isb();
}

/* ---- Injection ---- */

/* What the hardware does on an exception to EL1 (DDI 0487 D1.4): ELR, SPSR, ESR, PSTATE, PC. */
static void inject(struct vcpu *v, u64 esr)
{
    u64 old = v->arch.pstate;
    u64 sctlr = guest_sctlr();
    u64 offset = old & PSTATE_AARCH32 ? 0x600
                 : (old & 15) == 0    ? 0x400
                 : (old & 15) == 4    ? 0
                                      : 0x200;
    u64 pan = features.pan && !(sctlr & SCTLR_SPAN) ? PSTATE_PAN : 0;

    guest_elr_set(v->arch.pc);
    guest_spsr_set(old);
    guest_esr_set(esr);
    v->arch.pstate = PSTATE_EL1H | PSTATE_DAIF | (old & (PSTATE_NZCV | PSTATE_PAN | PSTATE_DIT)) |
                     pan | (sctlr & SCTLR_DSSBS ? PSTATE_SSBS : 0);
    v->arch.pc = guest_vbar() + offset;
}

void inject_undefined(struct vcpu *v)
{
    inject(v, ESR_IL); /* EC 0 */
}

/* ---- Handlers ---- */

static enum vcpu_event undefined(struct vcpu *v, u64 esr)
{
    (void)esr;
    inject_undefined(v);
    return VCPU_RESUME;
}

static enum vcpu_event unexpected(struct vcpu *v, u64 esr)
{
    vcpu_crash(
        v,
        "exception class 0x%x (%s, ESR_EL2 0x%lx), which nothing should cause: please report this",
        ESR_EC(esr), esr_text(esr), esr);
    return VCPU_VM_ENDED;
}

/* guest_fp makes units of exception classes. */
_Static_assert(FP_TRAP_RETRY == 0, "guest_fp");
_Static_assert((EC_FP + 3) >> 3 == FP_UNIT_FPSIMD, "guest_fp");
_Static_assert((EC_SVE + 3) >> 3 == (FP_UNIT_FPSIMD | FP_UNIT_SVE), "guest_fp");
_Static_assert((EC_SME + 3) >> 3 == FP_UNIT_SME, "guest_fp");

#ifdef FERMATA_DEBUG
/* The short way back after an FP trap is fp_enter() in assembly; debug builds check there too. */
void guest_fp_check(struct vcpu *v)
{
    fp_enter(v, &v->fp);
}
#endif

/* `result` is not FP_TRAP_RETRY, and the exit is complete now. */
u64 guest_fp_failed(struct vcpu *v, enum fp_trap_result result)
{
    /* ZT0 traps by SMCR_EL2.EZT0, with the gate open, where the VM has SME but not SME2. */
    bool zt0 = result == FP_TRAP_NOT_OURS && ESR_EC(v->arch.esr) == EC_SME && !v->vm->arch.fp.zt0;

    if (result == FP_TRAP_REFUSED || zt0) {
        inject_undefined(v);
        fp_enter(v, &v->fp);
        return VCPU_RESUME;
    }
    if (result == FP_TRAP_NO_MEMORY) {
        vcpu_crash(v, "no memory for its FP save area: give the VMs less memory");
        return VCPU_VM_ENDED;
    }
    /* The guest's own traps (CPACR_EL1) go to its EL1 and never come here. */
    return unexpected(v, v->arch.esr);
}

/* WFI and WFE: no interrupt will come, so somebody else may as well run. */
static enum vcpu_event wait_trap(struct vcpu *v, u64 esr)
{
    if (unlikely(v->arch.pstate & PSTATE_AARCH32))
        return undefined(v, esr); /* as all of AArch32 that traps: its length is not always 4 */
    skip_instruction(v);
    return VCPU_YIELDED;
}

/* While the debugger is at a VM its debug exceptions come here. A BRK that is the guest's own goes
 * to it as the instruction would; it has no other debug events of its own. */
static enum vcpu_event debug_event(struct vcpu *v, u64 esr)
{
    if (gdb_debug_exit(v, esr))
        return VCPU_PREEMPTED;
    if (ESR_EC(esr) == EC_BRK)
        inject(v, esr);
    return VCPU_RESUME;
}

/* An empty class is `unexpected`. EC_FP, EC_SVE and EC_SME do not come this way. */
static enum vcpu_event (*const handlers[64])(struct vcpu *, u64) = {
    [EC_WFX] = wait_trap,
    [EC_PAUTH] = undefined,
    [EC_LS64] = undefined,
    [EC_SYSREG128] = undefined,
    [EC_HVC] = smccc_call,
    [EC_SMC] = undefined,
    [EC_SYSREG] = sysreg_trap,
    [EC_DABT_LOWER] = data_abort,
    [EC_IABT_LOWER] = instruction_abort,
    [EC_BREAKPOINT] = debug_event,
    [EC_STEP] = debug_event,
    [EC_WATCHPOINT] = debug_event,
    [EC_BRK] = debug_event,
    /* AArch32 at EL0: Fermata offers none, a CPU that has it cannot forbid it. */
    [0x03] = undefined,
    [0x04] = undefined,
    [0x05] = undefined,
    [0x06] = undefined,
    [0x08] = undefined,
    [0x0c] = undefined,
};

u64 guest_sync_exit(struct vcpu *v)
{
    u64 esr = v->arch.esr;
    enum vcpu_event (*handler)(struct vcpu *, u64) = handlers[ESR_EC(esr)];

    v->stats.exits++;
    enum vcpu_event event = handler ? handler(v, esr) : unexpected(v, esr);
    if (likely(event == VCPU_RESUME))
        fp_enter(v, &v->fp);
    return event;
}

u64 guest_irq_exit(struct vcpu *v)
{
    u32 intid = gic_take();

    v->stats.exits++;
    if (likely(intid == GIC_CNTHP_INTID)) {
        timer_stop();
        gic_end(intid);
        return VCPU_PREEMPTED;
    }
    if (intid < GIC_SPURIOUS || intid >= GIC_FIRST_LPI) { /* not ended it would mask the timer */
        gic_end(intid);
        say_error("interrupt %u, which nobody enabled: ignored", intid);
    }
    fp_enter(v, &v->fp); /* spurious: gone before it was taken */
    return VCPU_RESUME;
}

u64 guest_serror_exit(struct vcpu *v)
{
    v->stats.exits++;
    vcpu_crash(v, "SError (ESR_EL2 0x%lx): the machine reports a memory or bus error", v->arch.esr);
    return VCPU_VM_ENDED;
}
