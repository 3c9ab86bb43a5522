/*
 * PSCI (DEN0022) and SMCCC (DEN0028) by HVC: versions, features, bad arguments, a vCPU turned off
 * and on.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/cpu.h"

#define SMCCC_VERSION       0x80000000u
#define SMCCC_ARCH_FEATURES 0x80000001u
#define NO_SUCH_MPIDR       0x7fff00ull

static void calls(void)
{
    static const u32 must_have[] = {PSCI_VERSION,       PSCI_CPU_OFF,    PSCI_CPU_ON,
                                    PSCI_AFFINITY_INFO, PSCI_SYSTEM_OFF, PSCI_FEATURES};
    bool all = true;

    ok((u32)psci(PSCI_VERSION, 0, 0, 0) >= 0x10000, "psci: VERSION is 1.0 or later");
    for (u32 i = 0; i < ARRAY_SIZE(must_have); i++)
        all = all && psci(PSCI_FEATURES, must_have[i], 0, 0) >= 0;
    ok(all, "psci: FEATURES knows the mandatory calls");
    ok_eq((u64)psci(PSCI_FEATURES, 0x84001234, 0, 0), (u64)PSCI_NOT_SUPPORTED,
          "psci: FEATURES of an unknown call");
    ok_eq((u64)psci(0x8400001f, 0, 0, 0), (u64)PSCI_NOT_SUPPORTED, "psci: an unknown call");
    if (on_fermata) {
        ok((u32)psci(SMCCC_VERSION, 0, 0, 0) >= 0x10001, "smccc: VERSION is 1.1 or later");
        ok(psci(SMCCC_ARCH_FEATURES, SMCCC_VERSION, 0, 0) >= 0, "smccc: ARCH_FEATURES of VERSION");
        ok_eq((u64)psci(SMCCC_ARCH_FEATURES, 0x80001234, 0, 0), (u64)FERMATA_NOT_SUPPORTED,
              "smccc: ARCH_FEATURES of an unknown call");
    }
}

static void bad_arguments(void)
{
    ok_eq((u64)psci(PSCI_CPU_ON, machine.mpidr[0], (u64)secondary_entry, 0), (u64)PSCI_ALREADY_ON,
          "psci: CPU_ON of the caller");
    ok_eq((u64)psci(PSCI_CPU_ON, NO_SUCH_MPIDR, (u64)secondary_entry, 0), (u64)PSCI_INVALID_PARAMS,
          "psci: CPU_ON of a vCPU that does not exist");
    ok_eq((u64)psci(PSCI_AFFINITY_INFO, machine.mpidr[0], 0, 0), 0, "psci: AFFINITY_INFO: on");
    ok_eq((u64)psci(PSCI_AFFINITY_INFO, NO_SUCH_MPIDR, 0, 0), (u64)PSCI_INVALID_PARAMS,
          "psci: AFFINITY_INFO of a vCPU that does not exist");
}

static void go_off(void *unused)
{
    (void)unused;
    psci(PSCI_CPU_OFF, 0, 0, 0);
    panic("CPU_OFF does not return");
}

static void off_and_on(void)
{
    u32 cpus = cpus_online(), last = cpus - 1;
    bool good = true;

    if (cpus < 2) {
        skip("one vCPU", "psci: off and on again");
        return;
    }
    ok_eq((u64)psci(PSCI_CPU_ON, machine.mpidr[last], (u64)secondary_entry, last),
          (u64)PSCI_ALREADY_ON, "psci: CPU_ON of a vCPU that runs");
    for (u32 round = 0; round < 10 && good; round++) {
        cpu_job(last, go_off, NULL);
        while (psci(PSCI_AFFINITY_INFO, machine.mpidr[last], 0, 0) != 1)
            yield();
        good = cpu_start(last) && psci(PSCI_AFFINITY_INFO, machine.mpidr[last], 0, 0) == 0;
    }
    ok(good, "psci: vCPU %u off and on again, 10 times", last);
}

/* Only what a call returns may change: X4 and up are the caller's (SMCCC 1.1), and so are the
 * flags. */
static void registers_kept(void)
{
    u64 bad;

    __asm__ volatile("mov x4, #0x104\n\tmov x5, #0x105\n\tmov x8, #0x108\n\tmov x17, #0x117\n\t"
                     "mov x18, #0x118\n\tmov x28, #0x128\n\t"
                     "mov w0, #0x84000000\n\tcmp x4, x5\n\thvc #0\n\t"
                     "cset %0, hs\n\t"
                     "eor x4, x4, #0x4\n\teor x4, x4, #0x100\n\torr %0, %0, x4\n\t"
                     "mov x4, #0x105\n\teor x5, x5, x4\n\torr %0, %0, x5\n\t"
                     "mov x4, #0x108\n\teor x8, x8, x4\n\torr %0, %0, x8\n\t"
                     "mov x4, #0x117\n\teor x17, x17, x4\n\torr %0, %0, x17\n\t"
                     "mov x4, #0x118\n\teor x18, x18, x4\n\torr %0, %0, x18\n\t"
                     "mov x4, #0x128\n\teor x28, x28, x4\n\torr %0, %0, x28"
                     : "=r"(bad)
                     :
                     : "x0", "x1", "x2", "x3", "x4", "x5", "x8", "x17", "x18", "x28", "cc",
                       "memory");
    ok_eq(bad, 0, "smccc: X4, X5, X8, X17, X18, X28 and the flags survive a call");
}

void scenario_psci(void)
{
    calls();
    bad_arguments();
    off_and_on();
    registers_kept();
    if (on_fermata) {
        struct hc_result r = hypercall(FERMATA_HC_VERSION, 0);
        ok(r.status == 0 && r.value == FERMATA_ABI_VERSION, "hypercall: VERSION");
        ok_eq((u64)hypercall(FERMATA_HC_STAT, FERMATA_STATS).status, (u64)FERMATA_INVALID,
              "hypercall: STAT of a counter that does not exist");
        scenario_hc_undef();
    }
}
