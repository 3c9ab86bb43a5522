/* See world.h: random numbers, failing, memory, and what the hypervisor's files call besides. */
#include "world.h"
#include "arch/arch.h"
#include "exceptions.h"
#include "gdb_arm64.h"
#include "gic.h"
#include "guest.h"
#include "hv/console.h"
#include "hv/pages.h"
#include "timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void vfail(const char *file, int line, const char *fmt, va_list args)
{
    char text[300];

    vsnprintf(text, sizeof(text), fmt, args);
    print_error("%s\n    SEED=%llu, step %llu, CPU %u\n", text, (unsigned long long)world.seed,
                (unsigned long long)world.step, model_at);
    _fail(file, line);
    abort();
}

void model_fail(const char *file, int line, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vfail(file, line, fmt, args);
    va_end(args);
    abort();
}

void panic(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vfail("panic", 0, fmt, args);
    va_end(args);
    abort();
}

/* ---- Random numbers: splitmix64 ---- */

static u64 random_state;

void model_srand(u64 seed)
{
    random_state = seed;
}

u64 model_random(void)
{
    u64 z = random_state += 0x9e3779b97f4a7c15ull;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

u32 model_below(u32 n)
{
    return (u32)(model_random() % n);
}

static u64 setting(const char *name, u64 usual)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 0) : usual;
}

u64 model_seed(void)
{
    return setting("SEED", 20260729);
}

u64 model_steps(u64 usual)
{
    return setting("STEPS", usual);
}

bool model_zero(const void *p, size_t n)
{
    static const u8 zeroes[CPU_VL_MAX * 32];
    const u8 *at = p;

    for (; n > sizeof(zeroes); n -= sizeof(zeroes), at += sizeof(zeroes)) {
        if (memcmp(at, zeroes, sizeof(zeroes)))
            return false;
    }
    return !memcmp(at, zeroes, n);
}

/* ---- Memory ---- */

static u64 pages_held;

bool pages_spare(u64 bytes)
{
    (void)bytes;
    return true;
}

void *pages_alloc(size_t n, u64 align, enum page_use use)
{
    (void)align;
    (void)use;
    void *pages = aligned_alloc(PAGE_SIZE, n * PAGE_SIZE);
    if (!pages)
        abort();
    memset(pages, 0, n * PAGE_SIZE);
    pages_held += n;
    return pages;
}

void pages_free(void *pages, size_t n, enum page_use use)
{
    (void)use;
    /* One page may be a slab, with a header and guards in it. */
    REQUIRE(n == 1 || model_zero(pages, n * PAGE_SIZE),
            "an area's page is freed with something in it");
    pages_held -= n;
    free(pages);
}

/* ---- What is not run here ---- */

bool model_crashed;

void vcpu_crash(struct vcpu *v, const char *fmt, ...)
{
    (void)v;
    (void)fmt;
    model_crashed = true;
}

const char *vm_name(const struct vm *vm)
{
    (void)vm;
    return "model";
}

void say(enum log_level level, const char *fmt, ...)
{
    (void)level;
    (void)fmt;
}

const char *esr_text(u64 esr)
{
    (void)esr;
    return "";
}

u32 gic_take(void)
{
    return GIC_CNTHP_INTID;
}

void gic_end(u32 intid)
{
    (void)intid;
}

void timer_stop(void)
{
}

enum vcpu_event smccc_call(struct vcpu *v, u64 esr)
{
    (void)v;
    (void)esr;
    return VCPU_RESUME;
}

enum vcpu_event data_abort(struct vcpu *v, u64 esr)
{
    return smccc_call(v, esr);
}

enum vcpu_event instruction_abort(struct vcpu *v, u64 esr)
{
    return smccc_call(v, esr);
}

u64 stage2_vtcr(void)
{
    return 0;
}

u64 stage2_parange(void)
{
    return 5;
}

void stage2_none(void)
{
}

void vcpu_forget_sibling(struct vcpu *v)
{
    v->vm->arch.last_vcpu = v->id;
}

/* No debugger here. */
bool gdb_debug_exit(struct vcpu *v, u64 esr)
{
    (void)v, (void)esr;
    return false;
}

void gdb_points_install(const struct vcpu *v)
{
    (void)v;
}
