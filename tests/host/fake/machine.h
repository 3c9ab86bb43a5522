/*
 * The rest of the fake architecture: a machine that boots hv_main(), with a serial port whose
 * output is caught, and guests whose program is their command line:
 *
 *   fp N      N random FP accesses, each checked against the oracle; then power off, 0
 *   nofp N    N instructions without FP; then power off, 0
 *   share N   as fp, on every vCPU of the VM; vCPU 0 waits for the others
 *   mob N     every vCPU for ever, until after N rounds one ends the VM (N&1: by a crash; N&2: the
 *             last vCPU and not the first)
 *   starve    an FP access for which there is no memory
 *   end S     power off with status S
 *   print     lines on the console, one "not ok"
 *   crash, halt, spin, badcall, todo
 */
#ifndef FAKE_MACHINE_H
#define FAKE_MACHINE_H

#include "world.h"
#include "boot/boot_info.h"

struct machine {
    char console[65536];
    u32 used;
    bool uart_dead;     /* the transmitter never becomes ready */
    const char *broken; /* what the self-test says, or NULL */
    bool hog;           /* when the first guest runs, all memory is gone but what is reserved */
    u32 hogged;         /* pages taken for that */
    u8 *hoard[8192];
    bool no_areas; /* arch_fp_quota() says 0, as with overcommit */
    bool passed;
    u64 reads; /* of the serial port */
    jmp_buf end;
};

extern struct machine machine;

/* A boot_info with `mib` MiB of memory and no VMs. */
struct boot_info *machine_info(u32 mib);

/* Adds a VM; the caller may change what it returns. */
struct boot_vm *machine_vm(const char *name, const char *program);

/* Runs hv_main() to the end of the machine. True: it said PASS. */
bool machine_boot(void);

/* Gives back what `hog` took. */
void machine_unhog(void);

/* Does the console have this text? */
bool machine_said(const char *text);

#endif
