/*
 * debugged: a debugger sets registers of this vCPU while it waits, and nothing else changes. Run by
 * the tests of Fermata's gdb stub (tests/emu/stub_test.py knows the values); not in `all`.
 */
#include "guest/debugged.h"
#include "guest/x86_64/scenarios.h"

static struct fp_image want, got;

void scenario_debugged(void)
{
    u64 value = DEBUGGED_VALUE;
    u32 turns = 0;

    fp_first();
    fp_pattern(&want, pattern_seed(0, 77));
    fp_load(&want);
    if (features.xcr0 & XCR0_AVX) {
        memcpy(want.ymm[3] + 16, &value, 8);
        memcpy(want.zmm[3] + 16, &value, features.avx512 ? 8 : 0);
    }
    memcpy(want.ymm[3], &value, 8);
    memcpy(want.zmm[3], &value, features.avx512 ? 8 : 0);
    memcpy(want.fx + FX_XMM + 3 * 16, &value, 8);
    if (cmdline_has("die")) { /* with all of that in the registers: for tests of core files */
        fp_load(&want);
        scenario_stage2();
    }
    do {
        debugged_loop();
        fp_read(&got, FIRST_MOVUPS);
    } while (memcmp(got.fx + FX_XMM + 3 * 16, &value, 8) && ++turns < DEBUGGED_TURNS);
    ok(turns < DEBUGGED_TURNS, "the debugger's XMM3 arrived");
    ok(fp_holds(&want, FIRST_XSAVE, "debugged"), "and its YMM3, and nothing else changed");
    debugged_word = 1; /* the watchpoint */
    ok_eq(debugged_word, DEBUGGED_VALUE, "what it wrote into memory arrived");
}
