/* See trace.h. */
#include "hv/trace.h"
#include "hv/console.h"
#include "hv/vm.h"
#include "arch/arch.h"

#ifdef FERMATA_TRACE

struct trace_ring {
    u64 written; /* ever; the newest is at (written - 1) % TRACE_ENTRIES */
    struct trace_entry entries[TRACE_ENTRIES];
};

static struct trace_ring rings[MAX_CPUS];

void trace(const struct vcpu *v, enum trace_event event, u32 units, size_t bytes)
{
    struct trace_ring *ring = &rings[v->pcpu->id];

    ring->entries[ring->written++ % TRACE_ENTRIES] = (struct trace_entry){
        .ticks = arch_ticks(),
        .bytes = (u32)bytes,
        .vm = (u8)v->vm->id,
        .vcpu = (u8)v->id,
        .event = (u8)event,
        .units = (u8)units,
    };
}

static void print(u32 cpu, const struct trace_entry *entry)
{
    static const char *const names[TRACE_EVENTS] = {"in",   "out",   "trap", "load",
                                                    "save", "scrub", "grow", "gate"};

    say_info("trace %u %lu %s %s.%u %u %u", cpu, entry->ticks, names[entry->event],
             vm_name(vms[entry->vm]), entry->vcpu, entry->units, entry->bytes);
}

void trace_dump(u32 n)
{
    say_info("trace: CPU, ticks (%lu a second), event, vCPU, units, bytes",
             arch_ticks_per_second());
    for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
        const struct trace_ring *ring = &rings[cpu];
        u64 last = ring->written, have = last < TRACE_ENTRIES ? last : TRACE_ENTRIES;
        for (u64 at = last - (n < have ? n : have); at < last; at++)
            print(cpu, &ring->entries[at % TRACE_ENTRIES]);
    }
}

#else

void trace_dump(u32 n)
{
    (void)n;
    say_info("trace: a release build keeps none; take the debug build");
}

#endif
