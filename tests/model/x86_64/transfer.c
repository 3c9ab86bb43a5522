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

/* Some allocation fails at first: what was given back is taken, and only that. */
void world_want_memory(void)
{
    model_scarce = true;
}
