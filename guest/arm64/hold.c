/*
 * A pattern in every FP register is held while this vCPU is preempted at arbitrary instructions,
 * yields, and the other vCPUs and VMs write patterns of their own (BUGS 1, 18, 25, 26; `exits` adds
 * 20 and 28).
 *
 * hold=N asks for N preemptions (FERMATA_STAT_PREEMPTIONS) of the main cases; the shorter vector
 * lengths get N/8. Storing the registers does not disturb them, so each case loads its pattern once
 * and looks many times.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/fp.h"

#define CASES       6
#define DEFAULT     2000
#define BARE_ROUNDS 400
#define JOB_PURPOSE 0x100

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
    u64 start = stat(FERMATA_STAT_PREEMPTIONS), now = start;
    h->good[number] = true;
    for (u64 round = 0; h->good[number]; round++) {
        if (on_fermata ? now - start >= wanted : round >= BARE_ROUNDS)
            break;
        if (index && __atomic_load_n(&stop, __ATOMIC_ACQUIRE))
            break;
        if (round % 4 == 3)
            yield();
        else
            spin(&state);
        now = stat(FERMATA_STAT_PREEMPTIONS);
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

    fp_open();
    choose_cases();
    stop = 0;
    for (u32 i = 1; i < cpus; i++) {
        holders[i].first_case = i;
        cpu_job(i, hold_all, &holders[i]);
    }
    hold_all(&holders[0]);
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (u32 i = 1; i < cpus; i++)
        cpu_wait(i);
    for (u32 i = 0; i < cpus; i++)
        report(i);
}
