/* printf's formatting: what the hypervisor uses of it, bounded, and nothing that allocates. */
#include "hv/console.h"

/* Where the text goes, and how much there would have been. */
struct sink {
    char *to;
    size_t room;
    size_t used;
};

/* One conversion, as parsed. */
struct spec {
    bool left, zero, upper, negative;
    int width;
    int precision; /* -1: none given */
    unsigned base;
};

static void emit(struct sink *s, char c)
{
    if (s->used + 1 < s->room)
        s->to[s->used] = c;
    s->used++;
}

static void emit_n(struct sink *s, char c, int n)
{
    for (; n > 0; n--)
        emit(s, c);
}

static void emit_text(struct sink *s, const struct spec *spec, const char *text)
{
    int n = 0;

    while ((spec->precision < 0 || n < spec->precision) && text[n] != 0)
        n++;
    if (!spec->left)
        emit_n(s, ' ', spec->width - n);
    for (int i = 0; i < n; i++)
        emit(s, text[i]);
    if (spec->left)
        emit_n(s, ' ', spec->width - n);
}

static void emit_number(struct sink *s, const struct spec *spec, u64 value)
{
    const char *digits = spec->upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[24];
    int n = 0;

    while (value != 0) {
        text[n++] = digits[value % spec->base];
        value /= spec->base;
    }
    int zeros = (spec->precision < 0 ? 1 : spec->precision) - n;
    if (zeros < 0)
        zeros = 0;
    int pad = spec->width - n - zeros - (spec->negative ? 1 : 0);
    if (spec->zero && !spec->left && spec->precision < 0 && pad > 0) {
        zeros += pad;
        pad = 0;
    }
    if (!spec->left)
        emit_n(s, ' ', pad);
    if (spec->negative)
        emit(s, '-');
    emit_n(s, '0', zeros);
    while (n > 0)
        emit(s, text[--n]);
    if (spec->left)
        emit_n(s, ' ', pad);
}

/* A decimal number in the format, or -1 for '*': the caller takes it from the arguments. */
static int parse_number(const char **fmt)
{
    int n = 0;

    if (**fmt == '*') {
        (*fmt)++;
        return -1;
    }
    for (; **fmt >= '0' && **fmt <= '9' && n < 10000; (*fmt)++)
        n = n * 10 + (**fmt - '0');
    return n;
}

/* Length modifiers, as the number of bytes of the argument. */
static size_t parse_length(const char **fmt)
{
    const char *f = *fmt;
    size_t bytes = sizeof(int);

    if (*f == 'h') {
        f++;
        bytes = sizeof(short);
        if (*f == 'h') {
            f++;
            bytes = sizeof(char);
        }
    } else if (*f == 'l' || *f == 'z') {
        bytes = *f == 'z' ? sizeof(size_t) : sizeof(long);
        f++;
        if (*f == 'l') {
            f++;
            bytes = sizeof(long long);
        }
    }
    *fmt = f;
    return bytes;
}

static u64 narrow(u64 value, size_t bytes)
{
    return bytes >= sizeof(u64) ? value : value & (BIT(bytes * 8) - 1);
}

static void emit_signed(struct sink *s, struct spec *spec, u64 raw, size_t bytes)
{
    const u64 value = narrow(raw, bytes);

    spec->negative = (value >> (bytes * 8 - 1)) != 0;
    emit_number(s, spec, spec->negative ? narrow(0 - value, bytes) : value);
}

/* Flags, width, precision. va_list is passed by address: it may be an array type or not. */
static void parse_spec(const char **fmt, struct spec *spec, va_list *args)
{
    *spec = (struct spec){.precision = -1, .base = 10};
    for (;; (*fmt)++) {
        if (**fmt == '-')
            spec->left = true;
        else if (**fmt == '0')
            spec->zero = true;
        else
            break;
    }
    spec->width = parse_number(fmt);
    if (spec->width < 0) {
        spec->width = va_arg(*args, int);
        if (spec->width < 0) {
            spec->left = true;
            spec->width = -spec->width;
        }
    }
    if (**fmt == '.') {
        (*fmt)++;
        spec->precision = parse_number(fmt);
        if (spec->precision < 0)
            spec->precision = va_arg(*args, int);
    }
}

/* Performs the conversion at *fmt (after the %) and moves past it. */
static void convert(struct sink *s, const char **fmt, va_list *args)
{
    struct spec spec;

    parse_spec(fmt, &spec, args);
    const size_t bytes = parse_length(fmt);
    const char c = **fmt;
    if (c == 0)
        return;
    (*fmt)++;
    if (c == 's') {
        const char *text = va_arg(*args, const char *);
        emit_text(s, &spec, text == NULL ? "(null)" : text);
    } else if (c == 'c') {
        const char text[2] = {(char)va_arg(*args, int), 0};
        emit_text(s, &spec, text);
    } else if (c == 'd' || c == 'i' || c == 'u' || c == 'x' || c == 'X') {
        const u64 raw =
            bytes == sizeof(u64) ? va_arg(*args, u64) : (u64)va_arg(*args, unsigned int);
        spec.upper = c == 'X';
        spec.base = c == 'x' || c == 'X' ? 16 : 10;
        if (c == 'd' || c == 'i')
            emit_signed(s, &spec, raw, bytes);
        else
            emit_number(s, &spec, narrow(raw, bytes));
    } else if (c == 'p') {
        emit(s, '0');
        emit(s, 'x');
        spec.base = 16;
        emit_number(s, &spec, (u64)(uintptr_t)va_arg(*args, void *));
    } else {
        emit(s, c); /* "%%", and a conversion that does not exist shows itself */
    }
}

int format_text_v(char *to, size_t n, const char *fmt, va_list args)
{
    struct sink s = {.to = to, .room = n, .used = 0};
    va_list copy;

    va_copy(copy, args);
    while (*fmt != 0) {
        if (*fmt == '%') {
            fmt++;
            convert(&s, &fmt, &copy);
        } else {
            emit(&s, *fmt++);
        }
    }
    va_end(copy);
    if (n != 0)
        to[s.used < n ? s.used : n - 1] = 0;
    return (int)s.used;
}

int format_text(char *to, size_t n, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    const int used = format_text_v(to, n, fmt, args);
    va_end(args);
    return used;
}
