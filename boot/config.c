/* \fermata.conf into struct boot_config. The first mistake ends it, with its line and its remedy.
 */
#include "boot/config.h"
#include "arch/arch.h"
#include "hv/console.h"
#include "hv/trace.h"

#define VM_KEYS      "kernel, memory, vcpus, cpus, fp, policy, cmdline, limit, overcommit"
#define FERMATA_KEYS "quantum, log, trace, console, gdb, core"

enum section { SECTION_NONE, SECTION_FERMATA, SECTION_VM };

struct parser {
    const char *file; /* NULL: the built-in text */
    u32 line;
    enum section section;
    struct boot_vm *vm; /* of SECTION_VM */
    u32 seen;           /* bit i: keys[i] was given in this section */
    bool fermata_seen;
    struct boot_config *config;
    char *why;
    size_t n;
};

/* Writes "FILE:LINE: " and the sentence; always false, for `return fail(...)`. */
PRINTF_LIKE(2, 3) static bool fail(struct parser *p, const char *fmt, ...)
{
    va_list args;
    int used = format_text(p->why, p->n, "%s:%u: ", p->file ? p->file : "built-in config", p->line);

    if (used < 0 || (size_t)used >= p->n)
        return false;
    va_start(args, fmt);
    format_text_v(p->why + used, p->n - (size_t)used, fmt, args);
    va_end(args);
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* Cuts the spaces at both ends of a 0-terminated text, in place. */
static char *trim(char *s)
{
    while (is_space(*s))
        s++;
    size_t n = strlen(s);
    while (n && is_space(s[n - 1]))
        s[--n] = 0;
    return s;
}

/* ---- Keys ---- */

static bool copy_text(struct parser *p, const char *key, const char *value, char *to, size_t n)
{
    size_t length = strlen(value);

    if (length >= n)
        return fail(p, "%s is %u characters long; %u are possible, so shorten it", key, (u32)length,
                    (u32)n - 1);
    memcpy(to, value, length + 1);
    return true;
}

static bool key_quantum(struct parser *p, const char *value)
{
    const char *problem;
    u64 us;

    if (!config_time_us(value, &us, &problem))
        return fail(p, "quantum '%.40s' %s", value, problem);
    if (us < CONFIG_QUANTUM_MIN || us > CONFIG_QUANTUM_MAX)
        return fail(p, "quantum '%.40s' is out of range; write 10us to 1s", value);
    p->config->quantum_us = us;
    return true;
}

static bool key_log(struct parser *p, const char *value)
{
    if (!strcmp(value, "error"))
        p->config->log = BOOT_LOG_ERROR;
    else if (!strcmp(value, "info"))
        p->config->log = BOOT_LOG_INFO;
    else if (!strcmp(value, "debug"))
        p->config->log = BOOT_LOG_DEBUG;
    else
        return fail(p, "log '%.40s' is no level; write error, info or debug", value);
    return true;
}

static bool key_trace(struct parser *p, const char *value)
{
    u64 n;

    if (!config_number(value, 0, TRACE_ENTRIES, &n))
        return fail(p, "trace '%.40s' is no number of events; write 0 to %u", value, TRACE_ENTRIES);
    p->config->trace = (u32)n;
    return true;
}

static bool key_console(struct parser *p, const char *value)
{
    const char *problem;

    if (!config_console(value, p->config->consoles, &problem))
        return fail(p, "console '%.80s' %s", value, problem);
    for (u32 i = 0; i < ARRAY_SIZE(p->config->consoles); i++)
        p->config->consoles[i].line = p->line;
    return true;
}

static bool key_gdb(struct parser *p, const char *value)
{
    const char *problem;

    if (!config_gdb(value, &p->config->gdb, &problem))
        return fail(p, "gdb '%.80s' %s", value, problem);
    p->config->gdb.line = p->line;
    return true;
}

static bool key_core(struct parser *p, const char *value)
{
    if (strcmp(value, "yes") && strcmp(value, "no"))
        return fail(p, "core '%.40s' is neither yes nor no; write one of them", value);
    p->config->core = value[0] == 'y';
    return true;
}

static bool key_kernel(struct parser *p, const char *value)
{
    if (!*value)
        return fail(p, "kernel has no value; write a path like \\guests\\a.elf, or builtin");
    return copy_text(p, "kernel", value, p->vm->kernel, sizeof(p->vm->kernel));
}

static bool key_memory(struct parser *p, const char *value)
{
    const char *problem;

    if (!config_memory(value, &p->vm->memory, &problem))
        return fail(p, "memory '%.40s' %s", value, problem);
    return true;
}

static bool key_vcpus(struct parser *p, const char *value)
{
    u64 n;

    if (!config_number(value, 1, VM_MAX_VCPUS, &n))
        return fail(p, "vcpus '%.40s' is not possible; write a number from 1 to %u", value,
                    VM_MAX_VCPUS);
    p->vm->vcpus = (u32)n;
    return true;
}

static bool key_cpus(struct parser *p, const char *value)
{
    const char *problem;

    if (!config_cpus(value, &p->vm->cpus, &problem))
        return fail(p, "cpus '%.40s' %s", value, problem);
    return true;
}

static bool key_fp(struct parser *p, const char *value)
{
    struct arch_fp_config parsed; /* only whether it parses is asked; vm_create() does it again */
    char why[BOOT_TEXT];

    if (!arch_fp_config_parse(value, &parsed, why, sizeof(why)))
        return fail(p, "fp: %s", why);
    return copy_text(p, "fp", value, p->vm->fp, sizeof(p->vm->fp));
}

static bool key_policy(struct parser *p, const char *value)
{
    if (!strcmp(value, "lazy"))
        p->vm->policy = BOOT_POLICY_LAZY;
    else if (!strcmp(value, "eager"))
        p->vm->policy = BOOT_POLICY_EAGER;
    else
        return fail(p, "policy '%.40s' does not exist; write lazy or eager", value);
    return true;
}

static bool key_cmdline(struct parser *p, const char *value)
{
    return copy_text(p, "cmdline", value, p->vm->cmdline, sizeof(p->vm->cmdline));
}

static bool key_limit(struct parser *p, const char *value)
{
    const char *problem;
    u64 us;

    if (!config_time_us(value, &us, &problem))
        return fail(p, "limit '%.40s' %s", value, problem);
    if (us < 1000)
        return fail(p,
                    "limit '%.40s' is too short; write at least 1ms, or leave it out for no limit",
                    value);
    p->vm->limit_ms = us / 1000;
    return true;
}

static bool key_overcommit(struct parser *p, const char *value)
{
    if (!strcmp(value, "yes"))
        p->vm->overcommit = 1;
    else if (strcmp(value, "no"))
        return fail(p, "overcommit '%.40s' is neither; write yes or no", value);
    return true;
}

static const struct key {
    enum section section;
    const char *name;
    bool (*parse)(struct parser *p, const char *value);
} keys[] = {
    {SECTION_FERMATA, "quantum", key_quantum},
    {SECTION_FERMATA, "log", key_log},
    {SECTION_FERMATA, "trace", key_trace},
    {SECTION_FERMATA, "console", key_console},
    {SECTION_FERMATA, "gdb", key_gdb},
    {SECTION_FERMATA, "core", key_core},
    {SECTION_VM, "kernel", key_kernel},
    {SECTION_VM, "memory", key_memory},
    {SECTION_VM, "vcpus", key_vcpus},
    {SECTION_VM, "cpus", key_cpus},
    {SECTION_VM, "fp", key_fp},
    {SECTION_VM, "policy", key_policy},
    {SECTION_VM, "cmdline", key_cmdline},
    {SECTION_VM, "limit", key_limit},
    {SECTION_VM, "overcommit", key_overcommit},
};

static bool parse_key(struct parser *p, const char *name, const char *value)
{
    for (u32 i = 0; i < ARRAY_SIZE(keys); i++) {
        if (keys[i].section != p->section || strcmp(keys[i].name, name))
            continue;
        if (p->seen & (1u << i))
            return fail(p, "%s is given a second time in this section; remove one of the two",
                        name);
        p->seen |= 1u << i;
        return keys[i].parse(p, value);
    }
    if (p->section == SECTION_FERMATA)
        return fail(p, "unknown key '%.40s' in [fermata]; the keys are " FERMATA_KEYS, name);
    return fail(p, "unknown key '%.40s' in [vm.%s]; the keys are " VM_KEYS, name, p->vm->name);
}

/* ---- Sections ---- */

/* A section is complete when the next one starts, or the file ends. */
static bool end_section(struct parser *p)
{
    if (p->section != SECTION_VM || p->vm->kernel[0])
        return true;
    p->line = p->vm->line;
    return fail(p, "[vm.%s] has no kernel; add kernel = \\path\\to\\it, or kernel = builtin",
                p->vm->name);
}

static bool begin_vm(struct parser *p, const char *name)
{
    struct boot_config *config = p->config;
    size_t n = 0;

    while (is_name(name[n]))
        n++;
    if (!n || name[n] || n >= BOOT_NAME)
        return fail(p, "'%.40s' cannot name a VM; use 1 to %u of A-Z a-z 0-9 _ -", name,
                    BOOT_NAME - 1);
    for (u32 i = 0; i < config->nvms; i++) {
        if (!strcmp(config->vms[i].name, name))
            return fail(p, "[vm.%s] is there twice, first in line %u; give one another name", name,
                        config->vms[i].line);
    }
    if (config->nvms == BOOT_MAX_VMS)
        return fail(p, "[vm.%s] is one VM too many; at most %u are possible", name, BOOT_MAX_VMS);
    p->vm = &config->vms[config->nvms++];
    p->section = SECTION_VM;
    memcpy(p->vm->name, name, n + 1);
    p->vm->line = p->line;
    p->vm->memory = MiB(16);
    p->vm->vcpus = 1;
    p->vm->cpus = ~0ull;
    return true;
}

static bool parse_section(struct parser *p, char *text)
{
    size_t n = strlen(text);

    if (text[n - 1] != ']')
        return fail(p, "a section header must end with ]; write [fermata] or [vm.NAME]");
    text[n - 1] = 0;
    text = trim(text + 1);
    if (!end_section(p))
        return false;
    p->seen = 0;
    if (!strncmp(text, "vm.", 3))
        return begin_vm(p, text + 3);
    if (strcmp(text, "fermata"))
        return fail(p, "unknown section [%.40s]; the sections are [fermata] and [vm.NAME]", text);
    if (p->fermata_seen)
        return fail(p, "[fermata] is there twice; join the two");
    p->fermata_seen = true;
    p->section = SECTION_FERMATA;
    return true;
}

/* ---- Lines ---- */

/* One line without its end, 0-terminated, checked to be ASCII. */
static bool parse_line(struct parser *p, char *text)
{
    text = trim(text);
    if (!*text)
        return true;
    if (*text == '[')
        return parse_section(p, text);

    char *equals = text;
    while (*equals && *equals != '=')
        equals++;
    if (!*equals)
        return fail(p, "'%.40s' has no =; write key = value, or put # before a comment", text);
    *equals = 0;
    char *name = trim(text);
    if (p->section == SECTION_NONE)
        return fail(p,
                    "'%.40s' stands before the first section; put [fermata] or [vm.NAME] above it",
                    name);
    return parse_key(p, name, trim(equals + 1));
}

/*
 * Copies one raw line into `line` (CONFIG_LINE_MAX + 1 bytes) up to a comment: # at the start or
 * after a space. A comment may hold any bytes; the rest must be printable ASCII.
 */
static bool copy_line(struct parser *p, const char *raw, size_t bytes, char *line)
{
    size_t n = 0;

    if (bytes && raw[bytes - 1] == '\r')
        bytes--;
    if (bytes > CONFIG_LINE_MAX)
        return fail(p, "the line is %llu bytes long; at most %u are possible, so shorten it",
                    (unsigned long long)bytes, CONFIG_LINE_MAX);
    for (; n < bytes; n++) {
        u8 c = (u8)raw[n];
        if (c == '#' && (!n || is_space(raw[n - 1])))
            break;
        if (c != '\t' && (c < ' ' || c > '~'))
            return fail(p, "byte 0x%02x in column %u is not text; save the file as plain ASCII", c,
                        (u32)n + 1);
        line[n] = raw[n];
    }
    line[n] = 0;
    return true;
}

/* What an editor may put first: a UTF-8 mark is skipped; UTF-16 is named, for "byte 0x00" helps
 * nobody. */
static bool skip_mark(struct parser *p, const char **text, size_t *bytes)
{
    if (*bytes >= 3 && !memcmp(*text, "\xef\xbb\xbf", 3)) {
        *text += 3;
        *bytes -= 3;
    }
    p->line = 1;
    if (*bytes >= 2 && (!memcmp(*text, "\xff\xfe", 2) || !memcmp(*text, "\xfe\xff", 2)))
        return fail(p, "the file is UTF-16; save it as plain ASCII");
    p->line = 0;
    return true;
}

static bool parse_lines(struct parser *p, const char *text, size_t bytes)
{
    char line[CONFIG_LINE_MAX + 1] = ""; /* clang-tidy does not see that fail() is false */

    while (bytes) {
        size_t n = 0;
        while (n < bytes && text[n] != '\n')
            n++;
        p->line++;
        if (!copy_line(p, text, n, line) || !parse_line(p, line))
            return false;
        if (n < bytes)
            n++;
        text += n;
        bytes -= n;
    }
    return end_section(p);
}

bool config_parse(const char *file, const char *text, size_t bytes, struct boot_config *config,
                  char *why, size_t n)
{
    struct parser p = {.file = file, .config = config, .why = why, .n = n};

    memset(config, 0, sizeof(*config));
    config->quantum_us = 200;
    config->log = BOOT_LOG_INFO;
    if (!skip_mark(&p, &text, &bytes) || !parse_lines(&p, text, bytes))
        return false;
    if (!config->nvms) {
        if (!p.line)
            p.line = 1;
        return fail(&p, "no VM is described; add a section [vm.NAME] with kernel = builtin");
    }
    if (!file) {
        for (u32 i = 0; i < config->nvms; i++)
            config->vms[i].line = 0;
    }
    return true;
}
