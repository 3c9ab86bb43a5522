/*
 * ACPI tables: what a good firmware writes is read, and whatever a bad one writes is not followed
 * out of the memory its own map names. Tables are read where they lie, so each test builds them in
 * a block that ASan guards.
 *
 * links: hv/acpi.c hv/acpi_console.c hv/format.c tests/host/fake/support.c
 */
#include "fake/support.h"
#include "boot/boot_info.h"
#include "hv/acpi.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#define BLOCK 4096u

/* The tables lie below 4 GiB, for the RSDT's addresses have 32 bits. */
static u8 *block;
static struct boot_info info;
enum { RSDP = 16, XSDT = 64, RSDT = 192, SPCR = 320, MADT = 512, OTHER = 1024 };

static void put(u32 at, u64 value, u32 bytes)
{
    for (u32 i = 0; i < bytes; i++)
        block[at + i] = (u8)(value >> (8 * i));
}

static u64 address(u32 at)
{
    return (u64)(uintptr_t)(block + at);
}

static void checksum(u32 at, u32 bytes, u32 sum_at)
{
    u8 sum = 0;

    block[at + sum_at] = 0;
    for (u32 i = 0; i < bytes; i++)
        sum = (u8)(sum + block[at + i]);
    block[at + sum_at] = (u8)-sum;
}

static void table(u32 at, const char *signature, u32 bytes)
{
    memcpy(block + at, signature, 4);
    put(at + 4, bytes, 4);
    checksum(at, bytes, 9);
}

static void rsdp(u8 revision)
{
    memcpy(block + RSDP, "RSD PTR ", 8);
    block[RSDP + 15] = revision;
    put(RSDP + 16, address(RSDT), 4);
    put(RSDP + 20, 36, 4);
    put(RSDP + 24, address(XSDT), 8);
    checksum(RSDP, 20, 8);
    checksum(RSDP, 36, 32);
}

/* SPCR: PL011 at 0x09000000; MADT as QEMU's virt writes it, two CPUs. */
static void good_tables(void)
{
    memset(block, 0, BLOCK);
    put(XSDT + 36, address(OTHER), 8);
    put(XSDT + 44, address(SPCR), 8);
    put(XSDT + 52, address(MADT), 8);
    table(XSDT, "XSDT", 60);
    put(RSDT + 36, address(MADT), 4);
    put(RSDT + 40, address(SPCR), 4);
    table(RSDT, "RSDT", 44);
    table(OTHER, "FACP", 276);
    block[SPCR + 36] = 3;
    put(SPCR + 40, 0x03002000, 4); /* memory, 32 bits wide, dword access */
    put(SPCR + 44, 0x09000000, 8);
    table(SPCR, "SPCR", 80);
    u32 at = MADT + 44;
    put(at, 0x180c, 2); /* GICD */
    put(at + 8, 0x08000000, 8);
    block[at + 20] = 3;
    at += 24;
    for (u32 cpu = 0; cpu < 2; cpu++, at += 76) {
        put(at, 0x4c0b, 2); /* GICC */
        put(at + 12, 1, 4);
        put(at + 32, 0x08010000, 8);
    }
    put(at, 0x100e, 2); /* GICR */
    put(at + 4, 0x080a0000, 8);
    put(at + 12, 0xf60000, 4);
    table(MADT, "APIC", at + 16 - MADT);
    rsdp(2);
    memset(&info, 0, sizeof(info));
    info.nregions = 2;
    info.regions[0] = (struct boot_region){0x09000000, 0x1000, BOOT_MEMORY_MMIO, 0};
    info.regions[1] = (struct boot_region){address(0), BLOCK, BOOT_MEMORY_FIRMWARE, 0};
    info.rsdp = address(RSDP);
}

static int setup(void **state)
{
    (void)state;
    /* Three pages, the outer two not there: a read beyond the region faults. */
    block = mmap(NULL, 3 * BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    assert_true(block != MAP_FAILED);
    block += BLOCK;
    assert_int_equal(mprotect(block, BLOCK, PROT_READ | PROT_WRITE), 0);
    good_tables();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return munmap(block - BLOCK, 3 * BLOCK);
}

static void good(void **state)
{
    struct acpi_table found;
    struct acpi_madt madt;
    struct boot_uart uart;

    (void)state;
    for (u8 revision = 0; revision <= 2; revision = (u8)(revision + 2)) {
        rsdp(revision); /* by the RSDT, then by the XSDT */
        assert_true(acpi_find(&info, "SPCR", &found));
        assert_ptr_equal(found.at, block + SPCR);
        assert_int_equal(found.bytes, 80);
        assert_true(acpi_console(&info, &uart));
        assert_int_equal(uart.kind, BOOT_UART_PL011);
        assert_int_equal(uart.base, 0x09000000);
        assert_int_equal(uart.from, BOOT_UART_FROM_SPCR);
        assert_true(acpi_madt(&info, &madt));
        assert_int_equal(madt.cpus, 2);
        assert_int_equal(madt.gicd, 0x08000000);
        assert_int_equal(madt.gic_version, 3);
        assert_int_equal(madt.gicr, 0x080a0000);
        assert_int_equal(madt.gicr_bytes, 0xf60000);
        assert_int_equal(madt.gicc, 0x08010000);
    }
    assert_false(acpi_find(&info, "MCFG", &found));
}

/* A broken XSDT is no reason not to use a good RSDT. */
static void falls_back_to_rsdt(void **state)
{
    struct boot_uart uart;

    (void)state;
    block[XSDT + 40] ^= 1;
    assert_true(acpi_console(&info, &uart));
    table(XSDT, "XSDX", 60);
    assert_true(acpi_console(&info, &uart));
    block[RSDP + 33] ^= 1; /* the extended checksum only */
    assert_true(acpi_console(&info, &uart));
    table(RSDT, "RSDX", 44);
    assert_false(acpi_console(&info, &uart));
}

#define NOTHING                                                                                    \
    {                                                                                              \
        0                                                                                          \
    }
#define IO(at)                                                                                     \
    {                                                                                              \
        BOOT_UART_16550_IO, 1, 1, BOOT_UART_FROM_SPCR, at                                          \
    }
#define MMIO(n, wide, at)                                                                          \
    {                                                                                              \
        BOOT_UART_16550_MMIO, n, wide, BOOT_UART_FROM_SPCR, at                                     \
    }
#define ARM(at)                                                                                    \
    {                                                                                              \
        BOOT_UART_PL011, 1, 1, BOOT_UART_FROM_SPCR, at                                             \
    }

/* What an SPCR says, and what is made of it. */
static const struct {
    u64 base;
    u32 gas;
    u8 type;
    struct boot_uart want;
} consoles[] = {
    {0x3f8, 0x00000801, 0, IO(0x3f8)},
    {0x2f8, 0x01000801, 1, IO(0x2f8)},
    {0xfff9, 0x00000801, 0, NOTHING},
    {BIT(32) | 0x3f8, 0x00000801, 0, NOTHING},
    {0xfe000000, 0x03002000, 0x12, MMIO(4, 4, 0xfe000000)},
    {0xfe000000, 0x01000800, 0, MMIO(1, 1, 0xfe000000)},
    {0x3f8, 0x00000801, 3, NOTHING}, /* a PL011 at an I/O port */
    {0x09000000, 0x03002000, 0x0e, ARM(0x09000000)},
    {0x3f8, 0x00000802, 0, NOTHING}, /* PCI configuration space */
    {0x3f8, 0x00000801, 2, NOTHING}, /* MAX311xE: unknown here */
    {0, 0x03002000, 3, NOTHING},
    {BIT(47), 0x03002000, 3, NOTHING},
    /* DesignWare's, as Intel's tables and as generic ones name it; no access size: the width */
    {0xfe032000, 0x03002000, 0x14, MMIO(4, 4, 0xfe032000)},
    {0xfe032000, 0x00002000, 0, MMIO(4, 4, 0xfe032000)},
    {0xfe032000, 0x03000800, 0, MMIO(4, 4, 0xfe032000)},
    {0xfe032000, 0x01002000, 0, MMIO(4, 1, 0xfe032000)},
    {0xfe032000, 0x02001000, 0, MMIO(2, 2, 0xfe032000)},
    {0x70006000, 0x00000800, 5, MMIO(4, 4, 0x70006000)},
    /* The mini-UART: by its block, and by itself */
    {0xfe215000, 0x03002000, 0x10, MMIO(4, 4, 0xfe215040)},
    {0xfe215040, 0x00000800, 0x10, MMIO(4, 4, 0xfe215040)},
    {0, 0x03002000, 0x10, NOTHING},
};

static void consoles_by_spcr(void **state)
{
    struct boot_uart uart;

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(consoles); i++) {
        block[SPCR + 36] = consoles[i].type;
        put(SPCR + 40, consoles[i].gas, 4);
        put(SPCR + 44, consoles[i].base, 8);
        table(SPCR, "SPCR", 80);
        assert_int_equal(acpi_console(&info, &uart), consoles[i].want.kind != BOOT_UART_NONE);
        if (consoles[i].want.kind != BOOT_UART_NONE)
            assert_memory_equal(&uart, &consoles[i].want, sizeof(uart));
    }
    table(SPCR, "SPCR", 51); /* too short to name anything */
    assert_false(acpi_console(&info, &uart));
}

/* A DBG2 of devices of these types, each with one address; the second last of its fields. */
static u32 dbg2(const u32 *types, u32 n)
{
    u32 at = SPCR + 44;

    memset(block + SPCR, 0, MADT - SPCR);
    put(SPCR + 36, 44, 4);
    put(SPCR + 40, n, 4);
    for (u32 i = 0; i < n; i++, at += 40) {
        put(at + 1, 40, 2);
        block[at + 3] = 1;
        put(at + 12, types[i] >> 16, 2);
        put(at + 14, types[i] & 0xffff, 2);
        put(at + 18, 22, 2);
        put(at + 22, (types[i] & 0xffff) == 3 ? 0x03002000 : 0x01000801, 4);
        put(at + 26, (types[i] & 0xffff) == 3 ? 0x09000000 : 0x3f8, 8);
    }
    table(SPCR, "DBG2", at - SPCR);
    return at - SPCR;
}

/* The first serial port that can be driven; whatever lies about lengths ends the search. */
static void debug_ports(void **state)
{
    static const u32 types[] = {0x80010000, 0x80000002, 0x80000003, 0x80000000};
    struct boot_uart uart;

    (void)state;
    const u32 bytes = dbg2(types, 4);
    assert_true(acpi_debug_port(&info, &uart));
    assert_int_equal(uart.kind, BOOT_UART_PL011);
    assert_int_equal(uart.base, 0x09000000);
    assert_int_equal(uart.from, BOOT_UART_FROM_DBG2);
    for (u32 cut = 36; cut < bytes; cut++) {
        table(SPCR, "DBG2", cut);
        assert_int_equal(acpi_debug_port(&info, &uart), cut >= 44 + 3 * 40);
    }
    dbg2(types + 3, 1);
    put(SPCR + 40, 0xffffffff, 4); /* more devices than there are */
    table(SPCR, "DBG2", 84);
    assert_true(acpi_debug_port(&info, &uart));
    assert_int_equal(uart.base, 0x3f8);
    static const struct {
        u32 at, value;
    } lies[] = {{36, 0xffffffff}, {36, 64},     {40, 0},  {45, 0},
                {45, 21},         {45, 0xffff}, {62, 39}, {62, 0xfff5}};
    for (u32 i = 0; i < ARRAY_SIZE(lies); i++) {
        dbg2(types + 3, 1);
        put(SPCR + lies[i].at, lies[i].value, lies[i].at < 44 ? 4 : 2);
        table(SPCR, "DBG2", 84);
        assert_false(acpi_debug_port(&info, &uart));
    }
}

/* One sentence on the first table that is wrong, none on good ones. */
static void faults(void **state)
{
    char why[200] = "";

    (void)state;
    assert_false(acpi_fault(&info, why, sizeof(why)));
    block[SPCR + 50] ^= 1;
    assert_true(acpi_fault(&info, why, sizeof(why)));
    assert_non_null(strstr(why, "ACPI: SPCR at 0x"));
    assert_non_null(strstr(why, " has a wrong checksum: ignored"));
    block[MADT + 4] = 1;
    assert_true(acpi_fault(&info, why, sizeof(why)));
    assert_non_null(strstr(why, "and there are more such tables"));
    good_tables();
    put(SPCR + 4, 0x7fffffff, 4);
    assert_true(acpi_fault(&info, why, sizeof(why)));
    assert_non_null(strstr(why, "has an impossible length"));
    good_tables();
    put(XSDT + 44, ~0ull, 8);
    table(XSDT, "XSDT", 60);
    assert_true(acpi_fault(&info, why, sizeof(why)));
    assert_non_null(strstr(why, "ACPI: ???? at 0xffffffffffffffff is not in any memory"));
    good_tables();
    block[XSDT + 50] ^= 1;
    assert_true(acpi_fault(&info, why, sizeof(why)));
    assert_non_null(strstr(why, "ACPI: XSDT at 0x"));
    good_tables();
    block[RSDP] ^= 1;
    assert_true(acpi_fault(&info, why, sizeof(why)));
    assert_non_null(strstr(why, "ACPI: RSDP at 0x"));
    info.rsdp = 0; /* a machine without ACPI has no fault */
    assert_false(acpi_fault(&info, why, sizeof(why)));
}

/*
 * Every single bit of a table matters: with one flipped it is not trusted. But for its length: the
 * sum of another number of bytes may be right by chance (lengths() is about that).
 */
static void every_bit_is_checked(void **state)
{
    struct acpi_table found;

    (void)state;
    table(RSDT, "RSDX", 44); /* no second way */
    for (u32 bit = 0; bit < 8 * 80; bit += bit == 31 ? 33 : 1) {
        block[SPCR + bit / 8] ^= (u8)(1 << (bit % 8));
        assert_false(acpi_find(&info, "SPCR", &found));
        block[SPCR + bit / 8] ^= (u8)(1 << (bit % 8));
    }
    for (u32 bit = 0; bit < 8 * 60; bit += bit == 31 ? 33 : 1) {
        block[XSDT + bit / 8] ^= (u8)(1 << (bit % 8));
        assert_false(acpi_find(&info, "SPCR", &found));
        block[XSDT + bit / 8] ^= (u8)(1 << (bit % 8));
    }
    assert_true(acpi_find(&info, "SPCR", &found));
}

/* Lengths that lie, and tables that reach out of their region; the guard pages watch. */
static void lengths(void **state)
{
    static const u32 wrong[] = {0,      1,          35,         BLOCK - SPCR + 1, BLOCK,
                                MiB(1), MiB(1) + 1, 0x7fffffff, 0x80000000,       0xffffffff};
    struct acpi_table found;

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
        memcpy(block + SPCR, "SPCR", 4);
        put(SPCR + 4, wrong[i], 4);
        assert_false(acpi_find(&info, "SPCR", &found));
    }
    good_tables();
    for (u64 bytes = 0; bytes < BLOCK; bytes++) { /* the region ends anywhere */
        info.regions[1].bytes = bytes;
        if (acpi_find(&info, "SPCR", &found))
            assert_true(bytes >= SPCR + 80);
        info.regions[1].base = address(0) + bytes; /* and begins anywhere */
        info.regions[1].bytes = BLOCK - bytes;
        (void)acpi_find(&info, "SPCR", &found);
        info.regions[1].base = address(0);
    }
}

static void addresses(void **state)
{
    static const u64 wrong[] = {0, 1, ~0ull, ~0ull - 36, BIT(63), BIT(52), 0x1000};
    struct acpi_table found;

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
        put(XSDT + 36, wrong[i], 8); /* an entry that leads nowhere is passed over */
        table(XSDT, "XSDT", 60);
        assert_true(acpi_find(&info, "SPCR", &found));
        info.rsdp = wrong[i];
        assert_false(acpi_find(&info, "SPCR", &found));
        info.rsdp = address(RSDP);
    }
    put(XSDT + 36, address(XSDT), 8); /* a table that is its own entry */
    put(XSDT + 44, address(BLOCK - 20), 8);
    table(XSDT, "XSDT", 60);
    assert_false(acpi_find(&info, "SPCR", &found));
    assert_true(acpi_find(&info, "XSDT", &found));
    info.regions[1].type = BOOT_MEMORY_MMIO; /* never read from device memory */
    assert_false(acpi_find(&info, "APIC", &found));
}

/* A torn MADT: what came before the tear counts; entries of length 0 do not hang. */
static void torn_madt(void **state)
{
    struct acpi_madt madt;

    (void)state;
    for (u32 cut = 44; cut < 240; cut++) {
        table(MADT, "APIC", cut);
        assert_true(acpi_madt(&info, &madt));
        assert_int_equal(madt.gicd, cut >= 68 ? 0x08000000 : 0);
        assert_int_equal(madt.cpus, cut >= 220 ? 2 : cut >= 144 ? 1 : 0);
    }
    good_tables();
    for (u32 length = 0; length < 256; length++) {
        block[MADT + 44 + 1] = (u8)length;
        table(MADT, "APIC", 236);
        assert_true(acpi_madt(&info, &madt));
        assert_true(madt.cpus <= 2);
    }
    table(MADT, "APIC", 43);
    assert_false(acpi_madt(&info, &madt));
}

static void x86_madt(void **state)
{
    struct acpi_madt madt;
    u32 at = MADT + 44;

    (void)state;
    put(MADT + 36, 0xfee00000, 4);
    for (u32 cpu = 0; cpu < 3; cpu++, at += 8) {
        put(at, 0x0800, 2);
        put(at + 4, cpu != 1, 4); /* the second is disabled */
    }
    put(at, 0x1009, 2); /* x2APIC */
    put(at + 8, 1, 4);
    at += 16;
    put(at, 0x0c05, 2); /* address override */
    put(at + 4, 0x123456000, 8);
    table(MADT, "APIC", at + 12 - MADT);
    assert_true(acpi_madt(&info, &madt));
    assert_int_equal(madt.cpus, 3);
    assert_true(madt.x2apic);
    assert_int_equal(madt.local_apic, 0x123456000);
    assert_int_equal(madt.gicd, 0);
}

/* Random damage, with checksums made right again so that it is believed. */
static void fuzz(void **state)
{
    static const u32 tables[] = {XSDT, RSDT, SPCR, MADT, OTHER};
    struct acpi_table found;
    struct acpi_madt madt;
    struct boot_uart uart;

    (void)state;
    fake_srand(fake_seed());
    print_message("# SEED=%llu\n", (unsigned long long)fake_seed());
    for (u32 round = 0; round < 30000; round++) {
        good_tables();
        for (u32 i = 1 + fake_below(6); i > 0; i--) {
            u32 at = tables[fake_below(5)] + fake_below(80);
            block[at] = (u8)(fake_below(2) ? (u32)fake_rand() : block[at] ^ 1u << fake_below(8));
        }
        for (u32 i = 0; i < 5; i++) {
            u32 length = block[tables[i] + 4] | (u32)block[tables[i] + 5] << 8;
            if (length >= 36 && tables[i] + length <= BLOCK)
                checksum(tables[i], length, 9);
        }
        (void)acpi_find(&info, "MCFG", &found);
        (void)acpi_madt(&info, &madt);
        char why[200];
        (void)acpi_fault(&info, why, sizeof(why));
        memcpy(block + SPCR, fake_below(2) ? "DBG2" : "SPCR", 4);
        checksum(SPCR, 80, 9);
        if (acpi_console(&info, &uart) || acpi_debug_port(&info, &uart))
            assert_true(uart.base != 0 && uart.kind <= BOOT_UART_PL011);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(good),
        TEST(falls_back_to_rsdt),
        TEST(consoles_by_spcr),
        TEST(every_bit_is_checked),
        TEST(lengths),
        TEST(addresses),
        TEST(torn_madt),
        TEST(x86_madt),
        TEST(debug_ports),
        TEST(faults),
        TEST(fuzz),
    };

    return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
