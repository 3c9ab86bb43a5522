/*
 * ACPI tables: what a good firmware writes is read, and whatever a bad one writes is not followed
 * out of the memory its own map names. Tables are read where they lie, so each test builds them in
 * a block that ASan guards.
 *
 * links: hv/acpi.c tests/host/fake/support.c
 */
#include "fake/support.h"
#include "boot/boot_info.h"
#include "hv/acpi.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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

static void x86_consoles(void **state)
{
    static const struct {
        u8 type;
        u32 gas;
        u64 base;
        bool good;
        struct boot_uart want;
    } cases[] = {
        {0, 0x00000801, 0x3f8, true, {BOOT_UART_16550_IO, 1, 1, BOOT_UART_FROM_SPCR, 0x3f8}},
        {1, 0x01000801, 0x2f8, true, {BOOT_UART_16550_IO, 1, 1, BOOT_UART_FROM_SPCR, 0x2f8}},
        {0, 0x00000801, 0xfff9, false, {0}},
        {0, 0x00000801, BIT(32) | 0x3f8, false, {0}},
        {0x12,
         0x03002000,
         0xfe000000,
         true,
         {BOOT_UART_16550_MMIO, 4, 4, BOOT_UART_FROM_SPCR, 0xfe000000}},
        {0,
         0x01000800,
         0xfe000000,
         true,
         {BOOT_UART_16550_MMIO, 1, 1, BOOT_UART_FROM_SPCR, 0xfe000000}},
        {3, 0x00000801, 0x3f8, false, {0}}, /* a PL011 at an I/O port */
        {0x0e,
         0x03002000,
         0x09000000,
         true,
         {BOOT_UART_PL011, 1, 1, BOOT_UART_FROM_SPCR, 0x09000000}},
        {0, 0x00000802, 0x3f8, false, {0}}, /* PCI configuration space */
        {2, 0x00000801, 0x3f8, false, {0}}, /* MAX311xE: unknown here */
        {3, 0x03002000, 0, false, {0}},
    };
    struct boot_uart uart;

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        block[SPCR + 36] = cases[i].type;
        put(SPCR + 40, cases[i].gas, 4);
        put(SPCR + 44, cases[i].base, 8);
        table(SPCR, "SPCR", 80);
        assert_int_equal(acpi_console(&info, &uart), cases[i].good);
        if (cases[i].good)
            assert_memory_equal(&uart, &cases[i].want, sizeof(uart));
    }
    table(SPCR, "SPCR", 51); /* too short to name anything */
    assert_false(acpi_console(&info, &uart));
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
        if (acpi_console(&info, &uart))
            assert_true(uart.base != 0 && uart.kind <= BOOT_UART_PL011);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(good),    TEST(falls_back_to_rsdt), TEST(x86_consoles), TEST(every_bit_is_checked),
        TEST(lengths), TEST(addresses),          TEST(torn_madt),    TEST(x86_madt),
        TEST(fuzz),
    };

    return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
