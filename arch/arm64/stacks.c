/* The stacks of the hypervisor, each with a page below it that is never mapped. */
#include "arch/arch.h"
#include "exceptions.h"

#define STACK_BYTES 32768u

struct stack {
    u8 guard[PAGE_SIZE];
    u8 bytes[STACK_BYTES];
} ALIGNED(PAGE_SIZE);

static struct stack cpu_stacks[MAX_CPUS];

/* vectors.S: exceptions taken at EL2 itself land here, for the stack may be what broke. */
extern u8 crash_stack[], crash_stack_top[];

u64 stack_top(u32 cpu)
{
    return (u64)(&cpu_stacks[cpu] + 1);
}

u64 stack_guard(u32 n)
{
    if (n < MAX_CPUS)
        return (u64)cpu_stacks[n].guard;
    return n == MAX_CPUS ? (u64)crash_stack : 0;
}

static bool within(u64 address, const u8 *low, const u8 *high)
{
    return address >= (u64)low && address < (u64)high;
}

bool stack_bounds(u64 address, u64 *low, u64 *high)
{
    for (u32 n = 0; n < MAX_CPUS; n++) {
        const struct stack *s = &cpu_stacks[n];
        if (within(address, s->bytes, s->bytes + STACK_BYTES)) {
            *low = (u64)s->bytes;
            *high = (u64)(s->bytes + STACK_BYTES);
            return true;
        }
    }
    if (!within(address, crash_stack + PAGE_SIZE, crash_stack_top))
        return false;
    *low = (u64)crash_stack + PAGE_SIZE;
    *high = (u64)crash_stack_top;
    return true;
}
