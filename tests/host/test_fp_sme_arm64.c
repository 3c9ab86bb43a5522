/*
 * hv/fp.c and arch/arm64's FP code with SME on real registers, in user mode: random sequences of
 * three contexts, each offered something else, that change modes and use V, Z or ZA; an oracle
 * beside each. As test_fp_arm64.c; QEMU's user mode has SME, and its SVCR is the real one.
 *
 * links: hv/fp.c hv/fp_area.c hv/format.c hv/string.c arch/arm64/fp.c arch/arm64/fp_context.c
 * links: arch/arm64/fp_sme.c arch/arm64/fp_moves.S arch/arm64/vec_layout.c arch/arm64/fp_debug.c
 * links: tests/host/arm64/user.S tests/host/arm64/user.c tests/host/arm64/user_fault.c
 * machine: user_arm64
 */
#include "tests/host/arm64/user.h"
#include "tests/host/arm64/user_fault.h"
#include "arch/arch.h"
#include "hv/pages.h"

#define CONTEXTS 3u
#define STEPS    1500u
#define SM       1u
#define ZA_ON    2u

struct pcpu pcpus[MAX_CPUS];
struct arm64_features features;

/* What a guest has written, as the architecture says it reads back. */
struct state {
    u32 svcr;
    struct regs regs; /* at the vector length of the mode */
    u8 za[65536];
};

static struct vm vm;
static struct vcpu vcpus[CONTEXTS];
static struct state oracle[CONTEXTS];
static struct regs got;
static u8 seen[65536];
static u8 memory[16][24 * PAGE_SIZE] ALIGNED(4096);
static u32 taken, vl, svl;

void *pages_alloc(size_t n, u64 align, enum page_use use)
{
    (void)align;
    (void)use;
    for (u32 i = 0; n <= 24 && i < 16; i++) {
        if (!(taken & 1u << i)) {
            taken |= 1u << i;
            return memset(memory[i], 0, sizeof(memory[i]));
        }
    }
    return NULL;
}

void pages_free(void *page, size_t n, enum page_use use)
{
    (void)n;
    (void)use;
    taken &= ~(1u << (size_t)((u8 *)page - memory[0]) / sizeof(memory[0]));
}

bool pages_spare(u64 bytes)
{
    (void)bytes;
    return true;
}

static void create(u32 i, bool sve, bool sme, enum fp_policy policy)
{
    const struct arch_fp_config config = {.units = FP_UNIT_FPSIMD | (sve ? FP_UNIT_SVE : 0) |
                                                   (sme ? FP_UNIT_SME : 0),
                                          .sve_vl = sve ? vl : 0,
                                          .sme_vl = sme ? svl : 0};
    struct vcpu *v = &vcpus[i];

    memset(v, 0, sizeof(*v));
    v->vm = &vm;
    v->id = i;
    v->pcpu = &pcpus[0];
    fp_init(v, fp_offered(&config), policy);
    fp_init_context(&v->fp.arch, &config);
    memset(&oracle[i], 0, sizeof(oracle[i]));
}

static bool zero(const u8 *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (at[i])
            return false;
    }
    return true;
}

/* BUGS 1: with all closed, streaming mode is the current vCPU's, ZA is off, the rest is INIT. */
static bool closed_is_init(u32 sm)
{
    if (pcpus[0].arch.open)
        return true;
    user_vl = (u32)fp_move_rdvl();
    regs_get(&got);
    return user_svcr() == sm && user_vl == (sm ? svl : vl) && got.fpsr == 0 && got.fpcr == 0 &&
           zero(got.bytes, 32 * user_vl + 17 * (user_vl / 8));
}

static bool run(struct vcpu *v)
{
    struct pcpu *cpu = &pcpus[0];

    if (cpu->current == v)
        return true;
    if (cpu->current)
        fp_switch_out(cpu->current);
    cpu->current = v;
    return fp_switch_in(v) && closed_is_init(oracle[v->id].svcr & SM); /* BUGS 34 */
}

/* A trap for each unit that is closed, in any order. */
static bool opened(struct vcpu *v, fp_units units)
{
    for (u32 tries = 0; tries < 3 && units & ~pcpus[0].arch.open; tries++) {
        fp_units closed = units & ~pcpus[0].arch.open;
        fp_units first = user_random() % 2 ? closed & -closed : closed;
        if (fp_trap(v, first) != FP_TRAP_RETRY)
            return false;
    }
    fp_enter(v, &v->fp); /* with its checks: I1 to I6 */
    return !(units & ~pcpus[0].arch.open);
}

/* V, FPSR and FPCR: a write zeroes the rest of Z (BUGS 40). */
static bool use_v(struct vcpu *v, struct state *o)
{
    static struct regs fresh;

    if (!opened(v, FP_UNIT_FPSIMD))
        return false;
    user_vl = o->svcr & SM ? svl : vl;
    v_get(&got, user_vl);
    bool right = got.fpsr == o->regs.fpsr && got.fpcr == o->regs.fpcr;
    for (u32 n = 0; n < 32; n++)
        right &= !memcmp(z_of(&got, n), z_of(&o->regs, n), 16);
    if (user_random() % 2) {
        randomise(&fresh);
        for (u32 n = 0; n < 32; n++) {
            memset(z_of(&o->regs, n), 0, user_vl);
            memcpy(z_of(&o->regs, n), z_of(&fresh, n), 16);
        }
        o->regs.fpsr = fresh.fpsr;
        o->regs.fpcr = fresh.fpcr;
        v_set(&o->regs, user_vl);
    }
    return right;
}

/* Z, P and FFR, streaming or not. */
static bool use_z(struct vcpu *v, struct state *o)
{
    if (!opened(v, o->svcr & SM ? FP_UNIT_SME : FP_UNIT_SVE | FP_UNIT_FPSIMD))
        return false;
    user_vl = o->svcr & SM ? svl : vl;
    regs_get(&got);
    bool right = !memcmp(&got, &o->regs, regs_bytes());
    if (user_random() % 2) {
        randomise(&o->regs);
        if (user_random() % 2)
            clear_uppers(&o->regs);
        regs_set(&o->regs);
    }
    return right;
}

static bool use_za(struct vcpu *v, struct state *o)
{
    if (!opened(v, FP_UNIT_SME))
        return false;
    za_get(seen, svl);
    bool right = !memcmp(seen, o->za, svl * svl);
    if (user_random() % 2) {
        for (u32 i = 0; i < svl * svl; i += 8)
            *(u64 *)(void *)(o->za + i) = user_random();
        za_set(o->za, svl);
    }
    return right;
}

/* BUGS 39: the mode changes first thing after a switch, or later. */
static bool change_mode(struct vcpu *v, struct state *o)
{
    u32 to = (u32)user_random() % 4, changed = to ^ o->svcr;

    if (!opened(v, FP_UNIT_SME) || user_svcr() != o->svcr)
        return false;
    user_svcr_set(to);
    if (changed & SM) {
        memset(o->regs.bytes, 0, sizeof(o->regs.bytes));
        o->regs.fpsr = 0x0800009f;
    }
    if (changed & to & ZA_ON)
        memset(o->za, 0, sizeof(o->za));
    o->svcr = to;
    return true;
}

static bool step(void)
{
    u32 i = (u32)user_random() % CONTEXTS;
    struct vcpu *v = &vcpus[i];
    struct state *o = &oracle[i];

    switch (user_random() % 16) {
    case 0: /* dies as owner or not, and another one at its address (BUGS 24) */
        fp_release(v);
        if (pcpus[0].current == v) {
            fp_switch_out(v);
            pcpus[0].current = NULL;
        }
        create(i, user_random() % 4, user_random() % 4, user_random() % 3 ? FP_LAZY : FP_EAGER);
        return true;
    case 1:
        return run(v) && (fp_sync(v), true);
    case 2:
    case 3:
        return run(v);
    case 4: /* denied: refused, and nothing is opened */
        if (v->fp.offered & FP_UNIT_SME)
            return run(v) && change_mode(v, o);
        return run(v) && fp_trap(v, FP_UNIT_SME) == FP_TRAP_REFUSED && user_svcr() == 0;
    case 5:
    case 6:
    case 7:
        return run(v) && use_v(v, o);
    case 8:
    case 9:
        return run(v) && (v->fp.offered & FP_UNIT_SME ? change_mode(v, o) : use_v(v, o));
    case 10:
    case 11:
        return run(v) && (o->svcr & ZA_ON ? use_za(v, o) : use_v(v, o));
    default:
        return run(v) && (o->svcr & SM || v->fp.offered & FP_UNIT_SVE ? use_z(v, o) : use_v(v, o));
    }
}

static bool sequence(void)
{
    bool right = true;

    memset(pcpus, 0, sizeof(pcpus));
    memset(&features, 0, sizeof(features));
    features.fpsimd = features.sve = features.sme = features.fa64 = features.fgt = true;
    features.sve_vl = vl;
    features.sve_vls = 1u << (vl / 16 - 1);
    features.sme_vl = svl;
    features.sme_vls = 1u << (svl / 16 - 1);
    vm.fp_quota = (struct fp_quota){.limit = MiB(2)};
    fp_init_cpu(&pcpus[0]);
    for (u32 i = 0; i < CONTEXTS; i++)
        create(i, i != 1, i != 2, i == 2 ? FP_EAGER : FP_LAZY);
    for (u32 n = 0; n < STEPS && right; n++) {
        right = step();
        if (!right)
            user_print("# VL %u, SVL %u: step %u\n", vl, svl, n);
    }
    for (u32 i = 0; i < CONTEXTS; i++) {
        fp_release(&vcpus[i]);
        if (pcpus[0].current == &vcpus[i])
            pcpus[0].current = NULL;
    }
    user_svcr_set(0);
    return right && vm.fp_quota.used == 0 && taken == 0;
}

long user_main(void)
{
    static const u32 vls[] = {16, 32, 48, 256};
    u32 n = 0, bad = 0;

    if (!user_set_svl(16)) {
        user_print("ok 1 - SME # SKIP a CPU without it\n1..1\n");
        return 0;
    }
    user_catch_faults();
    for (svl = 16; svl <= 256; svl *= 2) {
        for (u32 i = 0; i < ARRAY_SIZE(vls); i++) {
            vl = vls[i];
            if (!user_set_svl(svl) || !user_set_vl(vl))
                continue;
            bool good = sequence();
            bad += !good;
            user_print("%sok %u - bugs1_bugs24_bugs34_bugs39_bugs40: %u random steps, vectors of "
                       "%u bits, streaming of %u\n",
                       good ? "" : "not ", ++n, STEPS, vl * 8, svl * 8);
        }
    }
    user_print("1..%u\n", n);
    return bad != 0;
}
