/*
 * The end of the hypervisor: what panic() says, in which order, and that a panic inside a panic
 * still ends. Each case is a child process, for a panic is for good.
 *
 * links: tests/host/fake/no_gdb.c
 * links: hv/panic.c hv/symbols.c hv/console.c hv/uart.c hv/screen.c hv/font.c hv/format.c
 */
#include "arch/arch.h"
#include "boot/boot_info.h"
#include "hv/console.h"
#include "hv/panic.h"
#include "hv/report.h"
#include "hv/symbols.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define BASE 0x10000000ull
#define SIZE 0x3000ull

/* How the child ended. */
enum { ENDED_PASS = 10, ENDED_FAIL, STOPPED, RETURNED };

/* Where the fake breaks once more. */
enum trouble { NONE, IN_BACKTRACE, IN_BACKTRACE_AND_VERDICT };

static enum trouble trouble;
static char text[8192];
static u64 chain[] = {BASE + 0x1010, BASE + 0x2000, 0x50};

/* ---- The symbol table of a small program ---- */

const u32 symbol_count = 3;
const u32 symbol_offsets[] = {0x1000, 0x1100, 0x2000, 0x2800};
const u32 symbol_name_offsets[] = {0, 6, 12};
const char symbol_names[] = "first\0never\0third";

/* ---- The machine ---- */

struct pcpu pcpus[MAX_CPUS];

const char *vm_name(const struct vm *vm)
{
    return vm->config->name;
}

u64 arch_vcpu_pc(const struct vcpu *v)
{
    (void)v;
    return 0x1234;
}

u8 arch_port_read8(u16 port)
{
    (void)port;
    return 0x60;
}

void arch_port_write8(u16 port, u8 value)
{
    if (port == 0x3f8)
        assert_int_equal(write(STDOUT_FILENO, &value, 1), 1);
}

u64 arch_frame_pointer(void)
{
    return 0x7000;
}

size_t arch_backtrace(u64 frame_pointer, u64 *addresses, size_t n)
{
    if (trouble != NONE)
        panic("the stack is torn");
    assert_in_range(n, ARRAY_SIZE(chain), 1000);
    if (frame_pointer != 0x7000)
        return 0;
    memcpy(addresses, chain, sizeof(chain));
    return ARRAY_SIZE(chain);
}

void arch_machine_end(bool pass)
{
    _exit(pass ? ENDED_PASS : ENDED_FAIL);
}

void arch_stop(void)
{
    _exit(STOPPED);
}

void report_verdict(bool pass, const char *fmt, ...)
{
    if (trouble == IN_BACKTRACE_AND_VERDICT)
        panic("nothing works");
    console_printf("fermata: %s: %s\n", pass ? "PASS" : "FAIL", fmt);
    arch_machine_end(pass);
}

/* ---- The cases ---- */

static void plain(void)
{
    panic("it cannot be: %d", 42);
}

static void exception(void)
{
    static struct boot_vm config = {.name = "alpha"};
    static struct vm vm = {.config = &config};
    static struct vcpu v = {.vm = &vm, .id = 1};

    pcpus[0].current = &v;
    panic_exception(BASE + 0x1000, 0, "x0 1\nx1 2\n", "data abort at 0x%x", 8);
}

static void without_image(void)
{
    panic_image(0, 0);
    panic("too early");
}

/* Runs `f` in a child; its console is in `text` afterwards, its end is returned. */
static int outcome(void (*f)(void), enum trouble extra)
{
    int ends[2];
    int status;
    size_t used = 0;
    ssize_t n;

    fflush(NULL);
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        const struct boot_uart uart = {.kind = BOOT_UART_16550_IO, .base = 0x3f8};
        dup2(ends[1], STDOUT_FILENO);
        console_init(&uart, LOG_ERROR);
        panic_image(BASE, SIZE);
        trouble = extra;
        f();
        _exit(RETURNED);
    }
    close(ends[1]);
    while (used < sizeof(text) - 1 && (n = read(ends[0], text + used, sizeof(text) - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = 0;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The strings are in `text`, in this order; the list ends with NULL. */
static void in_order(const char *const *list)
{
    const char *at = text;

    for (; *list != NULL; list++) {
        at = strstr(at, *list);
        if (at == NULL)
            fail_msg("missing, or out of order: %s\n%s", *list, text);
        at += strlen(*list);
    }
}

static void says_where(void **state)
{
    /* A return address belongs to the function before it: the call was its last instruction. */
    static const char *const lines[] = {
        "fermata: panic: it cannot be: 42\r\n",
        "fermata: #0 0x10001010 first+0x10 (0x1010)\r\n",
        "fermata: #1 0x10002000 never+0xf00 (0x2000)\r\n",
        "fermata: #2 0x50 (outside the image)\r\n",
        "loaded at 0x10000000\r\n",
        "fermata: on CPU 0, no vCPU installed\r\n",
        "fermata: FAIL: panic\r\n",
        NULL,
    };

    (void)state;
    assert_int_equal(outcome(plain, NONE), ENDED_FAIL);
    in_order(lines);
    assert_string_equal(text + strlen(text) - 22, "fermata: FAIL: panic\r\n");
}

static void shows_registers(void **state)
{
    /* The faulting instruction itself, and no frames: there was no frame pointer to be trusted. */
    static const char *const lines[] = {
        "fermata: panic: data abort at 0x8\r\n",
        "x0 1\r\nx1 2\r\n",
        "fermata: #0 0x10001000 first+0x0 (0x1000)\r\n",
        "fermata: on CPU 0, vCPU alpha.1 installed, guest at 0x1234\r\n",
        "fermata: FAIL: panic\r\n",
        NULL,
    };

    (void)state;
    assert_int_equal(outcome(exception, NONE), ENDED_FAIL);
    in_order(lines);
    assert_null(strstr(text, "#1"));
}

static void before_the_image_is_known(void **state)
{
    (void)state;
    assert_int_equal(outcome(without_image, NONE), ENDED_FAIL);
    assert_non_null(strstr(text, "#0 0x10001010 (outside the image)"));
}

static void inside_a_panic(void **state)
{
    static const char *const lines[] = {
        "fermata: panic: it cannot be: 42\r\n",
        "fermata: panic while panicking: the stack is torn\r\n",
        "fermata: FAIL: panic\r\n",
        NULL,
    };

    (void)state;
    assert_int_equal(outcome(plain, IN_BACKTRACE), ENDED_FAIL);
    in_order(lines);
    assert_null(strstr(text, "#0"));
}

static void nothing_works(void **state)
{
    (void)state;
    assert_int_equal(outcome(plain, IN_BACKTRACE_AND_VERDICT), STOPPED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_where),     cmocka_unit_test(shows_registers),
        cmocka_unit_test(inside_a_panic), cmocka_unit_test(before_the_image_is_known),
        cmocka_unit_test(nothing_works),
    };

    return cmocka_run_group_tests_name("panic", tests, NULL, NULL);
}
