/*
 * The parser of \fermata.conf: a good file, every bad one the issue names, and mutations of a valid
 * file by the hundred thousand. SEED=n repeats the fuzzing.
 *
 * links: boot/config.c boot/config_console.c boot/config_value.c boot/builtin_conf.c hv/format.c
 * links: tests/host/fake/support.c
 */
#include "fake/support.h"
#include "boot/config.h"
#include "hv/console.h"
#include "arch/arch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct boot_config config;
static char why[CONFIG_ERROR_MAX];

/* What a component list may name is the architecture's business; here: anything but "nonsense". */
bool arch_fp_config_parse(const char *list, struct arch_fp_config *parsed, char *text, size_t n)
{
    memset(parsed, 0, sizeof(*parsed));
    if (strcmp(list, "nonsense"))
        return true;
    format_text(text, n, "'%s' is no component", list);
    return false;
}

/*
 * Parses a copy that ends where its memory ends: a byte read behind it is noticed by ASan. Whatever
 * comes out must be whole: terminated texts, numbers within their bounds, one sentence on failure.
 */
static bool parse(const char *text, size_t n)
{
    char *copy = malloc(n ? n : 1);

    assert_non_null(copy);
    if (n)
        memcpy(copy, text, n);
    memset(&config, 0xa5, sizeof(config));
    memset(why, 0x7f, sizeof(why));
    bool good = config_parse("fermata.conf", copy, n, &config, why, sizeof(why));
    free(copy);
    if (!good) {
        assert_non_null(memchr(why, 0, sizeof(why)));
        assert_int_equal(strncmp(why, "fermata.conf:", 13), 0);
        assert_true(why[13] >= '1' && why[13] <= '9'); /* the line */
        for (const char *c = why; *c; c++)
            assert_true((*c >= ' ' && *c <= '~') || *c == '\t');
        assert_true(strlen(why) < CONFIG_ERROR_MAX - 1); /* not cut short */
        return false;
    }
    assert_in_range(config.nvms, 1, BOOT_MAX_VMS);
    assert_in_range(config.quantum_us, CONFIG_QUANTUM_MIN, CONFIG_QUANTUM_MAX);
    assert_true(config.log <= BOOT_LOG_DEBUG);
    for (u32 i = 0; i < config.nvms; i++) {
        const struct boot_vm *vm = &config.vms[i];
        assert_non_null(memchr(vm->name, 0, sizeof(vm->name)));
        assert_non_null(memchr(vm->kernel, 0, sizeof(vm->kernel)));
        assert_non_null(memchr(vm->cmdline, 0, sizeof(vm->cmdline)));
        assert_non_null(memchr(vm->fp, 0, sizeof(vm->fp)));
        assert_true(vm->name[0] && vm->kernel[0] && !vm->error[0]);
        assert_true(vm->memory && vm->memory % CONFIG_MEMORY_STEP == 0);
        assert_true(vm->memory <= CONFIG_MEMORY_MAX);
        assert_in_range(vm->vcpus, 1, VM_MAX_VCPUS);
        assert_true(vm->cpus != 0 && vm->policy <= BOOT_POLICY_EAGER);
        assert_true(vm->limit_ms <= CONFIG_LIMIT_MAX);
        for (u32 j = 0; j < i; j++)
            assert_string_not_equal(config.vms[j].name, vm->name);
    }
    return true;
}

static bool parse_text(const char *text)
{
    return parse(text, strlen(text));
}

static const char good[] = "\xef\xbb\xbf# a comment\r\n"
                           "[fermata]\n"
                           "quantum = 5ms   # more\n"
                           "\tlog=debug\n"
                           "\n"
                           "[ vm.alpha ]\n"
                           "kernel = \\guests\\a.elf\n"
                           "memory = 1G\r\n"
                           "vcpus = 16\n"
                           "cpus = 0,2-3,63\n"
                           "fp = x87,sse\n"
                           "policy = eager\n"
                           "cmdline = run=all seed=1#2 x==y\n"
                           "limit = 10s\n"
                           "[vm.B_-9]\n"
                           "kernel=builtin";

static void good_file(void **state)
{
    const struct boot_vm *vm = config.vms;

    (void)state;
    if (!parse_text(good))
        fail_msg("%s", why);
    assert_int_equal(config.nvms, 2);
    assert_int_equal(config.quantum_us, 5000);
    assert_int_equal(config.log, BOOT_LOG_DEBUG);
    assert_string_equal(vm->name, "alpha");
    assert_string_equal(vm->kernel, "\\guests\\a.elf");
    assert_string_equal(vm->cmdline, "run=all seed=1#2 x==y");
    assert_string_equal(vm->fp, "x87,sse");
    assert_int_equal(vm->memory, GiB(1));
    assert_int_equal(vm->vcpus, 16);
    assert_true(vm->cpus == (BIT(0) | BIT(2) | BIT(3) | BIT(63)));
    assert_int_equal(vm->policy, BOOT_POLICY_EAGER);
    assert_int_equal(vm->limit_ms, 10000);
    assert_int_equal(vm->line, 6);
    assert_int_equal(vm[1].line, 15);
    assert_string_equal(vm[1].name, "B_-9");
    assert_int_equal(vm[1].vcpus, 1); /* the defaults */
    assert_int_equal(vm[1].memory, MiB(16));
    assert_int_equal(vm[1].policy, BOOT_POLICY_LAZY);
    assert_int_equal(vm[1].limit_ms, 0);
    assert_true(vm[1].cpus == ~0ull);
}

static void builtin_file(void **state)
{
    (void)state;
    if (!config_parse(NULL, builtin_conf, strlen(builtin_conf), &config, why, sizeof(why)))
        fail_msg("%s", why);
    assert_true(config.nvms >= 2);
    for (u32 i = 0; i < config.nvms; i++)
        assert_int_equal(config.vms[i].line, 0);
}

#define VM "[vm.a]\nkernel=builtin\n"

/* What is wrong, and what the sentence must contain: the line, the name, the remedy. */
static const struct {
    const char *text, *where, *what;
} bad[] = {
    {"", ":1: ", "no VM is described"},
    {"# only this\n\n", ":2: ", "[vm.NAME]"},
    {"[fermata]\nlog=info\n", ":2: ", "no VM"},
    {VM "colour = red\n", ":3: ", "unknown key 'colour' in [vm.a]"},
    {"[fermata]\nkernel=builtin\n", ":2: ", "unknown key 'kernel' in [fermata]"},
    {"kernel=builtin\n", ":1: ", "before the first section"},
    {"[vm.a]\nmemory=4M\n[vm.b]\n", ":1: ", "[vm.a] has no kernel"},
    {"[vm.a]\n", ":1: ", "has no kernel"},
    {"[vm.a]\nkernel=\n", ":2: ", "kernel has no value"},
    {VM "kernel=builtin\n", ":3: ", "a second time"},
    {VM VM, ":3: ", "[vm.a] is there twice, first in line 1"},
    {"[fermata]\n[fermata]\n", ":2: ", "twice"},
    {VM "[guests]\n", ":3: ", "unknown section [guests]"},
    {VM "[vm.]\n", ":3: ", "cannot name a VM"},
    {VM "[vm.a b]\n", ":3: ", "'a b' cannot name"},
    {VM "[vm.0123456789012345678901234567890x]\n", ":3: ", "1 to 31"},
    {VM "[vm.b\n", ":3: ", "must end with ]"},
    {VM "[\n", ":3: ", "must end with ]"},
    {VM "[]\n", ":3: ", "unknown section []"},
    {VM "just words\n", ":3: ", "has no ="},
    {VM "= 3\n", ":3: ", "unknown key ''"},
    {VM "vcpus = 0\n", ":3: ", "vcpus '0'"},
    {VM "vcpus = 17\n", ":3: ", "1 to 16"},
    {VM "vcpus = -1\n", ":3: ", "'-1'"},
    {VM "vcpus = 0x2\n", ":3: ", "'0x2'"},
    {VM "vcpus = 99999999999999999999999999\n", ":3: ", "vcpus"},
    {VM "vcpus =\n", ":3: ", "vcpus ''"},
    {VM "memory = 0\n", ":3: ", "at least 2M"},
    {VM "memory = 3M\n", ":3: ", "multiple of 2M"},
    {VM "memory = 16 M\n", ":3: ", "not a size"},
    {VM "memory = 16MB\n", ":3: ", "not a size"},
    {VM "memory = -16M\n", ":3: ", "not a size"},
    {VM "memory = 1025G\n", ":3: ", "1024G"},
    {VM "memory = 18014398509481985K\n", ":3: ", "1024G"}, /* 2^64 + 1024 */
    {VM "memory = 18446744073709551616\n", ":3: ", "not a size"},
    {VM "memory = 17179869184G\n", ":3: ", "1024G"},
    {VM "cpus = \n", ":3: ", "list of CPUs"},
    {VM "cpus = 64\n", ":3: ", "list of CPUs"},
    {VM "cpus = 3-1\n", ":3: ", "list of CPUs"},
    {VM "cpus = 1,\n", ":3: ", "list of CPUs"},
    {VM "cpus = 0-\n", ":3: ", "list of CPUs"},
    {VM "cpus = 0-1-2\n", ":3: ", "list of CPUs"},
    {VM "cpus = 18446744073709551616\n", ":3: ", "list of CPUs"},
    {VM "fp = nonsense\n", ":3: ", "'nonsense' is no component"},
    {VM "policy = Lazy\n", ":3: ", "lazy or eager"},
    {VM "limit = 5\n", ":3: ", "not a time"},
    {VM "limit = 999us\n", ":3: ", "too short"},
    {VM "limit = 86401s\n", ":3: ", "too long"},
    {VM "limit = 18446744073709551615s\n", ":3: ", "too long"},
    {VM "[fermata]\nquantum = 0us\n", ":4: ", "out of range"},
    {VM "[fermata]\nquantum = 9us\n", ":4: ", "10us to 1s"},
    {VM "[fermata]\nquantum = 2s\n", ":4: ", "out of range"},
    {VM "[fermata]\nquantum = ms\n", ":4: ", "not a time"},
    {VM "[fermata]\nlog = loud\n", ":4: ", "error, info or debug"},
    {"\xff\xfe[\0v\0m", ":1: ", "UTF-16"},
    {VM "cmdline = caf\xc3\xa9\n", ":3: ", "byte 0xc3 in column 14"},
    {VM "cmdline = a\x7f\n", ":3: ", "0x7f"},
    {VM "cmdline = a\rb\n", ":3: ", "0x0d"},
};

static void bad_files(void **state)
{
    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
        if (parse_text(bad[i].text))
            fail_msg("accepted: %s", bad[i].text);
        if (!strstr(why, bad[i].where) || !strstr(why, bad[i].what))
            fail_msg("%s\nsays: %s\nwant: %s %s", bad[i].text, why, bad[i].where, bad[i].what);
    }
}

static void too_many_vms(void **state)
{
    char text[BOOT_MAX_VMS * 40 + 80];
    size_t n = 0;

    (void)state;
    for (u32 i = 0; i < BOOT_MAX_VMS; i++)
        n += (size_t)sprintf(text + n, "[vm.v%u]\nkernel=builtin\n", i);
    assert_true(parse(text, n));
    n += (size_t)sprintf(text + n, "[vm.more]\nkernel=builtin\n");
    assert_false(parse(text, n));
    assert_non_null(strstr(why, "one VM too many"));
}

/* Texts at their limit, and one beyond. */
static void long_values(void **state)
{
    char text[2000];

    (void)state;
    for (int length = BOOT_TEXT - 2; length <= BOOT_TEXT; length++) {
        int n = sprintf(text, VM "cmdline=%0*d\n", length, 7);
        assert_int_equal(parse(text, (size_t)n), length < BOOT_TEXT);
        n = sprintf(text, "[vm.a]\nkernel=%0*d\n", length, 7);
        assert_int_equal(parse(text, (size_t)n), length < BOOT_TEXT);
    }
    for (int length = BOOT_NAME - 2; length <= BOOT_NAME; length++) {
        int n = sprintf(text, "[vm.%0*d]\nkernel=builtin", length, 7);
        assert_int_equal(parse(text, (size_t)n), length < BOOT_NAME);
    }
    for (int length = CONFIG_LINE_MAX - 1; length <= CONFIG_LINE_MAX + 1; length++) {
        int n = sprintf(text, VM "#%*s\r\n", length - 1, "");
        assert_int_equal(parse(text, (size_t)n), length <= CONFIG_LINE_MAX);
    }
}

/* A line of a megabyte, binary rubbish, NULs: one sentence each. */
static void rubbish(void **state)
{
    char *text = malloc(MiB(1) + 100);

    (void)state;
    assert_non_null(text);
    size_t n = (size_t)sprintf(text, VM "cmdline = ");
    memset(text + n, 'x', MiB(1));
    assert_false(parse(text, n + MiB(1)));
    assert_non_null(strstr(why, ":3: the line is 1048586 bytes long"));
    memset(text, 0, MiB(1));
    assert_false(parse(text, MiB(1)));
    memset(text, '\n', MiB(1));
    assert_false(parse(text, MiB(1)));
    assert_non_null(strstr(why, ":1048576: no VM"));
    fake_srand(fake_seed());
    for (u32 round = 0; round < 2000; round++) {
        n = fake_below(300);
        for (size_t i = 0; i < n; i++)
            text[i] = (char)fake_rand();
        (void)parse(text, n);
    }
    free(text);
}

/* Every small buffer for the sentence: terminated, never overrun. */
static void short_why(void **state)
{
    char small[80];

    (void)state;
    for (size_t n = 1; n < sizeof(small); n++) {
        memset(small, 0x7f, sizeof(small));
        assert_false(config_parse("f", "nothing", 7, &config, small, n));
        assert_non_null(memchr(small, 0, n));
        assert_int_equal(small[n], 0x7f);
    }
}

static size_t mutate(char *text, size_t n, size_t room)
{
    static const char *const words[] = {"[",
                                        "]",
                                        "=",
                                        "\n",
                                        "#",
                                        "vm.",
                                        "[vm.alpha]",
                                        "kernel=",
                                        "0",
                                        "-",
                                        ",",
                                        "99999999999999999999",
                                        "M",
                                        "\r",
                                        " ",
                                        "builtin",
                                        "[fermata]",
                                        "us",
                                        "\xef\xbb\xbf",
                                        "\t"};
    size_t at = n ? fake_below((u32)n) : 0, len = 1 + fake_below(12);
    const char *word = words[fake_below(ARRAY_SIZE(words))];

    switch (fake_below(5)) {
    case 0: /* a bit */
        if (n)
            text[at] ^= (char)(1 << fake_below(8));
        return n;
    case 1: /* cut a piece */
        if (len > n - at)
            len = n - at;
        memmove(text + at, text + at + len, n - at - len);
        return n - len;
    case 2: /* put in a word */
        len = strlen(word);
        if (n + len > room)
            return n;
        memmove(text + at + len, text + at, n - at);
        memcpy(text + at, word, len);
        return n + len;
    case 3: /* copy a piece elsewhere */
        if (len > n - at)
            len = n - at;
        memmove(text + fake_below((u32)(n - len + 1)), text + at, len);
        return n;
    default: /* end here */
        return at;
    }
}

static void fuzz(void **state)
{
    char text[1024];
    u64 accepted = 0;

    (void)state;
    fake_srand(fake_seed());
    print_message("# SEED=%llu\n", (unsigned long long)fake_seed());
    for (u32 round = 0; round < 100000; round++) {
        size_t n = sizeof(good) - 1;
        memcpy(text, good, n);
        for (u32 i = 1 + fake_below(6); i > 0; i--)
            n = mutate(text, n, sizeof(text));
        accepted += parse(text, n);
    }
    print_message("# %llu of 100000 mutations are valid files\n", (unsigned long long)accepted);
    assert_in_range(accepted, 1000, 90000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_file),    cmocka_unit_test(builtin_file), cmocka_unit_test(bad_files),
        cmocka_unit_test(too_many_vms), cmocka_unit_test(long_values),  cmocka_unit_test(rubbish),
        cmocka_unit_test(short_why),    cmocka_unit_test(fuzz),
    };

    return cmocka_run_group_tests_name("config bad", tests, NULL, NULL);
}
