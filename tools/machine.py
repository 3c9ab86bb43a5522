"""The emulated machines Fermata is run on: QEMU, firmware, the EFI system partition, the console, the verdict.

Used by tools/run (people), tests/run (the test suite), tools/bench and tools/coverage. Only Python's own
library. Environment: FERMATA_QEMU_X86_64 and FERMATA_QEMU_ARM64 name another QEMU program.
"""
import array
import fcntl
import json
import os
import platform
import re
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EFI_NAME = {"x86_64": "BOOTX64.EFI", "arm64": "BOOTAA64.EFI"}
PROGRAM = {"x86_64": "qemu-system-x86_64", "arm64": "qemu-system-aarch64"}
MACHINE = {"x86_64": "q35", "arm64": "virt,virtualization=on,gic-version=3"}
# pauth-impdef: the emulated pointer authentication is slow by default and nothing here uses it.
CPU = {"x86_64": "max", "arm64": "max,pauth-impdef=on"}
HOST_ARCH = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


# Which UART the console is. Where it is none QEMU's output says nothing.
SERIAL = {
    "usual": ["-serial", "chardev:console"],
    "com2": ["-serial", "null", "-serial", "chardev:console"],
    "com2-only": ["-serial", "none", "-device", "isa-serial,iobase=0x2f8,irq=3,chardev=console"],
    "pci": ["-serial", "none", "-device", "pci-serial,chardev=console"],
    "none": ["-serial", "none"],
}

# isa-debug-exit ends QEMU with (value << 1) | 1; the hypervisor writes 0x10 for pass, 0x11 for fail.
EXIT_PASS = {"x86_64": 33, "arm64": 0}

ESCAPES = re.compile(r"\x1b(?:\[[0-9;=?]*[A-Za-z]|[()][A-Z0-9]|[c=>])|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# What the firmware says once our image has returned an error to it (or was never started).
BACK_IN_FIRMWARE = re.compile(
    r"BdsDxe: (?:failed to|No bootable)|^(?:Shell|=)>|Press any key to enter the Boot|UEFI Interactive Shell|PXE over IP"
    r"|Boot Maintenance Manager|Select Language|EFI LOAD FAILED")
FIRMWARE_CHATTER = re.compile(r"^(?:BdsDxe: (?:loading|starting)|UEFI firmware \(version|\s*$)")


class MachineError(Exception):
    """The machine cannot be started; the text says what to do."""


class Result:
    """What a run left: lines of the console, how it ended, the verdict and its reasons."""

    def __init__(self):
        self.lines = []
        self.ended = ""  # "exit", "timeout", "firmware"
        self.code = None
        self.seconds = 0.0
        self.registers = ""
        self.reasons = []  # why it is no pass; empty: pass

    @property
    def passed(self):
        return not self.reasons

    def tail(self, count=25):
        return self.lines[-count:]


def provide(arch, qemu=None, firmware=None):
    """Has tools/setup.sh get a QEMU of that version and that firmware, should they not be here."""
    sets = (["qemu-" + qemu] if qemu else []) + ([{"secure": "sign", "strict-nx": "qemu-10"}.get(firmware, firmware)] if firmware else [])
    if sets and subprocess.run([os.path.join(ROOT, "tools", "setup.sh")] + sets,
                               env=dict(os.environ, ARCH=arch)).returncode:
        raise MachineError("tools/setup.sh could not provide: " + " ".join(sets))


def setup_print(name, arch):
    command = [os.path.join(ROOT, "tools", "setup.sh"), "--print", name]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True,
                          env=dict(os.environ, ARCH=arch)).stdout.strip()


def qemu_major(program):
    try:
        text = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
        return int(re.search(r"version (\d+)", text).group(1))
    except (OSError, subprocess.CalledProcessError, AttributeError):
        return 0


def find_qemu(arch, version=None):
    """(command prefix, directory whose usr/share holds its firmware). version: the major number wanted, as text;
    None: the machine's own QEMU, but for x86-64 10 or later."""
    override = os.environ.get("FERMATA_QEMU_" + arch.upper())
    if override:
        return [override], "/"
    own = qemu_major(PROGRAM[arch])
    if own == int(version) if version else own >= (10 if arch == "x86_64" else 7):
        return [PROGRAM[arch]], "/"
    tree = setup_print("qemu-" + (version or "10"), arch)
    binary = os.path.join(tree, "usr/bin", PROGRAM[arch])
    if not os.path.exists(binary):
        raise MachineError("no QEMU %s for %s here: run `tools/setup.sh qemu-%s`" % (
            version or "10 or later", arch, version or "10"))
    # A program of another Debian release runs with that release's loader and libraries.
    triple = platform.machine() + "-linux-gnu"
    lib = os.path.join(tree, "usr/lib", triple)
    loader = [os.path.join(lib, name) for name in sorted(os.listdir(lib)) if name.startswith("ld-linux-")]
    command = [loader[0], "--library-path", lib + ":" + os.path.join(lib, "pulseaudio"), binary]
    for data in ("qemu", "seabios"):
        command += ["-L", os.path.join(tree, "usr/share", data)]
    return command, tree


def firmware(arch, tree):
    """(code, variables) of the UEFI firmware: of the tree QEMU comes from, else of the machine."""
    pairs = {"x86_64": ("OVMF/OVMF_CODE_4M.fd", "OVMF/OVMF_VARS_4M.fd"),
             "arm64": ("AAVMF/AAVMF_CODE.no-secboot.fd", "AAVMF/AAVMF_VARS.fd")}
    alternatives = [pairs[arch], ("AAVMF/AAVMF_CODE.fd", "AAVMF/AAVMF_VARS.fd")]
    for base in (tree, "/", setup_print("qemu-10", arch)):
        for pair in alternatives[:1 if arch == "x86_64" else 2]:
            code, variables = (os.path.join(base, "usr/share", name) for name in pair)
            if os.path.exists(code) and os.path.exists(variables):
                return code, variables
    raise MachineError("no UEFI firmware for %s here: run `make setup`" % arch)


def kvm_cpuid(kvm, leaf):
    """EAX..EDX of a CPUID leaf that KVM can offer (KVM_GET_SUPPORTED_CPUID), or None."""
    entries = 256
    buffer = array.array("B", struct.pack("<II", entries, 0) + bytes(40 * entries))
    fcntl.ioctl(kvm, 0xC008AE05, buffer)
    for n in range(struct.unpack_from("<I", buffer, 0)[0]):
        function, _, _, eax, ebx, ecx, edx = struct.unpack_from("<7I", buffer, 8 + 40 * n)
        if function == leaf:
            return eax, ebx, ecx, edx
    return None


def kvm_nested(arch):
    """(bool, why): does KVM here give its guests virtualisation that Fermata can drive?"""
    if arch != HOST_ARCH:
        return False, "this machine is %s" % platform.machine()
    try:
        kvm = os.open("/dev/kvm", os.O_RDWR)
    except OSError as error:
        return False, "/dev/kvm: %s" % error.strerror
    try:
        if arch == "arm64":
            # KVM_CHECK_EXTENSION, KVM_CAP_ARM_EL2
            if fcntl.ioctl(kvm, 0xAE03, 240) > 0:
                return True, "KVM offers nested virtualisation (EL2)"
            return False, "KVM here offers no nested virtualisation (no EL2 for guests)"
        extended, basic = kvm_cpuid(kvm, 0x80000001), kvm_cpuid(kvm, 1)
        if extended and extended[2] & 1 << 2:
            return True, "KVM offers nested virtualisation (SVM)"
        if basic and basic[2] & 1 << 5:
            return True, "KVM offers nested virtualisation (VMX)"
        return False, "KVM here offers no nested virtualisation (neither SVM nor VMX for guests)"
    except OSError as error:
        return False, "KVM does not answer: %s" % error.strerror
    finally:
        os.close(kvm)


def acceleration(arch, cpu, icount):
    """("kvm" or "tcg", why). KVM only where the guest gets virtualisation that Fermata can drive."""
    if icount:
        return "tcg", "instructions are counted"
    if cpu:
        return "tcg", "the CPU model is given"
    nested, why = kvm_nested(arch)
    return "kvm" if nested else "tcg", why


def make_esp(path, arch, image, files):
    """A FAT volume with the image as the removable-media boot program, and `files`: [(host path, ESP path)]."""
    files = [(image, "/EFI/BOOT/" + EFI_NAME[arch])] + [(host, esp.replace("\\", "/")) for host, esp in files]
    for host, _ in files:
        if not os.path.isfile(host):
            raise MachineError("no file %s" % host)
    kib = sum(os.path.getsize(host) for host, _ in files) // 1024 + 8 * 1024
    environment = dict(os.environ, MTOOLS_SKIP_CHECK="1", MTOOLSRC="/dev/null")

    def mtool(*command):
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise MachineError("%s: %s" % (" ".join(command), done.stdout.strip()))

    with open(path, "wb") as volume:
        volume.truncate(kib * 1024)
    mtool("mformat", "-i", path, "-v", "FERMATA", "-h", "16", "-s", "32", "-T", str(kib * 2), "::")
    made = set()
    for host, esp in files:
        folder = ""
        for part in esp.strip("/").split("/")[:-1]:
            folder += "/" + part
            if folder.upper() not in made:
                mtool("mmd", "-i", path, "::" + folder)
                made.add(folder.upper())
        mtool("mcopy", "-o", "-i", path, host, "::/" + esp.strip("/"))


class Machine:
    """One machine to boot. Fields are what tools/run's options are."""

    default_timeout = 120

    def __init__(self, arch, image, **options):
        self.arch, self.image = arch, image
        self.files, self.conf = [], None
        self.cpu, self.machine, self.mem, self.smp = None, None, "512M", 1
        self.accel, self.icount, self.extra = None, False, []
        self.qemu, self.firmware = None, None  # "10": QEMU of that major version; see media.py for the others
        self.media, self.enrol = "volume", None
        self.serial = "usual"  # or com2, pci, none: what the console is on
        self.disk = None  # a disk image that is there, instead of one made of image, conf and files
        self.kernel, self.append = None, ""  # boot this kernel directly, without firmware and Fermata
        # Bochs alone: which one (bochs.BUILDS), and a ROM to start in instead of firmware and Fermata.
        self.bochs, self.rom = None, None
        # patience: the limit is on QEMU's own CPU time, and on the clock only this many times as long; so
        # that a busy host does not make a test fail.
        self.timeout, self.patience, self.ignore_plans = 120, 1, False
        for name, value in options.items():
            if not hasattr(self, name):
                raise TypeError("Machine has no %s" % name)
            setattr(self, name, value)
        self.find()

    @property
    def exit_pass(self):
        return EXIT_PASS[self.arch]

    def find(self):
        """The emulator's program; raises MachineError if there is none."""
        if self.accel is None:
            self.accel, self.accel_why = acceleration(self.arch, self.cpu, self.icount)
        else:
            self.accel_why = "asked for"
            nested, why = kvm_nested(self.arch)
            if self.accel == "kvm" and not nested:
                raise MachineError("--accel kvm: %s; leave it out for TCG" % why)
        self.prefix, self.tree = find_qemu(self.arch, self.qemu)

    def describe(self):
        version = subprocess.run(self.prefix[:4] + ["--version"] if len(self.prefix) > 1 else
                                 self.prefix + ["--version"], stdout=subprocess.PIPE, text=True).stdout
        number = re.search(r"version ([\d.]+)", version)
        return "QEMU %s, %s (%s), -cpu %s, %s" % (number.group(1) if number else "?", self.accel.upper(),
                                                  self.accel_why, self.cpu_model(), self.mem)

    def cpu_model(self):
        return self.cpu or ("host" if self.accel == "kvm" else CPU[self.arch])

    def boot_arguments(self, work):
        if self.kernel:
            return ["-kernel", self.kernel, "-append", self.append]
        import media  # which needs this module

        return media.firmware_arguments(self, work) + media.media_arguments(self, work)

    def command(self, work):
        command = self.prefix + [
            "-machine", self.machine or MACHINE[self.arch], "-accel", self.accel, "-cpu", self.cpu_model(),
            "-m", self.mem, "-smp", str(self.smp), "-nodefaults", "-display", "none", "-no-reboot",
        ] + self.boot_arguments(work) + [
            "-chardev", "stdio,id=console,signal=off", *SERIAL[self.serial],
            "-qmp", "unix:%s,server=on,wait=off" % os.path.join(work, "qmp")]
        if self.arch == "x86_64":
            command += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-global", "ICH9-LPC.disable_s3=1"]
        if self.icount:
            command += ["-icount", "shift=0,sleep=off"]
        return command + self.extra

    def run(self, on_line=None):
        """Boots it and returns the Result. on_line(text) is called for each console line as it comes."""
        work = tempfile.mkdtemp(prefix="fermata-")
        try:
            return self.watch(work, on_line or (lambda line: None))
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def start(self, work):
        """(process, what to read its console from)"""
        qemu = subprocess.Popen(self.command(work), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        return qemu, qemu.stdout

    def registers(self, work):
        return ask_monitor(os.path.join(work, "qmp"), "info registers -a")

    def why_it_stopped(self, work):
        """What the emulator itself says of its end, if it was no good one and the console does not have it."""
        return []

    def watch(self, work, on_line):
        result, start, pending = Result(), time.monotonic(), b""
        qemu, console = self.start(work)
        try:
            while not result.ended:
                ready = select.select([console], [], [], 0.5)[0]
                data = os.read(console.fileno(), 65536) if ready else b""
                if self.over(qemu.pid, start):
                    result.ended = "timeout"
                    result.registers = self.registers(work)
                elif ready and not data:
                    result.ended = "exit"
                *whole, pending = (pending + data).split(b"\n")
                for line in whole:
                    self.take(result, line, on_line)
                # A prompt has no line end; anything else is looked at when it is whole.
                if not result.ended and not ready and self.in_firmware(clean(pending)):
                    result.ended = "firmware"
            if clean(pending).strip():
                self.take(result, pending, on_line)
            if result.ended == "exit":
                result.code = qemu.wait(timeout=20)
        finally:
            if qemu.poll() is None:
                qemu.kill()
            qemu.wait()
            console.close()
        result.seconds = time.monotonic() - start
        result.reasons = judge(self, result) + self.why_it_stopped(work)
        return result

    def in_firmware(self, text):
        """Does this line, or beginning of one, say that the firmware goes on without us?"""
        found = BACK_IN_FIRMWARE.search(text)
        return bool(found) and not (self.media == "pxe" and found.group(0).startswith("PXE"))

    def over(self, pid, start):
        """Has the time limit passed?"""
        elapsed = time.monotonic() - start
        if elapsed <= self.timeout:
            return False
        return elapsed > self.timeout * self.patience or cpu_seconds(pid) > self.timeout

    def take(self, result, raw, on_line):
        text = clean(raw)
        if self.in_firmware(text):
            result.ended = result.ended or "firmware"
            text = "" if len(text) > 200 else text  # a screen full of its menu
        if FIRMWARE_CHATTER.match(text):
            return
        result.lines.append(text)
        on_line(text)


def cpu_seconds(pid):
    """User and system time of a process that was started here (proc(5), stat); 0 if it is gone."""
    try:
        with open("/proc/%d/stat" % pid) as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0


def clean(raw):
    return ESCAPES.sub("", raw.decode("utf-8", "replace").replace("\r", "")).rstrip()


def judge(machine, result):
    """Why this run is no pass: [] if it is one. Nothing of what must hold is taken from one source alone."""
    reasons = []
    if result.ended == "timeout":
        reasons.append("no end within %d s" % machine.timeout)
    elif result.ended == "firmware":
        reasons.append("back in the firmware")
    elif machine.exit_pass is not None and result.code != machine.exit_pass:
        reasons.append("QEMU ended with %s, pass is %d" % (result.code, machine.exit_pass))
    own = [line for line in result.lines if line.startswith("fermata: ")]
    alone = machine.kernel or machine.rom
    if not alone and (not own or own[-1] != "fermata: PASS"):
        reasons.append("the last line is no `fermata: PASS`: %s" % (own[-1] if own else "there is none"))
    reasons += [line for line in result.lines if re.match(r"^(?:\[[^]]*\] )?not ok\b", line)]
    # A guest alone, where the emulator's status says nothing: its plan is the one sign that it came to its end.
    if alone and machine.exit_pass is None and not any(re.match(r"1\.\.\d+$", line) for line in result.lines):
        reasons.append("no plan (1..N): the guest did not reach its end")
    if not machine.ignore_plans:
        reasons += judge_plans(result.lines)
    return reasons


def judge_plans(lines):
    """Each VM that prints TAP ends with a plan, and its results are exactly that many, numbered in order.
    A guest on the bare machine prints without a prefix and is called "guest"."""
    counts, plans, reasons = {}, {}, []
    for line in lines:
        match = re.match(r"^(?:\[([\w-]+)\.\d+\] )?(?:(?:not )?ok (\d+)|1\.\.(\d+)$)", line)
        if not match:
            continue
        vm, number, plan = match.group(1) or "guest", match.group(2), match.group(3)
        if plan is not None:
            plans[vm] = int(plan)
            continue
        counts[vm] = counts.get(vm, 0) + 1
        if int(number) != counts[vm]:
            reasons.append("%s: result %s comes where %d belongs" % (vm, number, counts[vm]))
    for vm in sorted(set(counts) | set(plans)):
        if vm not in plans:
            reasons.append("%s: no plan (1..N): its tests did not reach their end" % vm)
        elif plans[vm] != counts.get(vm, 0):
            reasons.append("%s: %d results, planned %d" % (vm, counts.get(vm, 0), plans[vm]))
    return reasons


def ask_monitor(path, command):
    """One monitor command by QMP; its answer, or why there is none."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(path)
            stream = connection.makefile("rw")
            stream.readline()
            for request in ({"execute": "qmp_capabilities"},
                            {"execute": "human-monitor-command", "arguments": {"command-line": command}}):
                stream.write(json.dumps(request) + "\n")
                stream.flush()
                answer = {}
                while "return" not in answer and "error" not in answer:
                    answer = json.loads(stream.readline())
            return answer.get("return", str(answer)).replace("\r", "")
    except (OSError, ValueError) as error:
        return "(the monitor does not answer: %s)" % error


def unmet(lines, expected, forbidden):
    """What of a run's expectations does not hold: regular expressions some line, or no line, must match."""
    missing = ["no line matches /%s/" % want for want in expected if not any(re.search(want, line) for line in lines)]
    return missing + ["forbidden by /%s/: %s" % (ban, line) for ban in forbidden for line in lines
                      if re.search(ban, line)]
