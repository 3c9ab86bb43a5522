/*
 * The hypervisor's console: whole lines, on one UART or the screen, or on two of them at once.
 */
#include "hv/console.h"
#include "boot/boot_info.h"
#include "hv/screen.h"
#include "hv/uart.h"

#define LINE_BYTES 512

static struct uart outputs[2]; /* the console, and its mirror if there is one */
static enum log_level loudest;

static void put(struct uart *u, char c)
{
    if (u->at.kind == BOOT_UART_SCREEN)
        screen_put(c);
    else
        uart_put(u, c);
}

void console_init(const struct boot_uart *uart, enum log_level level)
{
    static const struct boot_uart none;

    loudest = level;
    uart_init(&outputs[0], uart);
    uart_init(&outputs[1], &none);
}

void console_mirror(const struct boot_uart *uart)
{
    uart_init(&outputs[1], uart);
}

void console_write(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t o = 0; o < ARRAY_SIZE(outputs); o++) {
            if (text[i] == '\n')
                put(&outputs[o], '\r');
            put(&outputs[o], text[i]);
        }
    }
}

/* Writes the formatted text; a line that is too long ends in "...". */
static void write_formatted(char *line, int used, int more)
{
    const int room = LINE_BYTES - 1;

    if (used + more > room) {
        memcpy(line + room - 4, "...\n", 4);
        used = room;
    } else {
        used += more;
    }
    console_write(line, (size_t)used);
}

void console_printf(const char *fmt, ...)
{
    char line[LINE_BYTES];
    va_list args;

    va_start(args, fmt);
    const int n = format_text_v(line, sizeof(line), fmt, args);
    va_end(args);
    write_formatted(line, 0, n);
}

void say(enum log_level level, const char *fmt, ...)
{
    char line[LINE_BYTES];
    va_list args;

    if (level > loudest)
        return;
    const int prefix = format_text(line, sizeof(line), "fermata: ");
    va_start(args, fmt);
    /* One byte is kept for the newline, so that prefix, text and newline go out as one. */
    int n = format_text_v(line + prefix, sizeof(line) - 1 - (size_t)prefix, fmt, args);
    va_end(args);
    if (prefix + n <= LINE_BYTES - 2)
        line[prefix + n] = '\n';
    write_formatted(line, prefix, n + 1);
}
