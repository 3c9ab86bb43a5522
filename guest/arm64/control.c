/*
 * Control state held over preemptions and yields: FPCR, FPSR, ZCR_EL1, CPACR_EL1 and the EL1
 * registers a hypervisor switches (BUGS 18, 26); and that FPCR still does what it says afterwards.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/fp.h"

/* Registers, and the bits of each that have no effect on this guest while it runs: with them the
 * vCPUs differ in what would else be the same in all. What does not stick is read back. */
#define ALL ~0ull
#define REGISTERS(X)                                                                               \
    X(tpidr_el0, ALL)                                                                              \
    X(tpidrro_el0, ALL)                                                                            \
    X(tpidr_el1, ALL)                                                                              \
    X(contextidr_el1, ALL)                                                                         \
    X(sp_el0, ALL)                                                                                 \
    X(elr_el1, ALL)                                                                                \
    X(spsr_el1, ALL)                                                                               \
    X(esr_el1, ALL)                                                                                \
    X(far_el1, ALL)                                                                                \
    X(afsr0_el1, ALL)                                                                              \
    X(afsr1_el1, ALL)                                                                              \
    X(amair_el1, ALL)                                                                              \
    X(ttbr1_el1, ALL)                                                                              \
    X(csselr_el1, 0) /* a level that does not exist is UNKNOWN */                                  \
    X(cntkctl_el1, ALL)                                                                            \
    X(cntv_cval_el0, ALL)                                                                          \
    X(cntv_ctl_el0, 3) /* its interrupt goes nowhere */                                            \
    X(par_el1, ~1ull)                                                                              \
    X(vbar_el1, ~0x7ffull)        /* no exception is taken meanwhile */                            \
    X(mair_el1, ~0xffffull)       /* attributes 0 and 1 are in use */                              \
    X(sctlr_el1, 0x0400c000)      /* UCI, UCT, DZE: EL0's */                                       \
    X(tcr_el1, 1ull << 38)        /* TBI1: TTBR1_EL1 is not walked */                              \
    X(ttbr0_el1, 0xffffull << 48) /* ASID: every mapping is global */

enum {
#define X(name, bits) REG_##name,
    REGISTERS(X)
#undef X
        REG_COUNT
};

static const char *const names[REG_COUNT] = {
#define X(name, bits) #name,
    REGISTERS(X)
#undef X
};

static const u64 free_bits[REG_COUNT] = {
#define X(name, bits) bits,
    REGISTERS(X)
#undef X
};

static void write_all(const u64 *values)
{
#define X(name, bits) sysreg_write(name, values[REG_##name]);
    REGISTERS(X)
#undef X
}

static void read_all(u64 *values)
{
#define X(name, bits) values[REG_##name] = sysreg_read(name);
    REGISTERS(X)
#undef X
}

#define ROUNDS 200

struct control_result {
    u64 want[REG_COUNT], got[REG_COUNT]; /* of the first register that differed */
    u32 bad;                             /* REG_COUNT: none */
    u64 stuck[REG_COUNT];                /* bits that could be set at all */
};
static struct control_result results[MAX_CPUS];

static void hold_registers(void *argument)
{
    struct control_result *r = argument;
    u64 before[REG_COUNT];
    u64 state = pattern_seed((u32)this_cpu()->index, 0x300);

    read_all(before);
    r->bad = REG_COUNT;
    for (u32 round = 0; round < ROUNDS && r->bad == REG_COUNT; round++) {
        for (u32 i = 0; i < REG_COUNT; i++)
            r->want[i] = (before[i] & ~free_bits[i]) | (pattern_next(&state) & free_bits[i]);
        write_all(r->want);
        read_all(r->want); /* bits that are RES0 here do not count */
        for (u32 i = 0; i < REG_COUNT; i++)
            r->stuck[i] |= r->want[i];
        for (u32 y = 0; y < 3; y++)
            yield();
        read_all(r->got);
        for (u32 i = 0; i < REG_COUNT && r->bad == REG_COUNT; i++)
            if (r->got[i] != r->want[i])
                r->bad = i;
    }
    write_all(before);
}

static void control_registers(void)
{
    u32 cpus = cpus_online();

    for (u32 i = 1; i < cpus; i++)
        cpu_job(i, hold_registers, &results[i]);
    hold_registers(&results[0]);
    for (u32 i = 0; i < cpus; i++) {
        if (i)
            cpu_wait(i);
        struct control_result *r = &results[i];
        if (!ok(r->bad == REG_COUNT, "control: vCPU %u: %u EL1 registers held over %u yields", i,
                (u32)REG_COUNT, 3 * ROUNDS))
            diag("%s: got 0x%lx, want 0x%lx", names[r->bad], (unsigned long)r->got[r->bad],
                 (unsigned long)r->want[r->bad]);
    }
    ok(results[0].stuck[REG_tpidr_el1] == ~0ull && results[0].stuck[REG_tpidr_el0] == ~0ull,
       "control: the thread pointers take every bit");
}

/* 1/3 in single precision by rounding mode: to nearest, +inf, -inf, zero (DDI 0487, FPCR.RMode). */
static const u32 thirds[4] = {0x3eaaaaab, 0x3eaaaaab, 0x3eaaaaaa, 0x3eaaaaaa};

u64 fp_div32(u64 a, u64 b); /* arith_ops.S */

static void control_fpcr(void)
{
    bool held = true, works = true;

    for (u32 mode = 0; mode < 4; mode++)
        for (u32 other = 0; other < 8; other++) {
            u64 fpcr = (u64)mode << 22 | (u64)other << 24;
            fpcr_write(fpcr);
            fpsr_write(0x08000080 * (other & 1));
            for (u32 y = 0; y < 20; y++)
                yield();
            held = held && fpcr_read() == fpcr && fpsr_read() == 0x08000080 * (other & 1);
            yield();
            works = works && fp_div32(0x3f800000, 0x40400000) == thirds[mode];
            works = works && fpsr_read() == (0x08000080 * (other & 1) | 0x10); /* IXC */
        }
    ok(held, "control: FPCR.{RMode,FZ,DN,AHP} and FPSR.{QC,IDC} held in 32 combinations");
    ok(works, "control: 1/3 rounds by the FPCR held, and only FPSR.IXC is added");

    bool flushed = true;
    for (u32 fz = 0; fz < 2; fz++) {
        fpcr_write((u64)fz << 24);
        fpsr_write(0);
        yield();
        /* smallest normal / 2: a subnormal, or zero with UFC when flushed */
        u64 quotient = fp_div32(0x00800000, 0x40000000);
        yield();
        flushed = flushed && quotient == (fz ? 0 : 0x00400000) && fpsr_read() == (fz ? 8 : 0);
    }
    ok(flushed, "control: FPCR.FZ flushes a subnormal result only when set, across a yield");
    fpcr_write(0);
    fpsr_write(0);
}

static void control_sve(void)
{
    bool held = true;

    for (u32 len = 0; len < 16; len++) {
        sysreg_write(zcr_el1, len);
        u64 zcr = sysreg_read(zcr_el1), vl = sve_vl();
        for (u32 y = 0; y < 20; y++)
            yield();
        /* ZCR_EL1 first on odd lengths, RDVL first on even ones: either may be what opens the gate.
         */
        u64 vl_first = len & 1 ? 0 : sve_vl();
        u64 zcr_after = sysreg_read(zcr_el1), vl_after = sve_vl();
        if (zcr != len || zcr_after != len || vl_after != vl || (!(len & 1) && vl_first != vl)) {
            diag("LEN %u: ZCR_EL1 0x%lx then 0x%lx, VL %lu then %lu", len, (unsigned long)zcr,
                 (unsigned long)zcr_after, (unsigned long)vl, (unsigned long)vl_after);
            held = false;
        }
    }
    ok(held, "control: ZCR_EL1.LEN 0 to 15 and the vector length held");
}

static void control_cpacr(void)
{
    bool held = true;

    for (u32 fpen = 0; fpen < 4; fpen++)
        for (u32 zen = 0; zen < (has_sve() ? 4u : 1u); zen++) {
            sysreg_write(cpacr_el1, CPACR_FPEN(fpen) | CPACR_ZEN(zen));
            yield();
            held = held && (sysreg_read(cpacr_el1) & (CPACR_FPEN(3) | CPACR_ZEN(3))) ==
                               (CPACR_FPEN(fpen) | CPACR_ZEN(zen));
        }
    ok(held, "control: CPACR_EL1.{FPEN,ZEN} held in every combination");
    fp_open();
}

void scenario_control(void)
{
    control_registers();
    fp_open();
    control_fpcr();
    control_cpacr();
    if (has_sve())
        control_sve();
    else
        skip("no SVE", "control: ZCR_EL1.LEN");
}
