/*
 * A vCPU that never touches FP or vector registers owns nothing and costs nothing: after thousands
 * of switches every FP counter of Fermata is zero and no save area was allocated. BUGS 1 seen from
 * the cheap side.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/fp.h"

#define YIELDS 4000

struct nofp_result {
    u64 switches, fp[FERMATA_STATS];
};
static struct nofp_result results[MAX_CPUS];

static void yield_and_count(void *argument)
{
    struct nofp_result *r = argument;

    for (u32 i = 0; i < YIELDS; i++)
        yield();
    r->switches = stat(FERMATA_STAT_SWITCHES);
    for (u32 s = FERMATA_STAT_FP_TRAPS; s < FERMATA_STATS; s++)
        r->fp[s] = stat(s);
}

void scenario_nofp(void)
{
    static const char *const names[FERMATA_STATS] = {
        [FERMATA_STAT_FP_TRAPS] = "traps",   [FERMATA_STAT_FP_LOADS] = "loads",
        [FERMATA_STAT_FP_SAVES] = "saves",   [FERMATA_STAT_FP_SCRUBS] = "scrubs",
        [FERMATA_STAT_FP_GROWS] = "grows",   [FERMATA_STAT_FP_BYTES] = "bytes moved",
        [FERMATA_STAT_FP_CYCLES] = "cycles", [FERMATA_STAT_FP_AREA] = "bytes of save area",
    };
    u32 cpus = cpus_online();

    for (u32 i = 1; i < cpus; i++)
        cpu_job(i, yield_and_count, &results[i]);
    yield_and_count(&results[0]);
    for (u32 i = 1; i < cpus; i++)
        cpu_wait(i);

    if (!on_fermata) {
        skip("no hypervisor to count", "nofp: FP counters stay zero");
        return;
    }
    if (cmdline_has("eager")) {
        skip("policy eager moves state for every vCPU", "nofp: FP counters stay zero");
        return;
    }
    for (u32 i = 0; i < cpus; i++) {
        diag("vCPU %u was switched in %lu times", i, (unsigned long)results[i].switches);
        for (u32 s = FERMATA_STAT_FP_TRAPS; s < FERMATA_STATS; s++)
            ok_eq(results[i].fp[s], 0, "nofp: vCPU %u that never touched FP: %s", i, names[s]);
    }
    if (cpus > 1)
        ok(results[0].switches >= YIELDS / 2, "nofp: vCPU 0 was really switched");
}
