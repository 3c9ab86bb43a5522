/*
 * Reads the ACPI tables (ACPI 6.5, chapter 5): pure, bounded, and distrustful. A table is followed
 * only where all of it lies in one region of the firmware's memory map that is RAM, its length is
 * plausible and its checksum is right; so nothing a firmware writes can make this read elsewhere.
 */
#ifndef FERMATA_ACPI_H
#define FERMATA_ACPI_H

#include "hv/base.h"

struct boot_info;
struct boot_uart;

struct acpi_table {
    const u8 *at; /* the header (36 bytes) and what follows */
    u32 bytes;
};

/*
 * The first table with this signature ("SPCR", "APIC"), by info->rsdp and info->regions, through
 * the XSDT (ACPI 2 and later) or the RSDT. False: none, or not to be trusted.
 */
bool acpi_find(const struct boot_info *info, const char signature[4], struct acpi_table *table);

/* Is a table wrong that is to be ignored therefore? `why` (n bytes) has a sentence about the first.
 */
bool acpi_fault(const struct boot_info *info, char *why, size_t n);

/* A little-endian number of a table, at any alignment. */
u64 acpi_number(const u8 *at, u32 bytes);

/* ---- acpi_console.c ---- */

/*
 * The console named by the SPCR (Microsoft, Serial Port Console Redirection Table), as a UART
 * Fermata can drive. False: no SPCR, or a kind of UART it does not know.
 */
bool acpi_console(const struct boot_info *info, struct boot_uart *uart);

/* The first serial debug port of the DBG2 (Microsoft, Debug Port Table 2), likewise. */
bool acpi_debug_port(const struct boot_info *info, struct boot_uart *uart);

/* What the MADT (ACPI 6.5, 5.2.12) says about interrupt controllers; 0 or false where it says
 * nothing. */
struct acpi_madt {
    u64 local_apic;  /* LAPIC address */
    u32 cpus;        /* enabled processors */
    bool x2apic;     /* there are processor local x2APIC entries */
    u64 gicd;        /* GIC distributor */
    u32 gic_version; /* of the distributor: 0 (unknown) to 4 */
    u64 gicr;        /* first redistributor region, or the boot CPU's own redistributor */
    u64 gicr_bytes;  /* 0: told per CPU, one redistributor each */
    u64 gicc;        /* GICv2 CPU interface of the first CPU */
};
bool acpi_madt(const struct boot_info *info, struct acpi_madt *madt);

#endif
