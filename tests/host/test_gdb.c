/*
 * The gdb stub on the fake machine: packets as gdb sends them, and as a broken line or an enemy
 * does. What is malformed gets an error and changes nothing; no byte outside a buffer or a guest's
 * RAM is touched (ASan).
 *
 * links: hv/gdb.c hv/gdb_commands.c hv/gdb_memory.c hv/gdb_monitor.c hv/gdb_packet.c hv/vm_ram.c
 * hv/format.c links: hv/fp.c hv/fp_area.c tests/host/fake/fake.c tests/host/fake/guest.c
 * tests/host/fake/gdb.c links: tests/host/fake/world.c tests/host/fake/fake_pages.c
 * tests/host/fake/support.c
 */
#include "fake/fake_gdb.h"
#include "fake/world.h"
#include "boot/boot_info.h"
#include "hv/console.h"
#include "hv/core.h"
#include "hv/gdb_session.h"
#include "hv/pages.h"
#include "hv/report.h"
#include "hv/sched.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define GPA  0x10000u
#define RAM  0x8000u
#define VIRT FAKE_GDB_VIRTUAL

struct vm *vms[BOOT_MAX_VMS];
u32 nvms;

static u8 ram[2][RAM];
static struct boot_vm configs[2];
static struct vcpu *v[3]; /* threads 1, 2 (VM 0) and 17 (VM 1) */

/* The line: what gdb sends, and what came back. */
static u8 line[1 << 20];
static u32 line_n, line_at;
static char back[1 << 20];
static u32 back_n;
static u32 queued;
static jmp_buf dry; /* the stub wants more than gdb sends: it would wait for ever */
static bool powered_off;
static const struct vm *cored; /* whose core file was asked for */

#include "fake/gdb_world.h"

static void send_byte(u8 byte)
{
    assert_true(line_n < sizeof(line));
    line[line_n++] = byte;
}

static void send_packet(const char *data, size_t n)
{
    struct gdb_out out = {.data = (u8 *)(uintptr_t)data, .room = (u32)n, .n = (u32)n};

    gdb_send(&out, send_byte);
}

/* The stub reads what was sent, until that is used up or somebody goes on. True: goes on. */
static bool run(void)
{
    if (setjmp(dry) == 0) {
        gdb_poll(&pcpus[0]);
        return true;
    }
    return false;
}

static void clear(void)
{
    line_n = line_at = back_n = 0;
    back[0] = 0;
}

/* Sent before every packet of ask(), while that is set: each ask() is a connection of its own. */
static const char *before;

/* The payload of the last reply to one packet, without the acknowledgement. */
static const char *ask(const char *packet)
{
    static char reply[1 << 16];

    clear();
    if (before)
        send_packet(before, strlen(before));
    send_packet(packet, strlen(packet));
    run();
    char *at = strrchr(back, '$');
    assert_non_null(at);
    char *end = strchr(at, '#');
    assert_non_null(end);
    snprintf(reply, sizeof(reply), "%.*s", (int)(end - at - 1), at + 1);
    return reply;
}

static void answers(const char *packet, const char *wanted)
{
    const char *got = ask(packet);

    if (strcmp(got, wanted) != 0)
        fail_msg("%s: answered %s, not %s", packet, got, wanted);
}

static int setup(void **state)
{
    (void)state;
    world_reset(false);
    memset(&fake_gdb, 0, sizeof(fake_gdb));
    memset(&gdb, 0, sizeof(gdb));
    memset(ram, 0x5a, sizeof(ram));
    nvms = 2;
    for (u32 i = 0; i < 3; i++)
        v[i] = world_create(i, i / 2, 0, FAKE_UNITS, FP_LAZY);
    for (u32 i = 0; i < 2; i++) {
        vms[i] = &world.vms[i];
        snprintf(configs[i].name, sizeof(configs[i].name), i ? "beta" : "alpha");
        vms[i]->config = &configs[i];
        vms[i]->state = VM_RUNNING;
        vms[i]->nvcpus = 2 - i;
        vms[i]->ram = ram[i];
        vms[i]->ram_gpa = GPA;
        vms[i]->ram_bytes = RAM;
    }
    for (u32 i = 0; i < 3; i++) {
        v[i]->id = i % 2;
        v[i]->vm->vcpus[i % 2] = v[i];
        v[i]->arch.pc = 0x1000 * (i + 1);
    }
    assert_true(gdb_init(&(struct boot_uart){.base = 0x2f8}, false));
    assert_true(world_run(v[0]));
    queued = 0;
    before = NULL;
    powered_off = false;
    clear();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pages_free(gdb.in.data, GDB_PACKET_MAX / PAGE_SIZE, PAGES_HYPERVISOR);
    pages_free(gdb.out.data, GDB_PACKET_MAX / PAGE_SIZE, PAGES_HYPERVISOR);
    pages_free(gdb.records, GDB_RECORDS_MAX / PAGE_SIZE, PAGES_HYPERVISOR);
    for (u32 i = 0; i < 3; i++)
        v[i]->id = i;
    world_end();
    return 0;
}

/* What gdb says first, and what it learns. */
static void connecting(void **state)
{
    (void)state;
    assert_non_null(strstr(ask("qSupported:multiprocess+;swbreak+"), "qXfer:features:read+"));
    assert_int_equal(back[0], '+');
    answers("vMustReplyEmpty", "");
    answers("Hg0", "OK");
    answers("?", "T02thread:1;");
    answers("qC", "QC1");
    answers("qfThreadInfo", "m1,2,11,1000,1001,1002");
    answers("qsThreadInfo", "l");
    answers("qThreadExtraInfo,11", "626574612e302072756e6e61626c65"); /* beta.0 runnable */
    answers("T2", "OK");
    answers("T3", "E02");
    answers("qXfer:features:read:target.xml:0,100", "l<target>guest</target>");
    answers("qXfer:features:read:target.xml:2,4", "marge");
    answers("qXfer:features:read:target.xml:ffff,4", "E01");
    answers("qXfer:features:read:other.xml:0,100", "E00");
    answers("QStartNoAckMode", "OK");
    ask("?");
    assert_int_equal(back[0], '$');
}

static void registers(void **state)
{
    (void)state;
    for (u32 n = 1; n < FAKE_GDB_REGISTERS; n++)
        fake_gdb.words[1][n] = fake_gdb.words[17][n] = 0x1122334455667700 + n;
    answers("g", "0010000000000000"
                 "0177665544332211"
                 "0277665544332211"
                 "0377665544332211");
    answers("p5", "0577665544332211");
    answers("p63", "E02");
    answers("p", "E02");
    answers("P5=0102030405060708", "OK");
    assert_int_equal(fake_gdb.words[1][5], 0x0807060504030201);
    answers("P5=01020304", "E03");
    answers("P5=010203040506070", "E01");
    answers("P5=01020304050607zz", "E01");
    answers("P5", "E01");
    assert_int_equal(fake_gdb.words[1][5], 0x0807060504030201);
    before = "Hg11";
    answers("p5", "0577665544332211");
    before = "Hg1000"; /* the hypervisor: nothing available here, nothing to be set */
    answers("p5", "xxxxxxxxxxxxxxxx");
    answers("P5=0102030405060708", "E03");
    before = NULL;
    answers("Hg7", "E02");
}

static void memory(void **state)
{
    char text[64];

    (void)state;
    for (u32 i = 0; i < 16; i++)
        ram[0][PAGE_SIZE - 8 + i] = (u8)i;
    snprintf(text, sizeof(text), "m%llx,10", (unsigned long long)(VIRT | (GPA + PAGE_SIZE - 8)));
    answers(text, "000102030405060708090a0b0c0d0e0f"); /* across a page */
    answers("m10000,4", "E02");                        /* no translation */
    answers("qRcmd,6d656d6f727920706879736963616c", "OK");
    answers("m10000,4", "5a5a5a5a");
    answers("M10004,2:c0de", "OK");
    answers("m10000,8", "5a5a5a5ac0de5a5a");
    answers("M17ffe,4:00000000", "E02"); /* beyond RAM: all or nothing */
    assert_int_equal(ram[0][RAM - 2], 0x5a);
    answers("mffffffffffffffff,2", "E02");
    answers("m10000,ffffffffffffffff", "E01");
    answers("m10000,12345678901234567", "E01");
    answers("M10000,4:0102", "E01");
    answers("M10000,2:0102zz", "E01");
    answers("m10000", "E01");
    before = "Hg1000";
    fake_gdb.own[3] = 0x77;
    snprintf(text, sizeof(text), "m%llx,2", (unsigned long long)(uintptr_t)&fake_gdb.own[3]);
    answers(text, "7700");
    text[0] = 'M';
    strcat(text, ":0102");
    answers(text, "E02"); /* looked at, not changed */
    answers("m0,8", "E02");
}

/* A breakpoint is in memory, is not shown, and goes away. */
static void breakpoints(void **state)
{
    char z[64], m[64];
    u64 at = VIRT | (GPA + 0x100);

    (void)state;
    snprintf(z, sizeof(z), "Z0,%llx,1", (unsigned long long)at);
    snprintf(m, sizeof(m), "m%llx,4", (unsigned long long)at - 1);
    answers(z, "OK");
    answers(z, "OK");
    assert_int_equal(ram[0][0x100], 0xb0);
    assert_int_equal(ram[1][0x100], 0x5a);
    answers(m, "5a5a5a5a");
    assert_true(gdb_has_point(v[1], GDB_POINT_SOFTWARE, at));
    assert_false(gdb_has_point(v[2], GDB_POINT_SOFTWARE, at));
    z[0] = 'z';
    answers(z, "OK");
    answers(z, "OK");
    assert_int_equal(ram[0][0x100], 0x5a);
    for (u32 i = 0; i < 6; i++) {
        snprintf(z, sizeof(z), "Z2,%llx,8", (unsigned long long)at + i * 8);
        answers(z, i < 4 ? "OK" : "E03");
    }
    answers("Z1,10000,1000", "E03");
    answers("Z9,10000,1", "");
    answers("Z0,10000", "E01");
    answers("Z0,0,1", "E03"); /* nothing there */
    z[0] = 'Z';
    snprintf(z, sizeof(z), "Z0,%llx,1", (unsigned long long)at);
    answers(z, "OK");
    answers("D", "OK"); /* leaving takes all of it out */
    assert_int_equal(ram[0][0x100], 0x5a);
    assert_int_equal(fake_gdb.hardware, 0);
}

/* Who goes on, who steps, who is held. */
static void resuming(void **state)
{
    (void)state;
    answers("vCont?", "vCont;c;C;s;S");
    clear();
    send_packet("vCont;s:2;c", 11);
    assert_true(run());
    assert_false(fake_gdb.step[1]);
    assert_true(fake_gdb.step[2]);
    assert_false(gdb_park(v[0]));
    clear();
    send_byte(3);
    send_packet("vCont;s:2", 9);
    assert_true(run());
    assert_non_null(strstr(back, "T02thread:1;"));
    assert_true(gdb_park(v[0])); /* held: leaves the queue */
    assert_false(gdb_park(v[1]));
    clear();
    send_packet("vCont;c", 7);
    assert_true(run());
    assert_int_equal(queued, 1); /* and comes back */
    assert_false(fake_gdb.step[2]);
    answers("vCont;c:3", "E03"); /* nobody of that name: nobody would run */
    answers("vCont;x", "E01");
    answers("vCont;c:zz", "E01");

    /* The one that runs ends; the others are held: gdb is asked. */
    clear();
    send_packet("vCont;c:11", 10);
    assert_true(run());
    assert_true(gdb_park(v[0]));
    v[2]->vm->state = VM_PASSED;
    clear();
    send_packet("vCont;c", 7);
    if (setjmp(dry) == 0)
        assert_true(gdb_waits(&pcpus[0]));
    assert_int_equal(queued, 2);
    assert_false(gdb_waits(&pcpus[0]));
}

static void events(void **state)
{
    (void)state;
    assert_false(gdb_event(v[0], GDB_STOP_BREAK, 0)); /* no debugger has been here */
    ask("?");
    clear();
    send_packet("vCont;c", 7);
    assert_true(run());
    clear();
    send_packet("c", 1);
    if (setjmp(dry) == 0)
        assert_true(gdb_event(v[0], GDB_STOP_WATCH, 0xabc0));
    assert_string_equal(back, "$T05watch:abc0;thread:1;#b9+");
    clear();
    send_packet("D", 1);
    if (setjmp(dry) == 0)
        gdb_crash(v[1]);
    assert_non_null(strstr(back, "T0bthread:2;"));
    assert_false(gdb_event(v[0], GDB_STOP_BREAK, 0)); /* it has left */
}

static void monitor(void **state)
{
    (void)state;
    assert_string_equal(ask("qRcmd,766d73"), "OK");
    assert_non_null(strstr(back, "$O616c706861")); /* alpha */
    answers("qRcmd,7661", "OK");                   /* unknown: help */
    answers("qRcmd,636f726520616c706861", "OK");   /* core alpha */
    assert_ptr_equal(cored, vms[0]);
    answers("qRcmd,7", "E01");
    answers("qRcmd,zz", "E01");
    answers("qRcmd,7061757365206265746100", "OK");
    answers("qRcmd,70617573652062657461", "OK"); /* pause beta */
    answers("vCont;c:11", "E03");
    answers("qRcmd,726573756d65", "OK"); /* resume */
    clear();
    send_packet("vCont;c:11", 10);
    assert_true(run());
    ask("?");
    clear();
    send_packet("qRcmd,706f776572206f6666", 24); /* power off */
    run();
    assert_true(powered_off);
}

/* A line that loses, changes and repeats bytes. */
static void broken_line(void **state)
{
    (void)state;
    ask("?");
    clear();
    memcpy(line, "$g#00", 5);
    line_n = 5;
    run();
    assert_string_equal(back, "-");
    clear();
    memcpy(line, "$g#6x$qC#b4", 11); /* no checksum; then a good one */
    line_n = 11;
    run();
    assert_string_equal(back, "-+$QC1#c5");
    clear();
    memcpy(line, "$qC#b4-", 7); /* say it again */
    line_n = 7;
    run();
    assert_string_equal(back, "+$QC1#c5$QC1#c5");
    clear();
    memcpy(line, "$qfThr$qC#b4", 12); /* the end was lost */
    line_n = 12;
    run();
    assert_string_equal(back, "+$QC1#c5");
    clear();
    send_byte('$');
    for (u32 i = 0; i < GDB_PACKET_MAX + 100; i++)
        send_byte('a');
    memcpy(line + line_n, "#00$?#3f", 8);
    line_n += 8;
    run();
    assert_string_equal(back, "-+$T02thread:1;#d4");
}

/* What packets are made of. */
static const char *const words[] = {"m",
                                    "M",
                                    "X",
                                    "g",
                                    "G",
                                    "p",
                                    "P",
                                    "Z0,",
                                    "z0,",
                                    "Z1,",
                                    "Z2,",
                                    "z2,",
                                    "Hg",
                                    "Hc",
                                    "T",
                                    "q",
                                    "?",
                                    "vCont;c",
                                    "vCont;s:",
                                    "c",
                                    "s",
                                    "qXfer:features:read:target.xml:",
                                    "qRcmd,",
                                    "D",
                                    "k",
                                    "8000000000010100",
                                    "10000",
                                    "ffffffffffffffff",
                                    ",",
                                    ":",
                                    ";",
                                    "=",
                                    "1",
                                    "-1",
                                    "0",
                                    "7f",
                                    "zz",
                                    "qThreadExtraInfo,",
                                    "qfThreadInfo",
                                    "QStartNoAckMode",
                                    "\x03",
                                    "}"};

/* Nothing a line can carry does harm. What resumes is stopped again. */
static void fuzz(void **state)
{
    char packet[256];

    (void)state;
    fake_srand(fake_seed());
    print_message("# SEED=%llu\n", (unsigned long long)fake_seed());
    for (u32 i = 0; i < 40000; i++) {
        size_t n = 0;
        for (u32 k = fake_below(7); k > 0; k--) {
            if (fake_below(8))
                n += (size_t)snprintf(packet + n, 32, "%s", words[fake_below(ARRAY_SIZE(words))]);
            else
                packet[n++] = (char)fake_rand();
        }
        clear();
        send_packet(packet, n);
        for (u32 k = fake_below(4) ? 0 : fake_below(3); k > 0; k--)
            line[fake_below(line_n)] = (u8)fake_rand();
        run();
    }
    for (u32 i = 0; i < 3; i++)
        assert_true(v[i]->state == VCPU_RUNNABLE);
    assert_memory_equal(&fake_gdb.own, &(u8[64]){0}, 64);
    ask("D");
    world_check();
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(connecting), TEST(registers), TEST(memory),      TEST(breakpoints), TEST(resuming),
        TEST(events),     TEST(monitor),   TEST(broken_line), TEST(fuzz),
    };

    return cmocka_run_group_tests_name("gdb", tests, NULL, NULL);
}
