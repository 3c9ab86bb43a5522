/*
 * The parser of \fermata.conf (boot/README.md describes the file). Pure: no firmware, no
 * allocation, so that the host tests and the fuzzer run this very code. What a component list may
 * name is the architecture's business: arch_fp_config_parse() is asked.
 */
#ifndef FERMATA_CONFIG_H
#define FERMATA_CONFIG_H

#include "boot/boot_info.h"

#define CONFIG_FILE_MAX  MiB(4) /* a longer file is not read at all */
#define CONFIG_LINE_MAX  1024   /* bytes in a line */
#define CONFIG_ERROR_MAX 512    /* room for any sentence the parser writes */

#define CONFIG_MEMORY_STEP MiB(2)
#define CONFIG_MEMORY_MAX  GiB(1024)
#define CONFIG_QUANTUM_MIN 10u      /* microseconds */
#define CONFIG_QUANTUM_MAX 1000000u /* microseconds */
#define CONFIG_LIMIT_MAX   86400000 /* milliseconds: a day */

/*
 * Parses `bytes` of `text` (any bytes at all) into *config, which it overwrites. `file` is the name
 * for messages; NULL: the built-in text, whose VMs get line 0. False: `why` (n bytes) holds one
 * sentence, "FILE:LINE: what is wrong; remedy", of the first mistake, and *config is of no use.
 */
bool config_parse(const char *file, const char *text, size_t bytes, struct boot_config *config,
                  char *why, size_t n);

/* The configuration where there is no file: builtin_conf.c. */
extern const char builtin_conf[];

/* ---- config_value.c: one value each; on false *problem says what is wrong and what to write ----
 */

/* "16M": bytes, with an optional K, M or G; a multiple of 2M, not 0. */
bool config_memory(const char *value, u64 *bytes, const char **problem);

/* A number of `unit_names` ("us", "ms", "s"); the result is in microseconds, within [min, max]. */
bool config_time_us(const char *value, u64 *us, const char **problem);

/* Decimal, min to max. */
bool config_number(const char *value, u64 min, u64 max, u64 *number);

/* config_console.c: "auto", "com1,screen", "16550:0xfe215040/4": one console, and a mirror. */
bool config_console(const char *value, struct boot_console consoles[2], const char **problem);

/* config_console.c: "off", "com2", "pl011:0x9040000", each with ",wait" or without. */
bool config_gdb(const char *value, struct boot_gdb *gdb, const char **problem);

/* "0", "0-1", "0,2-3": bit n for CPU n, n below 64. */
bool config_cpus(const char *value, u64 *mask, const char **problem);

#endif
