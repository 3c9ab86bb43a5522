/*
 * Does the gate hold? One instruction of each class (selftest_classes.S) is run as a guest, first
 * with the gate closed, where it must exit at itself, then again with the gate open, where it must
 * complete. How to run one is SVM's and VMX's business (svm_selftest.c, vmx_selftest.c); which
 * classes there are, and what becomes of one that escapes, is the same for both.
 */
#include "selftest.h"
#include "cpu.h"
#include "fp_hw.h"
#include "virt.h"
#include "xstate_layout.h"
#include "arch/arch.h"
#include "hv/console.h"

#define NM PROBE_EXCEPTION(VECTOR_NM)
#define UD PROBE_EXCEPTION(VECTOR_UD)
#define GP PROBE_EXCEPTION(VECTOR_GP)

SELFTEST_CODE(x87);
SELFTEST_CODE(fnstcw);
SELFTEST_CODE(fwait);
SELFTEST_CODE(mmx);
SELFTEST_CODE(emms);
SELFTEST_CODE(sse);
SELFTEST_CODE(sse_int);
SELFTEST_CODE(ldmxcsr);
SELFTEST_CODE(fxsave);
SELFTEST_CODE(fxrstor);
SELFTEST_CODE(avx);
SELFTEST_CODE(xsave);
SELFTEST_CODE(xsaveopt);
SELFTEST_CODE(xrstor);
SELFTEST_CODE(xgetbv);
SELFTEST_CODE(xgetbv1);
SELFTEST_CODE(xsavec);
SELFTEST_CODE(xsaves);
SELFTEST_CODE(xrstors);
SELFTEST_CODE(evex);
SELFTEST_CODE(kmov);
SELFTEST_CODE(tile_ldcfg);
SELFTEST_CODE(tile_zero);
SELFTEST_CODE(tile_load);
SELFTEST_CODE(tile_dp);
SELFTEST_CODE(tile_store);
SELFTEST_CODE(tile_stcfg);
SELFTEST_CODE(tile_release);

/* Everything that can see or change FP state. */
static const struct gate_class classes[] = {
    {"x87", selftest_x87, NM, 0, PROBE_DONE, 0, NEED_NOTHING, ESCAPE_EAGER},
    {"fnstcw", selftest_fnstcw, NM, 0, PROBE_DONE, 0, NEED_NOTHING, ESCAPE_EAGER},
    {"fwait", selftest_fwait, NM, 0, PROBE_DONE, 0, NEED_NOTHING, ESCAPE_EAGER},
    {"mmx", selftest_mmx, NM, 0, PROBE_DONE, 0, NEED_NOTHING, ESCAPE_EAGER},
    {"emms", selftest_emms, NM, 0, PROBE_DONE, 0, NEED_NOTHING, ESCAPE_EMMS},
    {"sse", selftest_sse, NM, 0, PROBE_DONE, 0, NEED_NOTHING, ESCAPE_EAGER},
    {"sse-integer", selftest_sse_int, NM, 0, PROBE_DONE, 0, NEED_NOTHING, ESCAPE_EAGER},
    {"ldmxcsr", selftest_ldmxcsr, NM, 0, PROBE_DONE, 0, NEED_NOTHING, ESCAPE_EAGER},
    {"fxsave", selftest_fxsave, NM, 0, PROBE_DONE, 0, NEED_NOTHING, ESCAPE_EAGER},
    {"fxrstor", selftest_fxrstor, NM, 0, PROBE_DONE, 0, NEED_NOTHING, ESCAPE_EAGER},
    {"avx", selftest_avx, UD, NM, PROBE_DONE, 0, NEED_AVX, ESCAPE_EAGER},
    {"xsave", selftest_xsave, UD, NM, PROBE_DONE, 0, NEED_XSAVE, ESCAPE_EAGER},
    {"xsaveopt", selftest_xsaveopt, UD, NM, PROBE_DONE, 0, NEED_XSAVEOPT, ESCAPE_EAGER},
    {"xrstor", selftest_xrstor, UD, NM, PROBE_DONE, 0, NEED_XSAVE, ESCAPE_EAGER},
    {"xsavec", selftest_xsavec, UD, NM, PROBE_DONE, 0, NEED_XSAVEC, ESCAPE_EAGER},
    {"xsaves", selftest_xsaves, UD, NM, PROBE_DONE, 0, NEED_XSAVES, ESCAPE_EAGER},
    {"xrstors", selftest_xrstors, UD, NM, GP, 0, NEED_XSAVES, ESCAPE_EAGER},
    {"evex", selftest_evex, UD, NM, PROBE_DONE, 0, NEED_AVX512, ESCAPE_EAGER},
    {"kmov", selftest_kmov, UD, NM, PROBE_DONE, 0, NEED_AVX512, ESCAPE_EAGER},
    {"ldtilecfg", selftest_tile_ldcfg, UD, 0, PROBE_DONE, 0, NEED_AMX, ESCAPE_EAGER},
    {"tilezero", selftest_tile_zero, UD, 0, PROBE_DONE, 0, NEED_AMX, ESCAPE_EAGER},
    {"tileloadd", selftest_tile_load, UD, 0, PROBE_DONE, 0, NEED_AMX, ESCAPE_EAGER},
    {"tdpbssd", selftest_tile_dp, UD, 0, PROBE_DONE, 0, NEED_AMX, ESCAPE_EAGER},
    {"tilestored", selftest_tile_store, UD, 0, PROBE_DONE, 0, NEED_AMX, ESCAPE_EAGER},
    {"sttilecfg", selftest_tile_stcfg, UD, 0, PROBE_DONE, 0, NEED_AMX, ESCAPE_EAGER},
    {"tilerelease", selftest_tile_release, UD, 0, PROBE_DONE, 0, NEED_AMX, ESCAPE_EAGER},
    {"xgetbv", selftest_xgetbv, UD, 0, PROBE_DONE, 0, NEED_XSAVE, ESCAPE_NOTE},
    {"xgetbv1", selftest_xgetbv1, UD, 0, PROBE_DONE, 1, NEED_XGETBV1, ESCAPE_EAGER},
};

u8 selftest_buffer[SELFTEST_BUFFER] ALIGNED(64);

void selftest_fresh_buffer(void)
{
    memset(selftest_buffer, 0, sizeof(selftest_buffer));
    memcpy(selftest_buffer, &fp_init_image, sizeof(fp_init_image));
    selftest_buffer[TILECFG] = 1; /* palette */
    for (unsigned i = 0; i < 3; i++) {
        selftest_buffer[TILECFG + 16 + 2 * i] = 4; /* bytes of a row of tile i */
        selftest_buffer[TILECFG + 48 + i] = 1;     /* its rows */
    }
}

const char *selftest_outcome(u32 outcome, char *to, size_t n)
{
    if (outcome == PROBE_DONE)
        format_text(to, n, "completion");
    else if (outcome == NM || outcome == UD)
        format_text(to, n, outcome == NM ? "#NM" : "#UD");
    else if (outcome >= PROBE_EXCEPTION(0))
        format_text(to, n, "exception %u", outcome - PROBE_EXCEPTION(0));
    else
        format_text(to, n, "exit 0x%x", outcome);
    return to;
}

static bool available(enum gate_need need)
{
    switch (need) {
    case NEED_XSAVE:
        return cpu_has.xsave;
    case NEED_XSAVEOPT:
        return cpu_has.xsaveopt;
    case NEED_XSAVEC:
        return cpu_has.xsavec;
    case NEED_XSAVES:
        return fp_xsaves_offered();
    case NEED_XGETBV1:
        return cpu_has.xgetbv1;
    case NEED_AVX512:
        return (fp_hw_offered() & XCR0_AVX512) == XCR0_AVX512;
    case NEED_AMX:
        return (fp_hw_offered() & XCR0_AMX) == XCR0_AMX;
    case NEED_MWAIT:
        return cpuid(1, 0).ecx & BIT(3);
    case NEED_AVX:
        return fp_hw_offered() & XCR0_AVX;
    default:
        return true;
    }
}

static bool escaped(const struct gate_class *class, u32 got, char *why, size_t n)
{
    char want[24], had[24];
    const char *consequence;

    selftest_outcome(class->closed, want, sizeof(want));
    selftest_outcome(got, had, sizeof(had));
    switch (class->escape) {
    case ESCAPE_EMMS:
        fp_hw.emms_escapes = true;
        consequence = "a vCPU with x87 registers in use is loaded when it is switched to";
        break;
    case ESCAPE_EAGER:
        fp_hw.gate_incomplete = true;
        consequence = "every vCPU is switched eagerly";
        break;
    case ESCAPE_NOTE:
        consequence = "what it shows is the guest's own";
        break;
    default:
        format_text(why, n,
                    "the intercept of %s does not fire (expected %s, got %s); guests cannot be "
                    "held on this machine, under QEMU use version 10 or later",
                    class->name, want, had);
        return false;
    }
    selftest_erratum(class->name, "expected %s behind the closed gate, got %s; %s", want, had,
                     consequence);
    return true;
}

/* Behind the closed gate. At the instruction itself: whatever is wrong, nothing has got past it. */
static bool check_closed(struct pcpu *cpu, const struct gate_class *class, char *why, size_t n)
{
    bool at_itself;
    u32 got = virt->probe(cpu, class, GATE_CLOSED, &at_itself);
    char had[24];

    if (got == PROBE_REFUSED) {
        format_text(why, n, "%s refuses to enter the self-test's guest; this CPU's is not usable",
                    virt->name);
        return false;
    }
    if ((got == class->closed || (class->also && got == class->also)) &&
        (at_itself || class->closed == PROBE_DONE))
        return true;
    /* Stopped, but under another name: only for register reads is that something we handle. */
    if (!at_itself || class->escape != ESCAPE_READ || got > PROBE_LAST_READ)
        return escaped(class, got, why, n);
    selftest_erratum(class->name,
                     "expected exit 0x%x, got %s; the register is taken from the "
                     "instruction",
                     class->closed, selftest_outcome(got, had, sizeof(had)));
    return true;
}

bool selftest_class(struct pcpu *cpu, const struct gate_class *class, char *why, size_t n)
{
    char want[24], had[24];
    bool at_itself;

    if (!check_closed(cpu, class, why, n))
        return false;
    u32 got = virt->probe(cpu, class, GATE_OPEN, &at_itself);
    if (got == class->open)
        return true;
    if (class->need == NEED_AMX) { /* a guest meets it as the bare machine's */
        selftest_erratum(class->name,
                         "expected completion behind the open gate, got %s; guests "
                         "get that too",
                         selftest_outcome(got, had, sizeof(had)));
        return true;
    }
    format_text(why, n,
                "%s does not do what it should behind the open gate (expected %s, got %s); this "
                "CPU's %s is not usable",
                class->name, selftest_outcome(class->open, want, sizeof(want)),
                selftest_outcome(got, had, sizeof(had)), virt->name);
    return false;
}

bool selftest_classes(struct pcpu *cpu, const struct gate_class *table, size_t count, u32 *ran,
                      char *why, size_t n)
{
    for (size_t i = 0; i < count; i++) {
        if (!available(table[i].need))
            continue;
        if (!selftest_class(cpu, &table[i], why, n))
            return false;
        ++*ran;
    }
    return true;
}

bool selftest_gate(struct pcpu *cpu, u32 *ran, char *why, size_t n)
{
    return selftest_classes(cpu, classes, ARRAY_SIZE(classes), ran, why, n);
}
