/* The x86-64 scenarios, in the order run=all runs them. */
#include "guest/x86_64/scenarios.h"

struct scratch user_scratch __attribute__((section(".user_bss,\"aw\",@nobits#")));

const struct scenario scenarios[] = {
    {"nofp", scenario_nofp, true}, /* first: nothing has touched FP yet */
    {"reset", scenario_reset, true},
    {"hold", scenario_hold, true},
    {NULL, NULL, false},
};
