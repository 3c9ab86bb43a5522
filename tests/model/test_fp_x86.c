/*
 * The hypervisor's FP code and its SVM backend on an executable model of x86-64
 * (tests/model/x86_64/cpu.h), under random guests by the million instructions, on random machines:
 * each guest beside a reference that is never preempted. SEED=n repeats a run, STEPS=n makes it
 * longer.
 *
 * links: hv/fp.c hv/fp_area.c hv/format.c arch/x86_64/fp.c arch/x86_64/fp_debug.c
 * links: arch/x86_64/fp_tiles.c arch/x86_64/fp_xfd.c arch/x86_64/fp_components.c
 * links: arch/x86_64/fp_config.c arch/x86_64/xstate_layout.c arch/x86_64/svm.c
 * links: arch/x86_64/svm_cr.c arch/x86_64/svm_exits.c arch/x86_64/svm_maps.c
 * links: arch/x86_64/exits.c arch/x86_64/vcpu.c arch/x86_64/cr.c arch/x86_64/msr.c
 * links: arch/x86_64/cpuid_policy.c arch/x86_64/decode_cr.c arch/x86_64/guest_walk.c
 * links: tests/model/x86_64/cpu.c tests/model/x86_64/cpu_xsave.c
 * links: tests/model/x86_64/cpu_amx.c tests/model/x86_64/random.c tests/model/x86_64/insn.c
 * links: tests/model/x86_64/machine.c tests/model/x86_64/support.c
 * links: tests/model/x86_64/world.c tests/model/x86_64/guest.c
 * links: tests/model/x86_64/programs.c tests/model/x86_64/transfer.c
 * links: hv/fp_transfer.c arch/x86_64/fp_transfer.c
 * links: tests/host/x86_64/no_gdb.c
 * machine: x86_64
 */
#include "tests/model/x86_64/world.h"
#include "fp_hw.h"
#include "tests/model/x86_64/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define STEPS    1000000u
#define SEQUENCE 4000u /* instructions on one machine */

static void destroy(u32 i)
{
    struct guest *g = &world.guests[i];
    struct pcpu *cpu = g->v.pcpu;

    if (cpu->current == &g->v && one_in(2)) {
        model_at = cpu->id;
        fp_release(&g->v); /* while it owns the registers (BUGS 24), and is made again there */
    }
    if (cpu->current == &g->v)
        world_leave(cpu->id);
    fp_release(&g->v);
    world_create(i, one_in(4) ? FP_EAGER : FP_LAZY);
}

static void move(void)
{
    struct insn insn;
    u32 i = random_below(WORLD_GUESTS);
    struct guest *g = &world.guests[i];

    switch (random_below(64)) {
    case 0:
        destroy(i);
        break;
    case 1:
    case 2:
        world_leave(random_below(world.cpus));
        break;
    case 3:
    case 4:
        if (g->v.pcpu->current == &g->v) {
            model_at = g->v.pcpu->id;
            fp_sync(&g->v);
        }
        break;
    case 5:
        world_transfer(&world.guests[random_below(WORLD_GUESTS)], g);
        break;
    case 6:
        world_hostile(g);
        break;
    case 7:
        world_want_memory();
        break;
    default:
        world_run(g, one_in(4) ? random_below(world.cpus) : g->v.pcpu->id);
        for (u32 n = 1 + random_below(one_in(4) ? 32 : 4); n; n--) {
            program_next(g, &insn);
            world_execute(g, &insn);
        }
    }
    world_check();
}

static void run(u64 errata)
{
    u64 steps = random_steps(STEPS), seed = random_seed(), done = 0, switches = 0, transfers = 0,
        hostile = 0;
    u32 machines = 0;

    for (; done < steps; seed++, machines++) {
        world.step = world.switches = world.transfers = world.hostile = 0;
        world_start(seed, errata);
        world_check();
        while (world.step < SEQUENCE && done + world.step < steps)
            move();
        done += world.step;
        switches += world.switches;
        transfers += world.transfers;
        hostile += world.hostile;
        world_end();
    }
    print_message("%llu instructions, %llu switches, %llu transfers, %llu hostile ones, "
                  "%u machines\n",
                  (unsigned long long)done, (unsigned long long)switches,
                  (unsigned long long)transfers, (unsigned long long)hostile, machines);
}

static void random_guests(void **state)
{
    (void)state;
    run(0);
}

/* The fallbacks hold: AMX moved by hand, EMMS's escape, saves that leave nothing out. */
static void bochs_guests(void **state)
{
    (void)state;
    run(ERRATA_BOCHS);
}

static void qemu_guests(void **state)
{
    (void)state;
    run(ERRATA_QEMU);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_guests),
        cmocka_unit_test(bochs_guests),
        cmocka_unit_test(qemu_guests),
    };

    return cmocka_run_group_tests_name("fp_x86", tests, NULL, NULL);
}
