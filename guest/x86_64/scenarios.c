/* The x86-64 scenarios, in the order run=all runs them. */
#include "guest/x86_64/scenarios.h"

struct scratch user_scratch __attribute__((section(".bss.user")));
struct scratch scratch;

const struct scenario scenarios[] = {
    {"nofp", scenario_nofp, true}, /* first: nothing has touched FP yet */
    {"reset", scenario_reset, true},
    {"hold", scenario_hold, true},
    {"control", scenario_control, true},
    {"lazy", scenario_lazy, true},
    {NULL, NULL, false},
};
