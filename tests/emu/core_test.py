"""What gdb sees in a core file that tools/core made: prints TAP results. CORE_ARCH is in the environment.

The guest died with this value in its registers (scenario `debugged` with `die`, guest/*/debugged.c).
"""
import os
import re

import gdb

VALUE = 0x0123456789abcdef
COUNT = [0, 0]


def check(command, pattern, what):
    try:
        said = gdb.execute(command, to_string=True)
    except gdb.error as error:
        said = "error: %s" % error
    good = re.search(pattern, said, re.M)
    COUNT[0] += 1
    COUNT[1] += not good
    print("%sok %d - %s" % ("" if good else "not ", COUNT[0], what), flush=True)
    if not good:
        print("".join("# %s\n" % line for line in said.splitlines()), flush=True)


gdb.execute("set pagination off")
check("bt", r"(write_nowhere|scenario_stage2).*[\s\S]*scenario_debugged", "the backtrace is where the guest died")
check("info threads", r"Thread|LWP", "it has its thread")
check("info registers", r"sp|rsp", "and its registers")
if os.environ["CORE_ARCH"] == "x86_64":
    check("p/x $xmm3.v2_int64[0]", r"= 0x%x$" % VALUE, "XMM3 has the value")
    check("p/x $ymm3.v4_int64", r"\{0x%x, 0x[0-9a-f]+, 0x%x, 0x[0-9a-f]+\}" % (VALUE, VALUE), "and YMM3, both halves")
    check("p/x $fctrl", r"= 0x", "x87's control word is there")
else:
    check("p/x $z7.d.u[1]", r"= 0x%x$" % VALUE, "Z7 has the value")
    check("maintenance info sections", r"\.reg-aarch-sve", "of the note that gdb knows")
gdb.execute("quit %d" % (COUNT[1] != 0))
