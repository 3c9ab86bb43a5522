/*
 * SVM without a CPU that has it: a VM of SVM vCPUs, what the files of arch/x86_64 call besides, and
 * an exit at the push of a button.
 */
#ifndef TESTS_SVM_WORLD_H
#define TESTS_SVM_WORLD_H

#include "fake/support.h"
#include "cpuid_policy.h"
#include "exceptions.h"
#include "fp_config.h"
#include "fp_hw.h"
#include "leaks.h"
#include "npt.h"
#include "selftest.h"
#include "paging.h"
#include "svm.h"
#include "virt.h"
#include "arch/arch.h"
#include "boot/boot_info.h"
#include "hv/console.h"
#include "hv/hypercall.h"
#include "hv/pages.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define RAM MiB(6)

#define GP 0x80000b0dull
#define UD 0x80000306ull
#define DB 0x80000301ull

/* What happened: the crash's sentence, the console's text, vm_end()'s status, calls of the rest. */
extern char crash[512], console[64];
extern u64 ended, pages_held, pages_kept;
extern bool has_ended;
extern u32 fp_traps, starts, offs;
extern enum fp_trap_result fp_answer;

extern struct vm vm;
extern u8 *ram;

struct vmcb *vmcb_of(u32 n);

/* A VM of two, or of as many as are asked for. */
int make_vm(void **state, u32 nvcpus);
int setup(void **state);
int teardown(void **state);

/* vCPU 0 leaves the guest with this EXITCODE. */
enum vcpu_event exits(u64 code);

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
