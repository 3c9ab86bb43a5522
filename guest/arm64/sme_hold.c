/*
 * `sme-hold`: everything an SME vCPU holds (V or Z, P, FFR, ZA, ZT0, FPCR, FPSR, FPMR, SVCR,
 * SMCR_EL1, ZCR_EL1, TPIDR2_EL0, SMPRI_EL1) while it is preempted at arbitrary instructions and
 * yields, against vCPUs of other modes and lengths (BUGS 18, 19, 22, 25, 26); then a streaming loop
 * stopped behind each of its instructions (sme_steps.c), and modes and lengths changed at random
 * between preemptions (sme_random.c).
 *
 * hold=N asks for N preemptions of the first case and N/8 of the others, as in `hold`.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/sme_scenarios.h"

#define CASES       8
#define DEFAULT     400
#define BARE_ROUNDS 200
#define YIELD_EVERY 8
#define PATIENCE    20000 /* rounds without a preemption */

struct holding {
    struct fp_difference why;
    u64 preemptions, looks;
    u32 mode, vl, svl;
    bool good;
};

/* Use up time without leaving the guest, so that only the timer can end it. */
static void spin(u64 *state)
{
    u64 count = pattern_next(state) & 0x3fff;

    __asm__ volatile("1: subs %0, %0, #1\n\tb.hi 1b" : "+r"(count)::"cc");
}

static void hold_case(struct holding *h, u64 wanted, u64 seed)
{
    u64 start = stat(FERMATA_STAT_PREEMPTIONS), now = start, yielded = start;
    u32 idle = 0;

    sme_enter(sme_want(), h->mode, h->vl, h->svl, seed);
    h->good = true;
    for (u64 round = 0; h->good; round++) {
        if (on_fermata ? now - start >= wanted || idle > PATIENCE : round >= BARE_ROUNDS)
            break;
        if (on_fermata ? now - yielded >= YIELD_EVERY : round % 4 == 3) {
            yield();
            yielded = now;
        } else {
            spin(&seed);
        }
        u64 before = now;
        now = stat(FERMATA_STAT_PREEMPTIONS);
        idle = now == before ? idle + 1 : 0;
        if (round % 8 && now - start < wanted)
            continue;
        h->looks++;
        h->good = sme_held(&h->why);
    }
    h->preemptions = now - start;
}

static u32 choose_cases(struct holding cases[CASES])
{
    u32 vls[VLS_MAX] = {0}, svls[SVLS_MAX];
    u32 vl_count = sve_lengths(vls), svl_count = sme_lengths(svls), n = 0;
    u32 vl = vls[0], svl = svls[0], low = svls[svl_count - 1];

    cases[n++] = (struct holding){.mode = SVCR_SM | SVCR_ZA, .vl = vl, .svl = svl};
    cases[n++] = (struct holding){.mode = SVCR_ZA, .vl = vl, .svl = svl};
    cases[n++] = (struct holding){.mode = SVCR_SM, .vl = vl, .svl = svl};
    cases[n++] = (struct holding){.mode = 0, .vl = vl, .svl = svl};
    if (svl_count > 1) {
        cases[n++] = (struct holding){.mode = SVCR_SM | SVCR_ZA, .vl = vl, .svl = low};
        cases[n++] = (struct holding){.mode = SVCR_ZA, .vl = vl, .svl = svls[1]};
    }
    if (vl_count > 1)
        cases[n++] = (struct holding){.mode = SVCR_SM, .vl = vls[vl_count - 1], .svl = svl};
    return n;
}

static void hold_all(void)
{
    static const char *const modes[] = {"SM 0 ZA 0", "SM 1 ZA 0", "SM 0 ZA 1", "SM 1 ZA 1"};
    struct holding cases[CASES];
    u32 count = choose_cases(cases);
    u64 wanted = cmdline_u64("hold", DEFAULT);

    for (u32 i = 0; i < count; i++) {
        struct holding *h = &cases[i];
        u64 least = i ? (wanted + 7) / 8 : wanted;
        hold_case(h, least, pattern_seed(0, 0x2800 + i));
        ok(h->good, "sme-hold: %s, SVL %u bits, VL %u: all held (%lu preemptions, %lu looks) (18)",
           modes[h->mode], h->svl * 8, h->vl * 8, (unsigned long)h->preemptions,
           (unsigned long)h->looks);
        if (!h->good)
            fp_difference_diag(&h->why);
        if (on_fermata && h->good)
            ok(h->preemptions >= least, "sme-hold: preempted at least %lu times",
               (unsigned long)least);
    }
}

void scenario_sme_hold(void)
{
    sme_open();
    if (!has_sme()) {
        skip("no SME", "sme-hold: modes, ZA and streaming registers held");
        return;
    }
    sme_neighbours_start();
    hold_all();
    sme_open();
    sme_steps(cmdline_u64("hold", DEFAULT));
    sme_random(cmdline_u64("rounds", on_fermata ? 300 : 400));
    sme_open();
    sme_neighbours_stop();
}
