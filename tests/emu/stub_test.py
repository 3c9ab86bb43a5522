"""Fermata's own gdb stub, driven by a real gdb: prints TAP results, without a plan (tests/one adds more).

Run as `gdb-multiarch -batch -ex 'python ...' -x stub_test.py` with: STUB_TARGET, STUB_GUEST (its ELF), STUB_OFFSET,
STUB_ARCH in the environment. The guest runs scenario `debugged` (guest/*/debugged.c), which waits for the value.
"""
import os

import gdb
from gdb_tap import check, end, run, says

VALUE = 0x0123456789abcdef
X86 = os.environ["STUB_ARCH"] == "x86_64"


def value(expression):
    return int(gdb.parse_and_eval(expression).cast(gdb.lookup_type("unsigned long")))


def vectors():
    """Sets the registers the guest waits for, and reads them back."""
    if X86:
        run("set $xmm3.v2_int64[0] = %d" % VALUE)
        check(value("$xmm3.v2_int64[0]") == VALUE, "$xmm3 is read back as it was set")
        run("set $ymm3.v4_int64[2] = %d" % VALUE)
        check(value("$ymm3.v4_int64[2]") == VALUE, "$ymm3 too")
        says("p/x $mxcsr", r"0x[0-9a-f]*[1-9a-f]", "$mxcsr has a value")
        return
    run("set $z7.d.u[1] = %d" % VALUE)
    run("set $z7.d[1] = %d" % VALUE)
    check(hex(VALUE) in run("p/x $z7.d") , "$z7 is read back as it was set", run("p/x $z7.d"))
    for byte in range(8):
        run("set $za[2][%d] = %d" % (byte, VALUE >> 8 * byte & 0xff))
    check(value("$za[2][7]") == VALUE >> 56, "$za too", run("p/x $za[2][7]"))


def stepping():
    before = value("$pc")
    run("stepi")
    after = value("$pc")
    check(after != before and gdb.selected_thread().num == 1, "stepi goes on by one instruction, in the same thread",
          "0x%x to 0x%x" % (before, after))
    for _ in range(3): # out of yield(), if that is where the step went
        if gdb.selected_frame().name() != "scenario_debugged":
            run("finish")
    check(gdb.selected_frame().name() == "scenario_debugged", "finish comes out of it", run("bt"))


def refused():
    says("x/4xb 0x7fffffffff000", r"error: Cannot access memory", "memory that is not there cannot be read")
    says("set $%s = 1" % ("cs" if X86 else "vg"), r"error|^$", "a register that must not change is refused or unchanged")
    says("monitor what", r"^monitor vms", "an unknown monitor command shows those there are")


def main():
    for setting in ("confirm off", "pagination off", "tcp connect-timeout 60", "remotetimeout 60", "debuginfod enabled off"):
        run("set " + setting)
    run("add-symbol-file %s -o %s" % (os.environ["STUB_GUEST"], os.environ["STUB_OFFSET"]))
    said = run("target remote " + os.environ["STUB_TARGET"])
    check("error" not in said, "gdb connects", said)
    threads = says("info threads", r"alpha\.0 runnable", "a thread for each vCPU, by its name")
    check("beta.0" in threads and "hypervisor on CPU 0" in threads, "of every VM, and one for the CPU", threads)
    says("monitor vms", r"^alpha: running, \d+ MiB", "monitor vms")
    says("monitor vcpus", r"^thread 1: alpha\.0 runnable at 0x", "monitor vcpus")
    says("monitor fp", r"^alpha\.0: EMPTY", "monitor fp: nothing used yet")
    run("tbreak debugged_loop")
    run("thread 1")
    run("continue")
    check(gdb.selected_frame().name() == "debugged_loop", "a software breakpoint is hit", run("bt"))
    says("bt 3", r"scenario_debugged", "and its backtrace is the guest's")
    says("monitor counters", r"^alpha\.0: exits [1-9]", "monitor counters")
    vectors()
    says("monitor fp", r"^alpha\.0: \w+.*area [1-9]", "monitor fp: it has an area")
    refused()
    stepping()
    run("hbreak debugged_loop")
    run("delete")
    run("hbreak debugged_word") # never reached: it is data
    run("delete")
    run("watch debugged_word")
    run("continue")
    says("p debugged_word", r"= 1$", "a watchpoint stops behind the write")
    run("delete")
    run("set var debugged_word = %d" % VALUE)
    check(value("debugged_word") == VALUE, "memory is written")
    run("thread 3")
    check(gdb.selected_thread().num == 3, "another VM's vCPU can be looked at", run("info threads"))
    says("info registers %s" % ("rip" if X86 else "pc"), r"0x", "and its registers")
    says("detach", r"detached", "gdb leaves")
    end()


main()
