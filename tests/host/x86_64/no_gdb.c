/* vCPUs that no debugger looks at, for what is linked without arch/x86_64/gdb_points.c. */
#include "gdb_x86.h"

bool gdb_breakpoint_exit(struct vcpu *v)
{
    (void)v;
    return false;
}

bool gdb_debug_exit(struct vcpu *v, u64 dr6)
{
    (void)v;
    (void)dr6;
    return false;
}

bool gdb_step_done(struct vcpu *v)
{
    (void)v;
    return false;
}

void gdb_points_yield(struct vcpu *v)
{
    (void)v;
}
