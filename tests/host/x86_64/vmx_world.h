/*
 * VMX without a CPU that has it: the real code with its real instructions, each of which faults in
 * user mode and is done by hand on VMCSs, MSRs and control registers made up here. The rest of the
 * world is svm_world.h's.
 */
#ifndef TESTS_VMX_WORLD_H
#define TESTS_VMX_WORLD_H

#include "x86_64/svm_world.h"
#include "vcpu.h"
#include "vmx.h"

/* The field of a vCPU's VMCS, by the manual's encoding. */
u64 *field(u32 vcpu, u32 encoding);

/* What the made-up CPU holds. */
extern u64 fake_cr2, fake_dr[8];
u64 *fake_msr(u32 index);
extern bool timer_pending; /* the APIC's interrupt waits for IF */
extern u64 current_vmcs;   /* VMPTRLD's */
extern u64 flush_type;     /* of the last INVVPID or INVEPT */
extern u64 flushed_vpid, flushed_eptp;
extern u32 flushes; /* INVVPIDs */

int vmx_setup(void **state);
int vmx_teardown(void **state);
int vmx_once(void **state); /* before the first test */

/* Capability MSRs with everything (test_vmx_caps.c has the manual's view of them). */
extern const struct vmx_msrs vmx_all;

/* vCPU 0 leaves the guest for this reason. The instruction's length is 2 unless said otherwise. */
enum vcpu_event vmx_exits(u32 reason);
extern u64 next_vectoring, next_length, next_qualification;

void vmx_run(void **state); /* the test that *state points to */
#define VMX_TEST(f)                                                                                \
    {                                                                                              \
#f, vmx_run, vmx_setup, vmx_teardown, f                                                    \
    }

/* Encodings of SDM 3, appendix B: a wrong name in vmx.h would agree with itself. */
#define F_ENTRY_EVENT      0x4016
#define F_ENTRY_ERROR      0x4018
#define F_ENTRY_LENGTH     0x401a
#define F_EXCEPTIONS       0x4004
#define F_ENTRY_CONTROLS   0x4012
#define F_EXIT_EVENT       0x4404
#define F_VECTORING_ERROR  0x440a
#define F_INTERRUPTIBILITY 0x4824
#define F_CS_RIGHTS        0x4816
#define F_SS_RIGHTS        0x4818
#define F_TR_RIGHTS        0x4822
#define F_CR0_MASK         0x6000
#define F_CR4_MASK         0x6002
#define F_CR0_SHADOW       0x6004
#define F_CR4_SHADOW       0x6006
#define F_CR0              0x6800
#define F_CR3              0x6802
#define F_CR4              0x6804
#define F_DR7              0x681a
#define F_RSP              0x681c
#define F_RIP              0x681e
#define F_RFLAGS           0x6820
#define F_PENDING_DEBUG    0x6822
#define F_EFER             0x2806
#define F_GUEST_PHYSICAL   0x2400

#endif
