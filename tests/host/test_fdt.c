/*
 * Device trees: what the writer writes the reader reads, a tree written by hand is read the same,
 * and no damage makes the reader leave the blob (each parse works on a copy that ends where its
 * memory ends, under ASan) or run for ever.
 *
 * links: hv/fdt.c hv/fdt_write.c tests/host/fake/support.c
 */
#include "fake/support.h"
#include "boot/boot_info.h"
#include "hv/fdt.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct fdt_writer writer;
static u8 buffer[4096] ALIGNED(8);
static struct fdt fdt;

/* A tree in the manner of QEMU's virt machine, with a bus that translates below the root. */
static u32 write_tree(u32 room)
{
    static const u32 memory[] = {0, 0x40000000, 1, 0x80000000};
    static const u32 ranges[] = {0x1000, 0, 0x09000000, 0x2000, 0x8000, 1, 0, 0x1000};
    static const u32 reg[] = {0x1800, 0x100};
    struct fdt_writer *w = &writer;

    fdt_begin(w, buffer, room);
    fdt_begin_node(w, "");
    fdt_add_u32(w, "#address-cells", 2);
    fdt_add_u32(w, "#size-cells", 2);
    fdt_begin_node(w, "memory@40000000");
    fdt_add_string(w, "device_type", "memory");
    fdt_add_cells(w, "reg", memory, 4);
    fdt_end_node(w);
    fdt_begin_node(w, "chosen");
    fdt_add_string(w, "stdout-path", "serial0:115200n8");
    fdt_add_string(w, "bootargs", "run=all");
    fdt_end_node(w);
    fdt_begin_node(w, "aliases");
    fdt_add_string(w, "serial0", "/soc/serial@1800");
    fdt_end_node(w);
    fdt_begin_node(w, "soc");
    fdt_add_u32(w, "#address-cells", 1);
    fdt_add_u32(w, "#size-cells", 1);
    fdt_add_cells(w, "ranges", ranges, 8);
    fdt_begin_node(w, "serial@1800");
    fdt_add_strings(w, "compatible", "arm,pl011\0arm,primecell", 24);
    fdt_add_cells(w, "reg", reg, 2);
    fdt_add_empty(w, "dma-coherent");
    fdt_add_u64(w, "wide", 0x123456789abcdef0);
    fdt_end_node(w);
    fdt_end_node(w);
    fdt_end_node(w);
    return fdt_finish(w);
}

static void round_trip(void **state)
{
    struct boot_uart uart;
    u64 base, bytes;

    (void)state;
    u32 n = write_tree(sizeof(buffer));
    assert_true(n > 0 && n % 4 == 0);
    assert_int_equal(fdt_bytes(buffer, sizeof(buffer)), n);
    assert_true(fdt_open(&fdt, buffer, n));
    fdt_node memory = fdt_path(&fdt, "/memory@40000000");
    assert_int_not_equal(memory, FDT_NONE);
    assert_int_equal(fdt_path(&fdt, "/memory"), memory); /* the unit address left out */
    assert_int_equal(fdt_path(&fdt, "/memory@4"), FDT_NONE);
    assert_int_equal(fdt_path(&fdt, "/mem"), FDT_NONE);
    assert_true(fdt_reg(&fdt, memory, 0, &base, &bytes));
    assert_int_equal(base, 0x40000000);
    assert_int_equal(bytes, 0x180000000);
    assert_false(fdt_reg(&fdt, memory, 1, &base, &bytes));
    assert_string_equal(fdt_string(&fdt, fdt_path(&fdt, "/chosen"), "bootargs"), "run=all");
    assert_null(fdt_string(&fdt, fdt_path(&fdt, "/chosen"), "bootarg"));

    fdt_node serial = fdt_path(&fdt, "/soc/serial");
    fdt_node soc = fdt_path(&fdt, "/soc");
    assert_int_equal(fdt_parent(&fdt, serial), soc);
    assert_int_equal(fdt_parent(&fdt, soc), fdt_path(&fdt, "/"));
    assert_int_equal(fdt_parent(&fdt, fdt_path(&fdt, "/")), FDT_NONE);
    assert_int_equal(fdt_compatible(&fdt, FDT_NONE, "arm,primecell"), serial);
    assert_int_equal(fdt_compatible(&fdt, serial, "arm,primecell"), FDT_NONE);
    assert_int_equal(fdt_compatible(&fdt, FDT_NONE, "arm,pl01"), FDT_NONE);
    assert_true(fdt_reg(&fdt, serial, 0, &base, &bytes)); /* through ranges */
    assert_int_equal(base, 0x09000800);
    assert_int_equal(fdt_prop(&fdt, serial, "dma-coherent").bytes, 0);
    assert_non_null(fdt_prop(&fdt, serial, "dma-coherent").at);
    assert_int_equal(fdt_u32(&fdt, serial, "wide", 0, 7), 0x12345678);
    assert_int_equal(fdt_u32(&fdt, serial, "wide", 1, 7), 0x9abcdef0);
    assert_int_equal(fdt_u32(&fdt, serial, "wide", 2, 7), 7);
    assert_true(fdt_console(&fdt, &uart)); /* alias, options, translation */
    assert_int_equal(uart.kind, BOOT_UART_PL011);
    assert_int_equal(uart.base, 0x09000800);
    assert_int_equal(uart.from, BOOT_UART_FROM_DEVICE_TREE);
}

/* Every buffer too small: 0, nothing behind the end, no half tree taken for a whole one. */
static void writer_without_room(void **state)
{
    u32 n = write_tree(sizeof(buffer));

    (void)state;
    for (u32 room = 0; room < n; room++) {
        memset(buffer, 0x5a, sizeof(buffer));
        assert_int_equal(write_tree(room), 0);
        for (u32 i = room; i < sizeof(buffer); i++)
            assert_int_equal(buffer[i], 0x5a);
    }
    assert_int_equal(write_tree(n), n);
}

static void writer_misuse(void **state)
{
    char name[40];

    (void)state;
    fdt_begin(&writer, buffer, sizeof(buffer));
    fdt_begin_node(&writer, "");
    assert_int_equal(fdt_finish(&writer), 0); /* a node left open */
    fdt_begin(&writer, buffer, sizeof(buffer));
    fdt_begin_node(&writer, "");
    fdt_end_node(&writer);
    fdt_end_node(&writer);
    fdt_begin_node(&writer, "");
    assert_int_equal(fdt_finish(&writer), 0); /* an end too many */
    fdt_begin(&writer, buffer, sizeof(buffer));
    fdt_begin_node(&writer, "");
    for (u32 i = 0; i < 40; i++) { /* more names than the strings block holds */
        snprintf(name, sizeof(name), "property-with-a-long-name-%u", i);
        fdt_add_u32(&writer, name, i);
    }
    fdt_end_node(&writer);
    assert_int_equal(fdt_finish(&writer), 0);
}

/* A smallest tree by the specification's words, not by our writer: version 17, one property. */
static void by_hand(void **state)
{
    static const u8 blob[] = {
        0xd0, 0x0d, 0xfe, 0xed, 0, 0, 0, 92, 0, 0, 0, 56, 0, 0, 0, 88, /* totals, offsets */
        0,    0,    0,    40,   0, 0, 0, 17, 0, 0, 0, 16, 0, 0, 0, 0,  /* versions, boot CPU */
        0,    0,    0,    4,    0, 0, 0, 32,                           /* strings, structs */
        0,    0,    0,    0,    0, 0, 0, 0,  0, 0, 0, 0,  0, 0, 0, 0,  /* reservations: none */
        0,    0,    0,    4,    0, 0, 0, 1,  0, 0, 0, 0,               /* NOP, BEGIN "" */
        0,    0,    0,    3,    0, 0, 0, 1,  0, 0, 0, 0,  7, 0, 0, 0,  /* PROP "key", 1 byte */
        0,    0,    0,    2,                                           /* END_NODE */
        'k',  'e',  'y',  0};

    (void)state;
    assert_int_equal(sizeof(blob), 92);
    assert_true(fdt_open(&fdt, blob, sizeof(blob)));
    struct fdt_prop p = fdt_prop(&fdt, fdt_path(&fdt, "/"), "key");
    assert_int_equal(p.bytes, 1);
    assert_int_equal(*p.at, 7);
    assert_null(fdt_string(&fdt, fdt_path(&fdt, "/"), "key")); /* not terminated */
    assert_int_equal(fdt_u32(&fdt, fdt_path(&fdt, "/"), "key", 0, 9), 9);
}

static void opening(void **state)
{
    u32 n = write_tree(sizeof(buffer));

    (void)state;
    assert_false(fdt_open(&fdt, NULL, 100));
    for (u32 max = 0; max < n; max++) {
        u8 *cut = malloc(max ? max : 1);
        memcpy(cut, buffer, max);
        assert_false(fdt_open(&fdt, cut, max)); /* shorter than it says */
        free(cut);
    }
    assert_int_equal(fdt_bytes(buffer, n - 1), 0);
    buffer[27] = 18; /* readable by version 18 and later only */
    assert_false(fdt_open(&fdt, buffer, n));
    write_tree(sizeof(buffer));
    buffer[8] = 0xff; /* blocks outside */
    assert_false(fdt_open(&fdt, buffer, n));
    write_tree(sizeof(buffer));
    buffer[36] = 0xff;
    assert_false(fdt_open(&fdt, buffer, n));
    write_tree(sizeof(buffer));
    buffer[0] ^= 1;
    assert_false(fdt_open(&fdt, buffer, n));
}

/* Everything a boot asks of a tree, of a copy that ends exactly where it ends. */
static void ask_everything(const u8 *blob, u32 n)
{
    static const char *const paths[] = {"/",        "/chosen", "/soc/serial", "/soc/serial@1800",
                                        "/memory",  "",        "//soc//",     "/soc/serial/x",
                                        "/aliases", "serial0"};
    u8 *copy = malloc(n ? n : 1);
    struct boot_uart uart;
    u64 base, bytes;

    assert_non_null(copy);
    memcpy(copy, blob, n);
    if (fdt_open(&fdt, copy, n)) {
        for (u32 i = 0; i < ARRAY_SIZE(paths); i++) {
            fdt_node node = fdt_path(&fdt, paths[i]);
            (void)fdt_reg(&fdt, node, fake_below(3), &base, &bytes);
            (void)fdt_string(&fdt, node, "stdout-path");
            (void)fdt_u32(&fdt, node, "reg", fake_below(5), 0);
            (void)fdt_parent(&fdt, node);
        }
        u32 found = 0;
        for (fdt_node node = fdt_compatible(&fdt, FDT_NONE, "arm,pl011"); node != FDT_NONE;
             node = fdt_compatible(&fdt, node, "arm,pl011"))
            assert_true(++found < 1000);
        (void)fdt_console(&fdt, &uart);
    }
    free(copy);
}

/* The block sizes of the header cut short, each byte of them: no read behind, no loop. */
static void torn_blocks(void **state)
{
    u32 n = write_tree(sizeof(buffer));

    (void)state;
    assert_true(fdt_open(&fdt, buffer, n));
    u32 structs = fdt.structs_bytes, strings = fdt.strings_bytes;
    for (u32 cut = 0; cut <= structs; cut++) {
        write_tree(sizeof(buffer));
        buffer[38] = (u8)(cut >> 8);
        buffer[39] = (u8)cut;
        ask_everything(buffer, n);
    }
    for (u32 cut = 0; cut <= strings; cut++) {
        write_tree(sizeof(buffer));
        buffer[34] = (u8)(cut >> 8);
        buffer[35] = (u8)cut;
        ask_everything(buffer, n);
    }
}

/* Nodes deeper than the reader follows: no crash, no answer instead of a wrong one. */
static void deep(void **state)
{
    fdt_node node = FDT_NONE;

    (void)state;
    fdt_begin(&writer, buffer, sizeof(buffer));
    fdt_begin_node(&writer, "");
    for (u32 i = 0; i < 60; i++)
        fdt_begin_node(&writer, i == 59 ? "last" : "n");
    fdt_add_string(&writer, "compatible", "deep");
    for (u32 i = 0; i < 61; i++)
        fdt_end_node(&writer);
    u32 n = fdt_finish(&writer);
    assert_true(fdt_open(&fdt, buffer, n));
    node = fdt_compatible(&fdt, FDT_NONE, "deep");
    assert_int_not_equal(node, FDT_NONE);
    assert_int_equal(fdt_parent(&fdt, node), FDT_NONE);
    ask_everything(buffer, n);
}

static void consoles(void **state)
{
    static const struct {
        const char *path, *compatible;
        u32 kind;
    } cases[] = {
        {"/u@10", "ns16550a", BOOT_UART_16550_MMIO},
        {"/u@10:9600", "ns16550", BOOT_UART_16550_MMIO},
        {"/u", "arm,sbsa-uart", BOOT_UART_PL011},
        {"/u@11", "ns16550a", BOOT_UART_NONE},
        {"u", "ns16550a", BOOT_UART_16550_MMIO}, /* no such alias: the first there is */
        {"", "ns16550a", BOOT_UART_16550_MMIO},
        {":", "ns16550a", BOOT_UART_16550_MMIO},
        {"", "xlnx,uart", BOOT_UART_NONE},
        {"/u", "snps,dw-apb-uart", BOOT_UART_16550_MMIO},
        {"/u", "brcm,bcm2835-aux-uart", BOOT_UART_16550_MMIO},
        {"an-alias-name-of-more-than-thirty-two-letters", "ns16550a", BOOT_UART_16550_MMIO},
        {"/u", "xlnx,uart", BOOT_UART_NONE}};
    static const u32 reg[] = {0, 0x10, 0x100};
    struct boot_uart uart;

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        fdt_begin(&writer, buffer, sizeof(buffer));
        fdt_begin_node(&writer, ""); /* the default cells: 2 and 1 */
        fdt_begin_node(&writer, "chosen");
        fdt_add_string(&writer, "stdout-path", cases[i].path);
        fdt_end_node(&writer);
        fdt_begin_node(&writer, "u@10");
        fdt_add_string(&writer, "compatible", cases[i].compatible);
        fdt_add_cells(&writer, "reg", reg, 3);
        if (strcmp(cases[i].compatible, "brcm,bcm2835-aux-uart") != 0) {
            fdt_add_u32(&writer, "reg-shift", 2);
            fdt_add_u32(&writer, "reg-io-width", 4);
        }
        fdt_end_node(&writer);
        fdt_end_node(&writer);
        assert_true(fdt_open(&fdt, buffer, fdt_finish(&writer)));
        assert_int_equal(fdt_console(&fdt, &uart), cases[i].kind != BOOT_UART_NONE);
        if (cases[i].kind == BOOT_UART_NONE)
            continue;
        assert_int_equal(uart.kind, cases[i].kind);
        assert_int_equal(uart.base, 0x10);
        assert_int_equal(uart.stride, cases[i].kind == BOOT_UART_PL011 ? 1 : 4);
        assert_int_equal(uart.access_bytes, cases[i].kind == BOOT_UART_PL011 ? 1 : 4);
    }
}

/* Without a path the first alias is the console. */
static void console_by_alias(void **state)
{
    static const u32 reg[] = {0, 0x10, 0x100};
    struct boot_uart uart;

    (void)state;
    fdt_begin(&writer, buffer, sizeof(buffer));
    fdt_begin_node(&writer, "");
    fdt_begin_node(&writer, "aliases");
    fdt_add_string(&writer, "serial0", "/u@10");
    fdt_end_node(&writer);
    fdt_begin_node(&writer, "u@10");
    fdt_add_string(&writer, "compatible", "arm,pl011");
    fdt_add_cells(&writer, "reg", reg, 3);
    fdt_end_node(&writer);
    fdt_end_node(&writer);
    assert_true(fdt_open(&fdt, buffer, fdt_finish(&writer)));
    assert_true(fdt_console(&fdt, &uart));
    assert_int_equal(uart.kind, BOOT_UART_PL011);
}

/* Without either it is the first that works. */
static void console_by_search(void **state)
{
    static const char *const statuses[] = {"disabled", "fail", "okay"};
    struct boot_uart uart;

    (void)state;
    fdt_begin(&writer, buffer, sizeof(buffer));
    fdt_begin_node(&writer, "");
    for (u32 i = 0; i < 3; i++) {
        const u32 reg[] = {0, 0x10 + i, 0x100};
        const char name[] = {'u', '@', (char)('0' + i), 0};
        fdt_begin_node(&writer, name);
        fdt_add_string(&writer, "compatible", "ns16550a");
        fdt_add_string(&writer, "status", statuses[i]);
        fdt_add_cells(&writer, "reg", reg, 3);
        fdt_end_node(&writer);
    }
    fdt_end_node(&writer);
    assert_true(fdt_open(&fdt, buffer, fdt_finish(&writer)));
    assert_true(fdt_console(&fdt, &uart));
    assert_int_equal(uart.base, 0x12);
}

/* Cut short at any word of its structure a tree is not whole, and said to end where it does. */
static void truncated(void **state)
{
    u32 at;
    const u32 n = write_tree(sizeof(buffer));

    (void)state;
    assert_null(fdt_fault(buffer, n, &at));
    const u32 bytes =
        (u32)buffer[36] << 24 | (u32)buffer[37] << 16 | (u32)buffer[38] << 8 | buffer[39];
    for (u32 cut = 0; cut < bytes; cut += 4) {
        buffer[38] = (u8)(cut >> 8);
        buffer[39] = (u8)cut;
        assert_string_equal(fdt_fault(buffer, n, &at), "ends in the middle");
        assert_true(at <= cut);
        assert_true(fdt_open(&fdt, buffer, n)); /* what there is can be read */
    }
    write_tree(sizeof(buffer));
    assert_non_null(fdt_fault(buffer, n - 1, &at));
    buffer[8] = 1; /* the structure far behind the end */
    assert_string_equal(fdt_fault(buffer, n, &at), "has a header that cannot be true");
    buffer[0] = 0;
    assert_non_null(fdt_fault(buffer, n, &at));
}

static void fuzz(void **state)
{
    static const u32 words[] = {0, 1, 2, 3, 4, 9, 0xff, 0x7fffffff, 0x80000000, 0xffffffff};

    (void)state;
    fake_srand(fake_seed());
    print_message("# SEED=%llu\n", (unsigned long long)fake_seed());
    for (u32 round = 0; round < 40000; round++) {
        u32 n = write_tree(sizeof(buffer));
        for (u32 i = 1 + fake_below(5); i > 0; i--) {
            u32 at = fake_below(n / 4) * 4, word = words[fake_below(ARRAY_SIZE(words))];
            if (fake_below(2)) {
                buffer[at + fake_below(4)] = (u8)fake_rand();
                continue;
            }
            for (u32 b = 0; b < 4; b++)
                buffer[at + b] = (u8)(word >> (24 - 8 * b));
        }
        ask_everything(buffer, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(writer_without_room),
        cmocka_unit_test(writer_misuse),
        cmocka_unit_test(by_hand),
        cmocka_unit_test(opening),
        cmocka_unit_test(torn_blocks),
        cmocka_unit_test(deep),
        cmocka_unit_test(consoles),
        cmocka_unit_test(console_by_alias),
        cmocka_unit_test(console_by_search),
        cmocka_unit_test(truncated),
        cmocka_unit_test(fuzz),
    };

    return cmocka_run_group_tests_name("fdt", tests, NULL, NULL);
}
