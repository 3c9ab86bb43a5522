/*
 * The hypervisor's FP code on an executable model of arm64 (tests/model/arm64/cpu.h), under random
 * guests by the million instructions, on random machines: each guest beside a reference that is
 * never preempted. SEED=n repeats a run, STEPS=n makes it longer.
 *
 * links: hv/fp.c hv/fp_area.c hv/format.c arch/arm64/fp.c arch/arm64/fp_sme.c
 * links: arch/arm64/fp_context.c arch/arm64/fp_debug.c arch/arm64/fp_transfer.c
 * links: arch/arm64/fp_config.c arch/arm64/vec_layout.c arch/arm64/features.c
 * links: arch/arm64/traps.c arch/arm64/sysreg_traps.c arch/arm64/id_filter.c
 * links: tests/model/arm64/cpu.c tests/model/arm64/cpu_checks.c tests/model/arm64/cpu_sysreg.c
 * links: tests/model/arm64/cpu_step.c tests/model/arm64/machine.c tests/model/arm64/moves.c
 * links: tests/model/arm64/vectors.c tests/model/arm64/support.c tests/model/arm64/world.c
 * links: tests/model/arm64/invariants.c tests/model/arm64/programs.c
 * links: tests/model/arm64/transfer.c
 * machine: arm64
 */
#include "tests/model/arm64/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define STEPS    1000000u
#define SEQUENCE 4000u /* instructions on one machine */

/* ---- Random sequences ---- */

static void burst(struct guest *g)
{
    static struct insn insns[16];
    u32 n = 1 + model_below(model_below(4) ? 4 : ARRAY_SIZE(insns));

    g->el = model_below(4) != 0;
    for (u32 i = 0; i < n; i++) {
        /* One at a time into the future: what is next depends on what the last one did. */
        program_next(g, &insns[0]);
        world_execute(g, insns, 1);
    }
}

static void squeeze(void)
{
    struct vm *vm = &world.vms[model_below(WORLD_VMS)];

    if (model_below(2))
        vm->fp_quota.limit = vm->fp_quota.used;
    else
        vm->fp_quota.limit = MiB(1);
}

static void destroy(u32 i)
{
    struct guest *g = &world.guests[i];
    struct pcpu *cpu = g->v.pcpu;

    if (cpu->current == &g->v && model_below(2)) {
        model_at = cpu->id;
        fp_release(&g->v); /* while it owns the registers (BUGS 24), and is made again there */
    }
    if (cpu->current == &g->v)
        world_leave(cpu->id);
    fp_release(&g->v);
    world_create(i, model_below(4) == 0);
}

static void move(void)
{
    u32 i = model_below(WORLD_GUESTS);
    struct guest *g = &world.guests[i];

    switch (model_below(64)) {
    case 0:
        destroy(i);
        break;
    case 1:
        squeeze();
        break;
    case 2:
    case 3:
        world_leave(model_below(world.cpus));
        break;
    case 4:
    case 5:
        if (g->v.pcpu->current == &g->v) {
            model_at = g->v.pcpu->id;
            fp_sync(&g->v);
        }
        break;
    case 6:
        world_run(g, model_below(world.cpus));
        world_read_all(g);
        break;
    case 7:
        world_transfer(g, model_below(2) ? g : &world.guests[model_below(WORLD_GUESTS)]);
        break;
    case 8:
        world_hostile(g);
        break;
    default:
        world_run(g, model_below(4) ? g->v.pcpu->id : model_below(world.cpus));
        for (u32 n = 1 + model_below(4); n; n--)
            burst(g);
    }
    world_check();
}

static void sequence(u64 seed, u64 steps)
{
    world_start(seed, NULL, seed & 1);
    world_check();
    while (world.step < steps)
        move();
    for (u32 i = 0; i < WORLD_GUESTS; i++) {
        world_run(&world.guests[i], model_below(world.cpus));
        world_read_all(&world.guests[i]);
        world_check();
    }
    world_end();
}

static void random_guests(void **state)
{
    u64 steps = model_steps(STEPS), seed = model_seed(), done = 0, traps = 0, switches = 0;
    u64 transfers = 0, hostile = 0;
    u32 machines = 0;

    (void)state;
    for (; done < steps; seed++, machines++) {
        sequence(seed, steps - done < SEQUENCE ? steps - done : SEQUENCE);
        done += world.step;
        traps += world.traps;
        switches += world.switches;
        transfers += world.transfers;
        hostile += world.hostile_accepted;
    }
    print_message(
        "# %llu instructions on %u machines, %llu switches, %llu exits, %llu states moved "
        "to another vCPU, %llu hostile ones accepted\n",
        (unsigned long long)done, machines, (unsigned long long)switches, (unsigned long long)traps,
        (unsigned long long)transfers, (unsigned long long)hostile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_guests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
