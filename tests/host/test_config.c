/*
 * The parser of \fermata.conf: what is right is understood, what is wrong is named with its line
 * and its remedy, and no bytes at all make it read or write where it must not (ASan watches, in
 * buffers of exactly the length given).
 *
 * links: boot/config.c boot/config_console.c boot/config_value.c boot/builtin_conf.c hv/format.c
 */
#include "arch/arch.h"
#include "boot/config.h"
#include "hv/console.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* The architecture's part, as the contract says it: a sentence on what it does not know. */
bool arch_fp_config_parse(const char *list, struct arch_fp_config *config, char *why, size_t n)
{
    memset(config, 0, sizeof(*config));
    if (!*list || !strcmp(list, "base"))
        return true;
    format_text(why, n, "'%.40s' is no component; write base", list);
    return false;
}

static struct boot_config config;
static char why[CONFIG_ERROR_MAX];

/* Parses a copy that ends where the text ends, so that a byte too far is seen. */
static bool parse(const char *text, size_t bytes)
{
    char *copy = malloc(bytes ? bytes : 1);

    assert_non_null(copy);
    memcpy(copy, text, bytes);
    memset(why, 0, sizeof(why));
    bool good = config_parse("fermata.conf", copy, bytes, &config, why, sizeof(why));
    free(copy);
    return good;
}

static void accepts(const char *text)
{
    if (!parse(text, strlen(text)))
        fail_msg("refused: %s", why);
}

/* ---- What is right ---- */

static void everything(void **state)
{
    (void)state;
    accepts("\xef\xbb\xbf# \xc3\xa4 comment may hold anything\r\n"
            "[fermata]\r\n"
            "\tquantum =  5ms\r\n"
            "log=debug # loud\r\n"
            "\r\n"
            "[ vm.A-b_9 ]  # comment\r\n"
            "kernel = \\guests\\a.elf\n"
            "memory = 1G\n"
            "vcpus = 16\n"
            "cpus = 0,2-4,63\n"
            "fp = base\n"
            "policy = eager\n"
            "cmdline = run=all x=# seed=1   # = [ ]\n"
            "limit = 10s\n"
            "[vm.b]\nkernel=builtin");
    assert_int_equal(config.quantum_us, 5000);
    assert_int_equal(config.log, BOOT_LOG_DEBUG);
    assert_int_equal(config.nvms, 2);
    const struct boot_vm *vm = &config.vms[0];
    assert_string_equal(vm->name, "A-b_9");
    assert_string_equal(vm->kernel, "\\guests\\a.elf");
    assert_string_equal(vm->cmdline, "run=all x=# seed=1");
    assert_string_equal(vm->fp, "base");
    assert_int_equal(vm->memory, GiB(1));
    assert_int_equal(vm->vcpus, 16);
    assert_int_equal(vm->cpus, BIT(0) | BITS(4, 2) | BIT(63));
    assert_int_equal(vm->policy, BOOT_POLICY_EAGER);
    assert_int_equal(vm->limit_ms, 10000);
    assert_int_equal(vm->line, 6);
    assert_int_equal(vm->image, 0);
    assert_string_equal(vm->error, "");
}

static void defaults(void **state)
{
    (void)state;
    accepts("[vm.a]\nkernel = builtin\n");
    assert_int_equal(config.quantum_us, 200);
    assert_int_equal(config.log, BOOT_LOG_INFO);
    const struct boot_vm *vm = &config.vms[0];
    assert_int_equal(vm->memory, MiB(16));
    assert_int_equal(vm->vcpus, 1);
    assert_int_equal(vm->cpus, ~0ull);
    assert_int_equal(vm->policy, BOOT_POLICY_LAZY);
    assert_int_equal(vm->limit_ms, 0);
    assert_string_equal(vm->cmdline, "");
    assert_string_equal(vm->fp, "");
}

/* Each limit, just reached. */
static void limits(void **state)
{
    char text[4096];
    char long_text[BOOT_TEXT];

    (void)state;
    memset(long_text, 'x', sizeof(long_text));
    long_text[BOOT_TEXT - 1] = 0;
    format_text(text, sizeof(text), "[vm.%.31s]\nkernel=%s\ncmdline=%s\nmemory=1024G\n", long_text,
                long_text, long_text);
    accepts(text);
    assert_int_equal(strlen(config.vms[0].name), BOOT_NAME - 1);
    assert_int_equal(strlen(config.vms[0].kernel), BOOT_TEXT - 1);
    assert_int_equal(config.vms[0].memory, GiB(1024));
    accepts("[fermata]\nquantum=10us\n[vm.a]\nkernel=builtin\nmemory=2097152\nlimit=86400s");
    assert_int_equal(config.quantum_us, 10);
    assert_int_equal(config.vms[0].memory, MiB(2));
    assert_int_equal(config.vms[0].limit_ms, 86400000);
    accepts("[fermata]\nquantum=1s\n[vm.a]\nkernel=builtin\nmemory=2048K\nlimit=1ms");

    size_t n = 0;
    for (u32 i = 0; i < BOOT_MAX_VMS; i++)
        n += (size_t)format_text(text + n, sizeof(text) - n, "[vm.v%u]\nkernel=builtin\n", i);
    accepts(text);
    assert_int_equal(config.nvms, BOOT_MAX_VMS);
    format_text(text + n, sizeof(text) - n, "[vm.more]\nkernel=builtin\n");
    assert_false(parse(text, strlen(text)));
    assert_string_equal(why,
                        "fermata.conf:33: [vm.more] is one VM too many; at most 16 are possible");
}

/* A line may have 1024 bytes; the next one is one too many, comment or not. */
static void line_length(void **state)
{
    char text[CONFIG_LINE_MAX + 32];

    (void)state;
    memset(text, '#', sizeof(text));
    memcpy(text + CONFIG_LINE_MAX, "\r\n[vm.a]\nkernel=builtin\n", 25);
    accepts(text);
    text[CONFIG_LINE_MAX] = '#';
    assert_false(parse(text, strlen(text)));
    assert_string_equal(
        why,
        "fermata.conf:1: the line is 1025 bytes long; at most 1024 are possible, so shorten it");
}

static void built_in(void **state)
{
    (void)state;
    if (!config_parse(NULL, builtin_conf, strlen(builtin_conf), &config, why, sizeof(why)))
        fail_msg("the built-in config is refused: %s", why);
    assert_true(config.nvms >= 2);
    for (u32 i = 0; i < config.nvms; i++) {
        assert_string_equal(config.vms[i].kernel, "builtin");
        assert_int_equal(config.vms[i].line, 0);
    }
    assert_false(config_parse(NULL, "x", 1, &config, why, sizeof(why)));
    assert_memory_equal(why, "built-in config:1: ", 19);
}

/* ---- What is wrong ---- */

#define VM "[vm.a]\nkernel = builtin\n"

static const struct {
    const char *text;
    const char *why; /* after "fermata.conf:" */
} mistakes[] = {
    {"", "1: no VM is described; add a section [vm.NAME] with kernel = builtin"},
    {"\n\n[fermata]\n", "3: no VM is described; add a section [vm.NAME] with kernel = builtin"},
    {"kernel = builtin\n",
     "1: 'kernel' stands before the first section; put [fermata] or [vm.NAME] above it"},
    {"[fermata]\nspeed = 1\n",
     "2: unknown key 'speed' in [fermata]; the keys are quantum, log, trace, console, gdb, core"},
    {"[fermata]\ntrace = 4097\n", "2: trace '4097' is no number of events; write 0 to 4096"},
    {"[fermata]\ncore = on\n", "2: core 'on' is neither yes nor no; write one of them"},
    {"[fermata]\ntrace = on\n", "2: trace 'on' is no number of events; write 0 to 4096"},
    {"[fermata]\nkernel = a\n",
     "2: unknown key 'kernel' in [fermata]; the keys are quantum, log, trace, console, gdb, core"},
    {VM "Memory = 16M\n", "3: unknown key 'Memory' in [vm.a]; the keys are kernel, memory, vcpus, "
                          "cpus, fp, policy, cmdline, limit, overcommit"},
    {VM "= 16M\n", "3: unknown key '' in [vm.a]; the keys are kernel, memory, vcpus, cpus, fp, "
                   "policy, cmdline, limit, overcommit"},
    {VM "memory 16M\n", "3: 'memory 16M' has no =; write key = value, or put # before a comment"},
    {VM "kernel = b\n", "3: kernel is given a second time in this section; remove one of the two"},
    {VM "[vm.b]\nkernel=b\n\n[vm.a]\n",
     "6: [vm.a] is there twice, first in line 1; give one another name"},
    {"[fermata]\n" VM "[fermata]\n", "4: [fermata] is there twice; join the two"},
    {"[guests]\n", "1: unknown section [guests]; the sections are [fermata] and [vm.NAME]"},
    {"[]\n", "1: unknown section []; the sections are [fermata] and [vm.NAME]"},
    {"[\n", "1: a section header must end with ]; write [fermata] or [vm.NAME]"},
    {"[vm.a]# no space before it, so no comment\n",
     "1: a section header must end with ]; write [fermata] or [vm.NAME]"},
    {"[vm.]\n", "1: '' cannot name a VM; use 1 to 31 of A-Z a-z 0-9 _ -"},
    {"[vm.a b]\n", "1: 'a b' cannot name a VM; use 1 to 31 of A-Z a-z 0-9 _ -"},
    {"[vm.abcdefghabcdefghabcdefghabcdefgh]\n",
     "1: 'abcdefghabcdefghabcdefghabcdefgh' cannot name a VM; use 1 to 31 of A-Z a-z 0-9 _ -"},
    {"\n[vm.a]\nmemory=2M\n[vm.b]\nkernel=x\n",
     "2: [vm.a] has no kernel; add kernel = \\path\\to\\it, or kernel = builtin"},
    {"[vm.a]\nkernel =\n", "2: kernel has no value; write a path like \\guests\\a.elf, or builtin"},
    {VM "memory =\n", "3: memory '' is not a size; write it like 16M or 1G"},
    {VM "memory = 16MB\n", "3: memory '16MB' is not a size; write it like 16M or 1G"},
    {VM "memory = -2M\n", "3: memory '-2M' is not a size; write it like 16M or 1G"},
    {VM "memory = 0x200000\n", "3: memory '0x200000' is not a size; write it like 16M or 1G"},
    {VM "memory = 0G\n", "3: memory '0G' is no memory at all; a VM needs at least 2M"},
    {VM "memory = 3M\n",
     "3: memory '3M' is not a multiple of 2M, the page size of a VM's memory; round it up"},
    {VM "memory = 1025G\n",
     "3: memory '1025G' is more than 1024G; write a size that this machine has"},
    {VM "memory = 17179869184G\n",
     "3: memory '17179869184G' is more than 1024G; write a size that this machine has"},
    {VM "memory = 18446744073709551616\n",
     "3: memory '18446744073709551616' is not a size; write it like 16M or 1G"},
    {VM "vcpus = 0\n", "3: vcpus '0' is not possible; write a number from 1 to 16"},
    {VM "vcpus = 17\n", "3: vcpus '17' is not possible; write a number from 1 to 16"},
    {VM "vcpus = 4294967297\n",
     "3: vcpus '4294967297' is not possible; write a number from 1 to 16"},
    {VM "vcpus = two\n", "3: vcpus 'two' is not possible; write a number from 1 to 16"},
    {VM "cpus = 64\n",
     "3: cpus '64' is not a list of CPUs; write it like 0 or 0-1 or 0,2-3, with numbers below 64"},
    {VM "cpus = 3-1\n",
     "3: cpus '3-1' is not a list of CPUs; write it like 0 or 0-1 or 0,2-3, with numbers below 64"},
    {VM "cpus = 0,\n",
     "3: cpus '0,' is not a list of CPUs; write it like 0 or 0-1 or 0,2-3, with numbers below 64"},
    {VM "policy = keep\n", "3: policy 'keep' does not exist; write lazy or eager"},
    {VM "fp = base,mmx\n", "3: fp: 'base,mmx' is no component; write base"},
    {VM "limit = 10\n", "3: limit '10' is not a time; write it like 200us, 5ms or 10s"},
    {VM "limit = 999us\n",
     "3: limit '999us' is too short; write at least 1ms, or leave it out for no limit"},
    {VM "limit = 86401s\n", "3: limit '86401s' is too long; the longest time is a day"},
    {VM "limit = 18446744073709551615s\n",
     "3: limit '18446744073709551615s' is too long; the longest time is a day"},
    {"[fermata]\nquantum = 9us\n", "2: quantum '9us' is out of range; write 10us to 1s"},
    {"[fermata]\nquantum = 2s\n", "2: quantum '2s' is out of range; write 10us to 1s"},
    {"[fermata]\nlog = all\n", "2: log 'all' is no level; write error, info or debug"},
    {VM "cmdline = caf\xc3\xa9\n",
     "3: byte 0xc3 in column 14 is not text; save the file as plain ASCII"},
    {VM "cmdline = a\x7f\n", "3: byte 0x7f in column 12 is not text; save the file as plain ASCII"},
    {VM "\x1b[2J\n", "3: byte 0x1b in column 1 is not text; save the file as plain ASCII"},
    {"[vm.a]\rkernel=b\r", "1: byte 0x0d in column 7 is not text; save the file as plain ASCII"},
    {"\xff\xfe[", "1: the file is UTF-16; save it as plain ASCII"},
    {"\xfe\xff", "1: the file is UTF-16; save it as plain ASCII"},
};

static void each_mistake(void **state)
{
    char want[CONFIG_ERROR_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
        if (parse(mistakes[i].text, strlen(mistakes[i].text)))
            fail_msg("accepted: %s", mistakes[i].text);
        format_text(want, sizeof(want), "fermata.conf:%s", mistakes[i].why);
        assert_string_equal(why, want);
    }
}

static void nul_is_no_text(void **state)
{
    (void)state;
    assert_false(parse("[vm.a]\nker\0nel=builtin", 22));
    assert_string_equal(
        why, "fermata.conf:2: byte 0x00 in column 4 is not text; save the file as plain ASCII");
    assert_true(parse("[vm.a]\nkernel=builtin # \0", 25)); /* in a comment: nobody reads it */
}

static void too_long(void **state)
{
    static char text[1 << 20];
    char value[BOOT_TEXT + 1], line[BOOT_TEXT + 64];

    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text, "[vm.a]\n", 7);
    assert_false(parse(text, sizeof(text)));
    assert_string_equal(
        why,
        "fermata.conf:2: the line is 1048569 bytes long; at most 1024 are possible, so shorten it");
    memset(value, 'x', sizeof(value));
    value[BOOT_TEXT] = 0;
    format_text(line, sizeof(line), "[vm.a]\ncmdline=%s\n", value);
    assert_false(parse(line, strlen(line)));
    assert_string_equal(
        why, "fermata.conf:2: cmdline is 256 characters long; 255 are possible, so shorten it");
}

/* However little room the caller gives, the sentence ends within it. */
static void short_room(void **state)
{
    const char *text = VM "memory = 3M\n";

    (void)state;
    for (size_t n = 1; n < 100; n++) {
        char *room = malloc(n);
        assert_non_null(room);
        assert_false(config_parse("fermata.conf", text, strlen(text), &config, room, n));
        assert_true(strlen(room) < n);
        free(room);
    }
}

/* ---- Anything at all ---- */

static u64 next_random(u64 *seed)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return *seed >> 33;
}

/* What the rest of Fermata relies on, whatever was parsed. */
static void check_accepted(void)
{
    assert_in_range(config.nvms, 1, BOOT_MAX_VMS);
    assert_in_range(config.quantum_us, CONFIG_QUANTUM_MIN, CONFIG_QUANTUM_MAX);
    for (u32 i = 0; i < config.nvms; i++) {
        const struct boot_vm *vm = &config.vms[i];
        assert_in_range(strlen(vm->name), 1, BOOT_NAME - 1);
        assert_in_range(strlen(vm->kernel), 1, BOOT_TEXT - 1);
        assert_in_range(vm->memory, CONFIG_MEMORY_STEP, CONFIG_MEMORY_MAX);
        assert_int_equal(vm->memory % CONFIG_MEMORY_STEP, 0);
        assert_in_range(vm->vcpus, 1, VM_MAX_VCPUS);
        assert_true(vm->cpus != 0);
    }
}

static void mutated(void **state)
{
    static const char *const words[] = {"[vm.",
                                        "]\n",
                                        "[fermata]\n",
                                        "kernel=",
                                        "builtin\n",
                                        "memory=",
                                        "vcpus=",
                                        "cpus=0-",
                                        "fp=",
                                        "policy=",
                                        "limit=",
                                        "cmdline=",
                                        "quantum",
                                        "\n",
                                        "=",
                                        "#",
                                        " ",
                                        "16M",
                                        "99999999999999999999",
                                        "\r\n",
                                        "lazy",
                                        "a",
                                        "1"};
    u64 seed = 1;
    u32 accepted = 0;
    char text[600];

    (void)state;
    for (u32 round = 0; round < 60000; round++) {
        size_t n = 0;
        if (round % 2) { /* a right file with a few bytes changed */
            n = strlen(builtin_conf) < sizeof(text) ? strlen(builtin_conf) : sizeof(text);
            memcpy(text, builtin_conf, n);
            for (u64 k = next_random(&seed) % 4; k; k--)
                text[next_random(&seed) % n] = (char)next_random(&seed);
        } else { /* words in any order */
            for (u64 k = next_random(&seed) % 40; k; k--) {
                const char *word = words[next_random(&seed) % ARRAY_SIZE(words)];
                size_t length = strlen(word);
                if (n + length > sizeof(text))
                    break;
                memcpy(text + n, word, length);
                n += length;
            }
        }
        if (parse(text, n)) {
            check_accepted();
            accepted++;
        } else {
            assert_memory_equal(why, "fermata.conf:", 13);
            assert_true(strlen(why) > 20);
        }
    }
    assert_true(accepted > 1000); /* the rounds are not all refused in their first line */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything),     cmocka_unit_test(defaults),
        cmocka_unit_test(limits),         cmocka_unit_test(line_length),
        cmocka_unit_test(built_in),       cmocka_unit_test(each_mistake),
        cmocka_unit_test(nul_is_no_text), cmocka_unit_test(too_long),
        cmocka_unit_test(short_room),     cmocka_unit_test(mutated),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
