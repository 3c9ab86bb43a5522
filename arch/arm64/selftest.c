/* Boot proves the machine before trusting it (ARCHITECTURE). */
#include "selftest.h"
#include "arch/arch.h"
#include "fp_arm64.h"
#include "hv/console.h"

bool arch_selftest(struct pcpu *cpu, char *why, size_t n)
{
    bool good =
        selftest_gates(cpu, why, n) && selftest_moves(cpu, why, n) && selftest_sme(cpu, why, n);

    fp_init_cpu(cpu); /* whatever was tried, the first guest finds INIT (I4) */
    if (good && fp_gate_incomplete)
        say_info("selftest: a gate is incomplete: every vCPU is switched eagerly");
    return good;
}
