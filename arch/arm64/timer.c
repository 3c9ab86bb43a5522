/* The generic timer (DDI 0487 D11): the EL2 physical timer preempts, the counter measures. */
#include "arch/arch.h"
#include "sysreg.h"
#include "timer.h"

#define CTL_ENABLE BIT(0)

u64 arch_ticks(void)
{
    isb(); /* a counter read may be early otherwise (D11.1.2) */
    return sysreg_read(cntpct_el0);
}

u64 arch_ticks_per_second(void)
{
    return sysreg_read(cntfrq_el0);
}

/* For statistics of a few instructions' length: no ISB, which would cost more than it tells. */
u64 arch_cycles(void)
{
    return sysreg_read(cntpct_el0);
}

void arch_timer_set(struct pcpu *cpu, u64 ticks)
{
    u64 now = sysreg_read(cntpct_el0);

    (void)cpu;
    sysreg_write(cnthp_cval_el2, now + ticks < now ? ~0ull : now + ticks);
    sysreg_write(cnthp_ctl_el2, CTL_ENABLE);
}

void timer_stop(void)
{
    sysreg_write(cnthp_ctl_el2, 0);
    isb(); /* the level is gone before the interrupt is ended */
}

/*
 * CNTHCTL_EL2: guests read CNTPCT_EL0 and CNTVCT_EL0 freely and own CNTV_*; CNTP_* traps and is
 * emulated, because its interrupt line would be the hypervisor's to deliver. The layout of the two
 * bits depends on E2H.
 */
void timer_init(void)
{
    sysreg_write(cnthctl_el2, features.e2h ? BIT(10) : BIT(0)); /* EL1PCTEN; not EL1PCEN/EL1PTEN */
    sysreg_write(cntvoff_el2, 0);
    sysreg_write(cnthp_ctl_el2, 0);
    if (features.e2h)
        sysreg_write(S3_5_C14_C3_1, 0); /* CNTV_CTL_EL02 */
    else
        sysreg_write(cntv_ctl_el0, 0);
    isb();
}
