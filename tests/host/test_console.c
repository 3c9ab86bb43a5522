/*
 * The hypervisor's own console on every kind of UART, and the panic that comes out of it: said
 * once, with a backtrace, and never for ever.
 *
 * links: tests/host/fake/no_gdb.c
 * links: hv/console.c hv/uart.c hv/screen.c hv/font.c hv/format.c hv/symbols.c
 * tests/host/fake/support.c
 */
#include "fake/support.h"

/* The very file; support.c has a panic() of its own, which the rest of the test uses. */
#define panic hv_panic
NORETURN void hv_panic(const char *fmt, ...) PRINTF_LIKE(1, 2);
#include "hv/panic.c"
#undef panic

#include "boot/boot_info.h"
#include "hv/screen.h"

#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct pcpu pcpus[MAX_CPUS];

/* Device registers in memory: what is written stays there, and status is what the test puts in. */
static union {
    u8 bytes[64];
    u32 words[16];
} device;

static char out[8192];
static u32 used, stopped, verdicts;
static jmp_buf end;
static bool panic_again;

u8 arch_port_read8(u16 port)
{
    return port == 0x3f8 + 5 ? 0x20 : 0;
}

void arch_port_write8(u16 port, u8 value)
{
    if (port == 0x3f8 && used < sizeof(out) - 1)
        out[used++] = (char)value;
}

static void uart(u32 kind, u32 stride, u32 width)
{
    struct boot_uart u = {.kind = kind, .stride = stride, .access_bytes = width};

    memset(&device, 0xff, sizeof(device));
    u.base = kind == BOOT_UART_16550_IO ? 0x3f8 : (u64)(uintptr_t)&device;
    if (kind == BOOT_UART_PL011)
        device.words[6] = 0; /* FR: not full */
    memset(out, 0, sizeof(out));
    used = 0;
    console_init(&u, LOG_INFO);
}

/* Each kind: characters go to its data register, at its width, and interrupts are off. */
static void kinds(void **state)
{
    (void)state;
    uart(BOOT_UART_16550_MMIO, 1, 1);
    assert_int_equal(device.bytes[1], 0);
    console_write("ab", 2);
    assert_int_equal(device.bytes[0], 'b');
    assert_int_equal(device.bytes[2], 0xff); /* nothing else was touched */
    uart(BOOT_UART_16550_MMIO, 4, 4);
    assert_int_equal(device.words[1], 0);
    console_write("c", 1);
    assert_int_equal(device.words[0], 'c');
    assert_int_equal(device.words[2], ~0u);
    uart(BOOT_UART_16550_MMIO, 4, 1);
    console_write("d", 1);
    assert_int_equal(device.bytes[0], 'd');
    assert_int_equal(device.bytes[1], 0xff);
    uart(BOOT_UART_PL011, 1, 1);
    assert_int_equal(device.words[14], 0); /* IMSC */
    console_write("e", 1);
    assert_int_equal(device.words[0], 'e');
    uart(BOOT_UART_16550_MMIO, 2, 2);
    console_write("d", 1);
    assert_int_equal(device.bytes[0], 'd');
    assert_int_equal(device.bytes[1], 0);
    uart(BOOT_UART_NONE, 1, 1);
    console_write("f", 1);
    assert_int_equal(device.bytes[0], 0xff);
    uart(BOOT_UART_16550_IO, 0, 1);
    console_write("x\ny", 3);
    assert_string_equal(out, "x\r\ny");
}

/* Both show the same; the screen is drawn with the letters of its font. */
static void mirror_and_screen(void **state)
{
    enum { WIDTH = 64, HEIGHT = 48, STRIDE = 70 };
    static u32 pixels[STRIDE * HEIGHT + 1];
    struct boot_screen screen = {
        (u64)(uintptr_t)pixels, STRIDE * HEIGHT * 4, WIDTH, HEIGHT, STRIDE, 0};
    const struct boot_uart second = {.kind = BOOT_UART_SCREEN};

    (void)state;
    memset(pixels, 0x55, sizeof(pixels));
    screen_init(&screen);
    uart(BOOT_UART_16550_IO, 1, 1);
    console_mirror(&second);
    console_write("A\nT", 3);
    assert_string_equal(out, "A\r\nT");
    for (u32 column = 0; column < SCREEN_GLYPH_COLUMNS; column++) {
        for (u32 dot = 0; dot < 7; dot++) {
            assert_int_equal(pixels[(dot + 1) * STRIDE + column] != 0,
                             screen_font['A' - ' '][column] >> dot & 1);
            assert_int_equal(pixels[(SCREEN_CELL_HEIGHT + dot + 1) * STRIDE + column] != 0,
                             screen_font['T' - ' '][column] >> dot & 1);
        }
    }
    /* 10 letters a row, 5 rows: it wraps, and always leaves the row below empty. */
    for (u32 i = 0; i < 200; i++) {
        screen_put((char)('!' + i % 90));
        if (i % 10 == 7) {
            u32 rows = 0;
            for (u32 row = 0; row < 5; row++) {
                u32 ink = 0;
                for (u32 y = row * SCREEN_CELL_HEIGHT; y < (row + 1) * SCREEN_CELL_HEIGHT; y++) {
                    for (u32 x = 0; x < WIDTH; x++)
                        ink |= pixels[y * STRIDE + x];
                }
                rows += ink != 0;
            }
            assert_true(rows <= 4);
        }
    }
    for (u32 y = 0; y < HEIGHT; y++) /* nothing beyond the right edge, nothing beyond the end */
        assert_int_equal(pixels[y * STRIDE + WIDTH], 0x55555555);
    assert_int_equal(pixels[STRIDE * HEIGHT], 0x55555555);
    screen.bytes--; /* a screen that is larger than its memory is not touched */
    pixels[0] = 1;
    screen_init(&screen);
    screen_put('X');
    assert_int_equal(pixels[0], 1);
}

/* A transmitter that is stuck is waited for once; when it answers again, so does the console. */
static void stuck(void **state)
{
    (void)state;
    uart(BOOT_UART_PL011, 1, 1);
    device.words[6] = 0x20;
    console_write("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 34);
    assert_int_equal(device.words[0], ~0u);
    device.words[6] = 0;
    console_write("b", 1);
    assert_int_equal(device.words[0], 'b');
}

/* Lines at their limit: whole, or cut and marked; always one line. */
static void long_lines(void **state)
{
    char text[700], want[700];

    (void)state;
    memset(text, 'x', sizeof(text));
    for (u32 n = 480; n < 520; n++) {
        uart(BOOT_UART_16550_IO, 1, 1);
        say_info("%.*s", (int)n, text);
        assert_true(used <= 513 && out[used - 1] == '\n' && out[used - 2] == '\r');
        snprintf(want, sizeof(want), "fermata: %.*s\r\n", (int)n, text);
        if (strcmp(out, want)) {
            assert_true(n > 500);
            assert_memory_equal(out + used - 5, "...\r\n", 5);
        }
    }
    uart(BOOT_UART_16550_IO, 1, 1);
    say_debug("not at this level");
    say_error("error");
    console_printf("%s-%u", "raw", 7u);
    assert_string_equal(out, "fermata: error\r\nraw-7");
}

/* ---- panic ---- */

const u32 symbol_count = 2;
const u32 symbol_offsets[] = {0x10, 0x80, 0x100};
const u32 symbol_name_offsets[] = {0, 6};
const char symbol_names[] = "first\0next";

const char *vm_name(const struct vm *vm)
{
    (void)vm;
    return "alpha";
}

u64 arch_vcpu_pc(const struct vcpu *v)
{
    (void)v;
    if (panic_again)
        hv_panic("the reporting broke too");
    return 0xabc0;
}

u64 arch_frame_pointer(void)
{
    return 1;
}

size_t arch_backtrace(u64 frame_pointer, u64 *addresses, size_t n)
{
    assert_int_equal(frame_pointer, 1);
    assert_true(n >= 3);
    addresses[0] = 0x1000 + 0x80; /* first of `next`: it returns into `first` */
    addresses[1] = 0x1000 + 0xfff;
    addresses[2] = 0x77777777;
    return 3;
}

void arch_stop(void)
{
    stopped++;
    longjmp(end, 1);
}

void report_verdict(bool pass, const char *fmt, ...)
{
    (void)fmt;
    assert_false(pass);
    verdicts++;
    longjmp(end, 1);
}

static void said(const char *text)
{
    if (!strstr(out, text))
        fail_msg("not said: %s\n%s", text, out);
}

static void panics(void **state)
{
    static struct vcpu v;

    (void)state;
    uart(BOOT_UART_16550_IO, 1, 1);
    panic_image(0x1000, 0x1000);
    if (setjmp(end) == 0)
        panic_exception(0x1000 + 0x90, 1, "regs: x0 = 1\n", "page fault at 0x%x", 0x1234);
    said("fermata: panic: page fault at 0x1234\r\nregs: x0 = 1\r\n");
    said("#0 0x1090 next+0x10 (0x90)");
    said("#1 0x1080 first+0x70 (0x80)");
    said("#2 0x1fff (0xfff)");
    said("#3 0x77777777 (outside the image)");
    said("no vCPU installed");
    assert_int_equal(verdicts, 1);

    depth = 0; /* a new life */
    pcpus[0].current = &v;
    panic_again = true;
    if (setjmp(end) == 0)
        hv_panic("check failed: %s", "x == y");
    said("fermata: panic: check failed: x == y");
    said("panic while panicking: the reporting broke too");
    assert_int_equal(verdicts, 2);
    if (setjmp(end) == 0)
        hv_panic("a third");
    assert_int_equal(stopped, 1); /* no word more */
    assert_null(strstr(out, "a third"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),  cmocka_unit_test(mirror_and_screen),
        cmocka_unit_test(stuck),  cmocka_unit_test(long_lines),
        cmocka_unit_test(panics),
    };

    return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
