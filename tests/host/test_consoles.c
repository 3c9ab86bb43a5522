/*
 * Which console boot/ finds, in firmware whose tables name UARTs that are there, silent, in memory,
 * or nowhere; and what `console =` makes of it.
 *
 * links: tests/host/fake/fake_efi.c boot/efi_main.c boot/firmware.c boot/volume.c boot/guests.c
 * links: boot/unpack.c boot/console.c boot/config_console.c hv/uart.c
 * links: boot/leave.c boot/machine.c boot/memory_map.c boot/config.c boot/config_value.c
 * links: boot/builtin_conf.c hv/format.c
 */
#include "fake/fake_efi.h"
#include "boot/config.h"
#include "hv/console.h"

#include <efipciio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define PORT(at)                                                                                   \
    {                                                                                              \
        .kind = BOOT_UART_16550_IO, .stride = 1, .access_bytes = 1, .base = (at)                   \
    }
#define CARD_IO       (BIT(0) | 0xc000u)
#define CLASS_SERIAL  0x07000201u
#define CLASS_NETWORK 0x02000001u

/* Registers of a device in memory: ones where nothing answers. */
static u32 registers[1024];

static int setup(void **state)
{
    (void)state;
    fake_efi_reset();
    memset(registers, 0, sizeof(registers));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_efi_free();
    return 0;
}

static const struct boot_info *booted(const char *console)
{
    static char conf[200];

    format_text(conf, sizeof(conf), "[fermata]\n%s%s\n[vm.a]\nkernel=builtin\n",
                console ? "console = " : "", console ? console : "");
    fw.conf = conf;
    assert_int_equal(fake_efi_start(), EFI_SUCCESS);
    return fake_entered;
}

static void said(const char *text)
{
    if (strstr(fw.console, text) == NULL)
        fail_msg("not said: %s; but: %s", text, fw.console);
}

static struct boot_uart pl011(void)
{
    return (struct boot_uart){
        .kind = BOOT_UART_PL011, .from = BOOT_UART_FROM_SPCR, .base = (u64)(uintptr_t)registers};
}

static void spcr_first(void **state)
{
    (void)state;
    fw.spcr = pl011();
    fw.dbg2 = (struct boot_uart)PORT(0x2f8);
    const struct boot_info *info = booted(NULL);
    assert_int_equal(info->uart.kind, BOOT_UART_PL011);
    assert_int_equal(info->uart.base, (u64)(uintptr_t)registers);
    assert_int_equal(info->mirror.kind, BOOT_UART_NONE);
    assert_string_equal(fw.console, "");
}

/* A UART whose registers read all ones is not there, whatever the table says. */
static void silent_spcr(void **state)
{
    (void)state;
    memset(registers, 0xff, sizeof(registers));
    fw.spcr = pl011();
    fw.dbg2 = (struct boot_uart)PORT(0x2f8);
    fw.dbg2.from = BOOT_UART_FROM_DBG2;
    fw.ports[1] = 0x2f8;
    const struct boot_info *info = booted(NULL);
    assert_int_equal(info->uart.base, 0x2f8);
    assert_int_equal(info->uart.from, BOOT_UART_FROM_DBG2);
    said("the UART that ACPI's SPCR names at 0x");
    said(" does not answer: going on without it");
}

/* A table that names memory as the UART would have us write into it. */
static void uart_in_memory(void **state)
{
    (void)state;
    fw.spcr = pl011();
    fw.spcr.base = GiB(1) - 16; /* its last bytes reach into the first region */
    assert_int_equal(booted(NULL)->uart.base, 0x3f8);
    said("names at 0x3ffffff0 is in memory: going on without it");
}

static void usual_uart_gone(void **state)
{
    (void)state;
    fw.ports[0] = 0xc000;
    fw.pci_class = CLASS_SERIAL;
    fw.pci_bar[0] = CARD_IO;
    const struct boot_info *info = booted(NULL);
    assert_int_equal(info->uart.kind, BOOT_UART_16550_IO);
    assert_int_equal(info->uart.base, 0xc000);
    assert_int_equal(info->uart.from, BOOT_UART_FROM_PCI);
    assert_int_equal(fw.pci_enabled, EFI_PCI_IO_ATTRIBUTE_IO);
    assert_int_equal(fw.divisor, 1); /* 115200 */
    assert_string_equal(fw.console, "");
}

static void card_in_memory_space(void **state)
{
    (void)state;
    fw.pci_class = CLASS_SERIAL;
    fw.pci_bar[0] = (u32)(uintptr_t)registers | 4;
    fw.pci_bar[1] = (u32)((u64)(uintptr_t)registers >> 32);
    ((u8 *)registers)[5] = 0x60;
    ((u8 *)registers)[0] = 12; /* somebody set it up: 9600 */
    const struct boot_info *info = booted("pci");
    assert_int_equal(info->uart.kind, BOOT_UART_16550_MMIO);
    assert_int_equal(info->uart.base, (u64)(uintptr_t)registers);
    assert_int_equal(fw.pci_enabled, EFI_PCI_IO_ATTRIBUTE_MEMORY);
    assert_int_equal(((u8 *)registers)[0], 12);
}

/* No serial card, one without an address, one that is silent: the screen. */
static void last_resort(void **state)
{
    static const u32 cards[][2] = {{CLASS_NETWORK, CARD_IO},
                                   {CLASS_SERIAL, 0},
                                   {CLASS_SERIAL, BIT(0)},
                                   {CLASS_SERIAL, CARD_IO}};

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(cards); i++) {
        fake_efi_reset();
        fw.ports[0] = 0;
        fw.pci_class = cards[i][0];
        fw.pci_bar[0] = cards[i][1];
        fw.screen = (struct boot_screen){0x80000000, 800 * 600 * 4, 800, 600, 800, 0};
        const struct boot_info *info = booted(NULL);
        assert_int_equal(info->uart.kind, BOOT_UART_SCREEN);
        assert_memory_equal(&info->screen, &fw.screen, sizeof(fw.screen));
    }
}

/* A screen that is no memory of 4 bytes a pixel, or whose figures cannot be true, is none. */
static void bad_screens(void **state)
{
    static const struct boot_screen bad[] = {
        {0x80000000, 800 * 600 * 4 - 1, 800, 600, 800, 0},
        {BIT(47) - 4096, 800 * 600 * 4, 800, 600, 800, 0},
        {0x80000000, 800 * 600 * 4, 800, 0, 800, 0},
        {0x80000000, ~0ull, 0xffffffff, 0xffffffff, 0xffffffff, 0},
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(bad) + 2; i++) {
        fake_efi_reset();
        fw.ports[0] = 0;
        fw.screen = bad[i < ARRAY_SIZE(bad) ? i : 0];
        if (i >= ARRAY_SIZE(bad)) {
            fw.screen.bytes = 800 * 600 * 4;
            fw.pixel_format = i == ARRAY_SIZE(bad) ? PixelBitMask : PixelBltOnly;
        }
        const struct boot_info *info = booted(NULL);
        assert_int_equal(info->uart.kind, BOOT_UART_NONE);
        assert_int_equal(info->screen.base, 0);
        said("no UART that Fermata can drive, and no screen");
    }
}

static void wanted(void **state)
{
    (void)state;
    fw.ports[1] = 0x2f8;
    fw.screen = (struct boot_screen){0x80000000, 800 * 600 * 4, 800, 600, 800, 0};
    const struct boot_info *info = booted("com2 , screen");
    assert_int_equal(info->uart.base, 0x2f8);
    assert_int_equal(info->uart.from, BOOT_UART_FROM_CONFIG);
    assert_int_equal(info->mirror.kind, BOOT_UART_SCREEN);
    fake_efi_reset();
    info = booted("off");
    assert_int_equal(info->uart.kind, BOOT_UART_NONE);
    assert_int_equal(info->mirror.kind, BOOT_UART_NONE);
    assert_string_equal(fw.console, "");
}

static void wanted_but_gone(void **state)
{
    (void)state;
    const struct boot_info *info = booted("com3");
    assert_int_equal(info->uart.base, 0x3f8);
    said("the UART that fermata.conf names at port 0x3e8 does not answer: going on without it");
    said("the console of fermata.conf:2 is not there: looking for another");
}

static void two_on_one_port(void **state)
{
    static const char *const pairs[] = {"com1,com1", "com1, io:0x3f8", "auto,com1",
                                        "screen,screen"};

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(pairs); i++) {
        char conf[200];
        fake_efi_reset();
        fw.screen = (struct boot_screen){0x80000000, 800 * 600 * 4, 800, 600, 800, 0};
        format_text(conf, sizeof(conf), "[fermata]\nconsole=%s\n[vm.a]\nkernel=builtin\n",
                    pairs[i]);
        fw.conf = conf;
        assert_int_equal(fake_efi_start(), EFI_INVALID_PARAMETER);
        said("fermata: not started: fermata.conf:2: both consoles are on the same ");
    }
}

/* The debugger's UART is nobody else's, must answer, and is off where nobody asks for it. */
static void debugger(void **state)
{
    (void)state;
    assert_int_equal(booted(NULL)->config.gdb.uart.kind, BOOT_UART_NONE);
    fake_efi_reset();
    fw.conf = "[fermata]\ngdb = com1\n[vm.a]\nkernel=builtin\n";
    assert_int_equal(fake_efi_start(), EFI_INVALID_PARAMETER);
    said("fermata: not started: fermata.conf:2: gdb is on the console's own port (0x3f8)");
    fake_efi_reset();
    fw.conf = "[fermata]\ngdb = io:0x3e8\n[vm.a]\nkernel=builtin\n";
    assert_int_equal(fake_efi_start(), EFI_SUCCESS);
    said("the UART that fermata.conf names at port 0x3e8 does not answer: going on without it");
    assert_int_equal(fake_entered->config.gdb.uart.kind, BOOT_UART_NONE);
}

static void debugger_value(void **state)
{
    static const char *const bad[][2] = {
        {"", "is no UART"},
        {"on", "is no UART"},
        {"screen", "of its own"},
        {"auto", "of its own"},
        {"com2,", "the one word"},
        {"com2,now", "the one word"},
        {"com2,wait,wait", "the one word"},
    };
    struct boot_gdb gdb;
    const char *problem;

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
        problem = "";
        if (config_gdb(bad[i][0], &gdb, &problem) || strstr(problem, bad[i][1]) == NULL)
            fail_msg("'%s': %s", bad[i][0], problem);
    }
    assert_true(config_gdb("com2", &gdb, &problem));
    assert_int_equal(gdb.uart.base, 0x2f8);
    assert_false(gdb.wait);
    assert_true(config_gdb("pl011:0x9040000 , wait", &gdb, &problem));
    assert_int_equal(gdb.uart.kind, BOOT_UART_PL011);
    assert_true(gdb.wait);
    assert_true(config_gdb("off", &gdb, &problem));
    assert_int_equal(gdb.uart.kind, BOOT_UART_NONE);
}

static void bad_tables_are_said(void **state)
{
    (void)state;
    fw.acpi_fault = "ACPI: SPCR at 0x7000 has a wrong checksum: ignored";
    assert_int_equal(booted(NULL)->uart.base, 0x3f8);
    assert_string_equal(fw.console,
                        "fermata: ACPI: SPCR at 0x7000 has a wrong checksum: ignored\n");
}

/* ---- The value itself ---- */

static void value_good(void **state)
{
    struct boot_console c[2] = {{0}};
    const char *problem = NULL;

    (void)state;
    assert_true(config_console("16550:0xFE215040/4,pl011:0x9000000", c, &problem));
    assert_int_equal(c[0].uart.kind, BOOT_UART_16550_MMIO);
    assert_int_equal(c[0].uart.base, 0xfe215040);
    assert_int_equal(c[0].uart.stride, 4);
    assert_int_equal(c[0].uart.access_bytes, 4);
    assert_int_equal(c[1].uart.kind, BOOT_UART_PL011);
    assert_int_equal(c[1].uart.base, 0x9000000);
    memset(c, 0, sizeof(c));
    assert_true(config_console("io:0xfff8", c, &problem));
    assert_int_equal(c[0].uart.base, 0xfff8);
    assert_int_equal(c[1].kind, BOOT_CONSOLE_NONE);
}

static void value_bad(void **state)
{
    static const char *const bad[][2] = {
        {"", "is none"},
        {"com5", "is none"},
        {"com1,", "is none"},
        {",", "is none"},
        {"COM1", "is none"},
        {"com1,com2,com3", "names three"},
        {"off,com1", "off and on"},
        {"com1,off", "off and on"},
        {"io:", "no address"},
        {"io:3f8", "no address"},
        {"io:0x", "no address"},
        {"io:0x11111111111111111", "no address"},
        {"io:0xfff9", "no UART can be"},
        {"io:0x0", "no UART can be"},
        {"io:0x3f8/4", "goes on"},
        {"16550:0x1000/3", "goes on"},
        {"16550:0x1000/", "goes on"},
        {"16550:0x1000/44", "goes on"},
        {"16550:0x1002/4", "no UART can be"},
        {"pl011:0x800000000000", "no UART can be"},
        {"pl011:0xffffffffffffffff", "no UART can be"},
        {"a word that is far longer than any of those that there are", "is none"},
    };
    struct boot_console c[2];
    const char *problem;

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
        problem = "";
        memset(c, 0, sizeof(c));
        if (config_console(bad[i][0], c, &problem) || strstr(problem, bad[i][1]) == NULL)
            fail_msg("'%s': %s", bad[i][0], problem);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(spcr_first),           T(silent_spcr),     T(uart_in_memory), T(usual_uart_gone),
        T(card_in_memory_space), T(last_resort),     T(bad_screens),    T(wanted),
        T(wanted_but_gone),      T(two_on_one_port), T(debugger),       T(debugger_value),
        T(bad_tables_are_said),  T(value_good),      T(value_bad),
    };

    return cmocka_run_group_tests_name("consoles", tests, NULL, NULL);
}
