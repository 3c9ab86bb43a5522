/* TAP (version 12) on the console. */
#include "guest/guest.h"

static u32 tests, failures;

static void result(bool good, const char *fmt, va_list args)
{
    tests++;
    if (!good)
        failures++;
    print("%s %u - ", good ? "ok" : "not ok", tests);
    vprint(fmt, args);
}

bool ok(bool good, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    result(good, fmt, args);
    va_end(args);
    print("\n");
    return good;
}

bool ok_eq(u64 got, u64 want, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    result(got == want, fmt, args);
    va_end(args);
    print("\n");
    if (got != want)
        diag("got 0x%lx, want 0x%lx", (unsigned long)got, (unsigned long)want);
    return got == want;
}

void skip(const char *why, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    result(true, fmt, args);
    va_end(args);
    print(" # SKIP %s\n", why);
}

void diag(const char *fmt, ...)
{
    va_list args;

    print("# ");
    va_start(args, fmt);
    vprint(fmt, args);
    va_end(args);
    print("\n");
}

u32 tap_failures(void)
{
    return failures;
}

void tap_finish(void)
{
    print("1..%u\n", tests);
    arch_power_off(tests && !failures ? 0 : 1);
}

void panic(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    result(false, fmt, args);
    va_end(args);
    print("\nBail out! the guest kernel cannot go on\n");
    arch_power_off(1);
}
