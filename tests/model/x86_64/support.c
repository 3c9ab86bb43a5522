/* What the hypervisor's files call besides: failing, memory, and what no FP test needs. */
#include "tests/model/x86_64/world.h"
#include "exceptions.h"
#include "io.h"
#include "msr.h"
#include "npt.h"
#include "paging.h"
#include "pvh.h"
#include "selftest.h"
#include "arch/arch.h"
#include "hv/console.h"
#include "hv/hypercall.h"
#include "hv/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

bool model_crashed;
u64 model_pages;
bool model_scarce;
struct cpu_features cpu_has;
struct pcpu pcpus[MAX_CPUS];
volatile u32 nmi_count;
const struct virt_ops *virt = &svm_ops;

static NORETURN void vfail(const char *file, int line, const char *fmt, va_list args)
{
    char text[400];

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
}

void panic(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vfail("panic", 0, fmt, args);
}

bool pages_spare(u64 bytes)
{
    (void)bytes;
    return true;
}

/* What is given out. The tail of a block may come back alone, and is then full of rubbish. */
static struct block {
    struct block *next;
    u8 *base;
    size_t left;
} * blocks;

void *pages_alloc(size_t n, u64 align, enum page_use use)
{
    struct block *block;

    (void)use;
    if (model_scarce) {
        model_scarce = false;
        return NULL;
    }
    block = malloc(sizeof(*block));
    REQUIRE(block, "out of memory");
    *block = (struct block){blocks, aligned_alloc(align, n * PAGE_SIZE), n};
    REQUIRE(block->base, "out of memory");
    blocks = block;
    memset(block->base, 0, n * PAGE_SIZE);
    model_pages += n;
    return block->base;
}

void pages_free(void *pages, size_t n, enum page_use use)
{
    struct block **at = &blocks, *block;

    (void)use;
    while (*at && (u8 *)pages + n * PAGE_SIZE != (*at)->base + (*at)->left * PAGE_SIZE)
        at = &(*at)->next;
    block = *at;
    REQUIRE(block && block->left >= n, "pages that nobody has are freed");
    model_pages -= n;
    block->left -= n;
    memset(pages, 0xdb, n * PAGE_SIZE);
    if (block->left)
        return;
    *at = block->next;
    free(block->base);
    free(block);
}

void vcpu_crash(struct vcpu *v, const char *fmt, ...)
{
    (void)v, (void)fmt;
    model_crashed = true;
}

void *vm_ram(struct vm *vm, u64 gpa, u64 bytes)
{
    (void)vm, (void)gpa, (void)bytes;
    return NULL;
}

const char *vm_name(const struct vm *which)
{
    (void)which;
    return "alpha";
}

void say(enum log_level level, const char *fmt, ...)
{
    (void)level, (void)fmt;
}

enum vcpu_event hypercall(struct vcpu *v, u64 function, u64 argument,
                          struct hypercall_result *result)
{
    (void)v, (void)function, (void)argument, (void)result;
    return VCPU_RESUME;
}

enum msr_result vapic_read(struct vcpu *v, u32 msr, u64 *value)
{
    (void)v, (void)msr, (void)value;
    return MSR_GP;
}

enum msr_result vapic_write(struct vcpu *v, u32 msr, u64 value)
{
    (void)v, (void)msr, (void)value;
    return MSR_GP;
}

enum vcpu_event io_access(struct vcpu *v, u16 port, unsigned bytes, bool in, u32 *value)
{
    (void)v, (void)port, (void)bytes, (void)in, (void)value;
    return VCPU_RESUME;
}

bool npt_create(struct vm *vm)
{
    (void)vm;
    return true;
}

void npt_destroy(struct vm *vm)
{
    (void)vm;
}

bool pvh_check(const void *file, size_t bytes, u64 memory, struct pvh_image *out, char *why,
               size_t n)
{
    (void)file, (void)bytes, (void)memory, (void)out, (void)why, (void)n;
    return false;
}

u64 pvh_load(const struct pvh_image *image, const void *file, u8 *ram, u64 memory,
             const char *cmdline)
{
    (void)image, (void)file, (void)ram, (void)memory, (void)cmdline;
    return 0;
}

bool svm_selftest(struct pcpu *cpu, char *why, size_t n)
{
    (void)cpu, (void)why, (void)n;
    return true;
}

void cpu_detect(void)
{
}

u32 svm_probe(struct pcpu *cpu, const struct gate_class *class, enum probe_gate gate,
              bool *at_itself)
{
    (void)cpu, (void)class, (void)gate, (void)at_itself;
    return 0;
}
