/*
 * boot/ in a firmware that misbehaves: short reads, broken file systems, no memory, a memory map
 * that changes on the way out. The files of boot/ are the real ones; only the firmware is made
 * here.
 *
 * links: tests/host/fake/fake_efi.c boot/efi_main.c boot/firmware.c boot/volume.c boot/guests.c
 * links: boot/unpack.c
 * links: boot/console.c boot/config_console.c hv/uart.c
 * links: boot/leave.c boot/machine.c boot/memory_map.c boot/config.c boot/config_value.c
 * links: boot/builtin_conf.c hv/format.c
 */
#include "fake/fake_efi.h"
#include "hv/console.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static int setup(void **state)
{
    (void)state;
    fake_efi_reset();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_efi_free();
    return 0;
}

/* It goes back to the firmware with this status and a sentence. */
static void fails(EFI_STATUS status, const char *sentence)
{
    char want[1024];

    assert_int_equal(fake_efi_start(), status);
    format_text(want, sizeof(want), "fermata: not started: %s\n", sentence);
    assert_string_equal(fw.console, want);
}

/* ---- Tests ---- */

static void without_config(void **state)
{
    (void)state;
    assert_int_equal(fake_efi_start(), EFI_SUCCESS);
    assert_true(fw.watchdog_off);
    assert_int_equal(fw.opened, fw.closed);
    assert_true(fake_entered->config.nvms >= 2);
    const struct boot_vm *vms = fake_entered->config.vms;
    assert_int_equal(vms[0].image_bytes, 14);
    assert_memory_equal((const char *)vms[0].image, "built-in guest", 14);
    assert_int_equal(vms[1].image, vms[0].image); /* unpacked once */
    assert_int_equal(fake_entered->uart.base, 0x3f8);
    assert_int_equal(fake_entered->nregions, 3);
    assert_string_equal(fw.console,
                        "fermata: no \\fermata.conf on this volume: running the built-in guest\n");
}

/* Started from the network: nothing to read a config from. A machine without a console is fine. */
static void without_volume_or_console(void **state)
{
    (void)state;
    fw.no_file_system = true;
    fake_efi_table.ConOut = NULL;
    assert_int_equal(fake_efi_start(), EFI_SUCCESS);
    fake_efi_table.ConOut = &fake_efi_console;
    assert_true(fake_entered->config.nvms >= 2);
}

#define CONF                                                                                       \
    "[vm.a]\nkernel=/guests//"                                                                     \
    "a.elf\n[vm.b]\nkernel=\\gone\n[vm.c]\nkernel=\\guests\\a.elf\n[vm.d]\nkernel=builtin\n"

/* Without a UART the user learns where the output went. */
static void without_uart(void **state)
{
    (void)state;
    fw.conf = "[vm.a]\nkernel=builtin\n";
    fw.ports[0] = 0;
    assert_int_equal(fake_efi_start(), EFI_SUCCESS);
    assert_non_null(strstr(fw.console, "fermata: no UART that Fermata can drive, and no screen: "));
}

/* A firmware may give a file byte by byte. */
static void short_reads(void **state)
{
    (void)state;
    fw.conf = CONF;
    fw.kernel = "the kernel, in many pieces";
    fw.chunk = 1;
    assert_int_equal(fake_efi_start(), EFI_SUCCESS);
    const struct boot_vm *vm = fake_entered->config.vms;
    assert_int_equal(vm[0].image_bytes, strlen(fw.kernel));
    assert_string_equal((const char *)vm[0].image, fw.kernel);
    assert_string_equal(vm[0].error, "");
    assert_int_equal(vm[1].image, 0);
    assert_string_equal(vm[1].error,
                        "kernel '\\gone' is not on the volume; copy it there or correct the path");
    assert_string_equal((const char *)vm[2].image, fw.kernel);
    assert_memory_equal((const char *)vm[3].image, "built-in guest", 14);
}

static void broken_kernels(void **state)
{
    (void)state;
    fw.conf = "[vm.a]\nkernel=\\guests\\a.elf\n";
    fw.kernel = "";
    assert_int_equal(fake_efi_start(), EFI_SUCCESS);
    assert_string_equal(fake_entered->config.vms[0].error,
                        "kernel '\\guests\\a.elf' is empty; copy it again");
    assert_int_equal(fake_entered->config.vms[0].image, 0);
    assert_string_equal(fw.console, "");
}

/* The config is there but cannot be had: never the built-in VMs instead. */
static void broken_config(void **state)
{
    static const struct {
        EFI_STATUS open, info, read;
        const char *text;
    } ways[] = {
        {EFI_DEVICE_ERROR, 0, 0, "device error"},
        {0, EFI_VOLUME_CORRUPTED, 0, "volume corrupted"},
        {0, 0, EFI_NO_MEDIA, "no medium"},
    };
    char want[256];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        fake_efi_reset();
        fw.conf = CONF;
        fw.chunk = 10;
        fw.open = ways[i].open;
        fw.get_info = ways[i].info;
        fw.read = ways[i].read;
        format_text(want, sizeof(want),
                    "\\fermata.conf is there but cannot be read (%s); check the volume",
                    ways[i].text);
        fails(ways[i].open | ways[i].info | ways[i].read, want);
        assert_int_equal(fw.held, 0);
    }
    fake_efi_reset();
    fw.conf = CONF;
    fw.directory = true;
    fails(EFI_NO_MAPPING,
          "\\fermata.conf is there but cannot be read (no mapping); check the volume");
    fake_efi_reset();
    fw.conf = CONF;
    fw.stuck = true; /* a read that gives nothing, for ever: no hang */
    fails(EFI_VOLUME_CORRUPTED,
          "\\fermata.conf is there but cannot be read (volume corrupted); check the volume");
    fake_efi_reset();
    fw.conf = CONF;
    fw.long_file = 1ull << 63;
    fails(EFI_INVALID_PARAMETER,
          "fermata.conf:1: the file is 9223372036854775808 bytes long; at most 4194304 are "
          "possible, so check that it is a config");
    fake_efi_reset();
    fw.volume = EFI_DEVICE_ERROR;
    fails(EFI_DEVICE_ERROR,
          "the volume it was started from cannot be opened (device error); check it");
}

static void wrong_config(void **state)
{
    (void)state;
    fw.conf = "[vm.a]\nkernl=x\n";
    fails(EFI_INVALID_PARAMETER,
          "fermata.conf:2: unknown key 'kernl' in [vm.a]; the keys are kernel, memory, "
          "vcpus, cpus, fp, policy, cmdline, limit, overcommit");
    assert_int_equal(fw.held, 0);
}

static void wrong_machine(void **state)
{
    (void)state;
    fw.preflight = "this CPU has no SVM; use another";
    fails(EFI_UNSUPPORTED, "this CPU has no SVM; use another");
    assert_int_equal(fw.opened, 0);
    fake_efi_reset();
    fw.free_pages = 16;
    fails(EFI_OUT_OF_RESOURCES, "the machine has 0 MiB of free memory; give it at least 16 MiB");
    fake_efi_reset();
    fw.map = EFI_DEVICE_ERROR;
    fails(EFI_DEVICE_ERROR,
          "the firmware gives no memory map (device error); try another version of it");
    fake_efi_reset();
    fw.no_memory = true;
    fails(EFI_OUT_OF_RESOURCES,
          "the firmware gives no memory map (out of memory); try another version of it");
}

/* ExitBootServices is refused while the map changes: again with a new key, and nothing else is
 * called. */
static void refused_exit(void **state)
{
    (void)state;
    fw.refusals = 7;
    assert_int_equal(fake_efi_start(), EFI_SUCCESS);
    assert_int_equal(fw.exits, 8);
    assert_int_equal(fw.calls_after_refusal, 0);
    assert_int_equal(fake_entered->nregions, 10); /* the map of the last key */
}

static void exit_never(void **state)
{
    (void)state;
    fw.refusals = ~0u;
    assert_int_equal(fake_efi_start(), EFI_INVALID_PARAMETER);
    assert_int_equal(fw.exits, 8);
    assert_int_equal(fw.calls_after_refusal, 0);
    fake_efi_reset();
    fw.refusals = ~0u;
    fw.descriptors = 60;
    assert_int_equal(fake_efi_start(),
                     EFI_INVALID_PARAMETER); /* the buffer has room for what is added */
    assert_int_equal(fw.calls_after_refusal, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(without_config), T(without_volume_or_console),
        T(without_uart),   T(short_reads),
        T(broken_kernels), T(broken_config),
        T(wrong_config),   T(wrong_machine),
        T(refused_exit),   T(exit_never),
    };

    return cmocka_run_group_tests_name("firmware", tests, NULL, NULL);
}
