/*
 * FP state out of one vCPU and into another as records (hv/abi.h), by the hypervisor's own
 * fp_export() and fp_import(), and memory wanted at any moment: the guest of the second finds what
 * the first one had, or nothing has changed.
 */
#include "tests/model/x86_64/random.h"
#include "tests/model/x86_64/world.h"
#include "hv/fp_transfer.h"

#define RECORDS_MAX 16384u

static u8 records[RECORDS_MAX] ALIGNED(8);
static u8 hostile[RECORDS_MAX] ALIGNED(8);

static void on_its_cpu(const struct guest *g)
{
    if (g->v.pcpu->current == &g->v)
        model_at = g->v.pcpu->id;
}

/* What the architecture has of FP state. What IA32_XFD disables leaves as INIT. */
static void copy_state(struct guest *to, const struct guest *from)
{
    struct x86_cpu *ref = &to->ref;

    ref->s = from->ref.s;
    ref->xcr0 = from->ref.xcr0;
    ref->xfd = from->ref.xfd;
    ref->xfd_err = from->ref.xfd_err;
    if (ref->xfd & X86_TILEDATA)
        x86_init_component(ref, 18);
}

void world_transfer(struct guest *from, struct guest *to)
{
    u64 had = from->v.vm->arch.fp.xcr0, may = to->v.vm->arch.fp.xcr0;
    const char *why = "";
    size_t n;

    /* Selectors go with the 32-bit form, 64-bit pointers with the other. */
    if (!world.machine.no_fcs_fds && from->ref.long64 != to->ref.long64)
        return;
    on_its_cpu(from);
    REQUIRE(fp_export(&from->v, records, sizeof(records), &n) == FP_TRANSFER_OK, "no export");
    on_its_cpu(to);
    enum fp_transfer result = fp_import(&to->v, records, n, &why);
    if (result == FP_TRANSFER_DENIED && (had & ~may))
        return;
    REQUIRE(result == FP_TRANSFER_OK, "what came out is refused: %s", why);
    copy_state(to, from);
    world.transfers++;
}

/* What was accepted can be loaded, run and saved: a fault of the hypervisor's own is the end. */
static void use(struct guest *g)
{
    size_t n;

    if (g->v.pcpu->current == &g->v) {
        if (!g->v.fp.live)
            REQUIRE(fp_trap(&g->v, FP_UNIT_BASE) == FP_TRAP_RETRY, "the gate stays closed");
        fp_enter(&g->v, &g->v.fp);
        fp_sync(&g->v);
        fp_enter(&g->v, &g->v.fp);
    }
    REQUIRE(fp_export(&g->v, hostile, sizeof(hostile), &n) == FP_TRANSFER_OK, "no export");
}

void world_hostile(struct guest *g)
{
    const char *why = "";
    size_t n, at, length;

    on_its_cpu(g);
    REQUIRE(fp_export(&g->v, records, sizeof(records), &n) == FP_TRANSFER_OK, "no export");
    memcpy(hostile, records, n);
    for (u32 i = 1 + random_below(4); i; i--) {
        at = random_below(one_in(2) ? (u32)n : n < 700 ? (u32)n : 700);
        hostile[at] ^= (u8)(one_in(2) ? random64() : BIT(random_below(8)));
    }
    length = one_in(4) ? random_below((u32)n + 64) : n;
    if (fp_import(&g->v, hostile, length, &why) == FP_TRANSFER_OK) {
        world.hostile++;
        use(g);
    }
    REQUIRE(fp_import(&g->v, records, n, &why) == FP_TRANSFER_OK, "its own is refused: %s", why);
    copy_state(g, g);
}

/* Some allocation fails at first: what was given back is taken, and only that. */
void world_want_memory(void)
{
    model_scarce = true;
}
