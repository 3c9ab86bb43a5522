/*
 * The gcov counters of the image, printed as the .gcda files a hosted program would write. Linked
 * into BUILD=coverage only.
 *
 * libgcov's own writer is not used: it is compiled for user space and touches vector registers,
 * which belong to the guests. The structures below are GCC's (gcc/libgcc/libgcov.h, gcov-io.h,
 * "-fprofile-info-section" in the manual); the compiler fills them and the linker script gathers
 * pointers to them.
 */
#include "hv/gcov_dump.h"
#include "hv/console.h"

#define GCDA_MAGIC        0x67636461u /* "gcda" */
#define GCDA_TAG_FUNCTION 0x01000000u
#define GCDA_TAG_COUNTER  0x01a10000u
#define GCDA_TAG_STEP     17

/* Kinds of counters: fixed by the compiler's version. Clang 11 and later writes GCC's older format.
 */
#if __GNUC__ >= 14
#define GCOV_COUNTERS 9u
#else
#define GCOV_COUNTERS 8u
#endif
/* Since GCC 12 a record's length counts bytes, and the file header has a checksum. */
#if __GNUC__ < 12
#error "the .gcda format of GCC 12 and later is written: use GCC 12 or later for BUILD=coverage"
#endif

struct gcov_counts {
    u32 n;
    s64 *values;
};

struct gcov_function {
    const struct gcov_unit *unit;
    u32 ident;
    u32 line_checksum;
    u32 cfg_checksum;
    struct gcov_counts counts[]; /* one for each kind in use, in order */
};

struct gcov_unit {
    u32 version;
    struct gcov_unit *next;
    u32 stamp;
    u32 checksum;
    const char *filename;
    void (*merge[GCOV_COUNTERS])(s64 *, u32); /* not NULL: this kind is in use */
    u32 nfunctions;
    const struct gcov_function *const *functions;
};

extern const struct gcov_unit *const __gcov_info_start[];
extern const struct gcov_unit *const __gcov_info_end[];

/* The compiler's marker of arc counters. Only its address is used. */
void __gcov_merge_add(s64 *counters, u32 n);
void __gcov_merge_add(s64 *counters, u32 n)
{
    (void)counters;
    (void)n;
}

#define LINE_BYTES 48u

static u8 line[LINE_BYTES];
static u32 line_used;

static void line_flush(void)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * LINE_BYTES + 2];
    size_t n = 0;

    text[n++] = '@';
    for (u32 i = 0; i < line_used; i++) {
        text[n++] = digits[line[i] >> 4];
        text[n++] = digits[line[i] & 15];
    }
    text[n++] = '\n';
    if (line_used != 0)
        console_write(text, n);
    line_used = 0;
}

static void put_word(u32 word)
{
    if (line_used == LINE_BYTES)
        line_flush();
    memcpy(line + line_used, &word, sizeof(word));
    line_used += (u32)sizeof(word);
}

static void put_function(const struct gcov_unit *unit, const struct gcov_function *function)
{
    const struct gcov_counts *counts = function->counts;

    put_word(GCDA_TAG_FUNCTION);
    put_word(3 * sizeof(u32));
    put_word(function->ident);
    put_word(function->line_checksum);
    put_word(function->cfg_checksum);
    for (u32 kind = 0; kind < GCOV_COUNTERS; kind++) {
        if (unit->merge[kind] == NULL)
            continue;
        put_word(GCDA_TAG_COUNTER + (kind << GCDA_TAG_STEP));
        put_word(counts->n * (u32)sizeof(s64));
        for (u32 i = 0; i < counts->n; i++) {
            put_word((u32)counts->values[i]);
            put_word((u32)((u64)counts->values[i] >> 32));
        }
        counts++;
    }
}

void gcov_dump(void)
{
    for (const struct gcov_unit *const *u = __gcov_info_start; u < __gcov_info_end; u++) {
        const struct gcov_unit *unit = *u;

        console_printf("@gcda %s\n", unit->filename);
        put_word(GCDA_MAGIC);
        put_word(unit->version);
        put_word(unit->stamp);
        put_word(unit->checksum);
        for (u32 f = 0; f < unit->nfunctions; f++) {
            /* A function of an inline or weak kind belongs to the one unit its key names. */
            if (unit->functions[f] != NULL && unit->functions[f]->unit == unit)
                put_function(unit, unit->functions[f]);
        }
        line_flush();
        console_write("@end\n", 5);
    }
}
