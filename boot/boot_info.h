/*
 * The only contract between the firmware side (boot/) and the hypervisor (hv/).
 * Filled by boot/ before ExitBootServices, read-only afterwards. All addresses are physical, and
 * memory is identity mapped, so they are also pointers. Nothing here points into memory of a type
 * the hypervisor reuses: boot/ allocates what it hands over as EfiLoaderData.
 */
#ifndef FERMATA_BOOT_INFO_H
#define FERMATA_BOOT_INFO_H

#include "hv/base.h"

#define BOOT_MAX_REGIONS 512
#define BOOT_ADDRESS_END BIT(47) /* page tables of 4 levels map no more one to one; nor do ours */
#define BOOT_MAX_VMS     16
#define BOOT_NAME        32  /* bytes with the final 0: VM names, [A-Za-z0-9_-] */
#define BOOT_TEXT        256 /* bytes with the final 0: paths, command lines, fp lists */

enum boot_memory_type {
    BOOT_MEMORY_FREE,    /* EfiConventionalMemory: ours after ExitBootServices */
    BOOT_MEMORY_RECLAIM, /* EfiBootServicesCode/Data: ours too, but the firmware's stack and page
                            tables live there, so only once hv_main_on_stack() runs on our own */
    BOOT_MEMORY_LOADER,  /* EfiLoaderCode/Data: our image, boot_info, the guests' images: never
                            reused */
    BOOT_MEMORY_RUNTIME_CODE, /* EfiRuntimeServicesCode */
    BOOT_MEMORY_RUNTIME_DATA, /* EfiRuntimeServicesData */
    BOOT_MEMORY_FIRMWARE,     /* ACPI tables, ACPI NVS, reserved RAM: readable, not ours */
    BOOT_MEMORY_MMIO,         /* EfiMemoryMappedIO and port space */
};

struct boot_region {
    u64 base;  /* page aligned */
    u64 bytes; /* a multiple of PAGE_SIZE */
    u32 type;  /* enum boot_memory_type */
    u32 reserved;
};

enum boot_uart_kind {
    BOOT_UART_NONE,
    BOOT_UART_16550_IO,   /* base is an I/O port */
    BOOT_UART_16550_MMIO, /* registers stride bytes apart, access_bytes wide */
    BOOT_UART_PL011,      /* PL011 and SBSA generic UART: base of the register page */
    BOOT_UART_SCREEN,     /* no UART: text on boot_info.screen */
};

struct boot_uart {
    u32 kind;         /* enum boot_uart_kind */
    u32 stride;       /* bytes from register to register: 1, 2 or 4 */
    u32 access_bytes; /* 1, 2 or 4 */
    u32 from;         /* enum boot_uart_source */
    u64 base;
};

enum boot_uart_source {
    BOOT_UART_FROM_PLATFORM,
    BOOT_UART_FROM_SPCR,
    BOOT_UART_FROM_DEVICE_TREE,
    BOOT_UART_FROM_DBG2,
    BOOT_UART_FROM_PCI,
    BOOT_UART_FROM_FIRMWARE, /* its framebuffer */
    BOOT_UART_FROM_CONFIG,
};

/* The firmware's framebuffer: 32 bits a pixel. Filled only where it is a console. */
struct boot_screen {
    u64 base; /* 0: there is none */
    u64 bytes;
    u32 width, height; /* pixels */
    u32 stride;        /* pixels from line to line */
    u32 reserved;
};

/* What `console =` in fermata.conf says; each value of a list of at most two. */
enum boot_console_kind {
    BOOT_CONSOLE_NONE, /* the list ends */
    BOOT_CONSOLE_AUTO, /* SPCR, device tree, DBG2, the usual UART, a PCI card, the screen */
    BOOT_CONSOLE_SCREEN,
    BOOT_CONSOLE_PCI,
    BOOT_CONSOLE_OFF,
    BOOT_CONSOLE_UART, /* the one given */
};

struct boot_console {
    u32 kind; /* enum boot_console_kind */
    u32 line; /* of fermata.conf, for messages */
    struct boot_uart uart;
};

enum boot_policy { BOOT_POLICY_LAZY, BOOT_POLICY_EAGER };

/* One [vm.NAME] section of \fermata.conf. */
struct boot_vm {
    char name[BOOT_NAME];
    char kernel[BOOT_TEXT]; /* path on the volume, or "builtin" */
    char cmdline[BOOT_TEXT];
    char fp[BOOT_TEXT]; /* component list as written; empty: everything the CPU has and Fermata
                           manages */
    u64 image; /* the kernel's file, whole, in BOOT_MEMORY_LOADER memory; 0: not readable (see
                  error) */
    u64 image_bytes;
    u64 memory;            /* bytes, a multiple of 2 MiB */
    u64 cpus;              /* bit n: may run on CPU n */
    u64 limit_ms;          /* CPU time after which the VM is stopped as failed; 0: none */
    u32 vcpus;             /* 1 to VM_MAX_VCPUS */
    u32 policy;            /* enum boot_policy */
    u32 overcommit;        /* 1: no memory is set aside for its FP save areas */
    u32 line;              /* of its section header in fermata.conf, for messages; 0: built in */
    char error[BOOT_TEXT]; /* not empty: this VM is refused with this sentence, the others go on */
};

enum boot_log { BOOT_LOG_ERROR, BOOT_LOG_INFO, BOOT_LOG_DEBUG };

/* `gdb =`: the debugger's UART; kind NONE: no debugger. */
struct boot_gdb {
    struct boot_uart uart;
    u32 line; /* of fermata.conf, for messages */
    u32 wait; /* 1: the first guest waits for a debugger */
};

struct boot_config {
    u32 nvms;
    u32 log;        /* enum boot_log */
    u64 quantum_us; /* time slice of a vCPU, microseconds */
    u32 trace;      /* events of each CPU's ring to print at the end; 0: none */
    u32 core;       /* 1: a core file on the console when a VM or the hypervisor dies */
    struct boot_console consoles[2];
    struct boot_gdb gdb;
    struct boot_vm vms[BOOT_MAX_VMS];
};

struct boot_info {
    u64 image_base; /* where fermata.elf's address 0 runs: the load bias gdb needs */
    u64 image_bytes;
    u64 rsdp;                /* ACPI RSDP, 0: none */
    u64 fdt;                 /* flattened device tree, 0: none */
    u64 system_table;        /* EFI_SYSTEM_TABLE, for ResetSystem at the very end; 0: none */
    struct boot_uart uart;   /* the console */
    struct boot_uart mirror; /* a second one that shows the same; BOOT_UART_NONE: none */
    struct boot_screen screen;
    u32 nregions;
    u32 reserved;
    struct boot_region
        regions[BOOT_MAX_REGIONS]; /* sorted by base, not overlapping, neighbours merged */
    struct boot_config config;
};

#endif
