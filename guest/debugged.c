/* See debugged.h. */
#include "guest/debugged.h"

__attribute__((noinline)) void debugged_loop(void)
{
    yield();
    __asm__ volatile("" ::: "memory");
}

volatile u64 debugged_word;
