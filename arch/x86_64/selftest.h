/* Boot proves the machine (ARCHITECTURE): the parts of the self-test. */
#ifndef FERMATA_X86_SELFTEST_H
#define FERMATA_X86_SELFTEST_H

#include "hv/base.h"
#include "selftest_buffer.h"

struct pcpu;

/*
 * Prints "erratum: ID: expected ..., got ...; CONSEQUENCE" and counts it. The text after the id is
 * one sentence.
 */
void selftest_erratum(const char *id, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * How an instruction run as a guest ended: an exception, its completion, or the exit code of SVM or
 * VMX itself.
 */
#define PROBE_EXCEPTION(vector) (0x10000u + (vector))
#define PROBE_DONE              0x20000u
#define PROBE_REFUSED           0x20001u /* there was no entry */
#define PROBE_LAST_READ         8u       /* SVM: exits 0 to 8 are reads of control registers */

/* What it means if the closed gate lets a class through. */
enum gate_escape {
    ESCAPE_EAGER, /* no lazy switching here */
    ESCAPE_EMMS,  /* eager for contexts whose x87 tags are set, which is all EMMS can change */
    ESCAPE_STOP,  /* nothing can replace it */
    ESCAPE_READ,  /* the same, but a read may exit as another register's */
    ESCAPE_NOTE,  /* handled anyway */
};

/* What a class needs of the CPU. */
enum gate_need {
    NEED_NOTHING,
    NEED_XSAVE,
    NEED_XSAVEOPT,
    NEED_XSAVEC,
    NEED_XSAVES,
    NEED_XGETBV1,
    NEED_AVX,
    NEED_AVX512,
    NEED_AMX,
    NEED_MWAIT
};

/* One class of instructions, and what is expected of it. */
struct gate_class {
    const char *name;
    const u8 *code;
    u32 closed; /* outcome with the gate closed, at the instruction itself */
    u32 also;   /* or this one; 0: none */
    u32 open;   /* with the gate open */
    u32 rcx;
    u8 need;   /* enum gate_need */
    u8 escape; /* enum gate_escape */
};

enum probe_gate { GATE_CLOSED, GATE_OPEN, GATE_TS_ONLY };

#define SELFTEST_CODE(name) extern const u8 selftest_##name[]

extern u8 selftest_buffer[SELFTEST_BUFFER];
void selftest_fresh_buffer(void);

/*
 * One class, a table of them, and the table both techniques share (selftest_gate.c). Errata are
 * said and have their fallback; false: `why` says what cannot be lived with.
 */
bool selftest_class(struct pcpu *cpu, const struct gate_class *class, char *why, size_t n);
bool selftest_classes(struct pcpu *cpu, const struct gate_class *table, size_t count, u32 *ran,
                      char *why, size_t n);
bool selftest_gate(struct pcpu *cpu, u32 *ran, char *why, size_t n);

/* "#NM", "exit 0x72", "completion". Returns `to`. */
const char *selftest_outcome(u32 outcome, char *to, size_t n);

/* svm_selftest.c, vmx_selftest.c: the gate, and every intercept that is relied on. */
bool svm_selftest(struct pcpu *cpu, char *why, size_t n);
u32 svm_probe(struct pcpu *cpu, const struct gate_class *class, enum probe_gate gate,
              bool *at_itself);
bool vmx_selftest(struct pcpu *cpu, char *why, size_t n);
u32 vmx_probe(struct pcpu *cpu, const struct gate_class *class, enum probe_gate gate,
              bool *at_itself);

/*
 * The movers of everything but AMX, and CPUID's layout (selftest_fp.c): chooses fp_hw.form. False:
 * no form works, `why` says so.
 */
bool selftest_fp(struct pcpu *cpu, char *why, size_t n);

/* AMX (selftest_amx.c): chooses the mover, or hides it. */
void selftest_amx(struct pcpu *cpu);

#define FATAL_ADVICE "this CPU cannot switch FP state safely; use another, or mend the emulator"

/* selftest_regs.S; vectors: 32 rows of 64 bytes */
void selftest_x87_fill(const u8 *st);
void selftest_x87_dump(u8 *st);
void selftest_sse_fill(const u8 *vectors);
void selftest_sse_dump(u8 *vectors);
void selftest_avx_fill(const u8 *vectors);
void selftest_avx_dump(u8 *vectors);
void selftest_avx512_fill(const u8 *vectors, const u16 *masks);
void selftest_avx512_dump(u8 *vectors, u16 *masks);
bool selftest_sttilecfg(void *to);
bool selftest_ldtilecfg(const void *from);
bool selftest_tilezero(void);

#endif
