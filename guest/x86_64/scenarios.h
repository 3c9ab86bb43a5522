/* One function per word of run=. */
#ifndef GUEST_X86_SCENARIOS_H
#define GUEST_X86_SCENARIOS_H

#include "guest/x86_64/stubs.h"

void scenario_nofp(void);
void scenario_reset(void);
void scenario_hold(void);
void scenario_control(void);
void scenario_lazy(void);
void scenario_image(void);
void scenario_xfd(void);
void scenario_amx(void);
void scenario_refuse(void);
void scenario_arith(void);
void scenario_debug(void);
void scenario_debug_neighbour(void);
void scenario_transfer(void);
void scenario_debugged(void);
void scenario_bench(void);
void scenario_triple(void);
void scenario_hc_undef(void);
void scenario_stage2(void);
void scenario_msr(void);
void scenario_spin_cli(void);
void scenario_halt(void);
void scenario_taskswitch(void);

/* integer.c, part of control */
void integer_state_held(void);

#endif
