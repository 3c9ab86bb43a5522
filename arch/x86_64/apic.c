/*
 * The local APIC timer, one shot, and how fast it and the TSC run. The APIC stays in the mode the
 * firmware chose: registers in a page, or x2APIC MSRs. Either sets a quantum with one instruction,
 * and QEMU's -icount does not survive an MSR that reads its clock ("Bad icount read").
 */
#include "apic.h"
#include "cpu.h"
#include "paging.h"
#include "arch/arch.h"
#include "hv/console.h"

/* Register numbers are offsets of the xAPIC page / 16, which is also the MSR - 0x800. */
enum {
    APIC_EOI = 0x0b,
    APIC_SVR = 0x0f,
    APIC_ICR = 0x30,
    APIC_ICR_HIGH = 0x31,
    APIC_LVT_TIMER = 0x32,
    APIC_LVT_LINT0 = 0x35,
    APIC_LVT_LINT1 = 0x36,
    APIC_TIMER_INITIAL = 0x38,
    APIC_TIMER_CURRENT = 0x39,
    APIC_TIMER_DIVIDE = 0x3e,
    APIC_TPR = 0x08,
};
#define LVT_MASKED  BIT(16)
#define ICR_PENDING BIT(12)
/* All but this one, asserted, INIT (SDM 3A, 11.6.1). */
#define ICR_INIT_OTHERS 0x000c4500u
#define SVR_ENABLE      BIT(8)
#define DIVIDE_BY_1     0xb
#define RATIO_FRACTION  24 /* bits behind the point of timer_ratio */

/* The PIT's channel 2 counts 1.193182 MHz, gated and read back through port 0x61. */
#define PIT_HZ          1193182u
#define PIT_CHANNEL2    0x42
#define PIT_COMMAND     0x43
#define PIT_GATE        0x61
#define CALIBRATE_TICKS 400u /* a third of a millisecond: hand-over to the guest must be quick */
#define TRIALS          3u

u64 tsc_hz;
static u64 timer_ratio; /* APIC timer counts per TSC tick, fixed point */
static bool x2apic;
static volatile u32 *xapic;

static void apic_write(unsigned reg, u32 value)
{
    if (x2apic)
        wrmsr(MSR_X2APIC_FIRST + reg, value);
    else
        xapic[reg * 4] = value;
}

static u32 apic_read(unsigned reg)
{
    return x2apic ? (u32)rdmsr(MSR_X2APIC_FIRST + reg) : xapic[reg * 4];
}

static void apic_enable(void)
{
    u64 base = rdmsr(MSR_APIC_BASE);

    wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
    x2apic = base & APIC_BASE_EXTD;
    if (!x2apic) {
        u64 page = base & PTE_ADDRESS;
        paging_map_device(page, PAGE_SIZE);
        xapic = (volatile u32 *)(uintptr_t)page;
    }
    /* The 8259s' interrupts are nobody's now; LINT1 is the board's NMI and stays as found. */
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
    apic_write(APIC_LVT_LINT0, (u32)LVT_MASKED);
    apic_write(APIC_TPR, 0);
    apic_write(APIC_SVR, (u32)SVR_ENABLE | VECTOR_SPURIOUS);
    apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
}

const char *apic_mode(void)
{
    return x2apic ? "x2APIC" : "xAPIC";
}

/*
 * INIT to every other CPU: it then waits for a start-up IPI and runs nothing. Where firmware parks
 * them is its own business, and memory that becomes ours might be where.
 */
static void park_others(void)
{
    if (x2apic) {
        wrmsr(MSR_X2APIC_FIRST + APIC_ICR, ICR_INIT_OTHERS);
        return;
    }
    apic_write(APIC_ICR_HIGH, 0);
    apic_write(APIC_ICR, ICR_INIT_OTHERS);
    for (unsigned spins = 0; spins < 100000 && (apic_read(APIC_ICR) & ICR_PENDING); spins++)
        ;
}

static void pit_start(u16 count)
{
    u8 gate = (u8)(in8(PIT_GATE) & ~3u);

    out8(PIT_GATE, gate);    /* gate closed, speaker off */
    out8(PIT_COMMAND, 0xb0); /* channel 2, both bytes, mode 0: counts down once */
    out8(PIT_CHANNEL2, (u8)count);
    out8(PIT_CHANNEL2, (u8)(count >> 8));
    out8(PIT_GATE, gate | 1u);
}

static u32 pit_count(void)
{
    out8(PIT_COMMAND, 0x80); /* latch channel 2 */
    u32 low = in8(PIT_CHANNEL2);
    return low | (u32)in8(PIT_CHANNEL2) << 8;
}

struct interval {
    u64 tsc, apic, pit;
};

/* Both counters against the PIT, read back rather than assumed: being late costs no accuracy. */
static bool measure(struct interval *out)
{
    pit_start(0xffff);
    u32 first = pit_count();
    for (unsigned spins = 0; pit_count() == first; spins++) {
        if (spins > 100000)
            return false; /* no PIT here */
    }
    first = pit_count();
    u64 tsc = rdtsc();
    u32 apic = apic_read(APIC_TIMER_CURRENT);
    u32 last;
    do {
        last = pit_count();
    } while (first - last < CALIBRATE_TICKS);
    *out = (struct interval){rdtsc() - tsc, apic - apic_read(APIC_TIMER_CURRENT), first - last};
    return true;
}

/*
 * Of several measurements the one with the lowest TSC rate wins: whatever disturbs one (an SMI, an
 * emulator put to sleep) does so between reading the PIT and reading the TSC, and adds ticks.
 */
static bool calibrate(struct interval *best)
{
    bool found = false;

    apic_write(APIC_LVT_TIMER, VECTOR_TIMER | (u32)LVT_MASKED);
    apic_write(APIC_TIMER_INITIAL, 0xffffffff);
    for (unsigned i = 0; i < TRIALS; i++) {
        struct interval now;
        if (!measure(&now) || now.apic == 0)
            continue;
        if (!found || now.tsc * best->pit < best->tsc * now.pit)
            *best = now;
        found = true;
    }
    apic_write(APIC_TIMER_INITIAL, 0);
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
    return found;
}

/* CPUID 0x15 tells exactly, where it tells: TSC = crystal * EBX / EAX, and the timer counts it. */
static bool rates_from_cpuid(void)
{
    if (cpu_has.max_leaf < 0x15)
        return false;
    struct cpuid_regs r = cpuid(0x15, 0);
    if (!r.eax || !r.ebx || !r.ecx)
        return false;
    tsc_hz = (u64)r.ecx * r.ebx / r.eax;
    timer_ratio = ((u64)r.eax << RATIO_FRACTION) / r.ebx;
    return true;
}

void apic_init(struct pcpu *cpu, const struct boot_info *info)
{
    struct interval best = {0};

    (void)cpu;
    (void)info;
    apic_enable();
    park_others();
    if (rates_from_cpuid())
        return;
    if (!calibrate(&best))
        panic("no clock: CPUID 0x15 is silent and the PIT does not count, so the APIC timer's "
              "rate cannot be found; this machine is not supported by this release");
    tsc_hz = best.tsc * PIT_HZ / best.pit;
    timer_ratio = (best.apic << RATIO_FRACTION) / best.tsc;
    if (timer_ratio == 0)
        timer_ratio = 1;
}

void arch_timer_set(struct pcpu *cpu, u64 ticks)
{
    u64 counts = ticks * timer_ratio >> RATIO_FRACTION;

    cpu->arch.timer_fired = false;
    if (unlikely(counts > 0xffffffff))
        counts = 0xffffffff; /* too early is only an extra switch */
    apic_write(APIC_TIMER_INITIAL, counts ? (u32)counts : 1);
}

/*
 * A device the firmware left armed. Unacknowledged it would stay in service, and with a vector
 * above the timer's it would keep the timer out for good: no guest would ever be preempted again.
 */
void apic_stray_interrupt(void)
{
    apic_write(APIC_EOI, 0);
}

void apic_timer_interrupt(void)
{
    arch_this_cpu()->arch.timer_fired = true;
    apic_write(APIC_EOI, 0);
}
