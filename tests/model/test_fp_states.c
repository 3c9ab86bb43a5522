/*
 * hv/fp.c, all of it: every state that two vCPUs on two CPUs can get into, by every order of
 * switches, traps, writes, syncs, growths, deaths and allocations that fail, is visited and looked
 * at. What registers and memory hold is told apart by two bits: whose, and is it what the guest
 * last wrote. So this proves I1 to I4, I6, I7 and that nothing is ever lost or shown to another,
 * for that many vCPUs, CPUs and units; `make prove` runs it.
 *
 * links: tests/model/fake/hooks.c
 * machine: fake
 */
#include "tests/model/fake/states.h"
#include "hv/fp.c" /* the very file: what is static in it is part of a state */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct given given;
struct pcpu pcpus[MAX_CPUS];
struct vcpu vcpus[VCPUS];
struct state now;
enum memory memory;
bool area_filled;
u32 areas;

static struct vm vm;
static jmp_buf failed;
static char why[200];

void panic(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    longjmp(failed, 1);
}

/* ---- States in and out of the real structures ---- */

static void put(const struct state *s)
{
    static u8 somewhere[2];

    now = *s;
    for (u32 i = 0; i < VCPUS; i++) {
        struct fp_ctx *fp = &vcpus[i].fp;
        vcpus[i].vm = &vm;
        vcpus[i].pcpu = &pcpus[s->v[i].on];
        fp->area = (struct fp_area){s->v[i].bytes ? somewhere : NULL, s->v[i].bytes};
        fp->cpu = s->v[i].cpu == NONE ? FP_NOWHERE : s->v[i].cpu;
        fp->live = s->v[i].live;
        fp->in_sync = s->v[i].in_sync;
        fp->offered = given.offered[i];
        fp->policy = (u8)given.policy[i];
        fp->arch.xcr = s->v[i].grown;
        fp->arch.z_dirty = s->v[i].noted;
        fp->spare = 0;
        fp->spare_next = NULL;
    }
    for (u32 i = 0; i < CPUS; i++) {
        pcpus[i].id = i;
        pcpus[i].fp_owner = s->c[i].owner == NONE ? NULL : &vcpus[s->c[i].owner];
        pcpus[i].current = s->c[i].current == NONE ? NULL : &vcpus[s->c[i].current];
    }
    spare_first = NULL;
    for (u32 place = VCPUS; place; place--)
        for (u32 i = 0; i < VCPUS; i++)
            if (s->v[i].listed == place)
                fp_spare(&vcpus[i], 1);
    for (u32 i = 0; i < VCPUS; i++)
        vcpus[i].fp.spare = s->v[i].spare;
    area_filled = true;
    areas = 0;
    for (u32 i = 0; i < VCPUS; i++)
        areas += s->v[i].bytes != 0;
}

static void take(struct state *s)
{
    u8 place = 0;

    for (u32 i = 0; i < VCPUS; i++) {
        const struct fp_ctx *fp = &vcpus[i].fp;
        now.v[i].live = (u8)fp->live;
        now.v[i].in_sync = fp->in_sync;
        now.v[i].bytes = (u8)fp->area.bytes;
        now.v[i].cpu = fp->cpu == FP_NOWHERE ? NONE : (u8)fp->cpu;
        now.v[i].on = (u8)vcpus[i].pcpu->id;
        now.v[i].grown = (u8)fp->arch.xcr;
        now.v[i].noted = fp->arch.z_dirty;
        now.v[i].spare = (u8)fp->spare;
        now.v[i].listed = 0;
    }
    for (const struct vcpu *v = spare_first; v; v = v->fp.spare_next)
        now.v[id(v)].listed = ++place;
    for (u32 i = 0; i < CPUS; i++) {
        now.c[i].owner = pcpus[i].fp_owner ? (u8)id(pcpus[i].fp_owner) : NONE;
        now.c[i].current = pcpus[i].current ? (u8)id(pcpus[i].current) : NONE;
    }
    *s = now;
}

/* ---- What must hold in every state ---- */

static void look_at_vcpu(u32 i)
{
    const struct fp_ctx *fp = &vcpus[i].fp;

    MUST((fp->cpu == FP_NOWHERE) == (fp->live == 0), "live, and nowhere");
    MUST(fp->cpu == FP_NOWHERE || pcpus[fp->cpu].fp_owner == &vcpus[i], "I1: it is not the owner");
    MUST(!fp->live || fp->area.bytes >= arch_fp_bytes(fp, fp->live), "I3: the area is too small");
    MUST(!(fp->live & ~fp->offered), "a unit is live that was not offered");
    for (u32 u = 0; u < UNITS; u++) {
        bool live = fp->live & 1u << u, mem = now.v[i].mem & 1u << u;
        MUST(live || mem, "what the guest wrote is nowhere");
        MUST(!live || (now.c[fp->cpu].whose[u] == i && now.c[fp->cpu].right & 1u << u),
             "the registers are not what the guest wrote");
        MUST(!live || !fp->in_sync || mem, "in sync, but memory is not what the guest wrote");
    }
}

static void look_at_cpu(u32 i)
{
    const struct pcpu *cpu = &pcpus[i];
    u8 gate = now.c[i].gate;

    MUST(now.c[i].controls == (cpu->current ? id(cpu->current) : NONE), "I9: another's controls");
    MUST(!cpu->fp_owner || cpu->fp_owner->fp.cpu == i, "I1: the owner's state is elsewhere");
    MUST(!gate || (cpu->fp_owner && cpu->fp_owner == cpu->current), "I2: open for another");
    MUST(!gate || !(gate & ~cpu->fp_owner->fp.live), "I2: open, and not live");
    for (u32 u = 0; u < UNITS; u++)
        MUST(now.c[i].whose[u] == NONE || (cpu->fp_owner && cpu->fp_owner->fp.live & 1u << u &&
                                           now.c[i].whose[u] == id(cpu->fp_owner)),
             "I4: registers hold what is no owner's");
    if (!cpu->fp_owner)
        return;
    fp_units offered = cpu->fp_owner->fp.offered;
    MUST(!(gate & BASE) || gate & VEC || !now.v[id(cpu->fp_owner)].dirty, "I6: V open over Z");
    MUST(!(gate & MAT) || (gate & offered) == offered, "I6: the matrix unit is open alone");
}

static void look(void)
{
    u32 held = 0;

    for (u32 i = 0; i < VCPUS; i++)
        held += vcpus[i].fp.area.base != NULL;
    MUST(areas == held, "an area belongs to no one");
    for (u32 i = 0; i < VCPUS; i++)
        look_at_vcpu(i);
    for (u32 i = 0; i < CPUS; i++)
        look_at_cpu(i);
}

/* ---- Actions ---- */

static void leave(struct pcpu *cpu)
{
    if (cpu->current)
        fp_switch_out(cpu->current);
    cpu->current = NULL;
}

static void arrive(struct vcpu *v, struct pcpu *cpu)
{
    if (cpu->current == v)
        return;
    if (v->pcpu->current == v)
        leave(v->pcpu);
    leave(cpu);
    cpu->current = v;
    v->pcpu = cpu;
    if (!fp_switch_in(v)) {
        MUST(memory == NO_MEMORY, "no memory, though there is");
        leave(cpu);
    }
}

static void trap(struct vcpu *v, fp_units unit)
{
    if (v->pcpu->current != v)
        return;
    fp_units before = now.c[v->pcpu->id].gate;
    switch (fp_trap(v, unit)) {
    case FP_TRAP_RETRY:
        MUST(!(before & unit), "the guest's own fault is retried: for ever");
        MUST(now.c[v->pcpu->id].gate & unit, "retried with the gate closed: for ever");
        break;
    case FP_TRAP_REFUSED:
        MUST(!(v->fp.offered & unit), "refused, though offered");
        break;
    case FP_TRAP_NOT_OURS:
        MUST(before & unit, "the gate was closed, so it was ours");
        break;
    case FP_TRAP_NO_MEMORY:
        MUST(memory == NO_MEMORY, "no memory, though there is");
    }
}

/* The guest runs and writes `units`, as far as they are open. A write of V alone zeroes Z. */
static void writes(struct vcpu *v, fp_units units, bool dirty)
{
    u32 i = id(v);

    if (v->pcpu->current != v)
        return;
    fp_enter(v, &v->fp);
    units &= now.c[v->pcpu->id].gate;
    now.v[i].mem &= (u8)~units;
    if (units & VEC)
        now.v[i].dirty = dirty;
}

static void grow(struct vcpu *v)
{
    u64 before = v->fp.arch.xcr;

    v->fp.arch.xcr = 1;
    if (fp_grow(v))
        return;
    MUST(memory == NO_MEMORY, "no memory, though there is");
    v->fp.arch.xcr = before;
}

/* What the guest enabled it has given up again; as on x86-64, where there is one unit. */
static void shrinks(struct vcpu *v)
{
    if (!v->fp.arch.xcr || !v->fp.area.base || v->fp.offered != BASE)
        return;
    v->fp.arch.xcr = 0;
    fp_spare(v, arch_fp_bytes(&v->fp, BASE));
}

/* It dies where it is, and another is made at its address (BUGS 24). */
static void dies(struct vcpu *v, bool leaves_first)
{
    u32 i = id(v);

    if (leaves_first && v->pcpu->current == v)
        leave(v->pcpu);
    fp_release(v);
    if (v->pcpu->current == v)
        leave(v->pcpu);
    MUST(!v->fp.area.base && !v->fp.live, "it is dead and holds something");
    fp_init(v, given.offered[i], given.policy[i]);
    v->fp.arch = (struct arch_fp){0};
    now.v[i].mem = (1u << UNITS) - 1;
    now.v[i].dirty = 0;
}

static const char *const action_names[] = {
    "arrives on CPU 0", "arrives on CPU 1", "leaves",   "traps: BASE", "traps: VEC", "traps: MAT",
    "writes",           "writes, Z dirty",  "writes V", "is synced",   "grows",      "dies",
    "dies in place",    "shrinks"};
#define ACTIONS (u32) ARRAY_SIZE(action_names)

static void act(struct vcpu *v, u32 action)
{
    switch (action) {
    case 0:
    case 1:
        arrive(v, &pcpus[action]);
        break;
    case 2:
        if (v->pcpu->current == v)
            leave(v->pcpu);
        break;
    case 3:
    case 4:
    case 5:
        trap(v, 1u << (action - 3));
        break;
    case 6:
    case 7:
        writes(v, BASE | VEC | MAT, action == 7);
        break;
    case 8:
        writes(v, BASE, false);
        break;
    case 9:
        fp_sync(v);
        break;
    case 10:
        grow(v);
        break;
    case 13:
        shrinks(v);
        break;
    default:
        dies(v, action == 11);
    }
    if (!area_filled && v->fp.area.base)
        now.v[id(v)].mem = 0; /* a new area that nobody filled */
}

/* ---- All of them ---- */

#define STATES_MAX (1u << 20)
#define TABLE      (STATES_MAX * 4)

static struct state *states;
static u32 *parents, *table, count;
static u8 *by;

static u32 hash(const struct state *s)
{
    u64 h = 0xcbf29ce484222325ull;
    const u8 *at = (const u8 *)s;

    for (size_t i = 0; i < sizeof(*s); i++)
        h = (h ^ at[i]) * 0x100000001b3ull;
    return (u32)(h ^ h >> 29) % TABLE;
}

static void add(const struct state *s, u32 parent, u32 how)
{
    u32 at = hash(s);

    for (; table[at]; at = (at + 1) % TABLE)
        if (!memcmp(&states[table[at] - 1], s, sizeof(*s)))
            return;
    assert_true(count < STATES_MAX);
    states[count] = *s;
    parents[count] = parent;
    by[count] = (u8)how;
    table[at] = ++count;
}

static void tell(u32 state, u32 how)
{
    if (state)
        tell(parents[state], by[state]);
    static const char *const with[MEMORIES] = {", without memory", "", ", memory after a reclaim"};

    print_error("    vCPU %u %s%s\n", how / MEMORIES % VCPUS, action_names[how / MEMORIES / VCPUS],
                with[how % MEMORIES]);
}

static void explore(void)
{
    struct state s;

    memset(table, 0, TABLE * sizeof(*table));
    count = 0;
    memset(&s, 0, sizeof(s));
    for (u32 i = 0; i < VCPUS; i++)
        s.v[i].cpu = NONE, s.v[i].mem = (1u << UNITS) - 1;
    for (u32 i = 0; i < CPUS; i++) {
        s.c[i].owner = s.c[i].current = s.c[i].controls = NONE;
        memset(s.c[i].whose, NONE, sizeof(s.c[i].whose));
    }
    add(&s, 0, 0);
    for (u32 at = 0; at < count; at++) {
        for (volatile u32 how = 0; how < ACTIONS * VCPUS * MEMORIES; how++) {
            if (setjmp(failed)) {
                print_error("%s, after:\n", why);
                tell(at, how);
                fail();
            }
            put(&states[at]);
            memory = (enum memory)(how % MEMORIES);
            act(&vcpus[how / MEMORIES % VCPUS], how / MEMORIES / VCPUS);
            look();
            take(&s);
            add(&s, at, how);
        }
    }
}

static void every_state(void **state)
{
    static const fp_units offers[] = {BASE, BASE | VEC, BASE | MAT, BASE | VEC | MAT};
    u64 all = 0;

    (void)state;
    states = malloc(STATES_MAX * sizeof(*states));
    parents = malloc(STATES_MAX * sizeof(*parents));
    by = malloc(STATES_MAX);
    table = malloc(TABLE * sizeof(*table));
    assert_true(states && parents && by && table);
    for (u32 n = 0; n < 4 * 4 * 8; n++) {
        given.offered[0] = offers[n % 4];
        given.offered[1] = offers[n / 4 % 4];
        given.policy[0] = n / 16 % 2 ? FP_EAGER : FP_LAZY;
        given.policy[1] = n / 32 % 2 ? FP_EAGER : FP_LAZY;
        given.must_load = n / 64;
        explore();
        all += count;
    }
    print_message("# %llu states of 128 machines, and all that can be done in each\n",
                  (unsigned long long)all);
    free(states);
    free(parents);
    free(by);
    free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
