/*
 * What an x86-64 guest reaches by a trap: MSRs, the x2APIC's INIT and SIPI, I/O ports. Every number
 * it can write, and nothing but the answers hardware gives.
 *
 * links: arch/x86_64/msr.c arch/x86_64/vapic.c arch/x86_64/io.c hv/uart16550.c hv/format.c
 * links: tests/host/fake/support.c arch/x86_64/fp_xfd.c tests/host/x86_64/no_growth.c
 * machine: x86_64
 */
#include "fake/support.h"
#include "io.h"
#include "msr.h"
#include "fp_hw.h"
#include "vcpu.h"
#include "virt.h"
#include "x86.h"
#include "arch/arch.h"
#include "hv/console.h"

#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define VCPUS 4u

struct cpu_features cpu_has;
struct fp_hw fp_hw;

void fp_plan(struct fp_ctx *fp)
{
    (void)fp;
}

static struct vm vm;
static struct vcpu vcpus[VCPUS];
static u64 regs[VCPUS][32];
static u32 started, stopped, crashed, ended, resets, flushes, printed, said;
static u64 end_status, sipi_vector;

static u64 get_reg(const struct vcpu *v, enum guest_reg reg)
{
    return regs[v->id][reg];
}

static void set_reg(struct vcpu *v, enum guest_reg reg, u64 value)
{
    regs[v->id][reg] = value;
}

static void flush(struct vcpu *v)
{
    (void)v;
    flushes++;
}

static void reset(struct vcpu *v, enum guest_entry entry, u64 where)
{
    assert_int_equal(v->state, VCPU_OFF);
    assert_int_equal(entry, ENTRY_SIPI);
    sipi_vector = where;
    resets++;
}

static void trap_nm(struct vcpu *v, bool trap)
{
    (void)v;
    (void)trap;
}

static const struct virt_ops ops = {
    .trap_nm = trap_nm, .get = get_reg, .set = set_reg, .flush_tlb = flush, .vcpu_reset = reset};
const struct virt_ops *virt = &ops;

const char *vm_name(const struct vm *which)
{
    assert_ptr_equal(which, &vm);
    return "alpha";
}

void vcpu_start(struct vcpu *v)
{
    v->state = VCPU_RUNNABLE;
    started |= 1u << v->id;
}

void vcpu_off(struct vcpu *v)
{
    assert_int_not_equal(v->state, VCPU_OFF);
    v->state = VCPU_OFF;
    stopped |= 1u << v->id;
}

struct cpuid_regs vcpu_cpuid(struct vcpu *v, u32 leaf, u32 subleaf)
{
    (void)v;
    (void)subleaf;
    return (struct cpuid_regs){0x1234 + leaf, 0, 0, 0};
}

void vcpu_crash(struct vcpu *v, const char *fmt, ...)
{
    char text[256];
    va_list args;

    (void)v;
    va_start(args, fmt);
    assert_true(format_text_v(text, sizeof(text), fmt, args) < 250); /* one whole sentence */
    va_end(args);
    crashed++;
}

void vm_end(struct vm *which, u64 status)
{
    (void)which;
    ended++;
    end_status = status;
}

void vm_console_putc(struct vcpu *v, char c)
{
    (void)v;
    (void)c;
    printed++;
}

void say(enum log_level level, const char *fmt, ...)
{
    (void)level;
    (void)fmt;
    said++;
}

static int setup(void **state)
{
    (void)state;
    memset(&vm, 0, sizeof(vm));
    memset(vcpus, 0, sizeof(vcpus));
    memset(regs, 0, sizeof(regs));
    vm.nvcpus = VCPUS;
    for (u32 i = 0; i < VCPUS; i++) {
        vcpus[i].vm = &vm;
        vcpus[i].id = i;
        vcpus[i].state = i == 0 ? VCPU_RUNNABLE : VCPU_OFF;
        vcpus[i].arch.apic_base = 0xfee00d00;
        vm.vcpus[i] = &vcpus[i];
    }
    started = stopped = crashed = ended = resets = flushes = printed = said = 0;
    return 0;
}

static enum msr_result wr(u32 msr, u64 value)
{
    return msr_write(&vcpus[0], msr, value);
}

/* ---- x2APIC ---- */

#define ICR 0x830

/* INIT, SIPI, SIPI, as every kernel does it: the second SIPI finds the vCPU running. */
static void starting(void **state)
{
    (void)state;
    assert_int_equal(wr(ICR, 2ull << 32 | 0x0608), MSR_DONE); /* SIPI without INIT: nothing */
    assert_int_equal(started, 0);
    assert_int_equal(wr(ICR, 2ull << 32 | 0xc500), MSR_DONE);
    assert_int_equal(wr(ICR, 2ull << 32 | 0x8500), MSR_DONE); /* de-assert */
    assert_int_equal(wr(ICR, 2ull << 32 | 0x0608), MSR_DONE);
    assert_int_equal(started, 4);
    assert_int_equal(sipi_vector, 8);
    assert_int_equal(wr(ICR, 2ull << 32 | 0x0609), MSR_DONE);
    assert_int_equal(resets, 1);
    assert_int_equal(crashed, 0);
}

static void all_others(void **state)
{
    (void)state;
    assert_int_equal(wr(ICR, 0xc4500), MSR_DONE); /* shorthand: all but self */
    assert_int_equal(wr(ICR, 0xffffffffull << 32 | 0x0610), MSR_DONE);
    assert_int_equal(started, 0xe);
    assert_int_equal(wr(ICR, 9ull << 32 | 0x0610), MSR_DONE); /* nobody there: lost, as on a bus */
    assert_int_equal(crashed, 0);
    assert_int_equal(wr(ICR, 1ull << 32 | 0x4500), MSR_DONE); /* INIT to one that runs: it stops, */
    assert_int_equal(stopped, 2);
    assert_int_equal(wr(ICR, 1ull << 32 | 0x0612), MSR_DONE); /* and starts anew */
    assert_int_equal(vcpus[1].state, VCPU_RUNNABLE);
    assert_int_equal(vcpus[1].arch.regs[RDX], 0x1235);
    assert_int_equal(wr(ICR, 0x4500), MSR_STOPPED); /* INIT to itself */
    assert_int_equal(crashed, 1);
}

/* Every value of the low half that matters: refused, #GP or done; a vCPU starts only by SIPI. */
static void every_icr(void **state)
{
    for (u64 low = 0; low < BIT(20); low += 0x11) {
        setup(state);
        u32 mode = low >> 8 & 7;
        enum msr_result result = wr(ICR, 1ull << 32 | low);
        if (low & 0x33000) /* reserved */
            assert_int_equal(result, MSR_GP);
        else if (mode != 5 && mode != 6)
            assert_int_equal(result, MSR_STOPPED);
        assert_int_equal(result == MSR_STOPPED, crashed);
        assert_int_equal(started, 0); /* there was no INIT before */
    }
    assert_int_equal(wr(ICR, BIT(20) | 0x4500), MSR_GP);
    assert_int_equal(wr(ICR, BIT(31) | 0x4500), MSR_GP);
}

static void apic_registers(void **state)
{
    u64 value;

    (void)state;
    for (u32 i = 0; i < VCPUS; i++) {
        assert_int_equal(msr_read(&vcpus[i], 0x802, &value), MSR_DONE);
        assert_int_equal(value, i);
    }
    assert_int_equal(msr_read(&vcpus[0], 0x803, &value), MSR_DONE);
    assert_in_range(value & 0xff, 0x10, 0x15);
    assert_int_equal(wr(0x802, 0), MSR_GP); /* the ID is read-only */
    assert_int_equal(wr(0x80b, 0), MSR_DONE);
    assert_int_equal(wr(0x80b, 1), MSR_GP);
    assert_int_equal(wr(0x808, 0x100), MSR_GP);
    assert_int_equal(wr(0x808, 0x20), MSR_DONE);
    assert_int_equal(msr_read(&vcpus[0], 0x808, &value), MSR_DONE);
    assert_int_equal(value, 0x20);
    assert_int_equal(wr(0x80f, 0x1ff), MSR_DONE);
    assert_int_equal(wr(0x80f, BIT(13)), MSR_GP);
    assert_int_equal(wr(0x832, BIT(16) | 0x20), MSR_DONE);
    assert_int_equal(crashed, 0);
    assert_int_equal(wr(0x832, 0x20), MSR_STOPPED); /* an unmasked timer would never fire */
    assert_int_equal(crashed, 1);
}

/* ---- MSRs ---- */

/* BUGS 38 once more: what has state nobody switches is #GP, read and written. */
static void bugs38_msrs(void **state)
{
    static const u32 absent[] = {0xda0 /* XSS */,
                                 0x1c4 /* XFD */,
                                 0x1c5 /* XFD_ERR */,
                                 0xd90 /* BNDCFGS */,
                                 0x6a0 /* U_CET */,
                                 0x6a2 /* S_CET */,
                                 0x6e1 /* PKRS */,
                                 0x985 /* UINTR */,
                                 0x48 /* SPEC_CTRL */,
                                 0x49 /* PRED_CMD */,
                                 0xc0010117 /* VM_HSAVE_PA */,
                                 0xc0010114 /* VM_CR */,
                                 0xc0000103 /* TSC_AUX */,
                                 0x3a,
                                 0x480,
                                 0x17,
                                 0x79,
                                 0x1d9,
                                 0x560,
                                 0xc1,
                                 0x186,
                                 0x38f,
                                 0x10a,
                                 0x8b,
                                 0xc0011022,
                                 0,
                                 1,
                                 0xffffffff};
    u64 value;

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(absent); i++) {
        assert_int_equal(msr_read(&vcpus[0], absent[i], &value), MSR_GP);
        assert_int_equal(wr(absent[i], 0), MSR_GP);
        assert_int_equal(wr(absent[i], ~0ull), MSR_GP);
    }
    assert_int_equal(said, 1); /* a probing driver does not flood the console */
    assert_int_equal(crashed, 0);
}

static void efer(void **state)
{
    (void)state;
    for (u32 bit = 0; bit < 64; bit++) {
        bool known = bit == 0 || bit == 8 || bit == 11;
        assert_int_equal(wr(MSR_EFER, BIT(bit)), known ? MSR_DONE : MSR_GP);
        wr(MSR_EFER, 0);
    }
    regs[0][GUEST_EFER] = EFER_LME | EFER_LMA;
    regs[0][GUEST_CR0] = CR0_PG | CR0_PE;
    assert_int_equal(wr(MSR_EFER, EFER_LME | EFER_LMA | EFER_NXE), MSR_DONE);
    assert_int_equal(wr(MSR_EFER, EFER_LME), MSR_GP); /* LMA does not go by itself, */
    assert_int_equal(wr(MSR_EFER, EFER_LMA), MSR_GP); /* nor LME under paging */
    assert_int_equal(regs[0][GUEST_EFER], EFER_LME | EFER_LMA | EFER_NXE);
}

/* IA32_XFD, IA32_XFD_ERR and IA32_XSS: there if offered, and then no bit but those that exist. */
static void xfd_and_xss(void **state)
{
    struct arch_fp *fp = &vcpus[0].fp.arch;
    u64 value = 1;

    (void)state;
    for (u32 offered = 0; offered < 4; offered++) {
        fp_hw.xfd = offered & 1;
        fp->perm = offered & 2 ? 0x602e7 : 0x2e7;
        fp->xfd = fp->xfd_err = 0;
        enum msr_result there = offered == 3 ? MSR_DONE : MSR_GP;
        assert_int_equal(msr_read(&vcpus[0], MSR_XFD, &value), there);
        assert_int_equal(msr_read(&vcpus[0], MSR_XFD_ERR, &value), there);
        for (u32 bit = 0; bit < 64; bit++) {
            enum msr_result want = bit == 18 ? there : MSR_GP;
            assert_int_equal(wr(MSR_XFD, BIT(bit)), want);
            assert_int_equal(wr(MSR_XFD_ERR, BIT(bit)), want);
            assert_int_equal(wr(MSR_XFD, BIT(bit) | BIT(18) | BIT(17)), MSR_GP);
        }
        assert_int_equal(fp->xfd,
                         offered == 3 ? BIT(18) : 0); /* what was refused changed nothing */
        assert_int_equal(wr(MSR_XFD, 0), there);
        assert_int_equal(msr_read(&vcpus[0], MSR_XFD_ERR, &value), there);
        assert_true(there == MSR_GP || value == BIT(18));
    }
    fp_hw.xfd = false;
    for (u32 xsaves = 0; xsaves < 2; xsaves++) {
        cpu_has.xsaves = xsaves;
        assert_int_equal(wr(MSR_XSS, 0), xsaves ? MSR_DONE : MSR_GP);
        assert_int_equal(msr_read(&vcpus[0], MSR_XSS, &value), xsaves ? MSR_DONE : MSR_GP);
        for (u32 bit = 0; bit < 64; bit++)
            assert_int_equal(wr(MSR_XSS, BIT(bit)), MSR_GP);
    }
    fp_hw.xsaves_hidden = true; /* VMX without the control */
    assert_int_equal(wr(MSR_XSS, 0), MSR_GP);
    fp_hw.xsaves_hidden = cpu_has.xsaves = false;
}

static void other_msrs(void **state)
{
    u64 value;

    (void)state;
    for (u32 type = 0; type < 256; type++) {
        bool good = type < 8 && type != 2 && type != 3;
        assert_int_equal(pat_valid(0x0007040600070006ull | (u64)type << 8), good);
    }
    assert_int_equal(wr(MSR_PAT, 0x0007040600070406), MSR_DONE);
    assert_int_equal(msr_read(&vcpus[0], MSR_PAT, &value), MSR_DONE);
    assert_int_equal(value, 0x0007040600070406);
    assert_int_equal(wr(MSR_APIC_BASE, 0xfee00d00), MSR_DONE);
    assert_int_equal(wr(MSR_APIC_BASE, 0xfee00000), MSR_GP); /* switching the APIC off */
    assert_int_equal(wr(MSR_APIC_BASE, 0xfec00d00), MSR_GP); /* moving it */
    assert_int_equal(wr(MSR_TSC, 1000000), MSR_DONE);
    assert_int_equal(msr_read(&vcpus[0], MSR_TSC, &value), MSR_DONE);
    assert_true(value >= 1000000 && value < 1000000 + BIT(40));
}

/* Any MSR, any value: an answer, and no effect on another vCPU but by ICR. */
static void fuzz(void **state)
{
    fake_srand(fake_seed());
    print_message("# SEED=%llu\n", (unsigned long long)fake_seed());
    for (u32 round = 0; round < 100000; round++) {
        u64 value;
        setup(state);
        u32 msr = fake_below(4) ? 0x800 + fake_below(0x100) : (u32)fake_rand();
        enum msr_result read = msr_read(&vcpus[1], msr, &value);
        assert_true(read == MSR_DONE || read == MSR_GP);
        enum msr_result write = wr(msr, fake_rand() & fake_rand() & fake_rand());
        assert_true(write == MSR_DONE || write == MSR_GP || write == MSR_STOPPED);
        assert_int_equal(write == MSR_STOPPED, crashed);
        assert_true(msr == ICR || resets == 0);
    }
}

/* ---- Ports ---- */

static void ports(void **state)
{
    u32 value;

    (void)state;
    for (u32 port = 0; port < 0x10000; port++) {
        for (unsigned bytes = 1; bytes <= 4; bytes *= 2) {
            value = 0x12345678;
            assert_int_equal(io_access(&vcpus[0], (u16)port, bytes, true, &value), VCPU_RESUME);
            assert_true(bytes == 4 || value >> (8 * bytes) == 0);
            if (port + bytes <= 0x3f8 || port >= 0x400)
                assert_int_equal(value,
                                 bytes == 4 ? ~0u : (1u << 8 * bytes) - 1); /* no one there */
            value = 0;
            if (port != 0xf4)
                assert_int_equal(io_access(&vcpus[0], (u16)port, bytes, false, &value),
                                 VCPU_RESUME);
        }
    }
    assert_int_equal(ended, 0);
    assert_true(printed > 0);
}

static void exit_port(void **state)
{
    static const u32 values[] = {0x10, 0, 1, 0x11, 0xffffffff};

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(values); i++) {
        u32 value = values[i];
        assert_int_equal(io_access(&vcpus[0], 0xf4, 4, false, &value), VCPU_VM_ENDED);
        assert_int_equal(ended, i + 1);
        assert_int_equal(end_status == 0, values[i] == 0x10);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, NULL)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(starting),    TEST(all_others), TEST(every_icr),  TEST(apic_registers),
        TEST(bugs38_msrs), TEST(efer),       TEST(other_msrs), TEST(xfd_and_xss),
        TEST(fuzz),        TEST(ports),      TEST(exit_port),
    };

    return cmocka_run_group_tests_name("traps x86", tests, NULL, NULL);
}
