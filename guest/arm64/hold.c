/*
 * A pattern in every FP register is held while this vCPU is preempted at arbitrary instructions,
 * yields, and the other vCPUs and VMs write patterns of their own (BUGS 1, 18, 25, 26; `exits` adds
 * 20 and 28).
 *
 * hold=N asks for N preemptions (FERMATA_STAT_PREEMPTIONS) of the two main cases; the others get
 * N/8. Storing the registers does not disturb them, so each case loads its pattern once and looks
 * many times.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/fp.h"

#define CASES       6
#define DEFAULT     2000
#define BARE_ROUNDS 400
#define YIELD_EVERY 8
/* Rounds without a preemption, some 900 million instructions: a busy host is slow with ticks. */
#define PATIENCE    60000
#define JOB_PURPOSE 0x100

u64 gpr_hold(u64 count, u64 seed);
u64 el0_hold_v(u64 args);
u64 el0_hold_z(u64 args);

/* One vCPU's part. vCPU 0 ends a case when it has its preemptions; the others go on until told. */
struct holder {
    struct fp_image want, got;
    u32 first_case; /* vCPUs run the cases in different order, so that different kinds meet */
    u64 preemptions[CASES], looks[CASES];
    bool good[CASES];
    struct fp_difference why[CASES];
};
static struct holder holders[MAX_CPUS];
static u32 lengths[CASES]; /* vector length of each case, 0 = FPSIMD only */
static u32 case_count;
static u32 stop;

/* FPSIMD only, the largest vector length, and up to four shorter ones spread over what the VM has.
 */
static void choose_cases(void)
{
    u32 max = sve_max_vl();

    case_count = 0;
    lengths[case_count++] = 0;
    if (!max)
        return;
    lengths[case_count++] = max;
    for (u32 vl = 16; vl < max && case_count < CASES; vl *= 2)
        if (sve_set_vl(vl) == vl)
            lengths[case_count++] = vl;
}

/* Use up time without leaving the guest, so that only the timer can end it, at a place that varies.
 */
static void spin(u64 *state)
{
    u64 count = pattern_next(state) & 0x3fff;

    __asm__ volatile("1: subs %0, %0, #1\n\tb.hi 1b" : "+r"(count)::"cc");
}

static void hold_case(struct holder *h, u32 number, u64 wanted)
{
    u32 index = (u32)this_cpu()->index, vl = lengths[number];
    u64 state = pattern_seed(index, JOB_PURPOSE + number);

    if (vl)
        sve_set_vl(vl);
    fp_image_fill(&h->want, vl, state);
    fp_image_load(&h->want);
    u64 start = stat(FERMATA_STAT_PREEMPTIONS), now = start, yielded = start;
    u32 idle_rounds = 0;
    h->good[number] = true;
    for (u64 round = 0; h->good[number]; round++) {
        if (on_fermata ? now - start >= wanted : round >= BARE_ROUNDS)
            break;
        if (index && __atomic_load_n(&stop, __ATOMIC_ACQUIRE))
            break;
        /* A yield starts a new quantum: between two of them the timer must have its chance. */
        if (on_fermata ? now - yielded >= YIELD_EVERY : round % 4 == 3) {
            yield();
            yielded = now;
        } else {
            spin(&state);
        }
        u64 before = now;
        now = stat(FERMATA_STAT_PREEMPTIONS);
        idle_rounds = now == before ? idle_rounds + 1 : 0;
        if (on_fermata && idle_rounds > PATIENCE)
            break;
        if (round % 8 && now - start < wanted)
            continue;
        fp_image_store(&h->got, vl ? (u32)sve_vl() : 0);
        h->looks[number]++;
        h->good[number] = fp_image_equal(&h->got, &h->want, &h->why[number]);
    }
    h->preemptions[number] += now - start;
}

static void hold_all(void *argument)
{
    struct holder *h = argument;
    u64 wanted = cmdline_u64("hold", DEFAULT);

    fp_open();
    do {
        for (u32 i = 0; i < case_count; i++) {
            u32 number = (i + h->first_case) % case_count;
            hold_case(h, number, number < 2 ? wanted : wanted / 8);
            if (!h->good[number])
                return;
        }
    } while (this_cpu()->index && !__atomic_load_n(&stop, __ATOMIC_ACQUIRE));
}

/* General registers, SP (by returning at all) and flags, at EL1 under preemption. */
static void hold_general(u64 wanted)
{
    u64 start = stat(FERMATA_STAT_PREEMPTIONS), now = start, bad = 0,
        state = pattern_seed(0, 0x180);

    for (u64 round = 0; !bad && (on_fermata ? now - start < wanted : round < BARE_ROUNDS);
         round++) {
        u64 r = pattern_next(&state);
        bad = gpr_hold(1 + (r & 0x3fff), pattern_next(&state));
        now = stat(FERMATA_STAT_PREEMPTIONS);
    }
    if (!ok(!bad, "hold: X2 to X30 and NZCV (%lu preemptions)", (unsigned long)(now - start)))
        diag("registers that differ: mask 0x%lx (bit 31: NZCV)", (unsigned long)bad);
}

/* What el0_hold_v and el0_hold_z (hold_ops.S) work on. */
struct el0_hold {
    u64 spins, z_in, p_in, z_out, p_out;
};

/* The pattern is loaded, held and stored by EL0: the first FP instruction after a preemption is
 * EL0's. */
static void hold_el0(u32 vl, u64 wanted)
{
    static struct el0_hold args;
    struct holder *h = &holders[0];
    struct fp_difference why;
    u64 start = stat(FERMATA_STAT_PREEMPTIONS), now = start, state = pattern_seed(0, 0x190 + vl);
    bool good = true;

    if (vl)
        sve_set_vl(vl);
    fpcr_write(0);
    fpsr_write(0);
    for (u64 round = 0; good && (on_fermata ? now - start < wanted : round < BARE_ROUNDS / 4);
         round++) {
        fp_image_fill(&h->want, vl, pattern_next(&state));
        h->want.fpcr = h->got.fpcr = h->want.fpsr = h->got.fpsr = 0;
        h->got.vl = vl;
        args = (struct el0_hold){1 + (pattern_next(&state) & 0xffff), (u64)h->want.z + EL0_ALIAS,
                                 (u64)h->want.p + EL0_ALIAS, (u64)h->got.z + EL0_ALIAS,
                                 (u64)h->got.p + EL0_ALIAS};
        el0_run(vl ? el0_hold_z : el0_hold_v, (u64)&args + EL0_ALIAS);
        good = fp_image_equal(&h->got, &h->want, &why);
        now = stat(FERMATA_STAT_PREEMPTIONS);
    }
    if (!ok(good, "hold: at EL0: %s (%lu preemptions)", vl ? "Z, P, FFR" : "V",
            (unsigned long)(now - start)))
        fp_difference_diag(&why);
}

static void report(u32 vcpu)
{
    struct holder *h = &holders[vcpu];

    for (u32 i = 0; i < case_count; i++) {
        if (!h->looks[i]) {
            diag("vCPU %u did not get to length %u", vcpu, lengths[i] * 8);
            continue;
        }
        if (lengths[i])
            ok(h->good[i], "hold: vCPU %u: Z, P, FFR, FPCR, FPSR at %u bits (%lu preemptions)",
               vcpu, lengths[i] * 8, (unsigned long)h->preemptions[i]);
        else
            ok(h->good[i], "hold: vCPU %u: V, FPCR, FPSR (%lu preemptions)", vcpu,
               (unsigned long)h->preemptions[i]);
        if (!h->good[i])
            fp_difference_diag(&h->why[i]);
    }
}

void scenario_hold(void)
{
    u32 cpus = cpus_online();
    u64 wanted = cmdline_u64("hold", DEFAULT);

    fp_open();
    choose_cases();
    stop = 0;
    for (u32 i = 1; i < cpus; i++) {
        holders[i].first_case = i;
        cpu_job(i, hold_all, &holders[i]);
    }
    hold_all(&holders[0]);
    if (on_fermata)
        ok(holders[0].preemptions[0] >= wanted,
           "hold: vCPU 0 was preempted %lu times, of %lu wanted",
           (unsigned long)holders[0].preemptions[0], (unsigned long)wanted);
    hold_general(wanted / 8);
    for (u32 i = 0; i < (case_count < 2 ? 1u : 2u); i++)
        hold_el0(lengths[i], wanted / 8);
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (u32 i = 1; i < cpus; i++)
        cpu_wait(i);
    for (u32 i = 0; i < cpus; i++)
        report(i);
}
