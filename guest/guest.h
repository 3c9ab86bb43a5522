/*
 * The tiny guest kernel's architecture-free half: output, TAP, command line, patterns, bench
 * arithmetic.
 *
 * Shared by guest/x86_64 and guest/arm64. Everything here is integer C on one console: it never
 * touches an FP or vector register (the guest is compiled -mgeneral-regs-only; FP lives in assembly
 * files), so a scenario decides by itself when the first FP instruction of its vCPU is executed.
 *
 * Only vCPU 0 prints; the others report through memory that vCPU 0 reads.
 */
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include <stdarg.h>

#include "hv/abi.h"
#include "hv/base.h"

/* ---- provided by guest/<arch> ------------------------------------------------------------------
 */

/* One test scenario. run= on the command line chooses them by name; the table ends with name ==
 * NULL. */
struct scenario {
    const char *name;
    void (*run)(void);
    bool by_default; /* part of run=all */
};
extern const struct scenario scenarios[];

/* Write one byte to the VM's console, waiting until the transmitter takes it. */
void arch_putc(char c);

/* End the VM: status 0 = passed. Never returns. */
NORETURN void arch_power_off(u32 status);

/* ---- print.c -----------------------------------------------------------------------------------
 */

/*
 * printf with %s %c %d %u %x %p %%, the length modifiers l, ll and z, a width, and the flags 0 and
 * -. A newline is sent as LF alone.
 */
void print(const char *fmt, ...) PRINTF_LIKE(1, 2);
void vprint(const char *fmt, va_list args);

/* ---- tap.c -------------------------------------------------------------------------------------
 */

/* Print "ok N - text" or "not ok N - text"; returns good, so that a caller may add diagnostics. */
bool ok(bool good, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ok() for two 64-bit values; a mismatch is shown as a diagnostic. */
bool ok_eq(u64 got, u64 want, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* "ok N - text # SKIP why" */
void skip(const char *why, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "# text" */
void diag(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Number of "not ok" lines so far. */
u32 tap_failures(void);

/* Print the plan "1..N" and end the VM: status 0 iff at least one test ran and none failed. */
NORETURN void tap_finish(void);

/* ---- cmdline.c ---------------------------------------------------------------------------------
 */

/* Remember the command line (a copy is taken, at most 1023 bytes; the rest is cut and said so). */
void cmdline_set(const char *text);

/* True if the word `key` or `key=...` is there. */
bool cmdline_has(const char *key);

/* The number after `key=` (decimal or 0x hexadecimal), or `otherwise` if it is absent or malformed.
 */
u64 cmdline_u64(const char *key, u64 otherwise);

/* True if run=LIST names the scenario; an entry may end in '*' (bench-*). Without run=: "all". */
bool cmdline_runs(const char *name, bool by_default);

/* ---- scenario.c --------------------------------------------------------------------------------
 */

/* Run what the command line asks for, print the plan, power off. A name that exists nowhere fails.
 */
NORETURN void guest_run(void);

/* ---- pattern.c ---------------------------------------------------------------------------------
 */

/* One step of the splitmix64 sequence; *state is advanced. */
u64 pattern_next(u64 *state);

/* A seed that differs for every VM (seed= on its command line), vCPU and purpose. */
u64 pattern_seed(u32 vcpu, u32 purpose);

/* Fill bytes (any number, any alignment) from the sequence that starts at seed. */
void pattern_fill(void *to, size_t bytes, u64 seed);

/* Offset of the first byte in which a and b differ, or `bytes` if they are equal. */
size_t pattern_differs(const void *a, const void *b, size_t bytes);

/* Print "# what: offset: got ..., want ..." for the first 8-byte word that differs. */
void pattern_diag(const char *what, const void *got, const void *want, size_t bytes);

/* ---- bench.c -----------------------------------------------------------------------------------
 */

/* Sort in place (ascending) and return the median (of an even count: the lower one). count >= 1. */
u64 bench_median(u64 *samples, u32 count);

/*
 * (median - empty) / per, rounded to nearest, 0 if the empty loop took longer: the cost of one
 * operation of a batch of `per`. Sorts the samples.
 */
u64 bench_cost(u64 *samples, u32 count, u64 empty, u64 per);

/* "# bench NAME VALUE", the line `make bench` reads. */
void bench_report(const char *name, u64 value);

/* Snapshot of the calling vCPU's FP counters, and what one switch cost between two of them. */
struct bench_counts {
    u64 traps, loads, saves, scrubs, bytes;
};
void bench_counts_read(struct bench_counts *counts);

/* "# bench-count NAME traps loads saves scrubs bytes": each is (after - before), in hundredths per
 * operation. */
void bench_counts_report(const char *name, const struct bench_counts *before,
                         const struct bench_counts *after, u64 operations);

/* ---- hypercalls, by guest/<arch> ---------------------------------------------------------------
 */

extern bool on_fermata; /* false: straight on an emulator or a machine, no hypercalls */

struct hc_result {
    s64 status;
    u64 value;
};
struct hc_result hypercall(u64 function, u64 argument);

/* FERMATA_HC_STAT of the calling vCPU; 0 where there is no hypervisor. */
u64 stat(u64 which);

/* Give up the rest of the quantum (nothing happens on the bare machine). */
void yield(void);

#endif
