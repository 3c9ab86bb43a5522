/*
 * The ownership machine under random sequences: several vCPUs of several VMs over all CPUs, with
 * every move a scheduler and a guest can make, an oracle beside each vCPU, and the invariants
 * checked after each step. SEED=n repeats a run, STEPS=n makes it longer.
 *
 * links: hv/fp.c hv/fp_area.c tests/host/fake/fake.c tests/host/fake/guest.c
 * links: tests/host/fake/world.c tests/host/fake/fake_pages.c tests/host/fake/support.c
 */
#include "fake/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define STEPS 50000

enum move {
    MOVE_RUN,
    MOVE_READ,
    MOVE_WRITE,
    MOVE_BURST,
    MOVE_READ_ALL,
    MOVE_CONTROL,
    MOVE_XSETBV,
    MOVE_SMSTART,
    MOVE_SYNC,
    MOVE_MIGRATE,
    MOVE_LEAVE,
    MOVE_DESTROY,
    MOVE_RESET,
    MOVE_SQUEEZE,
    MOVES,
};

/* How often each move comes, of their sum: accesses and switches are what guests do. */
static const u32 weight[MOVES] = {
    [MOVE_RUN] = 25,     [MOVE_READ] = 20,   [MOVE_WRITE] = 20, [MOVE_BURST] = 5,
    [MOVE_READ_ALL] = 2, [MOVE_CONTROL] = 5, [MOVE_XSETBV] = 5, [MOVE_SMSTART] = 2,
    [MOVE_SYNC] = 4,     [MOVE_MIGRATE] = 6, [MOVE_LEAVE] = 3,  [MOVE_DESTROY] = 2,
    [MOVE_RESET] = 1,    [MOVE_SQUEEZE] = 2,
};

static u64 moves_made[MOVES];
static u64 no_memory;

static enum move pick_move(void)
{
    u32 sum = 0, at;

    for (u32 i = 0; i < MOVES; i++)
        sum += weight[i];
    at = fake_below(sum);
    for (u32 i = 0; i < MOVES; i++) {
        if (at < weight[i])
            return (enum move)i;
        at -= weight[i];
    }
    return MOVE_RUN;
}

/* Registers with few words are picked as often as those with many. */
static u32 pick_reg(void)
{
    static const struct {
        u32 first, count;
    } groups[] = {{FAKE_REG_V, FAKE_V},
                  {FAKE_REG_FCW, 1},
                  {FAKE_REG_E0, FAKE_E0},
                  {FAKE_REG_E1, FAKE_E1},
                  {FAKE_REG_Z, FAKE_V * FAKE_ZHI},
                  {FAKE_REG_P, FAKE_P},
                  {FAKE_REG_ZA, FAKE_ZA}};
    u32 g = fake_below(ARRAY_SIZE(groups));

    return groups[g].first + fake_below(groups[g].count);
}

static struct vcpu *create(u32 slot)
{
    static const fp_units offers[] = {FAKE_UNITS, FAKE_UNITS, FAKE_UNIT_BASE,
                                      FAKE_UNIT_BASE | FAKE_UNIT_VEC,
                                      FAKE_UNIT_BASE | FAKE_UNIT_MAT};

    return world_create(slot, fake_below(WORLD_VMS), fake_below(MAX_CPUS),
                        offers[fake_below(ARRAY_SIZE(offers))], fake_below(3) ? FP_LAZY : FP_EAGER);
}

static bool out_of_memory(enum fake_result result)
{
    no_memory += result == FAKE_NO_MEMORY;
    return result == FAKE_NO_MEMORY;
}

static u64 some_value(const struct vcpu *v, u32 reg)
{
    return fake_below(4) ? world_value(v, reg) : 0; /* INIT again, as guests do too */
}

/* Zeroes a whole group, or fills it: components go in and out of INIT. */
static void burst(struct vcpu *v)
{
    u32 first = pick_reg(), zero = fake_below(2);

    for (u32 reg = first; reg < FAKE_REGS && reg < first + 64; reg++) {
        if (out_of_memory(world_write(v, reg, zero ? 0 : world_value(v, reg))))
            return;
    }
}

/* Quota and memory come and go; what cannot be had must cost nothing but the refusal. */
static void squeeze(void)
{
    struct vm *vm = &world.vms[fake_below(WORLD_VMS)];

    switch (fake_below(3)) {
    case 0:
        vm->fp_quota.limit = vm->fp_quota.used + fake_below(4096);
        break;
    case 1:
        fake_pages_limit = fake_pages_held + fake_below(3);
        break;
    default:
        vm->fp_quota.limit = MiB(1);
        fake_pages_limit = ~0ull;
    }
}

static void guest_move(enum move move, struct vcpu *v)
{
    u32 reg = pick_reg();

    switch (move) {
    case MOVE_READ:
        out_of_memory(world_read(v, reg));
        break;
    case MOVE_WRITE:
        out_of_memory(world_write(v, reg, some_value(v, reg)));
        break;
    case MOVE_BURST:
        burst(v);
        break;
    case MOVE_READ_ALL:
        world_read_all(v);
        break;
    case MOVE_CONTROL:
        world_control(v, fake_rand());
        break;
    case MOVE_XSETBV:
        out_of_memory(world_xsetbv(v, FAKE_XCR_V | (fake_rand() & 6)));
        break;
    case MOVE_SMSTART:
        out_of_memory(world_smstart(v));
        break;
    case MOVE_SYNC:
        fp_sync(v);
        break;
    default:
        break;
    }
}

static void step(void)
{
    u32 slot = fake_below(WORLD_SLOTS);
    struct vcpu *v = &world.slots[slot];
    enum move move = pick_move();

    if (!world.exists[slot])
        v = create(slot);
    moves_made[move]++;
    if (move == MOVE_SQUEEZE) {
        squeeze();
    } else if (move == MOVE_MIGRATE) {
        world_migrate(v, fake_below(MAX_CPUS));
    } else if (move == MOVE_LEAVE) {
        world_leave(v->pcpu);
    } else if (move == MOVE_DESTROY) {
        world_destroy(v);
        if (fake_below(2))
            create(slot); /* at the same address, at once */
    } else if (move == MOVE_RESET) {
        world_reset_vcpu(v);
    } else if (!world_run(v)) {
        no_memory++; /* an eager one that found no memory */
    } else if (move != MOVE_RUN) {
        guest_move(move, v);
    }
    world_check();
}

static void random_sequence(void **state)
{
    const char *steps = getenv("STEPS");
    u64 seed = fake_seed() + (*state ? 1000 : 0);
    u64 n = steps ? strtoull(steps, NULL, 0) : STEPS;

    memset(moves_made, 0, sizeof(moves_made));
    no_memory = 0;
    fake_srand(seed);
    print_message("# SEED=%llu, %llu steps\n", (unsigned long long)seed, (unsigned long long)n);
    for (u64 i = 0; i < n; i++) {
        if (i % 4096 == 0)
            fake.must_load = i / 4096 % 4 == 3;
        step();
    }
    for (u32 i = 0; i < MOVES; i++)
        assert_true(n < 10000 || moves_made[i] > 0);
    assert_true(n < 10000 || no_memory > 0); /* the refusals were really reached */
    fake_pages_limit = ~0ull;
    print_message("# %llu entries, %llu loads, %llu saves, %llu scrubs, %llu relayouts, "
                  "%llu times no memory\n",
                  (unsigned long long)fake.count.entries, (unsigned long long)fake.count.loads,
                  (unsigned long long)fake.count.saves, (unsigned long long)fake.count.scrubs,
                  (unsigned long long)fake.count.relayouts, (unsigned long long)no_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {WORLD_TEST(random_sequence)};

    return cmocka_run_group_tests_name("fp random", tests, NULL, NULL);
}
