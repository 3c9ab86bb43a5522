/*
 * FP state out of one vCPU and into another as records (hv/abi.h): what the guest of the second
 * sees is what the first one had, whatever the lengths of both; or it is refused and nothing has
 * changed. Hostile records: whatever is accepted must be a state that can be run and saved.
 */
#include "world.h"
#include "arch/arch.h"

#define RECORDS_MAX (96u << 10)

static u8 records[RECORDS_MAX] ALIGNED(8);
static u8 hostile[RECORDS_MAX] ALIGNED(8);

/* The state is in memory; true: it was current and must be again. */
static bool put_aside(struct guest *g)
{
    bool current = g->v.pcpu->current == &g->v;

    if (current) {
        model_at = g->v.pcpu->id;
        fp_switch_out(&g->v);
    }
    return current;
}

static void take_up(struct guest *g, bool current)
{
    if (!current)
        return;
    model_at = g->v.pcpu->id;
    g->fpsimd_only = false;
    world_fp_in(g);
}

static size_t take_out(struct guest *g)
{
    bool current = put_aside(g);
    size_t n = arch_fp_export_bytes(&g->v);

    REQUIRE(n <= RECORDS_MAX, "an export of %zu bytes", n);
    memset(records, 0xcc, sizeof(records));
    arch_fp_export(&g->v, records);
    REQUIRE(records[n] == 0xcc, "the export is longer than it said");
    take_up(g, current);
    return n;
}

/* False: refused. */
static bool put_in(struct guest *g, const void *from, size_t n)
{
    struct fp_area area = {NULL, 0};
    struct fp_ctx *fp = &g->v.fp;
    size_t need = 0;
    bool denied;
    const char *why;

    if (!arch_fp_import_check(&g->v, from, n, &need, &denied, &why))
        return false;
    g->v.vm->fp_quota.limit = MiB(1);
    if (need)
        REQUIRE(fp_area_alloc(&g->v.vm->fp_quota, need, &area), "no area for an import");
    bool current = put_aside(g);
    g->used = FP_UNIT_SVE | FP_UNIT_SME;
    fp_area_free(&g->v.vm->fp_quota, &fp->area);
    arch_fp_import(&g->v, from, n, &area);
    fp->area = area;
    take_up(g, current);
    return true;
}

/* What the architecture has of FP state, from one reference to another. */
static void copy_state(struct cpu *to, const struct cpu *from)
{
    static const u32 regs[] = {R_ZCR_EL1, R_SMCR_EL1, R_TPIDR2_EL0, R_SMPRI_EL1};

    memcpy(to->z, from->z, sizeof(to->z));
    memcpy(to->p, from->p, sizeof(to->p));
    memcpy(to->ffr, from->ffr, sizeof(to->ffr));
    memcpy(to->za, from->za, sizeof(to->za));
    memcpy(to->zt0, from->zt0, sizeof(to->zt0));
    to->sm = from->sm;
    to->za_on = from->za_on;
    to->fpcr = from->fpcr;
    to->fpsr = from->fpsr;
    to->fpmr = from->fpmr;
    for (u32 i = 0; i < ARRAY_SIZE(regs); i++)
        to->reg[regs[i]] = from->reg[regs[i]];
}

void world_transfer(struct guest *from, struct guest *to)
{
    const struct cpu_has *a = &from->ref->has, *b = &to->ref->has;
    size_t n = take_out(from);
    bool same = a->vls == b->vls && a->svls == b->svls && a->sme2 == b->sme2 && a->fpmr == b->fpmr;
    bool accepted = put_in(to, records, n);

    REQUIRE(accepted || !same, "a vCPU's own state is refused");
    if (!accepted)
        return;
    world.transfers++;
    copy_state(to->ref, from->ref);
    /* A CPU that cuts does so at the length it has now. */
    cpu_lengths_changed(to->ref, CPU_VL_MAX);
}

/* Some bytes changed, the end cut off, or the beginning of something longer. */
void world_hostile(struct guest *g)
{
    size_t n = take_out(g), at;

    memcpy(hostile, records, sizeof(hostile));
    for (u32 i = 1 + model_below(4); i; i--) {
        at = model_below(2) ? model_random() % n : model_random() % (n < 160 ? n : 160);
        hostile[at] ^= (u8)(model_below(2) ? model_random() : 1u << model_below(8));
    }
    if (!model_below(4))
        n = model_random() % (n + 64);
    if (put_in(g, hostile, n)) {
        world.hostile_accepted++;
        put_in(g, records, take_out(g)); /* what came of it is a state */
        world_forget(g);
    }
}
