"""Runs Fermata's own gdb stub under a real gdb: the machine here, gdb beside it, and TAP of what both say."""
import os
import re
import select
import socket
import subprocess
import tempfile
import threading
import time

import bochs
import machine

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIMIT = 240  # seconds
NOWHERE = 0x77777777000  # canonical, and not mapped
CONF = """[fermata]
gdb = %s,wait
[vm.alpha]
kernel = builtin
vcpus = 2
cmdline = run=debugged seed=1
[vm.beta]
kernel = builtin
cmdline = run=hold hold=20 seed=2
"""
READY = "gdb: waiting for a debugger"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Relay(threading.Thread):
    """Bochs waits at its start until somebody is on the line: so we are, and hand gdb's bytes over when it comes."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.server = port, socket.create_server(("127.0.0.1", 0))
        self.start()

    def name_for_gdb(self):
        return "127.0.0.1:%d" % self.server.getsockname()[1]

    def run(self):
        for _ in range(LIMIT * 5):
            try:
                line = socket.create_connection(("127.0.0.1", self.port))
                break
            except OSError:
                time.sleep(0.2)
        else:
            return
        debugger = self.server.accept()[0]
        ends = {line: debugger, debugger: line}
        while True:
            for end in select.select(list(ends), [], [])[0]:
                data = end.recv(4096)
                if not data:
                    return
                ends[end].sendall(data)


def make_box(test, work):
    """(machine, what gdb calls its second UART)"""
    built = os.path.join(ROOT, "build/%s-debug" % test.arch)
    image, conf = os.path.join(built, machine.EFI_NAME[test.arch]), os.path.join(work, "fermata.conf")
    with open(conf, "w") as out:
        out.write(CONF % ("com2" if test.arch == "x86_64" else "pl011:0x09040000"))
    if test.name == "stub-vmx":
        box = bochs.Bochs(test.arch, image, conf=conf, timeout=LIMIT)
        port = free_port()
        box.com2 = "127.0.0.1:%d" % port
        return box, Relay(port).name_for_gdb()
    path = os.path.join(work, "uart2")
    # Only later QEMUs give the arm64 machine a second PL011.
    box = machine.Machine(test.arch, image, conf=conf, timeout=LIMIT, accel="tcg", qemu="11" if test.arch == "arm64" else None,
                          extra=["-chardev", "socket,id=uart2,path=%s,server=on,wait=off" % path,
                                 "-serial", "chardev:uart2"])
    return box, path


def gdb(test, target):
    built = os.path.join(ROOT, "build/%s-debug" % test.arch)
    environment = dict(os.environ, STUB_TARGET=target, STUB_GUEST=os.path.join(built, "guest.elf"), STUB_ARCH=test.arch,
                       STUB_OFFSET="0" if test.arch == "x86_64" else "0x40000000")
    command = ["gdb-multiarch", "-q", "-nx", "-batch", "-x", os.path.join(ROOT, "tests/emu/stub_test.py")]
    try:
        return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.STDOUT, timeout=LIMIT).stdout
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"").decode(errors="replace") + "\nnot ok - gdb came to no end\n"


def core_file(test, work, lines):
    """What gdb says of the core file made of a console's lines."""
    console = os.path.join(work, "console")
    with open(console, "w") as out:
        out.write("\n".join(lines) + "\n")
    made = subprocess.run([os.path.join(ROOT, "tools/core"), console, "--out", work], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    print("# " + made.stdout.strip())
    built = os.path.join(ROOT, "build/%s-debug" % test.arch)
    base = [] if test.arch == "x86_64" else ["-ex", "symbol-file -o 0x40000000 %s" % os.path.join(built, "guest.elf")]
    command = ["gdb-multiarch", "-q", "-nx", "-batch", "-ex", "set debuginfod enabled off"] + (
        [os.path.join(built, "guest.elf")] if not base else []) + ["-c", os.path.join(work, "alpha.core")] + base + [
        "-x", os.path.join(ROOT, "tests/emu/core_test.py")]
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=dict(os.environ, CORE_ARCH=test.arch), timeout=LIMIT).stdout


def run_core(test):
    """A VM dies with known registers; its core file is opened by gdb."""
    with tempfile.TemporaryDirectory(prefix="fermata-core-") as work:
        conf = os.path.join(work, "fermata.conf")
        with open(conf, "w") as out:
            out.write("[fermata]\ncore = yes\n[vm.alpha]\nkernel = builtin\nmemory = 4M\n"
                      "cmdline = run=debugged die seed=1\n")
        box = machine.Machine(test.arch, os.path.join(ROOT, "build/%s-debug" % test.arch, machine.EFI_NAME[test.arch]),
                              conf=conf, timeout=120, accel="tcg", ignore_plans=True)
        result = box.run()
        said = core_file(test, work, result.lines)
    print(said, end="", flush=True)
    count = sum(line.startswith(("ok ", "not ok")) for line in said.splitlines())
    print("1..%d" % count, flush=True)
    return 0 if count and "not ok" not in said else 1


def own_core(test, work):
    """The console of a hypervisor that jumped to nowhere, and what gdb says of the core file made of it."""
    conf, script, console = (os.path.join(work, name) for name in ("fermata.conf", "script", "console"))
    with open(conf, "w") as out:
        out.write("[fermata]\ncore = yes\n[vm.alpha]\nkernel = builtin\nmemory = 8M\ncmdline = run=identity seed=1\n")
    with open(script, "w") as out:
        out.write("break settle\ncontinue\ndelete\nset $pc = 0x%x\ncontinue\n" % NOWHERE)
    subprocess.run([os.path.join(ROOT, "tools/debug"), "--arch", test.arch, "--conf", conf, "--batch", script, "--folder", work],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LIMIT)
    with open(console, errors="replace") as lines:
        printed = lines.read()
    base = re.search(r"loaded at (0x[0-9a-f]+)", printed)
    if not base:
        return printed, ""
    made = subprocess.run([os.path.join(ROOT, "tools/core"), console, "--out", work], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    command = ["gdb-multiarch", "-q", "-nx", "-batch", "-ex", "set debuginfod enabled off",
               "-ex", "symbol-file -o %s %s" % (base.group(1), os.path.join(ROOT, "build/%s-debug/fermata.elf" % test.arch)),
               "-c", os.path.join(work, "fermata.core")]
    for said in ("p $pc", "info symbol $sp", "p vms[0]->config.name", "p pcpus[0].current == vms[0]->vcpus[0]"):
        command += ["-ex", said]
    return printed, made.stdout + subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                                 stderr=subprocess.STDOUT, text=True, timeout=LIMIT).stdout


def run_panic(test):
    """A panic with `core = yes`, out of a running machine: its core file, opened by gdb."""
    with tempfile.TemporaryDirectory(prefix="fermata-core-") as work:
        printed, said = own_core(test, work)
    checks = (("it panicked and came to its end", r"fermata: panic: .*0x%x|CR2 %x" % (NOWHERE, NOWHERE), printed),
              ("nothing failed on the way", r"\A(?![\s\S]*while panicking)", printed),
              ("PC is where it went", r"\$1 = .*0x%x" % NOWHERE, said), ("SP is in the stack of the CPU", r"stacks", said),
              ("the VMs are there", r"\$2 = \"alpha\"", said), ("and the vCPU that was installed", r"\$3 = (1|true)", said))
    good = [bool(re.search(pattern, text)) for _, pattern, text in checks]
    for number, (fine, check) in enumerate(zip(good, checks), 1):
        print("%sok %d - %s" % ("" if fine else "not ", number, check[0]), flush=True)
    if not all(good):
        print("".join("# %s\n" % line[:150] for line in (printed + said).splitlines() if "core mem" not in line), flush=True)
    print("1..%d" % len(checks), flush=True)
    return 0 if all(good) else 1


def run(test):
    if test.name.startswith("core-panic-"):
        return run_panic(test)
    if test.name.startswith("core-"):
        return run_core(test)
    ready, lines = threading.Event(), []

    def on_line(line):
        lines.append(line)
        if READY in line:
            ready.set()

    with tempfile.TemporaryDirectory(prefix="fermata-stub-") as work:
        box, target = make_box(test, work)
        results = []
        runner = threading.Thread(target=lambda: results.append(box.run(on_line)), daemon=True)
        runner.start()
        said = gdb(test, target) if ready.wait(LIMIT) else "not ok - the machine did not come so far\n"
        runner.join(LIMIT)
    print(said, end="", flush=True)
    count = sum(line.startswith(("ok ", "not ok")) for line in said.splitlines())
    passed = bool(results) and results[0].passed
    for what, good in (("the guest saw it, and all VMs passed", passed),
                       ("the console says loudly that it is on", any("FULL CONTROL" in line for line in lines)),
                       ("and that gdb has left", any("gdb: detached" in line for line in lines))):
        count += 1
        print("%sok %d - %s" % ("" if good else "not ", count, what))
    if not passed:
        print("".join("# %s\n" % line for line in lines[-25:]), end="")
    print("1..%d" % count, flush=True)
    return 0 if passed and "not ok" not in said else 1
