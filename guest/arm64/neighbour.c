/*
 * Neighbours: while a scenario of vCPU 0 runs, the other vCPUs of the VM keep writing patterns of
 * their own into every FP register and yield, so that a register that is not switched shows up at
 * once.
 */
#include "guest/arm64/fp.h"

static struct fp_image images[MAX_CPUS];
static u32 stop;

static void soil(void *argument)
{
    u32 index = (u32)this_cpu()->index;
    u64 state = pattern_seed(index, 0x700);

    (void)argument;
    fp_open();
    u32 max = sve_max_vl();
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        u64 r = pattern_next(&state);
        u32 vl = !max || r % 4 == 0 ? 0 : sve_set_vl(r % 4 == 1 ? 16 : max);
        fp_image_fill(&images[index], vl, r);
        fp_image_load(&images[index]);
        for (u32 y = 0; y < 8; y++)
            yield();
    }
}

void neighbours_start(void)
{
    stop = 0;
    for (u32 i = 1; i < cpus_online(); i++)
        cpu_job(i, soil, NULL);
}

void neighbours_stop(void)
{
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (u32 i = 1; i < cpus_online(); i++)
        cpu_wait(i);
}
