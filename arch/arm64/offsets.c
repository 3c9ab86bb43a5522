/* Proves offsets.h right at compile time. Emits nothing. */
#include "arch/arch.h"
#include "exceptions.h"
#include "offsets.h"
#include "vec_layout.h"

_Static_assert(offsetof(struct vcpu, arch) == 0, "assembly takes a struct vcpu * for both");
_Static_assert(offsetof(struct arch_vcpu, x) == VCPU_X, "offsets.h");
_Static_assert(offsetof(struct arch_vcpu, x) + 30 * 8 == VCPU_X30, "offsets.h");
_Static_assert(offsetof(struct arch_vcpu, pc) == VCPU_PC, "offsets.h");
_Static_assert(offsetof(struct arch_vcpu, pstate) == VCPU_PSTATE, "offsets.h");
_Static_assert(offsetof(struct arch_vcpu, esr) == VCPU_ESR, "offsets.h");
_Static_assert(offsetof(struct arch_vcpu, el1) == VCPU_EL1, "offsets.h");
_Static_assert(EL1_REGISTERS == VCPU_EL1_N, "el1_context in vectors.S moves them in pairs");
_Static_assert(offsetof(struct vcpu, fp.in_sync) == VCPU_FP_IN_SYNC, "offsets.h");
_Static_assert(offsetof(struct vcpu, stats.exits) == VCPU_EXITS, "offsets.h");
_Static_assert(offsetof(struct crash_frame, x) == CRASH_X, "offsets.h");
_Static_assert(offsetof(struct crash_frame, sp) == CRASH_SP, "offsets.h");
_Static_assert(offsetof(struct crash_frame, pc) == CRASH_PC, "offsets.h");
_Static_assert(sizeof(struct crash_frame) == CRASH_BYTES, "offsets.h");
_Static_assert(offsetof(struct vec_header, fpsr) == VEC_STATUS_OFFSET, "offsets.h");
_Static_assert(offsetof(struct vec_header, fpcr) == VEC_STATUS_OFFSET + 4, "offsets.h");
_Static_assert(VEC_SVE == FP_UNIT_SVE && VEC_STREAMING == FP_UNIT_SME, "arch_fp_closure()");
