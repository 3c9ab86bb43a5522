/*
 * The bug museum's arm64 rows as short programs on the model, on CPUs with and without FA64 and
 * SVE, in both formats of CPTR_EL2, under each way of treating bits above the length. Each
 * instruction is compared with the reference, so a row only has to say what is done.
 *
 * links: hv/fp.c hv/fp_area.c hv/format.c arch/arm64/fp.c arch/arm64/fp_sme.c
 * links: arch/arm64/fp_context.c arch/arm64/fp_debug.c arch/arm64/fp_transfer.c
 * links: arch/arm64/fp_config.c arch/arm64/vec_layout.c arch/arm64/features.c
 * links: arch/arm64/traps.c arch/arm64/sysreg_traps.c arch/arm64/id_filter.c
 * links: tests/model/arm64/cpu.c tests/model/arm64/cpu_checks.c tests/model/arm64/cpu_sysreg.c
 * links: tests/model/arm64/cpu_step.c tests/model/arm64/machine.c tests/model/arm64/moves.c
 * links: tests/model/arm64/vectors.c tests/model/arm64/support.c tests/model/arm64/world.c
 * links: tests/model/arm64/invariants.c tests/model/arm64/transfer.c
 * machine: arm64
 */
#include "tests/model/arm64/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define OPEN_ALL (3ull << FPEN_SHIFT | 3ull << ZEN_SHIFT | 3ull << SMEN_SHIFT)

/* Guest 0 is what is looked at, 1 and 2 are neighbours in other VMs. */
static struct guest *const me = &world.guests[0];

static void step(enum cpu_op op, u32 n, u32 m, u64 value)
{
    static struct insn insn;

    insn.op = op;
    insn.n = n;
    insn.m = m;
    insn.value = value;
    for (u32 i = 0; i < CPU_VL_MAX; i += 8) {
        u64 r = model_random();
        memcpy(insn.data + i, &r, 8);
    }
    world_execute(me, &insn, 1);
    world_check();
}

static void msr(u32 reg, u64 value)
{
    step(OP_MSR, reg, 0, value);
}

static void svcr(u64 value)
{
    msr(R_SVCR, value);
}

static void each(enum cpu_op op, u32 count)
{
    for (u32 n = 0; n < count; n++)
        step(op, n, 0, 0);
}

/* Patterns in all that there is in this mode. */
static void fill(void)
{
    each(OP_LDR_P, 16);
    step(OP_WRFFR, 3, 0, 0);
    each(OP_LDR_Z, 32);
    each(OP_LDR_ZA, 256);
    step(OP_LDR_ZT0, 0, 0, 0);
    msr(R_FPCR, 0x01c00000);
    msr(R_FPSR, 0x9b);
    msr(R_FPMR, model_random());
    msr(R_TPIDR2_EL0, model_random());
}

/* Both neighbours fill everything, in streaming mode and out of it; then this one is back. */
static void preempted(void)
{
    static struct insn insn;

    for (u32 i = 1; i < WORLD_VMS; i++) {
        struct guest *g = &world.guests[i];
        world_run(g, 0);
        insn = (struct insn){.op = OP_MSR, .n = R_CPACR_EL1, .value = OPEN_ALL};
        world_execute(g, &insn, 1);
        insn = (struct insn){.op = OP_MSR, .n = R_SVCR, .value = i == 1 ? 3 : 2};
        world_execute(g, &insn, 1);
        for (u32 n = 0; n < 32; n++) {
            insn = (struct insn){.op = OP_LDR_Z, .n = n};
            memset(insn.data, (int)(0x80 | n), sizeof(insn.data));
            world_execute(g, &insn, 1);
        }
        world_check();
    }
    world_run(me, 0);
    world_check();
}

static void begin(void)
{
    world_run(me, 0);
    msr(R_CPACR_EL1, OPEN_ALL);
    msr(R_ZCR_EL1, 15);
    msr(R_SMCR_EL1, ~0ull);
}

/* ---- The rows ---- */

static void nothing_is_lost(void)
{
    for (u32 mode = 0; mode < 4; mode++) {
        svcr(mode);
        fill();
        for (u32 n = 0; n < 10; n++) {
            preempted();
            if (n % 3 == 0)
                world_read_all(me);
        }
        world_read_all(me);
    }
}

/* The lengths are lowered, it is preempted, they are raised: what is read is what a bare CPU has.
 */
static void lengths(void)
{
    for (u32 mode = 0; mode < 4; mode++) {
        svcr(mode);
        fill();
        msr(R_ZCR_EL1, 0);
        msr(R_SMCR_EL1, BIT(30) | BIT(31));
        preempted();
        step(OP_STR_Z, 1, 0, 0); /* loaded at the short length */
        preempted();
        msr(R_ZCR_EL1, 15);
        msr(R_SMCR_EL1, ~0ull);
        world_read_all(me);
    }
}

/* CPU 0, 1 and 0 again, between the trap and the next instruction. */
static void migrated(void)
{
    svcr(3);
    fill();
    world_run(me, 1);
    each(OP_LDR_Z, 32);
    world_run(me, 0);
    world_read_all(me);
}

/* In streaming mode with SVE closed by the guest itself: SMEN decides, not ZEN. */
static void streaming_with_zen_closed(void)
{
    svcr(1);
    fill();
    msr(R_CPACR_EL1, 3ull << FPEN_SHIFT | 3ull << SMEN_SHIFT);
    preempted();
    step(OP_ADD_Z, 1, 2, 0);
    step(OP_STR_Z, 1, 0, 0);
    msr(R_CPACR_EL1, OPEN_ALL);
    world_read_all(me);
}

/* The first instruction after a preemption is SMSTART, or SMSTOP, of each kind. */
static void mode_first(void)
{
    for (u32 what = 1; what < 4; what++) {
        for (u32 on = 0; on < 2; on++) {
            svcr(on ? 0 : 3);
            fill();
            preempted();
            step(OP_MSR_SVCR, what, on, 0);
            world_read_all(me);
            preempted();
            world_read_all(me);
        }
    }
}

/* A write of V is the first after a preemption, with Z live: the rest of that Z is zero. */
static void v_first(void)
{
    for (u32 n = 0; n < 64; n++) {
        svcr(n & 2);
        fill();
        preempted();
        step(n & 1 ? OP_LDR_Q : OP_LD1, n / 2, 0, 0);
        each(OP_STR_Z, 32);
    }
}

/* Out of the VM with short vectors and into one with longer ones, in each mode. */
static void moved_to_longer(void)
{
    struct guest *longer = &world.guests[2];

    for (u32 mode = 0; mode < 4; mode++) {
        world_run(me, 0);
        svcr(mode);
        fill();
        msr(R_SMCR_EL1, 0);
        world_transfer(me, longer);
        REQUIRE(world.transfers == mode + 1, "the state is refused in mode %u", mode);
        world_run(longer, 0);
        world_read_all(longer);
        world_run(me, 0);
        msr(R_SMCR_EL1, ~0ull);
    }
}

/* Clean again after SVE and SME: a switch moves FPSIMD (world_leave() and run_one() look). */
static void small_again(void)
{
    svcr(3);
    fill();
    svcr(0);
    each(OP_LDR_Q, 32);
    preempted();
    each(OP_STR_Q, 32);
    preempted();
    world_read_all(me);
}

/* ---- On which machines ---- */

static void on_machines(void (*row)(void))
{
    for (u32 i = 0; i < 24; i++) {
        struct cpu_has has = {
            .el2 = true,
            .vls = i & 4 ? 0x8b : 0x80bf,
            .svls = 0x808a,
            .fa64 = i & 1,
            .sme2 = i & 1 || i & 4,
            .fpmr = true,
            .fgt = i & 4,
            .hcx = true,
            .uppers = (u8)(i / 8),
        };
        world_fp[0] = i & 4 ? "fpsimd,sve:512,sme:256,fpmr" : "fpsimd,sve:384,sme:256,fpmr";
        world_fp[1] = "";
        world_fp[2] = "";
        world_start(i, &has, i & 2);
        begin();
        row();
        world_end();
    }
}

static void bugs18_nothing_is_lost(void **state)
{
    (void)state;
    on_machines(nothing_is_lost);
}

static void bugs19_lengths(void **state)
{
    (void)state;
    on_machines(lengths);
}

static void bugs21_migrated(void **state)
{
    (void)state;
    on_machines(migrated);
}

static void bugs22_moved_to_longer_vectors(void **state)
{
    (void)state;
    on_machines(moved_to_longer);
}

static void bugs34_streaming_with_zen_closed(void **state)
{
    (void)state;
    on_machines(streaming_with_zen_closed);
}

static void bugs39_mode_first(void **state)
{
    (void)state;
    on_machines(mode_first);
}

static void bugs40_v_first(void **state)
{
    (void)state;
    on_machines(v_first);
}

static void clean_again_moves_560_bytes(void **state)
{
    (void)state;
    on_machines(small_again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bugs18_nothing_is_lost),
        cmocka_unit_test(bugs19_lengths),
        cmocka_unit_test(bugs21_migrated),
        cmocka_unit_test(bugs22_moved_to_longer_vectors),
        cmocka_unit_test(bugs34_streaming_with_zen_closed),
        cmocka_unit_test(bugs39_mode_first),
        cmocka_unit_test(bugs40_v_first),
        cmocka_unit_test(clean_again_moves_560_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
