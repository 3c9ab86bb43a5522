/*
 * Neighbours that use SME: while a scenario of vCPU 0 runs, the other vCPUs of the VM enter random
 * modes at random lengths, with patterns of their own in all of it, so that a register, a mode or a
 * length that is not switched shows up at once.
 */
#include "guest/arm64/sme.h"

static u32 stop;

static void soil(void *argument)
{
    u64 state = pattern_seed((u32)this_cpu()->index, 0x2700);
    u32 vls[VLS_MAX], svls[SVLS_MAX];

    (void)argument;
    sme_open();
    u32 vl_count = sve_lengths(vls), svl_count = sme_lengths(svls);
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        u64 r = pattern_next(&state);
        u32 vl = vl_count ? vls[(r >> 8) % vl_count] : 0;
        sme_enter(sme_want(), r & 3, vl, svls[(r >> 16) % svl_count], r);
        /* Reserved bits too: where they are storage they must not reach another vCPU. */
        sysreg_write(svcr, (r & 3) | ~r << 32);
        for (u32 y = 0; y < 8; y++)
            yield();
    }
    sme_open();
}

void sme_neighbours_start(void)
{
    stop = 0;
    for (u32 i = 1; i < cpus_online(); i++)
        cpu_job(i, soil, NULL);
}

void sme_neighbours_stop(void)
{
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (u32 i = 1; i < cpus_online(); i++)
        cpu_wait(i);
}
