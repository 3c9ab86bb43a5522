/*
 * The guest's own lazy FP: CPACR_EL1.FPEN and ZEN closed, at EL1 and EL0, each instruction class
 * first thing after a yield (the hypervisor's gate is closed as well then). The guest must see
 * exactly the exceptions of its own CPACR_EL1 (BUGS 5), and after opening them find its registers
 * as it left them.
 */
#include "guest/arm64/scenarios.h"
#include "guest/arm64/arith.h"

enum class { FP, SVE, ZCR };

static const struct {
    const char *name;
    u32 word;
    enum class class;
} classes[] = {
    {"FMOV D0, X0", 0x9e670000, FP},      {"LDR Q1, [X0]", 0x3dc00001, FP},
    {"FADD V2.4S", 0x4e22d442, FP},       {"MRS X0, FPCR", 0xd53b4400, FP},
    {"MRS X0, FPSR", 0xd53b4420, FP},     {"MSR FPSR, XZR", 0xd51b443f, FP},
    {"ADD Z0.S", 0x04a00000, SVE},        {"PTRUE P0.B", 0x2518e3e0, SVE},
    {"LDR Z0, [X0]", 0x85804000, SVE},    {"RDFFR P0.B", 0x2519f000, SVE},
    {"RDVL X0, #1", 0x04bf5020, SVE},     {"CNTB X0", 0x0420e3e0, SVE},
    {"MRS X0, ZCR_EL1", 0xd5381200, ZCR}, {"MSR ZCR_EL1, X0", 0xd5181200, ZCR},
};

/*
 * The exception of one instruction (DDI 0487: CheckSVEEnabled looks at ZEN before FPEN; ZCR_EL1 at
 * ZEN alone, and is Undefined at EL0). `loose` is set where QEMU is known to check FPEN for ZCR_EL1
 * as well: it may give EC 0x07.
 */
static u32 expected(enum class class, u32 fpen, u32 zen, bool el0, bool *loose)
{
    bool fp_closed = el0 ? fpen != 3 : !(fpen & 1);
    bool sve_closed = el0 ? zen != 3 : !(zen & 1);

    *loose = false;
    if (class == FP)
        return fp_closed ? EC_FP : EC_NONE;
    if (class == ZCR && el0)
        return EC_UNKNOWN;
    if (sve_closed)
        return EC_SVE;
    if (class == SVE)
        return fp_closed ? EC_FP : EC_NONE;
    *loose = fp_closed;
    return EC_NONE;
}

static u8 operand[SVE_MAX_VL] ALIGNED(16);

static bool cell(u32 i, u32 fpen, u32 zen, bool el0)
{
    bool loose;
    u32 want = expected(classes[i].class, fpen, zen, el0, &loose);
    u64 argument = classes[i].class == ZCR ? 15 : (u64)operand + (el0 ? EL0_ALIAS : 0);

    sysreg_write(cpacr_el1, CPACR_FPEN(fpen) | CPACR_ZEN(zen));
    yield();
    struct probe p =
        el0 ? probe_word_el0(classes[i].word, argument) : probe_word(classes[i].word, argument);
    bool vector_good = p.ec == EC_NONE || this_cpu()->vector == (el0 ? 8u : 4u);
    if ((p.ec == want || (loose && p.ec == EC_FP)) && vector_good)
        return true;
    diag("%s: EC 0x%x at vector %u, want 0x%x", classes[i].name, p.ec, this_cpu()->vector, want);
    return false;
}

static void matrix(bool el0)
{
    for (u32 fpen = 0; fpen < 4; fpen++)
        for (u32 zen = 0; zen < (has_sve() ? 4u : 1u); zen++) {
            bool good = true;
            for (u32 i = 0; i < ARRAY_SIZE(classes); i++)
                if (has_sve() || classes[i].class == FP)
                    good = cell(i, fpen, zen, el0) && good;
            ok(good, "lazy: EL%u, FPEN %u, ZEN %u: each class faults as it should (5)", el0 ? 0 : 1,
               fpen, zen);
        }
    fp_open();
}

/* The guest closes its own gate with a pattern live; storing it then traps, opens, and must see the
 * pattern. */
static void close_and_reopen(bool sve)
{
    static struct fp_image want, got;
    struct cpu *cpu = this_cpu();
    struct fp_difference why;
    u32 vl = sve ? sve_max_vl() : 0;
    bool good = true;

    cpu->opened_fp = cpu->opened_sve = 0;
    u32 round = 0;
    for (; round < 100 && good; round++) {
        fp_open();
        if (sve)
            sve_set_vl(vl);
        fp_image_fill(&want, vl, pattern_seed(0, 0xb00 + round));
        fp_image_load(&want);
        sysreg_write(cpacr_el1, 0);
        for (u32 y = 0; y < round % 4; y++)
            yield();
        cpu->mode = TRAP_OPEN;
        if (sve) { /* Z first: SVE's trap comes before FP's */
            sve_store_z(got.z);
            sve_store_p(got.p);
        }
        fp_image_store(&got, vl);
        cpu->mode = TRAP_FATAL;
        good = fp_image_equal(&got, &want, &why);
    }
    if (!ok(good, "lazy: %s held over the guest's own closed gate", sve ? "SVE" : "FPSIMD"))
        fp_difference_diag(&why);
    ok_eq(cpu->opened_fp, round, "lazy: %s: one FPEN trap each time", sve ? "SVE" : "FPSIMD");
    ok_eq(cpu->opened_sve, sve ? round : 0, "lazy: %s: ZEN traps", sve ? "SVE" : "FPSIMD");
    fp_open();
}

/* EL0 uses FP with FPEN = 01 while the kernel's own access is open: EL0 traps, EL1 does not. */
static void el0_use(void)
{
    struct cpu *cpu = this_cpu();
    bool good = true, kernel = true;

    fpcr_write(0);
    cpu->opened_fp = 0;
    for (u32 i = 0; i < 50; i++) {
        sysreg_write(cpacr_el1, CPACR_FPEN(1));
        yield();
        kernel = kernel && probe_word(0x9e670000, i).ec == EC_NONE;
        cpu->mode = TRAP_OPEN;
        u64 root = el0_run(fp_sqrt64, 0x4000000000000000);
        cpu->mode = TRAP_FATAL;
        good = good && root == 0x3ff6a09e667f3bcd;
    }
    ok(kernel, "lazy: FPEN 1 leaves EL1 open");
    ok(good && cpu->opened_fp == 50, "lazy: FPEN 1: EL0 traps once, then sqrt(2) comes out right");
    fp_open();
}

void scenario_lazy(void)
{
    fp_open();
    neighbours_start();
    matrix(false);
    matrix(true);
    close_and_reopen(false);
    if (has_sve())
        close_and_reopen(true);
    el0_use();
    neighbours_stop();
}
