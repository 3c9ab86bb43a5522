/* See support.h. */
#include "support.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

/* Of arch/arch.h, which not every test's machine has: time goes on by one at each look. */
u64 arch_cycles(void);
u64 arch_ticks(void);
u64 arch_ticks_per_second(void);

jmp_buf fake_panic_jump;
bool fake_panic_expected;
char fake_panic_text[256];

void panic(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(fake_panic_text, sizeof(fake_panic_text), fmt, args);
    va_end(args);
    if (fake_panic_expected)
        longjmp(fake_panic_jump, 1);
    print_error("panic: %s\n", fake_panic_text);
    _fail("panic", 0);
    abort();
}

static u64 rand_state;

u64 fake_seed(void)
{
    const char *text = getenv("SEED");

    return text ? strtoull(text, NULL, 0) : 20260729;
}

void fake_srand(u64 seed)
{
    rand_state = seed;
}

/* splitmix64: every seed is good, and the sequence is the same everywhere. */
u64 fake_rand(void)
{
    u64 z = rand_state += 0x9e3779b97f4a7c15ull;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

u32 fake_below(u32 n)
{
    return (u32)(fake_rand() % n);
}

u64 fake_now;

u64 arch_cycles(void)
{
    return fake_now++;
}

u64 arch_ticks(void)
{
    return fake_now++;
}

u64 arch_ticks_per_second(void)
{
    return 1000000;
}

bool fake_zero(const void *p, size_t n)
{
    const u8 *b = p;

    for (size_t i = 0; i < n; i++) {
        if (b[i])
            return false;
    }
    return true;
}
