/*
 * debugged: a debugger sets registers of this vCPU while it waits, and nothing else changes. Run by
 * the tests of Fermata's gdb stub (tests/emu/stub_test.py knows the values); not in `all`.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/sme.h"
#include "guest/debugged.h"

void scenario_debugged(void)
{
    struct sme_image *want = sme_want(), *got = sme_got();
    struct fp_difference why;
    u64 value = DEBUGGED_VALUE;
    u32 turns = 0;

    if (!has_sme()) {
        skip("no SME: QEMU 10 or later, -cpu max", "the debugger's Z7 and ZA");
        return;
    }
    sme_open();
    sme_enter(want, SVCR_ZA, SVE_MAX_VL, SVE_MAX_VL, pattern_seed(0, 77));
    memcpy(want->z + 7 * want->vl + 8, &value, 8);
    memcpy(want->za + 2 * want->svl, &value, 8);
    if (cmdline_has("die")) { /* with all of that in the registers: for tests of core files */
        sme_load(want);
        write_nowhere();
    }
    do {
        debugged_loop();
        sme_store(got);
    } while (memcmp(got->za + 2 * want->svl, &value, 8) && ++turns < DEBUGGED_TURNS);
    ok(turns < DEBUGGED_TURNS, "the debugger's ZA arrived");
    if (!ok(sme_held(&why), "and its Z7, and nothing else changed"))
        fp_difference_diag(&why);
    debugged_word = 1; /* the watchpoint */
    ok_eq(debugged_word, DEBUGGED_VALUE, "what it wrote into memory arrived");
    sysreg_write(svcr, 0);
}
