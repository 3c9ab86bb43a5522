/* System registers of EL2 for programs in user mode: the access faults, and is done by hand. */
#ifndef TESTS_USER_FAULT_H
#define TESTS_USER_FAULT_H

/* From here on an MRS or MSR that faults reads or writes a word of a table; TPIDR_EL2 is &pcpus[0].
 */
void user_catch_faults(void);

#endif
