/* What the files of the gdb stub share. */
#ifndef FERMATA_GDB_SESSION_H
#define FERMATA_GDB_SESSION_H

#include "hv/gdb.h"
#include "hv/gdb_packet.h"

#define GDB_POINTS      64u
#define GDB_PACKET_MAX  KiB(144) /* the largest register there is, 64 KiB of ZA, in hexadecimal */
#define GDB_RECORDS_MAX KiB(128)
#define GDB_CPU_THREAD  0x1000u
#define GDB_ALL         (~0u) /* thread -1 */

/* An inserted break- or watchpoint. Software: `kept` is what the guest had there. */
struct gdb_inserted {
    const struct vm *vm; /* NULL: this entry is free */
    enum gdb_point kind;
    u64 address, bytes, gpa;
    u8 kept[4];
};

struct gdb_session {
    struct gdb_in in;
    struct gdb_out out;
    void *records; /* of fp_export(), GDB_RECORDS_MAX bytes, 8-byte aligned */
    bool seen;     /* a debugger has been here */
    bool no_ack;   /* QStartNoAckMode */
    bool physical; /* `monitor memory physical` */
    bool wait;     /* for a debugger, before the first guest runs */
    u32 thread;    /* Hg: whose registers and memory are meant */
    u32 continues; /* Hc: whom c and s mean */
    u32 stopped;   /* who is reported as the cause */
    enum gdb_stop why;
    u64 address; /* GDB_STOP_WATCH */
    struct gdb_inserted points[GDB_POINTS];
};

extern struct gdb_session gdb;

/* ---- gdb.c ---- */

/* The vCPU of a thread number, or NULL (a CPU's, or none). */
struct vcpu *gdb_vcpu(u32 thread);
u32 gdb_thread(const struct vcpu *v);
bool gdb_is_cpu(u32 thread);

/* The next thread after `thread` (0: the first), or 0. */
u32 gdb_next_thread(u32 thread);

/* "$T05thread:...;" of what gdb.stopped and gdb.why say. */
void gdb_report_stop(struct gdb_out *out);

/* ---- gdb_commands.c ---- */

enum gdb_verdict { GDB_STAY, GDB_GO, GDB_DETACHED };

/* Answers the packet in gdb.in into gdb.out. GDB_GO: vCPUs are marked held or not, and there is no
 * reply yet. */
enum gdb_verdict gdb_command(void);

/* ---- gdb_target.c ---- */

/* A target description that grows. What does not fit into `room` bytes is cut off. */
struct gdb_xml {
    char *at;
    size_t room, n;
};

void gdb_xml_add(struct gdb_xml *text, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* v's FP state into gdb.records, zeros behind it, and back. False: refused. */
bool gdb_take_records(struct vcpu *v, size_t *bytes);
bool gdb_give_records(struct vcpu *v, size_t bytes);

/* ---- gdb_memory.c ---- */

/* Bytes of what `thread` calls `address`; false: some of it is not there, nothing was written. */
bool gdb_read(u32 thread, u64 address, void *to, size_t n);
bool gdb_write(u32 thread, u64 address, const void *from, size_t n);

bool gdb_insert(u32 thread, enum gdb_point kind, u64 address, u64 bytes);
bool gdb_remove(u32 thread, enum gdb_point kind, u64 address, u64 bytes);
void gdb_remove_all(const struct vm *vm); /* NULL: of all VMs */

/* Is there a point of this kind at `address` in v's VM? */
bool gdb_has_point(const struct vcpu *v, enum gdb_point kind, u64 address);

/* ---- gdb_monitor.c ---- */

/* One `monitor` command; its text goes out in O packets. */
void gdb_monitor(const char *command);

/* A reply that is no end of a command: text for gdb's console. */
void gdb_say(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* ---- gdb_port.c: the UART ---- */

void gdb_port_init(const struct boot_uart *uart);
bool gdb_port_ready(void);
u8 gdb_port_get(void); /* after gdb_port_ready() */
void gdb_port_put(u8 byte);

#endif
