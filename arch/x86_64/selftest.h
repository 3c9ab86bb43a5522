/* Boot proves the machine (ARCHITECTURE): the parts of the self-test. */
#ifndef FERMATA_X86_SELFTEST_H
#define FERMATA_X86_SELFTEST_H

#include "hv/base.h"

struct pcpu;

/*
 * Prints "erratum: ID: expected ..., got ...; CONSEQUENCE" and counts it. The text after the id is
 * one sentence.
 */
void selftest_erratum(const char *id, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Does the closed gate stop every class, and does the open one let it through? (svm_selftest.c) */
bool svm_selftest(struct pcpu *cpu, char *why, size_t n);

/* selftest_regs.S */
void selftest_x87_fill(const u8 *st);
void selftest_x87_dump(u8 *st);
void selftest_sse_fill(const u8 *ymm);
void selftest_sse_dump(u8 *ymm);
void selftest_avx_fill(const u8 *ymm);
void selftest_avx_dump(u8 *ymm);

#endif
