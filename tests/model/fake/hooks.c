/* See states.h: what arch/ does, as far as whose and how right goes. */
#include "states.h"

u32 id(const struct vcpu *v)
{
    return (u32)(v - vcpus);
}

static u32 of(const struct fp_ctx *fp)
{
    return id(container_of(fp, struct vcpu, fp));
}

u64 arch_cycles(void)
{
    return 0;
}

bool fp_area_alloc(struct fp_quota *quota, size_t bytes, struct fp_area *area)
{
    static u8 somewhere[2];

    (void)quota;
    if (memory != MEMORY) {
        memory = memory == AFTER_RECLAIM ? MEMORY : NO_MEMORY;
        return false;
    }
    *area = (struct fp_area){somewhere, (u32)bytes};
    area_filled = false;
    areas++;
    return true;
}

void fp_area_free(struct fp_quota *quota, struct fp_area *area)
{
    (void)quota;
    areas -= area->base != NULL;
    *area = (struct fp_area){NULL, 0};
}

void fp_area_trim(struct fp_quota *quota, struct fp_area *area, size_t bytes)
{
    (void)quota;
    MUST(area->base && bytes <= area->bytes, "nothing to trim");
    area->bytes = (u32)bytes;
}

size_t arch_fp_bytes(const struct fp_ctx *fp, fp_units units)
{
    return 8 + (fp->arch.xcr ? 4u : 0) + (units & VEC ? 16u : 0) + (units & MAT ? 64u : 0);
}

/* Right for who has written nothing yet. */
void arch_fp_reset(const struct fp_ctx *fp, struct fp_area *fresh)
{
    (void)fresh;
    area_filled = true;
    if (fp->area.base)
        now.v[of(fp)].mem = 0;
}

void arch_fp_relayout(const struct fp_ctx *fp, struct fp_area *bigger)
{
    MUST(bigger->bytes >= fp->area.bytes, "the new area is smaller than the old");
    area_filled = true;
}

fp_units arch_fp_closure(const struct fp_ctx *fp, fp_units units)
{
    if (units & MAT)
        return fp->offered;
    if (units & VEC)
        return units | BASE;
    return units | (!fp->live && fp->arch.z_dirty ? VEC : 0);
}

size_t arch_fp_load(struct fp_ctx *fp, fp_units units)
{
    u32 v = of(fp), c = vcpus[v].pcpu->id;

    for (u32 u = 0; u < UNITS; u++) {
        if (!(units & 1u << u))
            continue;
        MUST(now.c[c].whose[u] == NONE, "loaded over registers that are not INIT");
        now.c[c].whose[u] = (u8)v;
        now.c[c].right = (u8)((now.c[c].right & ~(1u << u)) | (now.v[v].mem & 1u << u));
    }
    now.c[c].gate = (u8)(fp->live | units); /* a load opens for itself, as arm64's does */
    return 0;
}

size_t arch_fp_save(struct fp_ctx *fp)
{
    u32 v = of(fp), c = fp->cpu;

    for (u32 u = 0; u < UNITS; u++) {
        if (!(fp->live & 1u << u))
            continue;
        MUST(now.c[c].whose[u] == v, "another's registers are saved");
        now.v[v].mem = (u8)((now.v[v].mem & ~(1u << u)) | (now.c[c].right & 1u << u));
    }
    if (fp->live & VEC)
        fp->arch.z_dirty = now.v[v].dirty;
    return 0;
}

void arch_fp_scrub(const struct fp_ctx *fp, fp_units units)
{
    u32 c = fp->cpu;

    for (u32 u = 0; u < UNITS; u++)
        if (units & 1u << u)
            now.c[c].whose[u] = NONE;
    now.c[c].right &= (u8)~units;
}

void arch_fp_gate(struct vcpu *v, fp_units units)
{
    now.c[v->pcpu->id].gate = (u8)units;
}

bool arch_fp_must_load(const struct fp_ctx *fp)
{
    (void)fp;
    return given.must_load;
}

void arch_fp_controls(struct vcpu *v)
{
    MUST(now.c[v->pcpu->id].controls == NONE, "controls are installed over another's");
    now.c[v->pcpu->id].controls = (u8)id(v);
}

void arch_fp_controls_out(struct vcpu *v)
{
    MUST(now.c[v->pcpu->id].controls == id(v), "controls are taken that are another's");
    now.c[v->pcpu->id].controls = NONE;
}

bool arch_fp_is_init(struct pcpu *cpu)
{
    for (u32 u = 0; u < UNITS; u++)
        if (now.c[cpu->id].whose[u] != NONE)
            return false;
    return true;
}

bool arch_fp_controls_current(const struct vcpu *v)
{
    (void)v;
    return true;
}

fp_units arch_fp_gate_state(const struct vcpu *v)
{
    return now.c[v->pcpu->id].gate;
}
