#!/usr/bin/env python3
"""The CPUs Fermata does not run on, looked at from outside: they wait for a start-up IPI, or are off."""
import os
import re
import sys
import tempfile

import tap
import tap_machine

import machine


def main():
    for arch in ("x86_64", "arm64"):
        with tempfile.TemporaryDirectory(prefix="fermata-parked-") as work:
            conf = os.path.join(work, "fermata.conf")
            with open(conf, "w") as out:
                out.write("[vm.alpha]\nkernel = builtin\ncmdline = run=nofp\n")
            image = os.path.join(tap.ROOT, "build/%s-debug" % arch, machine.EFI_NAME[arch])
            box = machine.Machine(arch, image, conf=conf, accel="tcg", smp=4)
            with tap_machine.running(box, work) as monitor:
                status = tap_machine.off(monitor)
                cpus = re.split(r"^CPU#", monitor.human("info registers -a"), flags=re.M)[1:]
                tap.check(status == "shutdown" and len(cpus) == 4, arch + ": it ran to its end on 4 CPUs", status)
                if arch == "x86_64":
                    # What INIT leaves: the reset vector, real mode, halted.
                    parked = [re.search(r"\b[ER]IP=0*fff0 .*\bHLT=1", cpu) for cpu in cpus]
                    tap.check(not parked[0] and all(parked[1:]), arch + ": all but the first wait for a SIPI",
                              "\n".join(cpu.split("\n", 4)[3] for cpu in cpus))
                else:
                    pcs = [re.search(r"\bPC=([0-9a-f]+)", cpu).group(1) for cpu in cpus]
                    tap.check(pcs[0] != pcs[1] and all(int(pc, 16) == 0 for pc in pcs[1:]),
                              arch + ": the firmware never switched the others on", pcs)
    tap.end()


if __name__ == "__main__":
    main() if len(sys.argv) == 1 else sys.exit(__doc__)
