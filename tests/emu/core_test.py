"""What gdb sees in a core file that tools/core made: prints TAP results. CORE_ARCH is in the environment.

The guest died with this value in its registers (scenario `debugged` with `die`, guest/*/debugged.c).
"""
import os

import gdb
from gdb_tap import end, says

VALUE = 0x0123456789abcdef

gdb.execute("set pagination off")
says("bt", r"(write_nowhere|scenario_stage2).*[\s\S]*scenario_debugged", "the backtrace is where the guest died")
says("info threads", r"Thread|LWP", "it has its thread")
says("info registers", r"sp|rsp", "and its registers")
if os.environ["CORE_ARCH"] == "x86_64":
    says("p/x $xmm3.v2_int64[0]", r"= 0x%x$" % VALUE, "XMM3 has the value")
    says("p/x $ymm3.v4_int64", r"\{0x%x, 0x[0-9a-f]+, 0x%x, 0x[0-9a-f]+\}" % (VALUE, VALUE), "and YMM3, both halves")
    says("p/x $fctrl", r"= 0x", "x87's control word is there")
else:
    says("p/x $z7.d.u[1]", r"= 0x%x$" % VALUE, "Z7 has the value")
    says("maintenance info sections", r"\.reg-aarch-sve", "of the note that gdb knows")
end()
