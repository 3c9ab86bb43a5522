/* printf for the guest: integers and strings, straight to the console. */
#include "guest/guest.h"

struct spec {
    bool zero, left, negative;
    unsigned width;
};

static void put_padded(const char *digits, size_t length, const struct spec *spec)
{
    size_t total = length + (spec->negative ? 1 : 0);
    size_t pad = spec->width > total ? spec->width - total : 0;

    if (!spec->left && !spec->zero)
        for (size_t i = 0; i < pad; i++)
            arch_putc(' ');
    if (spec->negative)
        arch_putc('-');
    if (!spec->left && spec->zero)
        for (size_t i = 0; i < pad; i++)
            arch_putc('0');
    for (size_t i = 0; i < length; i++)
        arch_putc(digits[i]);
    if (spec->left)
        for (size_t i = 0; i < pad; i++)
            arch_putc(' ');
}

static void put_number(u64 value, unsigned base, struct spec *spec)
{
    char digits[24];
    size_t at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    put_padded(digits + at, sizeof(digits) - at, spec);
}

static const char *parse_flags(const char *p, struct spec *spec)
{
    *spec = (struct spec){0};
    for (;; p++) {
        if (*p == '0')
            spec->zero = true;
        else if (*p == '-')
            spec->left = true;
        else
            break;
    }
    for (; *p >= '0' && *p <= '9'; p++)
        spec->width = spec->width * 10 + (unsigned)(*p - '0');
    return p;
}

/* The va_list travels by pointer: a callee may advance it only so. */
static void put_conversion(char conversion, bool wide, struct spec *spec, va_list *args)
{
    if (conversion == 's') {
        const char *s = va_arg(*args, const char *);
        spec->zero = false;
        put_padded(s ? s : "(null)", strlen(s ? s : "(null)"), spec);
    } else if (conversion == 'c') {
        char c = (char)va_arg(*args, int);
        spec->zero = false;
        put_padded(&c, 1, spec);
    } else if (conversion == 'd') {
        s64 value = wide ? va_arg(*args, s64) : va_arg(*args, s32);
        spec->negative = value < 0;
        put_number(value < 0 ? -(u64)value : (u64)value, 10, spec);
    } else if (conversion == 'u' || conversion == 'x') {
        u64 value = wide ? va_arg(*args, u64) : va_arg(*args, u32);
        put_number(value, conversion == 'u' ? 10 : 16, spec);
    } else if (conversion == 'p') {
        put_number((u64)(uintptr_t)va_arg(*args, void *), 16, spec);
    } else {
        arch_putc(conversion);
    }
}

void vprint(const char *fmt, va_list args)
{
    va_list rest;

    va_copy(rest, args);
    for (const char *p = fmt; *p; p++) {
        if (*p != '%') {
            arch_putc(*p);
            continue;
        }
        struct spec spec;
        bool wide = false;
        p = parse_flags(p + 1, &spec);
        for (; *p == 'l' || *p == 'z'; p++)
            wide = true;
        if (!*p)
            break;
        put_conversion(*p, wide, &spec, &rest);
    }
    va_end(rest);
}

void print(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vprint(fmt, args);
    va_end(args);
}
