/* Runs the scenarios the command line names, in the order of the architecture's table. */
#include "guest/guest.h"

void guest_run(void)
{
    u32 ran = 0;

    for (const struct scenario *s = scenarios; s->name; s++) {
        bool bench = !strncmp(s->name, "bench", 5) && cmdline_has("bench");
        if (!bench && !cmdline_runs(s->name, s->by_default))
            continue;
        diag("scenario %s", s->name);
        s->run();
        ran++;
    }
    /* A mistyped run= must not look like success. */
    if (!ran)
        ok(false, "the command line names a scenario that exists");
    tap_finish();
}
