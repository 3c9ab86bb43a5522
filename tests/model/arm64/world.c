/* See world.h: machines, VMs, switches, and the comparison with the reference. */
#include "world.h"
#include "arch/arch.h"
#include "features.h"
#include "fp_arm64.h"
#include "guest.h"
#include "hv/console.h"

struct world world;
const char *world_fp[WORLD_VMS];
struct pcpu pcpus[MAX_CPUS];
struct vm *vms[1];
u32 nvms;

static struct cpu references[WORLD_GUESTS];

/* ---- Machines ---- */

/* A set of lengths with the longest one `longest`: powers of two, or for SVE others between. */
static u32 lengths(bool sve)
{
    u32 powers = 1u << 0 | 1u << 1 | 1u << 3 | 1u << 7 | 1u << 15;
    u32 longest = model_below(2) ? model_below(3) : model_below(5);
    u32 below = (2u << ((1u << longest) - 1)) - 1;
    u32 all = powers & below;

    if (sve) /* SVE has all powers of two up to its longest, and may have others */
        return model_below(2) ? all : all | ((u32)model_random() & below);
    for (u32 n = 0; n < longest; n++)
        if (model_below(2))
            all &= ~(1u << ((1u << n) - 1));
    return all;
}

static struct cpu_has random_machine(void)
{
    struct cpu_has has = {.el2 = true, .uppers = (u8)model_below(3)};

    if (model_below(8))
        has.vls = lengths(true);
    if (model_below(8)) {
        has.svls = lengths(false);
        has.sme2 = model_below(2);
        has.fa64 = has.vls && model_below(2);
        has.smidr = 0x41000001 | (model_below(2) ? BIT(15) : 0);
    }
    has.fgt = model_below(4);
    has.idst = model_below(2);
    has.zcr_as_sve = model_below(2);
    has.hcx = true;
    has.fpmr = model_below(2);
    return has;
}

/* In bytes; without any, what FPSIMD has. */
static u32 longest_of(u32 lengths_there)
{
    u32 longest = 16;

    for (u32 n = 0; n < 16; n++)
        if (lengths_there & 1u << n)
            longest = 16 * (n + 1);
    return longest;
}

/* What firmware leaves in a CPU: anything, but for what Fermata demands of EL2. */
static void as_firmware_left_it(struct cpu *cpu)
{
    u8 *from[] = {cpu->z[0], cpu->p[0], cpu->ffr, cpu->zt0, cpu->za[0]};
    size_t bytes[] = {sizeof(cpu->z), sizeof(cpu->p), sizeof(cpu->ffr), sizeof(cpu->zt0),
                      sizeof(cpu->za)};

    cpu->sm = cpu->has.svls && model_below(2);
    cpu->za_on = cpu->has.svls && model_below(2);
    for (u32 i = 0; i < ARRAY_SIZE(from); i++)
        memset(from[i], (int)model_below(256), bytes[i]);
    u32 longest = longest_of(cpu->sm ? cpu->has.svls : cpu->has.vls);
    for (u32 n = 0; n < 32; n++)
        memset(cpu->z[n] + longest, 0, CPU_VL_MAX - longest);
    for (u32 n = 0; n < 16; n++)
        memset(cpu->p[n] + longest / 8, 0, CPU_PL_MAX - longest / 8);
    memset(cpu->ffr + longest / 8, 0, CPU_PL_MAX - longest / 8);
    if (!cpu->has.vls && !cpu->sm) {
        memset(cpu->p, 0, sizeof(cpu->p));
        memset(cpu->ffr, 0, sizeof(cpu->ffr));
    }
    cpu->fpcr = (u32)model_random() & 0x07c00000;
    cpu->fpsr = (u32)model_random() & 0x0800009f;
    cpu->fpmr = cpu->has.fpmr ? model_random() : 0;
    cpu->reg[R_ZCR_EL2] = model_below(16);
    cpu->reg[R_SMCR_EL2] = model_below(16);
    cpu->reg[R_ZCR_EL1] = model_below(16);
    cpu->reg[R_CPTR_EL2] = model_random() & (BIT(8) | BIT(10) | BIT(12) | 3u << 16 | 3u << 20);
    cpu->reg[R_HCR_EL2] = world.e2h ? BIT(34) : 0;
    cpu_synchronize(cpu);
}

static void boot(void)
{
    for (u32 i = 0; i < world.cpus; i++) {
        struct cpu *cpu = &model_cpus[i];
        cpu_reset(cpu, &world.has);
        model_id_registers(cpu);
        as_firmware_left_it(cpu);
        pcpus[i] = (struct pcpu){.id = i};
    }
    for (u32 i = 0; i < world.cpus; i++) {
        model_at = i;
        features_find(); /* finds the same on each */
        REQUIRE(features.e2h == world.e2h && features.sve_vls == world.has.vls, "features");
        model_msr(R_HCR_EL2, guest_hcr());
        model_isb();
        guest_traps_init();
        fp_init_cpu(&pcpus[i]);
    }
}

static int item(char *to, size_t n, const char *word)
{
    if (model_below(2))
        return format_text(to, n, ",%s", word);
    return format_text(to, n, ",%s:%u", word, 128 * (1 + model_below(16)));
}

/* A `fp =` list this machine can give: each VM another. */
static void configure(struct vm *vm)
{
    char list[80], why[200];
    size_t n;

    if (world_fp[vm->id]) {
        REQUIRE(arch_fp_config_parse(world_fp[vm->id], &vm->arch.fp, why, sizeof(why)), "%s", why);
        return;
    }
    do {
        n = (size_t)format_text(list, sizeof(list), "fpsimd");
        if (features.sve && model_below(4))
            n += (size_t)item(list + n, sizeof(list) - n, "sve");
        if (features.sme && model_below(4))
            n += (size_t)item(list + n, sizeof(list) - n, model_below(3) ? "sme" : "sme1");
        if (features.fpmr && model_below(2))
            format_text(list + n, sizeof(list) - n, ",fpmr");
        if (!model_below(4))
            list[0] = 0; /* all there is */
    } while (!arch_fp_config_parse(list, &vm->arch.fp, why, sizeof(why)));
}

void world_start(u64 seed, const struct cpu_has *has, bool e2h)
{
    memset(&world, 0, sizeof(world));
    world.seed = seed;
    model_srand(seed);
    world.has = has ? *has : random_machine();
    world.e2h = e2h;
    world.cpus = has ? MAX_CPUS : 1 + model_below(MAX_CPUS);
    boot();
    for (u32 i = 0; i < WORLD_VMS; i++) {
        world.vms[i].id = i;
        world.vms[i].arch.last_vcpu = ~0u;
        configure(&world.vms[i]);
        world.vms[i].fp_quota = (struct fp_quota){.limit = MiB(1)};
    }
    for (u32 i = 0; i < WORLD_GUESTS; i++)
        world_create(i, model_below(4) ? FP_LAZY : FP_EAGER);
}

/* The lengths up to `longest` bytes. */
static u32 up_to(u32 all, u32 longest)
{
    return longest ? all & ((2u << (longest / 16 - 1)) - 1) : 0;
}

/* What a VM was given, as a CPU has it. */
static struct cpu_has given(const struct arch_fp_config *fp)
{
    struct cpu_has has = world.has;

    has.el2 = false;
    has.vls = fp->units & FP_UNIT_SVE ? up_to(has.vls, fp->sve_vl) : 0;
    has.svls = fp->units & FP_UNIT_SME ? up_to(has.svls, fp->sme_vl) : 0;
    has.storage = world.has.svls && !has.svls && !has.fgt;
    has.ffr = world.has.vls && !has.vls;
    has.smcr_bits = 15 | (has.fa64 ? (u32)BIT(31) : 0) | (has.sme2 ? (u32)BIT(30) : 0);
    has.sme2 = fp->zt0;
    has.fpmr = fp->fpmr;
    has.smidr &= 0xffff8000u; /* no Affinity: a vCPU is on no PE for good */
    return has;
}

void world_create(u32 i, u32 policy)
{
    struct guest *g = &world.guests[i];
    struct vm *vm = &world.vms[i % WORLD_VMS];
    struct cpu_has has = given(&vm->arch.fp);

    *g = (struct guest){.ref = &references[i], .el = 1};
    cpu_reset(g->ref, &has);
    g->v = (struct vcpu){.vm = vm, .id = i / WORLD_VMS, .pcpu = &pcpus[0]};
    fp_init(&g->v, fp_offered(&vm->arch.fp), (enum fp_policy)policy);
    fp_init_context(&g->v.fp.arch, &vm->arch.fp);
}

void world_forget(struct guest *g)
{
    if (g->v.pcpu->current == &g->v) {
        model_at = g->v.pcpu->id;
        fp_switch_out(&g->v);
        arch_vcpu_switch_out(&g->v);
        g->v.pcpu->current = NULL;
    }
    fp_release(&g->v);
    world_create((u32)(g - world.guests), g->v.fp.policy);
}

void world_end(void)
{
    for (u32 i = 0; i < world.cpus; i++)
        world_leave(i);
    for (u32 i = 0; i < WORLD_GUESTS; i++)
        fp_release(&world.guests[i].v);
    for (u32 i = 0; i < WORLD_VMS; i++)
        REQUIRE(world.vms[i].fp_quota.used == 0, "VM %u: quota is not given back", i);
}

/* ---- Switches ---- */

static struct guest *guest_of(struct vcpu *v)
{
    return container_of(v, struct guest, v);
}

void world_leave(u32 cpu)
{
    struct vcpu *v = pcpus[cpu].current;

    model_at = cpu;
    if (!v)
        return;
    u64 before = model_moved;
    fp_switch_out(v);
    arch_vcpu_switch_out(v);
    pcpus[cpu].current = NULL;
    REQUIRE(model_moved - before <= world_allowed_bytes(guest_of(v)),
            "%llu bytes saved of guest %u", (unsigned long long)(model_moved - before),
            (u32)(guest_of(v) - world.guests));
}

static void no_more_squeeze(struct guest *g)
{
    world.no_memory++;
    g->v.vm->fp_quota.limit = MiB(1);
}

/* Eager, and no memory: it stops, nothing is lost. */
void world_fp_in(struct guest *g)
{
    while (!fp_switch_in(&g->v)) {
        no_more_squeeze(g);
        fp_switch_out(&g->v);
    }
}

void world_run(struct guest *g, u32 cpu)
{
    struct pcpu *p = &pcpus[cpu];

    model_at = cpu;
    if (p->current == &g->v)
        return;
    if (g->v.pcpu->current == &g->v)
        world_leave(g->v.pcpu->id); /* moves to another CPU */
    model_at = cpu;
    world_leave(cpu);
    p->current = &g->v;
    g->v.pcpu = p;
    world.switches++;
    arch_vcpu_switch_in(&g->v);
    world_fp_in(g);
    g->fpsimd_only = world_is_clean(g->ref);
}

/* ---- Instructions ---- */

static bool is_fpsimd(const struct insn *insn)
{
    switch (insn->op) {
    case OP_LDR_Q:
    case OP_STR_Q:
    case OP_LD1:
    case OP_ST1:
        return true;
    case OP_MRS:
    case OP_MSR:
        return insn->n == R_FPCR || insn->n == R_FPSR || insn->n == R_CPACR_EL1;
    default:
        return false;
    }
}

/* On the hardware, with every exit it takes. */
static struct exc run_one(struct guest *g, struct insn *insn)
{
    static const struct exc undefined = {1, X_UNDEFINED, 0};
    struct cpu *cpu = model_this();

    for (u32 tries = 0; tries < 8; tries++) {
        struct exc e = cpu_step(cpu, insn);
        if (e.el < 2)
            return e;
        u64 before = model_moved;
        world.traps++;
        cpu_set_el(cpu, 2);
        enum exit_result what = model_exit(&g->v, e, insn->value);
        if (g->fpsimd_only && g->v.fp.policy == FP_LAZY)
            REQUIRE(model_moved - before <= 560, "FPSIMD of guest %u took %llu bytes",
                    (u32)(g - world.guests), (unsigned long long)(model_moved - before));
        if (what == EXIT_RETRY)
            g->used |= e.ec == X_SVE ? FP_UNIT_SVE : e.ec == X_SME ? FP_UNIT_SME : 0u;
        cpu_set_el(cpu, g->el);
        if (what == EXIT_EMULATED) {
            insn->value = g->v.arch.x[1];
            return (struct exc){0, 0, 0};
        }
        if (what == EXIT_UNDEFINED) {
            world.refused++;
            return undefined;
        }
        if (what == EXIT_STOPPED)
            no_more_squeeze(g);
    }
    model_fail(__FILE__, __LINE__, "guest %u: operation %u traps for ever", (u32)(g - world.guests),
               insn->op);
}

static bool is_zcr(const struct insn *insn)
{
    return (insn->op == OP_MRS || insn->op == OP_MSR) && insn->n == R_ZCR_EL1;
}

static bool is_sve(const struct insn *insn)
{
    return (insn->op >= OP_LDR_Z && insn->op <= OP_RDVL) || is_zcr(insn);
}

static bool is_zt0(const struct insn *insn)
{
    return insn->op >= OP_LDR_ZT0 && insn->op <= OP_ZERO_ZT0;
}

/*
 * What a VM was denied is Undefined. But the CPU has it, and no EL2 control comes first: what the
 * guest's own EL1 forbids as well (CPACR_EL1, SCTLR_EL1, SMCR_EL1, ZA off) traps there before. And
 * without SVE an SVE instruction outside streaming mode traps as one of SME, which only a decoder
 * could tell from those that are Undefined.
 */
static bool denied_otherwise(const struct guest *g, const struct insn *insn, struct exc got,
                             struct exc want)
{
    const struct cpu_has *has = &g->ref->has;
    u64 cpacr = g->ref->reg[R_CPACR_EL1];
    u32 need = g->el ? 1 : 3;
    bool denied = has->vls != world.has.vls || has->svls != world.has.svls ||
                  has->fpmr != world.has.fpmr || has->sme2 != world.has.sme2;

    if (!denied || want.el != 1 || got.el != 1)
        return false;
    if (!has->vls && has->svls && is_sve(insn) &&
        (!g->ref->sm || (got.ec == X_SME && got.iss == SMTC_STREAMING)))
        return true;
    if (want.ec != X_UNDEFINED)
        return false;
    switch (got.ec) {
    case X_FP:
        return (cpacr >> FPEN_SHIFT & need) != need;
    case X_SVE:
        return (cpacr >> ZEN_SHIFT & need) != need;
    case X_SME:
        return (cpacr >> SMEN_SHIFT & need) != need || is_zt0(insn);
    case X_SYSREG:
        return g->el == 0;
    default:
        return false;
    }
}

/* QEMU lets a VM without SVE reach ZCR_EL1 in streaming mode: it must be nobody's, or its own. */
static bool reaches_zcr(struct guest *g, const struct insn *insn, struct exc got)
{
    if (!world.has.zcr_as_sve || g->ref->has.vls || got.el || !g->ref->sm || !is_zcr(insn))
        return false;
    if (insn->op == OP_MSR)
        g->zcr = insn->value & 15;
    else
        REQUIRE(insn->value == 0 || insn->value == g->zcr, "another's ZCR_EL1: 0x%llx",
                (unsigned long long)insn->value);
    return true;
}

static void compare(struct guest *g, const struct insn *hw, const struct insn *ref, struct exc got,
                    struct exc want)
{
    u32 who = (u32)(g - world.guests);

    if (reaches_zcr(g, hw, got) || denied_otherwise(g, hw, got, want))
        return;
    REQUIRE(got.el == want.el && got.ec == want.ec && got.iss == want.iss,
            "guest %u at EL%u: operation %u of 0x%x: EL%u EC 0x%x ISS 0x%x, bare: EL%u EC 0x%x ISS "
            "0x%x",
            who, g->el, hw->op, hw->n, got.el, got.ec, got.iss, want.el, want.ec, want.iss);
    if (got.el)
        return;
    REQUIRE(hw->value == ref->value, "guest %u: operation %u of 0x%x: 0x%llx, bare: 0x%llx", who,
            hw->op, hw->n, (unsigned long long)hw->value, (unsigned long long)ref->value);
    for (u32 i = 0; i < CPU_VL_MAX; i++)
        REQUIRE(hw->data[i] == ref->data[i],
                "guest %u: operation %u of 0x%x: byte %u is 0x%02x, bare: 0x%02x", who, hw->op,
                hw->n, i, hw->data[i], ref->data[i]);
}

void world_execute(struct guest *g, struct insn *insns, u32 n)
{
    struct cpu *cpu = model_this();

    REQUIRE(pcpus[model_at].current == &g->v, "it does not run here");
    g->v.arch.pstate = g->el ? PSTATE_EL1H : 0;
    fp_enter(&g->v, &g->v.fp);
    cpu_set_el(cpu, g->el);
    g->ref->el = g->el;
    for (u32 i = 0; i < n; i++) {
        struct insn bare = insns[i];
        world.step++;
        g->fpsimd_only = g->fpsimd_only && is_fpsimd(&bare);
        struct exc want = cpu_step(g->ref, &bare);
        struct exc got = run_one(g, &insns[i]);
        compare(g, &insns[i], &bare, got, want);
    }
    cpu_set_el(cpu, 2); /* the timer */
}

/* By the longest lengths, everything opened by the guest's own EL1 first. */
void world_read_all(struct guest *g)
{
    static struct insn insn;
    u64 open = 3ull << FPEN_SHIFT | 3ull << ZEN_SHIFT | 3ull << SMEN_SHIFT;
    const struct {
        enum cpu_op op;
        u32 first, n;
        u64 value;
    } list[] = {
        {OP_MSR, R_CPACR_EL1, 1, open},
        {OP_MRS, R_FPCR, 1, 0},
        {OP_MRS, R_FPSR, 1, 0},
        {OP_MRS, R_ZCR_EL1, 1, 0},
        {OP_MRS, R_SMCR_EL1, 1, 0},
        {OP_MRS, R_SVCR, 1, 0},
        {OP_MRS, R_TPIDR2_EL0, 1, 0},
        {OP_MRS, R_SMPRI_EL1, 1, 0},
        {OP_MRS, R_FPMR, 1, 0},
        {OP_STR_Q, 0, 32, 0},
        {OP_MSR, R_ZCR_EL1, 1, 15},
        {OP_MSR, R_SMCR_EL1, 1, ~0ull},
        {OP_STR_Z, 0, 32, 0},
        {OP_STR_P, 0, 16, 0},
        {OP_RDFFR, 0, 1, 0},
        {OP_STR_P, 0, 1, 0},
        {OP_RDVL, 0, 1, 0},
        {OP_RDSVL, 0, 1, 0},
        {OP_STR_ZT0, 0, 1, 0},
        {OP_STR_ZA, 0, 256, 0},
    };

    g->el = 1;
    for (u32 i = 0; i < ARRAY_SIZE(list); i++) {
        for (u32 n = 0; n < list[i].n; n++) {
            memset(insn.data, 0, sizeof(insn.data));
            insn.op = list[i].op;
            insn.n = list[i].first + n;
            insn.value = list[i].value;
            world_execute(g, &insn, 1);
        }
    }
}
