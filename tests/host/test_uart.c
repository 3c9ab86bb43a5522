/*
 * The guests' UARTs as drivers see them: what Linux and Xen probe for, every register at every
 * width, and nothing a guest writes that comes out anywhere but on its console. And the symbol
 * table of the backtraces.
 *
 * links: hv/uart16550.c hv/pl011.c hv/symbols.c tests/host/fake/support.c
 */
#include "fake/support.h"
#include "hv/pl011.h"
#include "hv/symbols.h"
#include "hv/uart16550.h"
#include "hv/vm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static char out[256];
static u32 used;

void vm_console_putc(struct vcpu *v, char c)
{
    assert_non_null(v);
    assert_true(used < sizeof(out) - 1);
    out[used++] = c;
    out[used] = 0;
}

static struct vcpu vcpu;
static struct uart16550 com;
static struct pl011 pl;

static int setup(void **state)
{
    (void)state;
    memset(&com, 0, sizeof(com));
    memset(&pl, 0, sizeof(pl));
    used = 0;
    out[0] = 0;
    return 0;
}

static u8 in(u32 reg)
{
    return uart16550_read(&com, reg);
}

static void outb(u32 reg, u8 value)
{
    uart16550_write(&com, &vcpu, reg, value);
}

/* How a 16550A is told from an 8250, a 16450 and nothing at all (Linux, autoconfig()). */
static void uart16550_probe(void **state)
{
    (void)state;
    outb(1, 0);
    assert_int_equal(in(1) & 0xf, 0);
    outb(1, 0xf);
    assert_int_equal(in(1) & 0xf, 0xf);
    outb(1, 0);
    outb(4, 0x10 | 0xa); /* loop-back: outputs appear as inputs */
    assert_int_equal(in(6) & 0xf0, 0x90);
    outb(4, 0);
    outb(2, 1);
    assert_int_equal(in(2) & 0xc0, 0xc0);
    outb(2, 0);
    assert_int_equal(in(2) & 0xc0, 0);
    for (u32 value = 0; value < 256; value++) {
        outb(7, (u8)value);
        assert_int_equal(in(7), value);
    }
}

static void uart16550_output(void **state)
{
    (void)state;
    outb(3, 0x83); /* DLAB: the divisor, not data */
    outb(0, 'x');
    outb(1, 0);
    assert_int_equal(in(0), 'x');
    outb(3, 3);
    assert_int_equal(used, 0);
    for (const char *c = "hello"; *c; c++) {
        assert_int_equal(in(5) & 0x60, 0x60); /* always room */
        outb(0, (u8)*c);
    }
    assert_string_equal(out, "hello");
    assert_int_equal(in(5) & 1, 0); /* nothing ever received, */
    assert_int_equal(in(0), 0);
    outb(4, 0x10); /* but in loop-back */
    outb(0, 'L');
    assert_int_equal(in(5) & 1, 1);
    assert_int_equal(in(0), 'L');
    assert_int_equal(in(5) & 1, 0);
    assert_string_equal(out, "hello");
}

static u64 rd(u32 offset, u32 bytes)
{
    return pl011_read(&pl, offset, bytes);
}

/* Arm's primecell identification, as Linux's amba bus reads it: a byte in each word. */
static void pl011_probe(void **state)
{
    u32 id = 0, cell = 0;

    (void)state;
    for (u32 i = 0; i < 4; i++) {
        id |= (u32)(rd(0xfe0 + 4 * i, 4) & 0xff) << (8 * i);
        cell |= (u32)(rd(0xff0 + 4 * i, 4) & 0xff) << (8 * i);
    }
    assert_int_equal(id & 0xfffff, 0x41011);
    assert_int_equal(cell, 0xb105f00d);
    assert_int_equal(rd(0x30, 4), 0x300); /* CR and IFLS after reset (DDI 0183, table 3-1) */
    assert_int_equal(rd(0x34, 4), 0x12);
    assert_int_equal(rd(0x18, 4) & 0x30, 0x10); /* RXFE, not TXFF */
}

static void pl011_output(void **state)
{
    static const u32 widths[] = {1, 2, 4, 8};

    (void)state;
    for (u32 i = 0; i < 4; i++)
        pl011_write(&pl, &vcpu, 0, widths[i], 0xffffff00 + 'a' + i);
    assert_string_equal(out, "abcd");
    assert_int_equal(rd(0, 4), 0);
}

/* Every offset at every width: bounded, and a write to what is not there changes nothing. */
static void every_access(void **state)
{
    static const u32 widths[] = {1, 2, 4, 8};

    (void)state;
    for (u32 offset = 0; offset < PL011_BYTES + 16; offset++) {
        for (u32 i = 0; i < 4; i++) {
            u64 value = rd(offset, widths[i]);
            assert_true(widths[i] == 8 || value >> (8 * widths[i]) == 0);
            if (offset != 0)
                pl011_write(&pl, &vcpu, offset, widths[i], ~0ull);
        }
    }
    assert_int_equal(used, 0);
    assert_int_equal(rd(0x18, 4), 0x90); /* read-only ones stayed */
    assert_int_equal(rd(0xfe0, 4), 0x11);
    assert_int_equal(rd(0x24, 4), 0xffff);
    assert_int_equal(rd(0x28, 4), 0x3f);
    for (u32 reg = 0; reg < 12; reg++) {
        (void)in(reg);
        if (reg != 0)
            outb(reg, 0xff);
    }
    assert_int_equal(used, 0);
    assert_int_equal(in(5), 0x60);
    assert_int_equal(in(8), 0xff);
}

/* ---- Symbols: a table as tools/symbols.py writes it ---- */

const u32 symbol_count = 3;
const u32 symbol_offsets[] = {0x100, 0x180, 0x200, 0x210};
const u32 symbol_name_offsets[] = {0, 6, 11};
const char symbol_names[] = "first\0next\0last";

static void symbols(void **state)
{
    u64 into = 7;

    (void)state;
    assert_null(symbol_find(0, &into));
    assert_null(symbol_find(0xff, &into));
    assert_null(symbol_find(0x210, &into));
    assert_null(symbol_find(~0ull, &into));
    assert_string_equal(symbol_find(0x100, &into), "first");
    assert_int_equal(into, 0);
    assert_string_equal(symbol_find(0x17f, &into), "first");
    assert_int_equal(into, 0x7f);
    assert_string_equal(symbol_find(0x180, &into), "next");
    assert_string_equal(symbol_find(0x20f, &into), "last");
    assert_int_equal(into, 0xf);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, NULL)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(uart16550_probe), TEST(uart16550_output), TEST(pl011_probe),
        TEST(pl011_output),    TEST(every_access),     TEST(symbols),
    };

    return cmocka_run_group_tests_name("uart", tests, NULL, NULL);
}
