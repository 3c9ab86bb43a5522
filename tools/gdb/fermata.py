"""Commands of gdb that know Fermata's structures: `help fermata`. Loaded by tools/debug.

They read the hypervisor's memory and change nothing. Everything is found by the debug information of the program
that runs, so a struct that grows a field needs no change here.
"""
import os

import gdb

STATES = {0: "OFF", 1: "RUNNABLE", 2: "HALTED", 3: "STOPPED"}
NOWHERE = 0xffffffff


class Console:
    """What of the machine's console was shown already."""
    path, at = None, 0


def setup(console, guest):
    """Called once the symbols are there: where the console's file and the guest's program are."""
    Console.path = console
    fermata_guest.path = guest


def value(expression):
    return gdb.parse_and_eval(expression)


def number(thing):
    return int(thing.cast(gdb.lookup_type("unsigned long")))


def text(array):
    return array.string() if array.type.code == gdb.TYPE_CODE_ARRAY else array.string(length=64)


def fields(thing):
    """{name: value} of a struct, one level, numbers and pointers as int."""
    out = {}
    for field in thing.type.fields():
        if field.name and field.type.strip_typedefs().code in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_BOOL,
                                                               gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_ENUM):
            out[field.name] = number(thing[field.name])
    return out


def vms():
    pointers = value("(struct vm **)&vms")
    return [pointers[n].dereference() for n in range(number(value("nvms")))]


def vcpus():
    return [vm["vcpus"][n].dereference() for vm in vms() for n in range(number(vm["nvcpus"]))]


def cpus():
    array = value("pcpus")
    return [array[n] for n in range(array.type.sizeof // array[0].type.sizeof)]


def name(vcpu):
    """alpha.0"""
    return "%s.%d" % (text(vcpu["vm"]["config"]["name"]), number(vcpu["id"]))


def named(pointer):
    return name(pointer.dereference()) if number(pointer) else "none"


def find(wanted):
    for vcpu in vcpus():
        if name(vcpu) == wanted:
            return vcpu
    raise gdb.GdbError("no vCPU %s; there are: %s" % (wanted, " ".join(map(name, vcpus())) or "none yet"))


def is_x86():
    return "x86-64" in gdb.selected_inferior().architecture().name()


def pc(vcpu):
    """Where the guest was when it last left, or None where only the CPU knows (VMX: the VMCS)."""
    if not is_x86():
        return number(vcpu["arch"]["pc"])
    return number(vcpu["arch"]["vmcb"]["rip"]) if number(vcpu["arch"]["vmcb"]) else None


def fp_state(fp):
    if number(fp["cpu"]) == NOWHERE:
        return "INACTIVE" if number(fp["area"]["base"]) else "EMPTY"
    return "CACHED" if number(fp["in_sync"]) else "ACTIVE"


class Fermata(gdb.Command):
    """Fermata's own state.

fermata cpus           CPUs: current vCPU, owner of the FP registers
fermata vms            VMs and what became of them
fermata vcpus          vCPUs: state, where the guest was, counters
fermata fp [VM.N]      FP contexts: owner, gate, area; with a vCPU: control state and the area decoded
fermata trace [N]      the last N events (20) of each CPU, debug build
fermata regs VM.N      general registers of a vCPU
fermata console        what the machine printed since the last time
fermata guest VM       loads the guest's symbols at the address where that VM runs it"""

    def __init__(self):
        super().__init__("fermata", gdb.COMMAND_STATUS, gdb.COMPLETE_NONE, True)


class Physical:
    """While a guest runs, addresses mean what its page tables say. The hypervisor is identity mapped, so for our
    own commands memory is physical (QEMU's Qqemu.PhyMemMode)."""

    def __enter__(self):
        self.switch(1)

    def __exit__(self, *_):
        self.switch(0)

    @staticmethod
    def switch(on):
        gdb.execute("maintenance packet Qqemu.PhyMemMode:%d" % on, to_string=True)
        gdb.execute("maintenance flush dcache", to_string=True)


class Sub(gdb.Command):
    """Registers a function as `fermata NAME`; its docstring is the help."""

    def __init__(self, function):
        self.function = function
        self.__doc__ = function.__doc__
        super().__init__("fermata " + function.__name__.replace("fermata_", ""), gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        with Physical():
            self.function(argument.strip())


def fermata_cpus(_):
    """CPUs: current vCPU, owner of the FP registers."""
    for cpu in cpus():
        owner = cpu["fp_owner"]
        live = "units 0x%x live" % number(owner["fp"]["live"]) if number(owner) else "registers in INIT"
        print("cpu %d: current %s, FP owner %s (%s)" % (number(cpu["id"]), named(cpu["current"]), named(owner), live))


def fermata_vms(_):
    """VMs and what became of them."""
    for vm in vms():
        print("%-10s %-10s %4d MiB at gpa 0x%x, host 0x%x, %d vCPU(s), FP areas %d of %d bytes" % (
            text(vm["config"]["name"]), str(vm["state"]).replace("VM_", "").lower(), number(vm["ram_bytes"]) >> 20,
            number(vm["ram_gpa"]), number(vm["ram"]), number(vm["nvcpus"]), number(vm["fp_quota"]["used"]),
            number(vm["fp_quota"]["limit"])))


def fermata_vcpus(_):
    """vCPUs: state, where the guest was, counters."""
    for vcpu in vcpus():
        at = pc(vcpu)
        print("%-12s %-9s pc %-18s %s" % (name(vcpu), STATES[number(vcpu["state"])], "?" if at is None else hex(at),
                                          " ".join("%s %d" % pair for pair in fields(vcpu["stats"]).items())))


def fermata_fp(which):
    """FP contexts: owner, gate, area; with a vCPU: control state and the area decoded."""
    for vcpu in [find(which)] if which else vcpus():
        fp = vcpu["fp"]
        print("%-12s %-8s offered 0x%x live 0x%x area %d bytes at 0x%x; %s" % (
            name(vcpu), fp_state(fp), number(fp["offered"]), number(fp["live"]), number(fp["area"]["bytes"]),
            number(fp["area"]["base"]), " ".join("%s %d" % pair for pair in fields(fp["stats"]).items())))
        if which:
            for pair in fields(fp["arch"]).items():
                print("    %-12s 0x%x" % pair)
            if number(fp["area"]["base"]):
                (xsave_area if is_x86() else vec_area)(fp)


def fermata_trace(count):
    """The last N events (20) of each CPU's ring, oldest first."""
    events = {field.enumval: field.name[6:].lower() for field in gdb.lookup_type("enum trace_event").fields()}
    for cpu in range(len(cpus())):
        ring = value("rings")[cpu]
        written, size = number(ring["written"]), ring["entries"].type.range()[1] + 1
        for at in range(max(0, written - min(int(count or 20), size)), written):
            entry = ring["entries"][at % size]
            vm = vms()[number(entry["vm"])]
            print("cpu %d %d %-5s %s.%d units 0x%x %d bytes" % (
                cpu, number(entry["ticks"]), events[number(entry["event"])], text(vm["config"]["name"]),
                number(entry["vcpu"]), number(entry["units"]), number(entry["bytes"])))


def words(address, count):
    memory = gdb.selected_inferior().read_memory(address, 8 * count).tobytes()
    return [int.from_bytes(memory[8 * n:8 * n + 8], "little") for n in range(count)]


def xsave_area(fp):
    """The header of an XSAVE image (SDM 1, 13.4.2), and what it says is in use."""
    base = number(fp["area"]["base"])
    bv, comp = words(base + 512, 2)
    names = {0: "x87", 1: "SSE", 2: "AVX", 5: "opmask", 6: "ZMM_Hi256", 7: "Hi16_ZMM", 9: "PKRU", 17: "TILECFG",
             18: "TILEDATA"}
    form = "compacted, XCOMP_BV 0x%x" % comp if comp >> 63 else "standard format"
    print("    image: %s, XSTATE_BV 0x%x: %s" % (form, bv, " ".join(
        names.get(bit, str(bit)) for bit in range(63) if bv >> bit & 1) or "all in INIT"))
    for n in range(16) if bv & 2 else ():
        low, high = words(base + 160 + 16 * n, 2)
        print("    xmm%-2d 0x%016x%016x" % (n, high, low))


def vec_area(fp):
    """The header of an arm64 image (arch/arm64/vec_layout.h)."""
    header = fp["area"]["base"].cast(gdb.lookup_type("struct vec_header").pointer()).dereference()
    print("    image: " + " ".join("%s 0x%x" % pair for pair in fields(header).items()))


def fermata_regs(which):
    """General registers of a vCPU as it last left the guest."""
    vcpu = find(which)
    arch = vcpu["arch"]
    if is_x86():
        names = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split()
        values = [number(arch["regs"][n]) for n in range(16)]
        if number(arch["vmcb"]):
            values[0], values[4] = number(arch["vmcb"]["rax"]), number(arch["vmcb"]["rsp"])
    else:
        names = ["x%d" % n for n in range(31)]
        values = [number(arch["x"][n]) for n in range(31)]
    at = pc(vcpu)
    print("pc  %s" % ("in the VMCS" if at is None else hex(at)))
    for n, register in enumerate(names):
        print("%-4s0x%016x" % (register, values[n]), end="\n" if n % 4 == 3 or n == len(names) - 1 else "  ")


def fermata_console(_):
    """What the machine printed since the last time."""
    with open(Console.path, "rb") as console:
        console.seek(Console.at)
        data = console.read()
    Console.at += len(data)
    print(data.decode("utf-8", "replace").replace("\r", ""), end="")


def fermata_guest(which):
    """Loads the guest's symbols at the address where that VM runs it (it is built at 0x100000, or at any address)."""
    vm = next((vm for vm in vms() if text(vm["config"]["name"]) == which), None)
    if vm is None:
        raise gdb.GdbError("no VM %s; there are: %s" % (which, " ".join(
            text(vm["config"]["name"]) for vm in vms()) or "none yet"))
    # The Image's header says where above the start of RAM it goes (Linux's arm64 boot protocol, text_offset).
    offset = "" if is_x86() else " -o 0x%x" % (number(vm["ram_gpa"]) + words(number(vm["config"]["image"]) + 8, 1)[0])
    gdb.execute("add-symbol-file %s%s" % (os.path.relpath(fermata_guest.path), offset))


Fermata()
for command in (fermata_cpus, fermata_vms, fermata_vcpus, fermata_fp, fermata_trace, fermata_regs, fermata_console, fermata_guest):
    Sub(command)
