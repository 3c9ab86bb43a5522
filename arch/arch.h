/*
 * The whole contract between hv/ and arch/<a>/: every function an architecture implements, bound at
 * link time. Types come from arch/<a>/arch_fp.h (struct arch_fp, struct arch_fp_config), arch_cpu.h
 * (struct arch_pcpu) and arch_vm.h (struct arch_vm, struct arch_vcpu).
 */
#ifndef FERMATA_ARCH_H
#define FERMATA_ARCH_H

#include "hv/base.h"
#include "hv/fp.h"
#include "hv/gdb.h"
#include "hv/pcpu.h"
#include "hv/vm.h"

struct boot_info;
struct boot_uart;
struct boot_vm;

/* ---- Machine ---- */

/*
 * Runs in the firmware, before ExitBootServices: can this machine run Fermata at all? On false
 * `why` holds one sentence naming what is missing and what to do about it.
 */
bool arch_preflight(char *why, size_t n);

/* Names the UART this kind of machine usually has when no SPCR or device tree tells (kind NONE:
 * unknown). */
void arch_usual_uart(struct boot_uart *uart);

/* From the firmware's world into ours: page tables (W^X, guards, null unmapped), vectors,
 * interrupts off, timer found. */
void arch_init(struct pcpu *cpu, const struct boot_info *info);

/*
 * Leaves the firmware's stack for good: continues in hv_main_on_stack(cpu) (hv/main.h) on this
 * CPU's own stack, which has a guard page below it. After arch_init(). From then on nothing of the
 * firmware is in use: its stack and page tables (BOOT_MEMORY_RECLAIM) become free memory.
 */
NORETURN void arch_stack_switch(struct pcpu *cpu);

/* Prints the CPU line and one line per FP component: name, size, gated / eager / hidden. */
void arch_report(void);

/*
 * Boot proves the machine: checks what the design relies on, prints "selftest: ..." lines and one
 * "erratum: ..." line per deviation, selects fallbacks. False: this machine cannot hold the
 * guarantees; `why` says what and what to do.
 */
bool arch_selftest(struct pcpu *cpu, char *why, size_t n);

/* Ends the machine with the verdict: the emulator's exit device, else firmware or PSCI power off,
 * else halts saying so. */
NORETURN void arch_machine_end(bool pass);

/* Stops this CPU for good, interrupts off (end of a panic, other CPUs included). */
NORETURN void arch_stop(void);

/* Frames of the caller for a backtrace: fills return addresses, innermost first; never faults on a
 * broken chain. */
size_t arch_backtrace(u64 frame_pointer, u64 *addresses, size_t n);
u64 arch_frame_pointer(void);

/* A free-running counter for statistics and time slices (TSC, CNTPCT_EL0), its rate, and one for
 * cycle counts. */
u64 arch_ticks(void);
u64 arch_ticks_per_second(void);
u64 arch_cycles(void);

/* The next preemption of this CPU comes `ticks` from now. */
void arch_timer_set(struct pcpu *cpu, u64 ticks);

/* Device registers, for the console. `port` is an x86 I/O port (arm64: never called with one). */
u8 arch_port_read8(u16 port);
void arch_port_write8(u16 port, u8 value);

/* ---- VMs and vCPUs ---- */

/* Is `image` a kernel this architecture can start in `memory` bytes? Pure. On false `why` says what
 * is wrong with it. */
bool arch_image_check(const void *image, size_t bytes, u64 memory, char *why, size_t n);

/* Parses the config's fp list ("x87,sse,avx", "fpsimd,sve:256"; "" = all there is). Pure but for
 * what the CPU offers. */
bool arch_fp_config_parse(const char *list, struct arch_fp_config *config, char *why, size_t n);

/* Guest-physical base of a VM's RAM: vm->ram_gpa. */
u64 arch_vm_ram_base(void);

/*
 * vm->ram (cleared), ram_gpa, ram_bytes, nvcpus and vcpus[] (zeroed but for vm, pcpu, id, state
 * OFF) are set. Parses config->fp, makes the stage-2 tables, calls arch_vcpu_init() for every vCPU,
 * loads the image and what the boot protocol hands over, and sets the entry state of vCPU 0;
 * hv/vm.c then starts that one. False with one sentence in `why`; arch_vm_free() is then called (it
 * must cope with a VM that is half made, and is called again for none).
 */
bool arch_vm_init(struct vm *vm, char *why, size_t n);
void arch_vm_free(struct vm *vm);

/* Architectural reset state of one vCPU's non-FP registers, and fp_init() with what the VM offers.
 */
void arch_vcpu_init(struct vcpu *v);

/* Bytes of fp_quota that one vCPU's largest area and one growth of it cost. */
u64 arch_fp_quota(const struct vm *vm);

/* Non-FP registers that the world switch does not already move. `out` leaves the CPU, `in` arrives.
 */
void arch_vcpu_switch_out(struct vcpu *v);
void arch_vcpu_switch_in(struct vcpu *v);

/* Runs the guest, handling its exits, until the scheduler has something to do. Calls fp_enter()
 * before every entry. */
enum vcpu_event arch_vcpu_run(struct vcpu *v);

/* Where the guest was, for messages: RIP / PC. */
u64 arch_vcpu_pc(const struct vcpu *v);

/* True if the guest cannot take an interrupt where it is (RFLAGS.IF = 0, PSTATE.I = 1). */
bool arch_vcpu_interrupts_off(const struct vcpu *v);

/* ---- FP: called by hv/fp.c only ---- */

/* Units that must be live together with `units` if these are opened (arm64: SVE too while Z uppers
 * are not clean). */
fp_units arch_fp_closure(const struct fp_ctx *fp, fp_units units);

/* Bytes the area must have to hold `units` as the guest has them enabled now. */
size_t arch_fp_bytes(const struct fp_ctx *fp, fp_units units);

/* Writes the architectural reset values for this context into a fresh zeroed area. */
void arch_fp_reset(const struct fp_ctx *fp, struct fp_area *fresh);

/* Copies the state of fp->area into `bigger`, in the layout that fits there. */
void arch_fp_relayout(const struct fp_ctx *fp, struct fp_area *bigger);

/* Small control state, always eager (I9): XCR0, PKRU; arm64: what no gate covers. Writes only
 * values that change. */
void arch_fp_controls(struct vcpu *v);

/* The control state leaves with the vCPU: reads back what the guest may have changed without a
 * trap. */
void arch_fp_controls_out(struct vcpu *v);

/* Area to registers, for `units` that are not live yet. Returns bytes moved. No exit or interrupt
 * can come inside. */
size_t arch_fp_load(struct fp_ctx *fp, fp_units units);

/* Live units to the area; registers unchanged. Notes what it learns about cleanness. Returns bytes
 * moved. */
size_t arch_fp_save(struct fp_ctx *fp);

/* Every register that `units` of this context could have changed goes to INIT: nothing of anyone is
 * left. */
void arch_fp_scrub(const struct fp_ctx *fp, fp_units units);

/* Opens the gate for exactly `units`, closes it for all others (0: closed). */
void arch_fp_gate(struct vcpu *v, fp_units units);

/* True if a lazy context must be loaded at switch-in all the same (an erratum leaves its gate
 * incomplete for it). */
bool arch_fp_must_load(const struct fp_ctx *fp);

/* Debug builds: are the FP registers of this CPU in INIT (I4)? And is the cached control state the
 * real one (BUGS 7)? */
bool arch_fp_is_init(struct pcpu *cpu);
bool arch_fp_controls_current(const struct vcpu *v);

/* Debug builds: units whose gate is open for this vCPU as the hardware will see it. */
fp_units arch_fp_gate_state(const struct vcpu *v);

/* ---- FP: called by hv/fp_transfer.c; the records are described in hv/abi.h ---- */

/* Bytes that all records of this context take now. Its state is in memory: it is EMPTY or INACTIVE,
 * and arch_fp_controls_out() has been called. */
size_t arch_fp_export_bytes(const struct vcpu *v);

/* Writes them to `to`, 8-byte aligned. */
void arch_fp_export(const struct vcpu *v, void *to);

/*
 * Is this a state that the vCPU could have? Pure, complete, never trusts a size or an offset; `n`
 * bytes at `records`, 8-byte aligned. On true *area_bytes is what the area will have to hold (0:
 * none, the registers are in reset state). On false *why is one sentence for the console, *denied
 * tells "not permitted to this VM" from "malformed".
 */
bool arch_fp_import_check(const struct vcpu *v, const void *records, size_t n, size_t *area_bytes,
                          bool *denied, const char **why);

/*
 * Takes over what arch_fp_import_check() accepted: control state into v->fp.arch, registers into
 * `area` (fresh, zeroed, of at least *area_bytes; empty if that was 0), which becomes v's when this
 * returns. v is installed nowhere: arch_fp_controls() follows when it runs next.
 */
void arch_fp_import(struct vcpu *v, const void *records, size_t n, struct fp_area *area);

/* ---- Debugger: called by hv/gdb*.c; arch_gdb.h has the constants. v == NULL: the hypervisor
 * itself. ---- */

/* What a software breakpoint puts in place of an instruction: ARCH_GDB_BREAK_BYTES bytes. */
extern const u8 arch_gdb_break[];

/* The target description of v (GDB manual, appendix G) as XML, at most `room` bytes: how many. */
size_t arch_gdb_target(struct vcpu *v, char *to, size_t room);

/*
 * Register n of that description, as it is in the guest now, to `to`: how many bytes it has, 0 if
 * there is none of that number. *available is false for one that v does not have at this moment.
 * The first ARCH_GDB_CORE are the core registers, of at most ARCH_GDB_CORE_MAX bytes.
 */
size_t arch_gdb_get(struct vcpu *v, u32 n, void *to, size_t room, bool *available);

/* False, and nothing changed: no such register, not of that size, or a value that hardware refuses.
 */
bool arch_gdb_set(struct vcpu *v, u32 n, const void *from, size_t bytes);

/* Guest-physical address behind a guest's virtual one by its own page tables, whatever they permit.
 */
bool arch_gdb_translate(struct vcpu *v, u64 address, u64 *gpa);

/* Guest code at this host address was written: caches and translations must know. */
void arch_gdb_code_changed(void *at, size_t bytes);

/* May the debugger look at [address, address + bytes) of the hypervisor? */
bool arch_gdb_own_memory(u64 address, u64 bytes);

/* A hardware break- or watchpoint for all vCPUs of the VM. False: none is left, or not of that kind
 * or size. */
bool arch_gdb_point(struct vm *vm, enum gdb_point kind, u64 address, u64 bytes, bool insert);

/* From now on debug exceptions of the VM's vCPUs come to gdb_event() first. */
void arch_gdb_intercept(struct vm *vm);

/* The vCPU leaves after one instruction when it runs next, or no longer does. */
void arch_gdb_step(struct vcpu *v, bool on);

/* For `monitor`: lines with gdb_say(): the FP control state of v; registers gdb has no name for. */
void arch_gdb_fp(const struct vcpu *v);
void arch_gdb_registers(struct vcpu *v);

/* An architecture may define some of these inline, for the measured path. */
#if __has_include("arch_inline.h")
#include "arch_inline.h"
#endif

#endif
