/* The machine and the vCPU whose state goes out and in. Included once, by test_transfer_x86.c. */
#ifndef X86_TRANSFER_WORLD_H
#define X86_TRANSFER_WORLD_H

#define FULL 0x602e7ull

struct cpu_features cpu_has;
struct pcpu pcpus[MAX_CPUS];
static u32 nm_trapped;

static void trap_nm(struct vcpu *v, bool trap)
{
    (void)v;
    nm_trapped = trap;
}

static const struct virt_ops ops = {.trap_nm = trap_nm};
const struct virt_ops *virt = &ops;

struct pcpu *arch_this_cpu(void)
{
    return &pcpus[0];
}

void cpu_detect(void)
{
}

void fp_spare(struct vcpu *spared, size_t bytes)
{
    (void)spared;
    (void)bytes;
}

bool fp_grow(struct vcpu *v)
{
    (void)v;
    return true;
}

static const struct xstate_cpuid told = {.xcr0 = FULL,
                                         .all_bytes = 11008,
                                         .leaf = {[2] = {256, 576, 0},
                                                  [5] = {64, 1088, 0},
                                                  [6] = {512, 1152, 0},
                                                  [7] = {1024, 1664, 0},
                                                  [9] = {8, 2688, 0},
                                                  [17] = {64, 2752, 2},
                                                  [18] = {8192, 2816, 6}}};
static struct vcpu v;
static struct vmcb vmcb;
static u8 area[16384] ALIGNED(64), other[16384] ALIGNED(64);
static u8 out[16384] ALIGNED(8), back[16384] ALIGNED(8);

#endif
