/*
 * What a fresh vCPU finds in its registers (BUGS 1, 4, 24). The architecture leaves most of it
 * UNKNOWN at reset; Fermata promises zero, so that nothing of a neighbour is ever seen. On the bare
 * machine the values are only printed. Each vCPU also leaves a pattern everywhere, goes off with it
 * live, and must find zero when it is turned on again.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/fp.h"

struct reset_state {
    struct fp_image image;
    u64 zcr, sp_el0, amair, afsr, cntkctl;
};
static struct reset_state states[MAX_CPUS];

/* The first FP instructions of this vCPU. */
static void reset_dump(void *argument)
{
    struct reset_state *s = argument;

    s->sp_el0 = sysreg_read(sp_el0);
    s->amair = sysreg_read(amair_el1);
    s->afsr = sysreg_read(afsr0_el1) | sysreg_read(afsr1_el1);
    s->cntkctl = sysreg_read(cntkctl_el1);
    fp_open();
    s->image.fpcr = fpcr_read();
    s->image.fpsr = fpsr_read();
    fp_store_v(s->image.z);
    s->image.vl = 0;
    if (has_sve()) {
        s->zcr = sysreg_read(zcr_el1);
        u32 vl = sve_set_vl(SVE_MAX_VL);
        fp_image_store(&s->image, vl);
    }
}

static void check_value(u64 value, const char *name, u32 vcpu, const char *when)
{
    if (on_fermata)
        ok_eq(value, 0, "reset: vCPU %u %s: %s is zero", vcpu, when, name);
    else
        diag("reset: vCPU %u %s: %s = 0x%lx", vcpu, when, name, (unsigned long)value);
}

static void check_bytes(const void *p, size_t bytes, const char *name, u32 vcpu, const char *when)
{
    bool zero = all_zero(p, bytes);

    if (on_fermata)
        ok(zero, "reset: vCPU %u %s: %s are zero", vcpu, when, name);
    else
        diag("reset: vCPU %u %s: %s are %s", vcpu, when, name, zero ? "zero" : "not zero");
}

static void check(u32 vcpu, const char *when)
{
    const struct reset_state *s = &states[vcpu];
    const struct reset_regs *r = &cpu_at(vcpu)->reset;
    u32 vl = s->image.vl;

    check_value(r->x, "X1 to X30", vcpu, when);
    check_value(r->cpacr, "CPACR_EL1", vcpu, when);
    check_value(r->sctlr & 5, "SCTLR_EL1.{M,C}", vcpu, when);
    check_value(r->tpidr_el0, "TPIDR_EL0", vcpu, when);
    check_value(r->tpidrro_el0, "TPIDRRO_EL0", vcpu, when);
    check_value(r->tpidr_el1, "TPIDR_EL1", vcpu, when);
    check_value(r->contextidr, "CONTEXTIDR_EL1", vcpu, when);
    check_value(s->sp_el0, "SP_EL0", vcpu, when);
    check_value(s->amair, "AMAIR_EL1", vcpu, when);
    check_value(s->afsr, "AFSR0_EL1 or AFSR1_EL1", vcpu, when);
    check_value(s->cntkctl, "CNTKCTL_EL1", vcpu, when);
    check_value(s->image.fpcr, "FPCR", vcpu, when);
    check_value(s->image.fpsr, "FPSR", vcpu, when);
    if (!vl) {
        check_bytes(s->image.z, 512, "V0-V31", vcpu, when);
        return;
    }
    check_value(s->zcr, "ZCR_EL1", vcpu, when);
    check_bytes(s->image.z, 32 * vl, "Z0-Z31", vcpu, when);
    check_bytes(s->image.p, 2 * vl, "P0-P15", vcpu, when);
    check_bytes(s->image.p + 2 * vl, vl / 8, "FFR", vcpu, when);
}

/* Leave a pattern in everything and turn this vCPU off with it. */
static void soil_and_go_off(void *argument)
{
    static struct fp_image pattern[MAX_CPUS];
    u32 i = (u32)this_cpu()->index;

    (void)argument;
    fp_image_fill(&pattern[i], sve_max_vl(), pattern_seed(i, 0x4e5));
    fp_image_load(&pattern[i]);
    sysreg_write(tpidr_el0, 0x5eed);
    sysreg_write(tpidr_el1, 0x5eed);
    sysreg_write(sp_el0, 0x5eed0);
    sysreg_write(amair_el1, 0x5eed);
    psci(PSCI_CPU_OFF, 0, 0, 0);
    panic("CPU_OFF does not return");
}

void scenario_reset(void)
{
    u32 cpus = cpus_online();

    for (u32 i = 1; i < cpus; i++)
        cpu_job(i, reset_dump, &states[i]);
    reset_dump(&states[0]);
    for (u32 i = 0; i < cpus; i++) {
        if (i)
            cpu_wait(i);
        check(i, "fresh");
    }
    if (cpus < 2) {
        skip("one vCPU", "reset: off and on again");
        return;
    }
    u32 last = cpus - 1;
    cpu_job(last, soil_and_go_off, NULL);
    /* AFFINITY_INFO 1 = OFF (DEN0022, 5.7). */
    while (psci(PSCI_AFFINITY_INFO, machine.mpidr[last], 0, 0) != 1)
        yield();
    memset(&states[last], 0xee, sizeof(states[last]));
    if (ok(cpu_start(last), "reset: vCPU %u comes on again after CPU_OFF", last)) {
        cpu_job(last, reset_dump, &states[last]);
        cpu_wait(last);
        check(last, "on again");
    }
}
