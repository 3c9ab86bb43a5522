/*
 * hv/fp.c and arch/arm64's FP code on real registers, in user mode: random sequences of three
 * contexts that use nothing, FPSIMD or SVE, an oracle beside each. The EL2 registers they write
 * fault, and are words of a table here. No C library and no vector register in the compiled code.
 *
 * links: hv/fp.c hv/fp_area.c hv/format.c hv/string.c arch/arm64/fp.c arch/arm64/fp_context.c
 * links: arch/arm64/fp_sme.c arch/arm64/fp_moves.S
 * links: arch/arm64/vec_layout.c arch/arm64/fp_debug.c
 * links: tests/host/arm64/user.S tests/host/arm64/user.c tests/host/arm64/user_fault.c
 * machine: user_arm64
 */
#include "tests/host/arm64/user.h"
#include "tests/host/arm64/user_fault.h"
#include "arch/arch.h"
#include "hv/pages.h"

#define CONTEXTS 3u
#define STEPS    1500u

struct pcpu pcpus[MAX_CPUS];
struct arm64_features features;

static struct vm vm;
static struct vcpu vcpus[CONTEXTS];
static struct regs oracle[CONTEXTS];
static struct regs got;
static u8 memory[16][4 * PAGE_SIZE] ALIGNED(4096);
static u32 taken;

bool pages_spare(u64 bytes)
{
    (void)bytes;
    return true;
}

/* Areas are at most 9 KiB: each allocation has 16 KiB of its own. */
void *pages_alloc(size_t n, u64 align, enum page_use use)
{
    (void)align;
    (void)use;
    for (u32 i = 0; n <= 4 && i < 16; i++) {
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

/* The reset state as Fermata gives it: zeros. */
static void create(u32 i, bool sve, enum fp_policy policy)
{
    const struct arch_fp_config config = {.units = FP_UNIT_FPSIMD | (sve ? FP_UNIT_SVE : 0),
                                          .sve_vl = sve ? user_vl : 0};
    struct vcpu *v = &vcpus[i];

    memset(v, 0, sizeof(*v));
    v->vm = &vm;
    v->id = i;
    v->pcpu = &pcpus[0];
    fp_init(v, config.units, policy);
    fp_init_context(&v->fp.arch, &config);
    memset(&oracle[i], 0, sizeof(oracle[i]));
}

/* BUGS 1: what is not open is INIT, by value. */
static bool closed_is_init(void)
{
    u32 open = pcpus[0].arch.open;
    size_t low = open & FP_UNIT_FPSIMD ? 16 : 0;

    if (open & FP_UNIT_SVE)
        return true;
    regs_get(&got);
    for (u32 n = 0; n < 32; n++) {
        for (size_t i = low; i < user_vl; i++) {
            if (z_of(&got, n)[i])
                return false;
        }
    }
    for (size_t i = 0; i < 17 * (user_vl / 8); i++) {
        if (p_of(&got, 0)[i])
            return false;
    }
    return low || (got.fpsr == 0 && got.fpcr == 0);
}

static bool run(struct vcpu *v)
{
    struct pcpu *cpu = &pcpus[0];

    if (cpu->current == v)
        return true;
    if (cpu->current)
        fp_switch_out(cpu->current);
    if (cpu->fp_owner || cpu->arch.open)
        user_fail("the CPU still belongs to someone");
    cpu->current = v;
    return closed_is_init() && fp_switch_in(v);
}

/* What the guest's access costs: a trap for each unit that is closed. */
static bool opened(struct vcpu *v, fp_units units)
{
    for (u32 tries = 0; tries < 3 && units & ~pcpus[0].arch.open; tries++) {
        fp_units closed = units & ~pcpus[0].arch.open;
        if (fp_trap(v, closed & -closed) != FP_TRAP_RETRY)
            return false;
    }
    fp_enter(v, &v->fp); /* with its checks: I1 to I6 */
    return !(units & ~pcpus[0].arch.open) && closed_is_init();
}

/* FPSIMD code looks at V, FPSR and FPCR; what it writes zeroes the rest of Z (BUGS 40). */
static bool use_fpsimd(struct vcpu *v, struct regs *o)
{
    if (!opened(v, FP_UNIT_FPSIMD))
        return false;
    v_get(&got, user_vl);
    bool right = got.fpsr == o->fpsr && got.fpcr == o->fpcr;
    for (u32 n = 0; n < 32; n++)
        right &= !memcmp(z_of(&got, n), z_of(o, n), 16);
    if (user_random() % 2) {
        static struct regs fresh;
        randomise(&fresh);
        for (u32 n = 0; n < 32; n++) {
            memset(z_of(o, n), 0, user_vl);
            memcpy(z_of(o, n), z_of(&fresh, n), 16);
        }
        o->fpsr = fresh.fpsr;
        o->fpcr = user_random() % 2 ? fresh.fpcr : 0;
        v_set(o, user_vl);
    }
    return right;
}

static bool use_sve(struct vcpu *v, struct regs *o)
{
    if (!opened(v, FP_UNIT_FPSIMD | FP_UNIT_SVE))
        return false;
    regs_get(&got);
    bool right = !memcmp(&got, o, regs_bytes());
    switch (user_random() % 4) {
    case 0:
        break;
    case 1: /* back to where FPSIMD can be opened alone */
        clear_uppers(o);
        regs_set(o);
        break;
    case 2: /* one bit, anywhere */
        randomise(o);
        clear_uppers(o);
        p_of(o, (u32)user_random() % 16)[user_random() % (user_vl / 8)] =
            (u8)(1u << user_random() % 8);
        regs_set(o);
        break;
    default:
        randomise(o);
        regs_set(o);
    }
    return right;
}

static bool step(void)
{
    u32 i = (u32)user_random() % CONTEXTS;
    struct vcpu *v = &vcpus[i];

    switch (user_random() % 16) {
    case 0: /* dies as owner or not, and another one at its address (BUGS 24) */
        fp_release(v);
        if (pcpus[0].current == v) {
            fp_switch_out(v);
            pcpus[0].current = NULL;
        }
        create(i, user_random() % 4, user_random() % 3 ? FP_LAZY : FP_EAGER);
        return closed_is_init();
    case 1:
        return run(v) && (fp_sync(v), closed_is_init());
    case 2:
    case 3:
        return run(v);
    case 4: /* SVE denied: refused, and nothing is opened */
        if (v->fp.offered & FP_UNIT_SVE)
            return true;
        return run(v) && fp_trap(v, FP_UNIT_SVE) == FP_TRAP_REFUSED &&
               !(pcpus[0].arch.open & FP_UNIT_SVE);
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
        return run(v) && use_fpsimd(v, &oracle[i]);
    default:
        if (!(v->fp.offered & FP_UNIT_SVE))
            return run(v) && use_fpsimd(v, &oracle[i]);
        return run(v) && use_sve(v, &oracle[i]);
    }
}

static bool sequence(void)
{
    bool right = true;

    memset(pcpus, 0, sizeof(pcpus));
    memset(&features, 0, sizeof(features));
    features.fpsimd = features.sve = true;
    features.sve_vl = user_vl;
    features.sve_vls = 1u << (user_vl / 16 - 1);
    vm.fp_quota = (struct fp_quota){.limit = MiB(1)};
    fp_init_cpu(&pcpus[0]);
    for (u32 i = 0; i < CONTEXTS; i++)
        create(i, i != 1, i == 2 ? FP_EAGER : FP_LAZY);
    for (u32 n = 0; n < STEPS && right; n++) {
        right = step();
        if (!right)
            user_print("# VL %u: step %u\n", user_vl, n);
    }
    for (u32 i = 0; i < CONTEXTS; i++) {
        fp_release(&vcpus[i]);
        if (pcpus[0].current == &vcpus[i])
            pcpus[0].current = NULL;
    }
    return right && vm.fp_quota.used == 0 && taken == 0 && closed_is_init();
}

long user_main(void)
{
    u32 n = 0, bad = 0;

    user_catch_faults();
    for (u32 want = 16; want <= 256; want += want < 64 ? 16 : 64) {
        if (!user_set_vl(want))
            continue;
        bool good = sequence();
        bad += !good;
        user_print("%sok %u - bugs1_bugs24_bugs40: %u random steps, vectors of %u bits\n",
                   good ? "" : "not ", ++n, STEPS, want * 8);
    }
    user_print("%s1..%u\n", n ? "" : "not ok 1 - no vector length\n", n ? n : 1);
    return bad != 0 || n == 0;
}
