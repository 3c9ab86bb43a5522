/*
 * The hypervisor's console: whole lines, levels, one UART or the screen, and a mirror. Before
 * console_init() output goes nowhere. Formats: the usual %d %i %u %x %X %p %s %c %% with h hh l ll
 * z, width, precision, 0 and
 * -.
 */
#ifndef FERMATA_CONSOLE_H
#define FERMATA_CONSOLE_H

#include <stdarg.h>
#include "hv/base.h"

struct boot_uart;

enum log_level { LOG_ERROR, LOG_INFO, LOG_DEBUG };

/* For BOOT_UART_SCREEN, screen_init() comes before. */
void console_init(const struct boot_uart *uart, enum log_level level);

/* From now on everything is printed there too. */
void console_mirror(const struct boot_uart *uart);

/* Prints "fermata: " and the text and a newline, if `level` is enabled. */
void say(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define say_error(...) say(LOG_ERROR, __VA_ARGS__)
#define say_info(...)  say(LOG_INFO, __VA_ARGS__)
#define say_debug(...) say(LOG_DEBUG, __VA_ARGS__)

/* Raw text without prefix or newline: guests' lines, tables, dumps. */
void console_write(const char *text, size_t n);
void console_printf(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* As C's: at most n bytes with the final 0; the return value is what n would have had to exceed. */
int format_text(char *to, size_t n, const char *fmt, ...) PRINTF_LIKE(3, 4);
int format_text_v(char *to, size_t n, const char *fmt, va_list args);

#endif
