/*
 * Exceptions of the arm64 guest: expected ones are recorded and stepped over, or answered as a lazy
 * kernel would; anything else ends the VM with its registers shown. Runs code at EL0 too.
 */
#include "guest/arm64/cpu.h"

#define RET_WORD 0xd65f03c0u

static NORETURN void unexpected(const struct frame *f, u64 vector)
{
    diag("vCPU %u: unexpected exception, vector %u: ESR 0x%lx ELR 0x%lx FAR 0x%lx SPSR 0x%lx",
         (u32)this_cpu()->index, (u32)vector, (unsigned long)f->esr, (unsigned long)f->elr,
         (unsigned long)f->far, (unsigned long)f->spsr);
    for (u32 i = 0; i < 30; i += 3)
        diag("x%-2u %016lx  x%-2u %016lx  x%-2u %016lx", i, (unsigned long)f->x[i], i + 1,
             (unsigned long)f->x[i + 1], i + 2, (unsigned long)f->x[i + 2]);
    diag("x30 %016lx  sp  %016lx", (unsigned long)f->x[30], (unsigned long)f->sp);
    panic("no unexpected exception");
}

/* A lazy kernel's answer: open what trapped, retry. False if it was not such a trap. */
static bool open_and_retry(struct cpu *cpu, u32 ec)
{
    u64 cpacr = sysreg_read(cpacr_el1);

    if (ec == EC_FP && !(cpacr & CPACR_FPEN(2))) {
        cpu->opened_fp++;
        sysreg_write(cpacr_el1, cpacr | CPACR_FPEN(3));
        return true;
    }
    if (ec == EC_SVE && !(cpacr & CPACR_ZEN(2))) {
        cpu->opened_sve++;
        sysreg_write(cpacr_el1, cpacr | CPACR_ZEN(3));
        return true;
    }
    if (ec == EC_SME && !(cpacr & CPACR_SMEN(2))) {
        cpu->opened_sme++;
        sysreg_write(cpacr_el1, cpacr | CPACR_SMEN(3));
        return true;
    }
    return false;
}

void trap(struct frame *f, u64 vector)
{
    struct cpu *cpu = this_cpu();
    u32 ec = (u32)(f->esr >> 26) & 0x3f;

    if (vector == 8 && ec == EC_SVC) { /* the end of el0_run() */
        f->elr = (u64)el0_exit;
        f->spsr = 0x3c5; /* EL1h, DAIF masked */
        return;
    }
    if (cpu->mode == TRAP_OPEN && open_and_retry(cpu, ec))
        return;
    bool sync = vector == 4 || vector == 8;
    if (cpu->mode == TRAP_FATAL || !sync || cpu->traps > 64)
        unexpected(f, vector);
    cpu->traps++;
    cpu->ec = ec;
    cpu->vector = (u32)vector;
    cpu->esr = f->esr;
    cpu->elr = f->elr;
    cpu->far = f->far;
    /* A jump into nowhere cannot be stepped over: return to its caller instead. */
    f->elr = ec == EC_IABORT || ec == EC_IABORT - 1 ? f->x[30] : f->elr + 4;
}

static void probe_begin(struct cpu *cpu)
{
    cpu->traps = 0;
    cpu->ec = EC_NONE;
    cpu->esr = cpu->elr = cpu->far = 0;
    cpu->mode = TRAP_RECORD;
}

static struct probe probe_end(struct cpu *cpu, u32 mode, u64 value)
{
    cpu->mode = mode;
    return (struct probe){cpu->ec, cpu->traps, cpu->esr, cpu->elr, cpu->far, value};
}

struct probe probe_call(u64 (*function)(u64), u64 argument)
{
    struct cpu *cpu = this_cpu();
    u32 mode = cpu->mode;

    probe_begin(cpu);
    u64 value = function(argument);
    return probe_end(cpu, mode, value);
}

/* Put `word; RET` where it can be executed (DDI 0487, B2.2.5: clean, invalidate, synchronise). */
static u64 make_slot(struct cpu *cpu, u32 word)
{
    u64 at = (u64)cpu->slot;

    cpu->slot[0] = word;
    cpu->slot[1] = RET_WORD;
    __asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0\n\tdsb ish\n\tisb" ::"r"(at)
                     : "memory");
    return at;
}

struct probe probe_word(u32 word, u64 argument)
{
    return probe_call((u64(*)(u64))make_slot(this_cpu(), word), argument);
}

u64 el0_run(u64 (*function)(u64), u64 argument)
{
    struct cpu *cpu = this_cpu();
    u64 stack = (u64)(cpu->el0_stack + ARRAY_SIZE(cpu->el0_stack));

    return el0_call((u64)el0_stub + EL0_ALIAS, stack + EL0_ALIAS, (u64)function + EL0_ALIAS,
                    argument);
}

struct probe probe_word_el0(u32 word, u64 argument)
{
    struct cpu *cpu = this_cpu();
    u32 mode = cpu->mode;
    u64 (*slot)(u64) = (u64(*)(u64))make_slot(cpu, word);

    probe_begin(cpu);
    u64 value = el0_run(slot, argument);
    return probe_end(cpu, mode, value);
}
