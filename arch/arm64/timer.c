/* The generic timer (DDI 0487 D11): the EL2 physical timer preempts, the counter measures. */
#include "arch/arch.h"
#include "sysreg.h"
#include "timer.h"

u64 arch_ticks_per_second(void)
{
    return sysreg_read(cntfrq_el0);
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
