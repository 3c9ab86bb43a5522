/*
 * What happened last on each CPU: a ring of events, newest over oldest, kept in debug builds only,
 * so that a release build's measured paths hold nothing of it. `trace = N` in fermata.conf prints
 * the last N at the end, tools/trace makes pictures of that, `fermata trace` in gdb reads the ring
 * itself.
 */
#ifndef FERMATA_TRACE_H
#define FERMATA_TRACE_H

#include "hv/base.h"

struct vcpu;

enum trace_event {
    TRACE_IN,    /* the vCPU becomes current; units: live */
    TRACE_OUT,   /* it leaves */
    TRACE_TRAP,  /* an exit because a gate was closed; units: of that gate */
    TRACE_LOAD,  /* memory to registers; units, bytes moved */
    TRACE_SAVE,  /* registers to memory; units, bytes moved */
    TRACE_SCRUB, /* registers to INIT; units */
    TRACE_GROW,  /* a larger area; units, its bytes */
    TRACE_GATE,  /* units that are open now */
    TRACE_EVENTS
};

struct trace_entry {
    u64 ticks; /* arch_ticks() */
    u32 bytes;
    u8 vm, vcpu;
    u8 event; /* enum trace_event */
    u8 units;
};
_Static_assert(sizeof(struct trace_entry) == 16, "two to a 32-byte line");

#define TRACE_ENTRIES 4096u /* per CPU: 64 KiB */

#ifdef FERMATA_TRACE
void trace(const struct vcpu *v, enum trace_event event, u32 units, size_t bytes);
#else
static inline void trace(const struct vcpu *v, enum trace_event event, u32 units, size_t bytes)
{
    (void)v;
    (void)event;
    (void)units;
    (void)bytes;
}
#endif

/* Prints the last `n` events of every CPU, oldest first, one line each, or that this build has
 * none.
 */
void trace_dump(u32 n);

#endif
