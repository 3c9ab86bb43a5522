/* The scenarios of the arm64 guest; each file says what it checks. */
#ifndef GUEST_ARM64_SCENARIOS_H
#define GUEST_ARM64_SCENARIOS_H

void scenario_nofp(void);
void scenario_reset(void);
void scenario_arith(void);
void scenario_control(void);
void scenario_hold(void);
void scenario_exits(void);
void scenario_lengths(void);
void scenario_lazy(void);
void scenario_refuse(void);
void scenario_id_walk(void);
void scenario_psci(void);
void scenario_sme(void);
void scenario_sme_refuse(void);
void scenario_sme_bugs(void);
void scenario_sme_lazy(void);
void scenario_sme_hold(void);
void scenario_fp8(void);
void scenario_transfer(void);
void scenario_debugged(void);
void scenario_bench(void);
void scenario_triple(void);
void scenario_fault_loop(void);
void scenario_hc_undef(void);
void scenario_stage2(void);
void write_nowhere(void); /* ends the VM, with the registers as they are */
void scenario_msr(void);
void scenario_spin_cli(void);
void scenario_halt(void);

#endif
