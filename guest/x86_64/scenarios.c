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
    {"arith", scenario_arith, true},
    {"image", scenario_image, true},
    {"xfd", scenario_xfd, true}, /* before amx: tiles must not have been touched */
    {"amx", scenario_amx, true},
    {"refuse", scenario_refuse, true},
    {"debug", scenario_debug, true},
    {"debug-neighbour", scenario_debug_neighbour, false},
    {"transfer", scenario_transfer, true},
    {"debugged", scenario_debugged, false},
    {"bench", scenario_bench, false},
    /* Bad guests: each ends its VM. */
    {"triple", scenario_triple, false},
    {"hc-undef", scenario_hc_undef, false},
    {"stage2", scenario_stage2, false},
    {"msr", scenario_msr, false},
    {"spin-cli", scenario_spin_cli, false},
    {"halt", scenario_halt, false},
    {"taskswitch", scenario_taskswitch, false},
    {NULL, NULL, false},
};
