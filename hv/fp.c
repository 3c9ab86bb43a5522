/*
 * The ownership machine: who holds the FP registers of a CPU, when they are loaded, and when they
 * leave.
 *
 * Read fp.h first: states and invariants stand there. Everything an architecture does is one of the
 * arch_fp_* hooks of arch/arch.h; everything decided is decided here. The discipline is one
 * sentence: load on the first trap, and at switch-out save and scrub, so that behind a closed gate
 * there is never anything of anyone (CVE-2018-3665).
 *
 * Nothing here takes a lock: a context is only ever touched by the CPU it is current on, or when it
 * is on none. The list of areas that may be cut (fp_spare) is the exception: guests run on one CPU
 * in this release, and a second one needs a lock there and in fp_area.c.
 */
#include "hv/fp.h"
#include "arch/arch.h"
#include "hv/pcpu.h"
#include "hv/trace.h"
#include "hv/vm.h"

/* Inlined where they are used: each is run once per switch or trap, and that path is measured. */
#define FP_HOT inline __attribute__((always_inline))

/* A move is far shorter than 2^32 cycles, and putting two halves of a counter together costs too.
 */
static FP_HOT u32 elapsed(u64 start)
{
    return (u32)(arch_cycles() - start);
}

static bool owns(const struct vcpu *v)
{
    return v->pcpu->fp_owner == v;
}

void fp_init(struct vcpu *v, fp_units offered, enum fp_policy policy)
{
    struct fp_ctx *fp = &v->fp;

    fp->area = (struct fp_area){NULL, 0};
    fp->cpu = FP_NOWHERE;
    fp->offered = offered;
    fp->live = 0;
    fp->in_sync = false;
    fp->policy = (u8)policy;
    fp->spare = 0;
    fp->stats = (struct fp_stats){0};
}

/* Contexts with more area than they need, of any VM. Some may have grown again: then spare is 0. */
static struct vcpu *spare_first;

static bool is_listed(const struct vcpu *v)
{
    for (const struct vcpu *at = spare_first; at; at = at->fp.spare_next) {
        if (at == v)
            return true;
    }
    return false;
}

void fp_spare(struct vcpu *v, size_t bytes)
{
    struct fp_ctx *fp = &v->fp;

    if (!fp->spare && !is_listed(v)) {
        fp->spare_next = spare_first;
        spare_first = v;
    }
    fp->spare = (u32)bytes;
}

static void unlist(const struct vcpu *v)
{
    for (struct vcpu **at = &spare_first; *at; at = &(*at)->fp.spare_next) {
        if (*at == v) {
            *at = v->fp.spare_next;
            return;
        }
    }
}

/* Memory is wanted: what contexts do not need goes back. */
static void reclaim(void)
{
    while (spare_first) {
        struct vcpu *v = spare_first;
        struct fp_ctx *fp = &v->fp;
        spare_first = fp->spare_next;
        if (fp->spare)
            fp_area_trim(&v->vm->fp_quota, &fp->area, fp->spare);
        fp->spare = 0;
    }
}

bool fp_take_area(struct vcpu *v, size_t need, struct fp_area *area)
{
    if (fp_area_alloc(&v->vm->fp_quota, need, area))
        return true;
    reclaim();
    return fp_area_alloc(&v->vm->fp_quota, need, area);
}

/*
 * Makes the area large enough for `units`. A first area gets the reset values; a larger one takes
 * over the image of the old. While the registers are live that image is stale but well formed, and
 * the next save overwrites it, so one order serves both cases: complete the new area, then flip the
 * pointer, then free the old.
 */
static __attribute__((noinline)) bool replace_area(struct vcpu *v, size_t need)
{
    struct fp_ctx *fp = &v->fp;
    struct fp_area bigger;

    if (!fp_take_area(v, need, &bigger))
        return false;

    if (fp->area.base)
        arch_fp_relayout(fp, &bigger);
    else
        arch_fp_reset(fp, &bigger);

    struct fp_area old = fp->area;
    fp->area = bigger;
    fp_area_free(&v->vm->fp_quota, &old);
    fp->stats.grows++;
    trace(v, TRACE_GROW, fp->live, bigger.bytes);
    return true;
}

static FP_HOT bool ensure_area(struct vcpu *v, fp_units units)
{
    size_t need = arch_fp_bytes(&v->fp, units);

    return likely(need <= v->fp.area.bytes) || replace_area(v, need);
}

/* Registers := memory for `units`, which must not be live; the vCPU becomes (or stays) the owner.
 */
static FP_HOT void load(struct vcpu *v, fp_units units)
{
    struct fp_ctx *fp = &v->fp;
    struct pcpu *cpu = v->pcpu;
    fp_units live = fp->live;
    u64 start = arch_cycles();

    DEBUG_CHECK(cpu->fp_owner == NULL || cpu->fp_owner == v);
    DEBUG_CHECK((units & fp->live) == 0);
    DEBUG_CHECK(fp->area.bytes >= arch_fp_bytes(fp, fp->live | units));

    size_t moved = arch_fp_load(fp, units);
    trace(v, TRACE_LOAD, units, moved);
    fp->stats.bytes += moved;
    fp->stats.loads++;
    fp->in_sync = live == 0 || fp->in_sync;
    fp->live = live | units;
    fp->cpu = cpu->id;
    cpu->fp_owner = v;
    fp->stats.cycles += elapsed(start);
}

/* Memory := registers, unless they are equal already. The vCPU stays the owner, and the caller says
 * in_sync if that is how it goes on. */
static FP_HOT void save(struct vcpu *v)
{
    struct fp_ctx *fp = &v->fp;

    if (fp->in_sync)
        return;
    DEBUG_CHECK(fp->area.bytes >= arch_fp_bytes(fp, fp->live));
    size_t moved = arch_fp_save(fp);
    trace(v, TRACE_SAVE, fp->live, moved);
    fp->stats.bytes += moved;
    fp->stats.saves++;
}

/* The registers go to INIT and belong to no one; what was in them is in memory, or is meant to be
 * lost. */
static FP_HOT void disown(struct vcpu *v)
{
    struct fp_ctx *fp = &v->fp;
    struct pcpu *cpu = v->pcpu;

    arch_fp_scrub(fp, fp->live);
    fp->stats.scrubs++;
    trace(v, TRACE_SCRUB, fp->live, 0);
    arch_fp_gate(v, 0);
    fp->live = 0;
    fp->cpu = FP_NOWHERE;
    fp->in_sync = false;
    cpu->fp_owner = NULL;
}

enum fp_trap_result fp_trap(struct vcpu *v, fp_units units)
{
    struct fp_ctx *fp = &v->fp;
    fp_units live = fp->live;

    DEBUG_CHECK(v->pcpu->current == v);
    fp->stats.traps++;
    trace(v, TRACE_TRAP, units, 0);
    if (units & ~fp->offered)
        return FP_TRAP_REFUSED;
    if ((units & ~live) == 0)
        return FP_TRAP_NOT_OURS;

    fp_units together = live | arch_fp_closure(fp, units);
    if (!ensure_area(v, together))
        return FP_TRAP_NO_MEMORY;
    load(v, together & ~live);
    arch_fp_gate(v, together);
    trace(v, TRACE_GATE, together, 0);
    return FP_TRAP_RETRY;
}

void fp_switch_out(struct vcpu *v)
{
    arch_fp_controls_out(v);
    if (!owns(v))
        return;

    u64 start = arch_cycles();
    save(v);
    disown(v);
    v->fp.stats.cycles += elapsed(start);
}

bool fp_switch_in(struct vcpu *v)
{
    struct fp_ctx *fp = &v->fp;

    DEBUG_CHECK(v->pcpu->fp_owner == NULL && fp->live == 0);
    arch_fp_controls(v);
    if (likely(fp->policy == FP_LAZY && !arch_fp_must_load(fp)))
        return true; /* the gate was closed when it left, or by arch_vcpu_init() */

    if (!ensure_area(v, fp->offered))
        return false;
    load(v, fp->offered);
    arch_fp_gate(v, fp->live);
    trace(v, TRACE_GATE, fp->live, 0);
    return true;
}

bool fp_grow(struct vcpu *v)
{
    struct fp_ctx *fp = &v->fp;

    fp->spare = 0;
    if (!fp->area.base)
        return true; /* EMPTY: the first use will allocate what is needed by then */
    return ensure_area(v, fp->live ? fp->live : fp->offered);
}

void fp_sync(struct vcpu *v)
{
    if (!owns(v))
        return;
    save(v);
    v->fp.in_sync = true;
}

void fp_release(struct vcpu *v)
{
    if (owns(v))
        disown(v);
    if (is_listed(v))
        unlist(v);
    v->fp.spare = 0;
    fp_area_free(&v->vm->fp_quota, &v->fp.area);
}

void fp_check(const struct vcpu *v)
{
    const struct fp_ctx *fp = &v->fp;
    struct pcpu *cpu = v->pcpu;
    fp_units open = arch_fp_gate_state(v);

    CHECK(cpu->current == v);
    CHECK((cpu->fp_owner == v) == (fp->cpu == cpu->id));               /* I1 */
    CHECK(cpu->fp_owner == v || (fp->live == 0 && open == 0));         /* I2 */
    CHECK((open & ~fp->live) == 0);                                    /* I2 */
    CHECK(!fp->live || fp->area.bytes >= arch_fp_bytes(fp, fp->live)); /* I3 */
    CHECK(cpu->fp_owner || arch_fp_is_init(cpu));                      /* I4 */
    CHECK(arch_fp_controls_current(v));                                /* I9, and BUGS 7 */
}
