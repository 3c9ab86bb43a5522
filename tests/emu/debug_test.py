"""What `make debug` promises, run inside gdb by tools/debug --batch: prints TAP.

Breakpoints in boot, hypervisor and guest code are reached, in that order, at addresses that gdb was told, and what the
`fermata` commands say is what the hypervisor is doing at that moment.
"""
import re

import gdb
import tap
from gdb_tap import check, end, says


def run_to(place, what):
    """Continues to a temporary breakpoint; the frame there must be that function's."""
    gdb.execute("tbreak " + place, to_string=True)
    gdb.execute("continue", to_string=True)
    frame = gdb.selected_frame()
    check(frame.name() == place, what, "stopped in %s at 0x%x" % (frame.name(), frame.pc()))


def main():
    run_to("efi_main", "a breakpoint in boot/ is reached")
    says("backtrace", r"in efi_start \(\) at boot/", "and its backtrace has file and line")
    says("fermata vms", r"\A\Z", "there are no VMs yet")
    run_to("hv_main_on_stack", "a breakpoint in hv/ is reached")
    says("fermata console", r"^fermata: Fermata .*debug", "the console is at hand")
    run_to("sched_run", "the scheduler is reached")
    says("fermata vms", r"^alpha +running +\d+ MiB", "alpha is there")
    says("fermata vcpus", r"^alpha\.0 +RUNNABLE +pc 0x[0-9a-f]+", "its vCPU 0 can run")
    says("fermata fp", r"^alpha\.0 +EMPTY +offered 0x[0-9a-f]+ live 0x0 area 0 bytes", "and has touched no FP")
    says("fermata cpus", r"^cpu 0: current none, FP owner none \(registers in INIT\)", "no one owns the registers")

    gdb.execute("fermata guest alpha", to_string=True)
    run_to("guest_run", "a breakpoint in the guest is reached")
    says("fermata cpus", r"current \w+\.0, FP owner none", "a vCPU is current that has touched no FP")
    run_to("fp_trap", "the first FP trap is reached")
    gdb.execute("finish", to_string=True)
    said = says("fermata cpus", r"FP owner (\S+) \(units 0x[0-9a-f]+ live\)", "after it someone owns the registers")
    owner = re.search(r"current (\S+), FP owner (\S+)", said)
    check(owner and owner.group(1) == owner.group(2), "namely who is current", said)
    vcpu = owner.group(2) if owner else "alpha.0"
    says("fermata fp " + vcpu, r"^%s +CACHED .*area [1-9]\d* bytes at 0x[1-9a-f].*traps 1 loads 1 " % re.escape(vcpu),
         "its context is CACHED, after one trap and one load")
    says("fermata fp " + vcpu, r"^ +image: ", "and its area is decoded")
    says("fermata regs " + vcpu, r"^pc +0x[0-9a-f]+$", "its general registers are shown")
    run_to("fp_switch_out", "its quantum ends")
    gdb.execute("finish", to_string=True)
    says("fermata cpus", r"FP owner none", "after a switch no one owns the registers")
    says("fermata fp " + vcpu, r"^%s +INACTIVE .*saves 1 scrubs 1 " % re.escape(vcpu),
         "its context is INACTIVE: saved and scrubbed once")
    says("fermata trace 12", r"trap +%s [\s\S]*load +%s .* [1-9]\d* bytes\n[\s\S]*gate +%s " % ((re.escape(vcpu),) * 3),
         "the trace has the trap, the load and the opened gate, in that order")
    says("fermata regs nobody.7", r"error: .*no vCPU nobody\.7; there are: alpha\.0", "an unknown vCPU is named, with those there are")
    print("1..%d" % tap.count, flush=True)
    end()


main()
