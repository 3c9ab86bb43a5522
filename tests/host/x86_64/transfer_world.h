/* The machine and the vCPU whose state goes out and in. Included once, by test_transfer_x86.c. */
#ifndef X86_TRANSFER_WORLD_H
#define X86_TRANSFER_WORLD_H

#include "x86_64/sapphire_rapids.h"

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

static struct vcpu v;
static struct vmcb vmcb;
static u8 area[16384] ALIGNED(64), other[16384] ALIGNED(64);
static u8 out[16384] ALIGNED(8), back[16384] ALIGNED(8);

#endif
