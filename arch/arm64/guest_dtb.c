/* The device tree a guest gets: memory, CPUs, PSCI, PL011, timer, and how it was started. */
#include "arch/arch.h"
#include "boot/boot_info.h"
#include "guest.h"
#include "hv/console.h"
#include "hv/fdt.h"
#include "hv/pl011.h"

#define PHANDLE_CLOCK 1u

static void add_reg(struct fdt_writer *w, u64 base, u64 bytes)
{
    const u32 cells[] = {(u32)(base >> 32), (u32)base, (u32)(bytes >> 32), (u32)bytes};

    fdt_add_cells(w, "reg", cells, ARRAY_SIZE(cells));
}

static void add_cpus(struct fdt_writer *w, const struct vm *vm)
{
    char name[16];

    fdt_begin_node(w, "cpus");
    fdt_add_u32(w, "#address-cells", 1);
    fdt_add_u32(w, "#size-cells", 0);
    for (u32 i = 0; i < vm->nvcpus; i++) {
        format_text(name, sizeof(name), "cpu@%x", i);
        fdt_begin_node(w, name);
        fdt_add_string(w, "device_type", "cpu");
        fdt_add_string(w, "compatible", "arm,armv8");
        fdt_add_u32(w, "reg", i); /* MPIDR_EL1.Aff0 */
        fdt_add_string(w, "enable-method", "psci");
        fdt_end_node(w);
    }
    fdt_end_node(w);
}

static void add_psci(struct fdt_writer *w)
{
    static const char compatible[] = "arm,psci-1.0\0arm,psci-0.2";

    fdt_begin_node(w, "psci");
    fdt_add_strings(w, "compatible", compatible, sizeof(compatible));
    fdt_add_string(w, "method", "hvc");
    fdt_end_node(w);
}

/* No interrupts: none are delivered in this release, and there is no controller to name. */
static void add_devices(struct fdt_writer *w)
{
    static const char uart[] = "arm,pl011\0arm,primecell";
    static const char clocks[] = "uartclk\0apb_pclk";
    const u32 both[] = {PHANDLE_CLOCK, PHANDLE_CLOCK};
    char name[32];

    fdt_begin_node(w, "apb-pclk");
    fdt_add_string(w, "compatible", "fixed-clock");
    fdt_add_u32(w, "#clock-cells", 0);
    fdt_add_u32(w, "clock-frequency", 24000000);
    fdt_add_u32(w, "phandle", PHANDLE_CLOCK);
    fdt_end_node(w);

    format_text(name, sizeof(name), "pl011@%lx", (u64)GUEST_PL011_BASE);
    fdt_begin_node(w, name);
    fdt_add_strings(w, "compatible", uart, sizeof(uart));
    add_reg(w, GUEST_PL011_BASE, PL011_BYTES);
    fdt_add_cells(w, "clocks", both, 2);
    fdt_add_strings(w, "clock-names", clocks, sizeof(clocks));
    fdt_end_node(w);

    fdt_begin_node(w, "timer");
    fdt_add_string(w, "compatible", "arm,armv8-timer");
    fdt_add_empty(w, "always-on");
    fdt_end_node(w);
}

u32 guest_dtb(const struct vm *vm, void *buffer, u32 bytes)
{
    static struct fdt_writer w; /* too large for a stack; VMs are made one at a time */
    char name[32];

    fdt_begin(&w, buffer, bytes);
    fdt_begin_node(&w, "");
    fdt_add_u32(&w, "#address-cells", 2);
    fdt_add_u32(&w, "#size-cells", 2);
    fdt_add_string(&w, "model", "Fermata virtual machine");
    fdt_add_string(&w, "compatible", "fermata,virt");

    fdt_begin_node(&w, "chosen");
    fdt_add_string(&w, "bootargs", vm->config->cmdline);
    format_text(name, sizeof(name), "/pl011@%lx", (u64)GUEST_PL011_BASE);
    fdt_add_string(&w, "stdout-path", name);
    fdt_end_node(&w);

    format_text(name, sizeof(name), "memory@%lx", vm->ram_gpa);
    fdt_begin_node(&w, name);
    fdt_add_string(&w, "device_type", "memory");
    add_reg(&w, vm->ram_gpa, vm->ram_bytes);
    fdt_end_node(&w);

    add_cpus(&w, vm);
    add_psci(&w);
    add_devices(&w);
    fdt_end_node(&w);
    return fdt_finish(&w);
}
