/* The packets of the remote serial protocol (GDB manual, appendix E) that this stub answers. */
#include "hv/gdb_session.h"
#include "boot/boot_info.h"
#include "hv/console.h"
#include "arch/arch.h"
#include "arch_gdb.h"

#define ERROR_MALFORMED "E01"
#define ERROR_NONE      "E02" /* no such thread, register or memory */
#define ERROR_REFUSED   "E03"
#define REGISTER_MAX    KiB(64)
#define XML_MAX         KiB(32)

static struct gdb_out *const out = &gdb.out;

static void reply(const char *text)
{
    gdb_begin(out);
    gdb_text(out, text);
}

static void done(bool good, const char *otherwise)
{
    reply(good ? "OK" : otherwise);
}

/* "-1", "0" or a thread's number; 0 is any. With "p" in front it would be multiprocess: not
 * offered. */
static bool take_thread(struct gdb_text *text, u32 *thread)
{
    u64 number;

    if (gdb_next(text, "-1")) {
        *thread = GDB_ALL;
        return true;
    }
    if (!gdb_number(text, &number) || number > 0xffff)
        return false;
    *thread = (u32)number;
    return true;
}

static bool exists(u32 thread)
{
    return gdb_is_cpu(thread) || gdb_vcpu(thread);
}

/* ---- Registers ---- */

/* Appends register n, or the 'x' of an unavailable one. False: there is no such register. */
static bool append_register(u32 n)
{
    u8 *value = (u8 *)gdb.in.data; /* the packet has been read; the largest register fits */
    bool available = false;
    size_t bytes = arch_gdb_get(gdb_vcpu(gdb.thread), n, value, REGISTER_MAX, &available);

    if (available)
        gdb_hex(out, value, bytes);
    for (size_t i = 0; !available && i < 2 * bytes; i++)
        gdb_byte(out, 'x');
    return bytes != 0;
}

/* Only the core registers: gdb asks for the others one by one when it wants them. */
static void read_registers(void)
{
    gdb_begin(out);
    for (u32 n = 0; n < ARCH_GDB_CORE; n++)
        append_register(n);
}

static void write_registers(struct gdb_text text)
{
    struct vcpu *v = gdb_vcpu(gdb.thread);
    u8 value[ARCH_GDB_CORE_MAX];
    bool available, good = v != NULL;

    for (u32 n = 0; good && n < ARCH_GDB_CORE; n++) {
        size_t bytes = arch_gdb_get(v, n, value, sizeof(value), &available);
        good = gdb_bytes(&text, value, bytes) && arch_gdb_set(v, n, value, bytes);
    }
    done(good, ERROR_MALFORMED);
}

static void read_register(struct gdb_text text)
{
    u64 n;

    gdb_begin(out);
    if (!gdb_number(&text, &n) || !gdb_end(&text) || n > 0xffff || !append_register((u32)n))
        reply(ERROR_NONE);
}

/* The value is unescaped in place: two digits become one byte, and never overtake. */
static void write_register(struct gdb_text text)
{
    struct vcpu *v = gdb_vcpu(gdb.thread);
    u64 n;

    if (!gdb_number(&text, &n) || n > 0xffff || !gdb_next(&text, "=")) {
        reply(ERROR_MALFORMED);
        return;
    }
    size_t bytes = (size_t)(text.end - text.at) / 2;
    u8 *value = (u8 *)gdb.in.data;
    if (!gdb_bytes(&text, value, bytes) || !gdb_end(&text))
        reply(ERROR_MALFORMED);
    else
        done(v && arch_gdb_set(v, (u32)n, value, bytes), ERROR_REFUSED);
}

/* ---- Memory ---- */

static void read_memory(struct gdb_text text)
{
    u64 address, n;

    if (!gdb_number(&text, &address) || !gdb_next(&text, ",") || !gdb_number(&text, &n) ||
        !gdb_end(&text) || n > GDB_PACKET_MAX / 2 - 16) {
        reply(ERROR_MALFORMED);
    } else if (!gdb_read(gdb.thread, address, gdb.in.data, n)) {
        reply(ERROR_NONE);
    } else {
        gdb_begin(out);
        gdb_hex(out, gdb.in.data, n);
    }
}

/* M is in hexadecimal, X in bytes. */
static void write_memory(struct gdb_text text, bool binary)
{
    u64 address, n;

    if (!gdb_number(&text, &address) || !gdb_next(&text, ",") || !gdb_number(&text, &n) ||
        !gdb_next(&text, ":") || n > gdb.in.room) {
        reply(ERROR_MALFORMED);
        return;
    }
    const u8 *bytes = text.at;
    bool good = binary ? n == (u64)(text.end - text.at)
                       : gdb_bytes(&text, gdb.in.data, n) && gdb_end(&text);
    if (!good)
        reply(ERROR_MALFORMED);
    else
        done(gdb_write(gdb.thread, address, binary ? bytes : gdb.in.data, n), ERROR_NONE);
}

/* Z0,address,kind to Z4. What follows (conditions) is not offered. */
static void point(struct gdb_text text, bool insert)
{
    u64 kind, address, bytes;

    if (!gdb_number(&text, &kind) || !gdb_next(&text, ",") || !gdb_number(&text, &address) ||
        !gdb_next(&text, ",") || !gdb_number(&text, &bytes) || !gdb_end(&text)) {
        reply(ERROR_MALFORMED);
        return;
    }
    if (kind > GDB_POINT_ACCESS) {
        reply("");
        return;
    }
    done((insert ? gdb_insert : gdb_remove)(gdb.thread, (enum gdb_point)kind, address, bytes),
         ERROR_REFUSED);
}

/* ---- Threads ---- */

static void select_thread(struct gdb_text text)
{
    bool go = gdb_next(&text, "c");
    u32 thread;

    if ((!go && !gdb_next(&text, "g")) || !take_thread(&text, &thread) || !gdb_end(&text)) {
        reply(ERROR_MALFORMED);
        return;
    }
    if (thread == 0)
        thread = gdb.stopped;
    if (!go && thread == GDB_ALL)
        thread = gdb.stopped;
    if (thread != GDB_ALL && !exists(thread)) {
        reply(ERROR_NONE);
        return;
    }
    *(go ? &gdb.continues : &gdb.thread) = thread;
    reply("OK");
}

static void list_threads(void)
{
    const char *separator = "m";

    gdb_begin(out);
    for (u32 thread = gdb_next_thread(0); thread; thread = gdb_next_thread(thread)) {
        gdb_printf(out, "%s%x", separator, thread);
        separator = ",";
    }
}

static void thread_text(struct gdb_text text)
{
    static const char *const states[] = {"off", "runnable", "halted", "stopped"};
    char line[BOOT_TEXT];
    u32 thread;

    if (!take_thread(&text, &thread) || !exists(thread)) {
        reply(ERROR_NONE);
        return;
    }
    const struct vcpu *v = gdb_vcpu(thread);
    if (v)
        format_text(line, sizeof(line), "%s.%u %s%s", vm_name(v->vm), v->id, states[v->state],
                    v->pcpu->fp_owner == v ? ", owns the FP registers" : "");
    else
        format_text(line, sizeof(line), "hypervisor on CPU %u", thread - GDB_CPU_THREAD);
    gdb_begin(out);
    gdb_hex(out, line, strlen(line));
}

/* ---- Going on ---- */

/* Everybody is held until said otherwise. */
static void hold_all(void)
{
    for (u32 thread = gdb_next_thread(0); thread; thread = gdb_next_thread(thread)) {
        struct vcpu *v = gdb_vcpu(thread);
        if (v)
            v->gdb.held = true;
    }
}

/* `monitor pause` outlasts any resumption. */
static void let_go(struct vcpu *v, bool step)
{
    if (!v || !v->gdb.held || v->gdb.paused)
        return;
    v->gdb.held = false;
    v->gdb.step = step;
}

/* One action of vCont for a thread, or for all that no action before named. */
static void act(u32 thread, bool step)
{
    if (thread != GDB_ALL) {
        let_go(gdb_vcpu(thread), step);
        return;
    }
    for (u32 each = gdb_next_thread(0); each; each = gdb_next_thread(each))
        let_go(gdb_vcpu(each), step);
}

static bool anybody_goes(void)
{
    for (u32 thread = gdb_next_thread(0); thread; thread = gdb_next_thread(thread)) {
        const struct vcpu *v = gdb_vcpu(thread);
        if (v && !v->gdb.held && v->state == VCPU_RUNNABLE)
            return true;
    }
    return false;
}

/* ;action[:thread]... A thread that is not there is no error: it may just have ended. */
static enum gdb_verdict resume(struct gdb_text text)
{
    hold_all();
    while (gdb_next(&text, ";")) {
        bool step = gdb_next(&text, "s");
        u32 thread = GDB_ALL;
        u64 signal;

        if (!step && !gdb_next(&text, "c")) {
            step = gdb_next(&text, "S"); /* with a signal, which guests have not */
            if ((!step && !gdb_next(&text, "C")) || !gdb_number(&text, &signal))
                break;
        }
        if (gdb_next(&text, ":") && !take_thread(&text, &thread))
            break;
        act(thread, step);
    }
    if (!gdb_end(&text)) {
        reply(ERROR_MALFORMED);
        return GDB_STAY;
    }
    if (!anybody_goes()) {
        reply(ERROR_REFUSED);
        return GDB_STAY;
    }
    return GDB_GO;
}

/* c and s, without an address: for the thread of Hc. */
static enum gdb_verdict resume_old(struct gdb_text text, bool step)
{
    if (!gdb_end(&text)) {
        reply(ERROR_MALFORMED);
        return GDB_STAY;
    }
    hold_all();
    u32 thread = gdb.continues ? gdb.continues : GDB_ALL;
    if (step) {
        act(thread == GDB_ALL ? gdb.stopped : thread, true);
        if (thread == GDB_ALL)
            act(GDB_ALL, false);
    } else {
        act(thread, false);
    }
    if (anybody_goes())
        return GDB_GO;
    reply(ERROR_REFUSED);
    return GDB_STAY;
}

/* ---- Queries ---- */

/* A part of a text, as qXfer asks for it: "l" and the rest, or "m" and as much as asked for. */
static void transfer(struct gdb_text text, const char *whole, size_t bytes)
{
    u64 from, n;

    if (!gdb_number(&text, &from) || !gdb_next(&text, ",") || !gdb_number(&text, &n) ||
        !gdb_end(&text) || from > bytes) {
        reply(ERROR_MALFORMED);
        return;
    }
    u64 rest = bytes - from;
    gdb_begin(out);
    gdb_byte(out, n < rest ? 'm' : 'l');
    for (u64 i = 0; i < (n < rest ? n : rest); i++)
        gdb_byte(out, (u8)whole[from + i]);
}

static void description(struct gdb_text text)
{
    char *xml = gdb.records; /* free between commands */
    size_t bytes;

    if (!gdb_next(&text, "target.xml:")) {
        reply("E00");
        return;
    }
    bytes = arch_gdb_target(gdb_vcpu(gdb.thread), xml, XML_MAX);
    CHECK(bytes <= XML_MAX);
    transfer(text, xml, bytes);
}

static void monitor(struct gdb_text text)
{
    char command[BOOT_TEXT];
    size_t n = (size_t)(text.end - text.at) / 2;

    if (n >= sizeof(command) || !gdb_bytes(&text, command, n) || !gdb_end(&text)) {
        reply(ERROR_MALFORMED);
        return;
    }
    command[n] = 0;
    gdb_monitor(command);
}

static void supported(void)
{
    gdb_begin(out);
    gdb_printf(out,
               "PacketSize=%x;qXfer:features:read+;vContSupported+;QStartNoAckMode+;"
               "swbreak+;hwbreak+",
               (u32)GDB_PACKET_MAX - 16);
}

static void query(struct gdb_text text)
{
    if (gdb_next(&text, "Supported")) {
        supported();
    } else if (gdb_next(&text, "Xfer:features:read:")) {
        description(text);
    } else if (gdb_next(&text, "fThreadInfo")) {
        list_threads();
    } else if (gdb_next(&text, "sThreadInfo")) {
        reply("l");
    } else if (gdb_next(&text, "ThreadExtraInfo,")) {
        thread_text(text);
    } else if (gdb_next(&text, "Rcmd,")) {
        monitor(text);
    } else if (gdb_next(&text, "Attached")) {
        reply("1");
    } else if (gdb_next(&text, "C") && gdb_end(&text)) {
        gdb_begin(out);
        gdb_printf(out, "QC%x", gdb.thread);
    } else {
        reply("");
    }
}

static void alive(struct gdb_text text)
{
    u32 thread;

    done(take_thread(&text, &thread) && gdb_end(&text) && exists(thread), ERROR_NONE);
}

static enum gdb_verdict extended(struct gdb_text text)
{
    if (gdb_next(&text, "Cont?")) {
        reply("vCont;c;C;s;S");
        return GDB_STAY;
    }
    if (gdb_next(&text, "Cont"))
        return resume(text);
    reply(""); /* vMustReplyEmpty among them */
    return GDB_STAY;
}

enum gdb_verdict gdb_command(void)
{
    struct gdb_text text = {gdb.in.data, gdb.in.data + gdb.in.n};
    u8 letter = gdb.in.n ? *text.at++ : 0;

    gdb_begin(out);
    switch (letter) {
    case '?':
        gdb_report_stop(out);
        return GDB_STAY;
    case 'g':
        read_registers();
        return GDB_STAY;
    case 'G':
        write_registers(text);
        return GDB_STAY;
    case 'p':
        read_register(text);
        return GDB_STAY;
    case 'P':
        write_register(text);
        return GDB_STAY;
    case 'm':
        read_memory(text);
        return GDB_STAY;
    case 'M':
    case 'X':
        write_memory(text, letter == 'X');
        return GDB_STAY;
    case 'Z':
    case 'z':
        point(text, letter == 'Z');
        return GDB_STAY;
    case 'H':
        select_thread(text);
        return GDB_STAY;
    case 'T':
        alive(text);
        return GDB_STAY;
    case 'q':
        query(text);
        return GDB_STAY;
    case 'Q':
        gdb.no_ack |= gdb_next(&text, "StartNoAckMode");
        reply(gdb.no_ack ? "OK" : "");
        return GDB_STAY;
    case 'v':
        return extended(text);
    case 'c':
    case 's':
        return resume_old(text, letter == 's');
    case 'D':
        reply("OK");
        return GDB_DETACHED;
    case 'k': /* no reply; the machine goes on without a debugger, and is not killed by accident */
        return GDB_DETACHED;
    default:
        return GDB_STAY; /* empty: not supported */
    }
}
