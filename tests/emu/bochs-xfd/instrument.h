/*
 * What Bochs calls of an instrumentation module (its instrument/instrumentation.txt names the
 * hooks). Three are needed here, none of them on the path of an instruction: this Bochs is as fast
 * as the packaged one.
 */
#ifndef FERMATA_BOCHS_XFD_H
#define FERMATA_BOCHS_XFD_H

class bxInstruction_c;

void xfd_initialize(unsigned cpu);
void xfd_reset(unsigned cpu, unsigned type);
void xfd_decoded(unsigned cpu, bxInstruction_c *i, const Bit8u *code, unsigned length, bool is64);

#define BX_INSTR_INITIALIZE(cpu)                          xfd_initialize(cpu)
#define BX_INSTR_RESET(cpu, type)                         xfd_reset(cpu, type)
#define BX_INSTR_OPCODE(cpu, i, code, length, is32, is64) xfd_decoded(cpu, i, code, length, is64)

#define BX_INSTR_INIT_ENV()
#define BX_INSTR_EXIT_ENV()
#define BX_INSTR_EXIT(cpu)
#define BX_INSTR_HLT(cpu)
#define BX_INSTR_MWAIT(cpu, address, length, flags)
#define BX_INSTR_DEBUG_PROMPT()
#define BX_INSTR_DEBUG_CMD(command)
#define BX_INSTR_CNEAR_BRANCH_TAKEN(cpu, from, to)
#define BX_INSTR_CNEAR_BRANCH_NOT_TAKEN(cpu, from)
#define BX_INSTR_UCNEAR_BRANCH(cpu, what, from, to)
#define BX_INSTR_FAR_BRANCH(cpu, what, from_cs, from, to_cs, to)
#define BX_INSTR_EXCEPTION(cpu, vector, error_code)
#define BX_INSTR_INTERRUPT(cpu, vector)
#define BX_INSTR_HWINTERRUPT(cpu, vector, cs, rip)
#define BX_INSTR_CLFLUSH(cpu, linear, physical)
#define BX_INSTR_CACHE_CNTRL(cpu, what)
#define BX_INSTR_TLB_CNTRL(cpu, what, cr3)
#define BX_INSTR_PREFETCH_HINT(cpu, what, segment, offset)
#define BX_INSTR_BEFORE_EXECUTION(cpu, i)
#define BX_INSTR_AFTER_EXECUTION(cpu, i)
#define BX_INSTR_REPEAT_ITERATION(cpu, i)
#define BX_INSTR_LIN_ACCESS(cpu, linear, physical, length, type, rw)
#define BX_INSTR_PHY_ACCESS(cpu, physical, length, type, rw)
#define BX_INSTR_INP(port, length)
#define BX_INSTR_INP2(port, length, value)
#define BX_INSTR_OUTP(port, length, value)
#define BX_INSTR_WRMSR(cpu, msr, value)
#define BX_INSTR_VMEXIT(cpu, reason, qualification)

#endif
