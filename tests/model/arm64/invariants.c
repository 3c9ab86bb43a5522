/* See world.h: the invariants of hv/fp.h and ARCHITECTURE, by looking at the CPUs. */
#include "world.h"
#include "arch/arch.h"
#include "features.h"

/* The units whose gate is open on a CPU, by its CPTR_EL2 and not by what the hypervisor notes. */
static fp_units open_units(struct cpu *cpu)
{
    u8 el = cpu->el;
    fp_units units = 0;

    cpu->el = 1;
    if (!cptr_disables(cpu, FPEN_SHIFT, TFP_BIT))
        units |= FP_UNIT_FPSIMD;
    if (cpu->has.vls && !cptr_disables(cpu, ZEN_SHIFT, TZ_BIT))
        units |= FP_UNIT_SVE;
    if (cpu->has.svls && !cptr_disables(cpu, SMEN_SHIFT, TSM_BIT))
        units |= FP_UNIT_SME;
    cpu->el = el;
    return units;
}

static bool uppers_are_zero(const struct cpu *cpu)
{
    for (u32 n = 0; n < 32; n++)
        if (!model_zero(cpu->z[n] + 16, CPU_VL_MAX - 16))
            return false;
    return model_zero(cpu->p, sizeof(cpu->p)) && model_zero(cpu->ffr, sizeof(cpu->ffr));
}

static bool is_init(const struct cpu *cpu)
{
    return model_zero(cpu->z, sizeof(cpu->z)) && uppers_are_zero(cpu) && cpu->fpcr == 0 &&
           cpu->fpsr == 0 && (!cpu->has.fpmr || cpu->fpmr == 0) && !cpu->za_on;
}

static void check_cpu(u32 i)
{
    struct pcpu *p = &pcpus[i];
    struct cpu *cpu = &model_cpus[i];
    fp_units open;

    cpu_synchronize(cpu); /* ERET would */
    open = open_units(cpu);
    REQUIRE(!p->fp_owner || p->fp_owner->fp.cpu == i, "I1: CPU %u's owner is elsewhere", i);
    REQUIRE(!open || (p->current && p->fp_owner == p->current), "I2: CPU %u is open (0x%x)", i,
            open);
    REQUIRE(!p->fp_owner || !(open & ~p->fp_owner->fp.live), "I2: more is open than live");
    REQUIRE(p->fp_owner || is_init(cpu), "I4: CPU %u belongs to no one and is not in INIT", i);
    REQUIRE((open & FP_UNIT_SME) || !cpu->za_on, "I6: ZA is on behind a closed gate");
    REQUIRE(open != FP_UNIT_FPSIMD || (!cpu->sm && uppers_are_zero(cpu)),
            "I6: FPSIMD is open alone over live Z");
    REQUIRE(!(open & FP_UNIT_SME) || (open & FP_UNIT_FPSIMD), "I6: SME is open without unit 1");
    if (p->current) {
        struct guest *g = container_of(p->current, struct guest, v);
        REQUIRE(cpu->sm == g->ref->sm, "I6: PSTATE.SM is %u, the guest's own %u", cpu->sm,
                g->ref->sm);
    } else {
        REQUIRE(!cpu->sm || !p->fp_owner, "I6: streaming without anyone");
    }
}

/* Nothing above bit 127, in P and FFR, not streaming, ZA off: the FPSIMD form holds all of it. */
bool world_is_clean(const struct cpu *cpu)
{
    for (u32 n = 0; n < 32; n++)
        if (!model_zero(cpu->z[n] + 16, CPU_VL_MAX - 16))
            return false;
    return !cpu->sm && !cpu->za_on && model_zero(cpu->p, sizeof(cpu->p)) &&
           model_zero(cpu->ffr, sizeof(cpu->ffr));
}

/* What a switch may move: FPSIMD alone of who is clean, ZA only while it is on. */
u64 world_allowed_bytes(const struct guest *g)
{
    const struct cpu *ref = g->ref;
    const struct arch_fp_config *fp = &g->v.vm->arch.fp;
    u32 vl = ref->sm ? fp->sme_vl : fp->sve_vl;

    if (world_is_clean(ref))
        return 560;
    if (vl < 16)
        vl = 16;
    return 32 * vl + 17 * (vl / 8) + 8 + (ref->za_on ? fp->sme_vl * fp->sme_vl + 64 : 0);
}

/* What a lazy context's area may cost: nothing for what it has never used. */
static size_t allowed_area(const struct guest *g)
{
    const struct arch_fp_config *fp = &g->v.vm->arch.fp;

    if (g->v.fp.policy == FP_EAGER || g->used & FP_UNIT_SME)
        return fp->sme_vl ? fp_area_cost(vec_sme_bytes(fp->sve_vl, fp->sme_vl))
                          : fp_area_cost(vec_bytes(VEC_SVE, fp->sve_vl ? fp->sve_vl : 16));
    if (g->used & FP_UNIT_SVE)
        return fp_area_cost(vec_bytes(VEC_SVE, fp->sve_vl));
    return fp_area_cost(vec_bytes(VEC_FPSIMD, 0));
}

static void check_guest(u32 i)
{
    const struct fp_ctx *fp = &world.guests[i].v.fp;
    const struct vcpu *v = &world.guests[i].v;

    REQUIRE((fp->cpu == FP_NOWHERE) == (fp->live == 0), "guest %u: live, and nowhere", i);
    REQUIRE(fp->cpu == FP_NOWHERE || pcpus[fp->cpu].fp_owner == v, "I1: guest %u", i);
    REQUIRE(!fp->live || fp->area.bytes >= arch_fp_bytes(fp, fp->live), "I3: guest %u", i);
    REQUIRE(!(fp->live & ~fp->offered), "guest %u: what is live was not offered", i);
    REQUIRE((fp->area.base == NULL) == (fp->area.bytes == 0), "guest %u: area", i);
    REQUIRE(fp->area.bytes <= allowed_area(&world.guests[i]), "guest %u: an area of %u bytes", i,
            fp->area.bytes);
    REQUIRE(v->vm->fp_quota.used <= MiB(1), "guest %u: quota", i);
}

void world_check(void)
{
    for (u32 i = 0; i < world.cpus; i++)
        check_cpu(i);
    for (u32 i = 0; i < WORLD_GUESTS; i++)
        check_guest(i);
}
