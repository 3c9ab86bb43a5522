"""Bochs as a machine to run Fermata on: x86-64 only, the second opinion on SVM and the one machine with VMX.

Its clock counts instructions, so two runs are identical. What it cannot do: an exit status (it is always 1), ACPI
tables, a monitor. tools/setup.sh gets it into the cache, in two ways: as Debian 13 packages it, in a tree of its own
(firmware and all), and built from source with the module of tests/emu/bochs-xfd, which is what runs unless asked
otherwise.
"""
import os
import platform
import re
import shutil
import subprocess

import machine
import media

# Named like tools/run --cpu. CET is left out: Bochs 3.0 panics in its own page walk with it.
CPU = {
    "sapphire_rapids": 'model=sapphire_rapids, exclude_features="cet"',
    # What a guest of Fermata sees of it (ERRATA.md, pkru-supervisor): the bare machine to compare guests with.
    "sapphire_rapids-nopku": 'model=sapphire_rapids, exclude_features="cet pku"',
    "ryzen": 'model=ryzen, add_features="avx512 avx512dq avx512bw amx amx_int8 amx_bf16 pku"',
}
# Which Bochs, and what tests/emu/bochs-xfd does in it.
BUILDS = {
    "xfd-mended": "with XFD, its errata of AMX state mended",
    "xfd": "with XFD, its errata of AMX state as they are",
    "packaged": "as Debian packages it: no XFD",
}
# The VMs of the built-in configuration (boot/builtin_conf.c), for a machine that interprets: a quantum of about 100,000
# instructions, by what rate each CPU says its TSC has, and fewer preemptions to wait for.
QUANTUM = {"sapphire_rapids": "40us", "sapphire_rapids-nopku": "40us", "ryzen": "2ms"}
CONF = """[fermata]
quantum = %s
[vm.alpha]
kernel = builtin
vcpus = 2
cmdline = run=all seed=1 hold=200
[vm.beta]
kernel = builtin
cmdline = run=reset,hold,control seed=2 hold=200
[vm.gamma]
kernel = builtin
cmdline = run=nofp hold=200
[vm.delta]
kernel = builtin
policy = eager
cmdline = run=reset,hold,control seed=3 hold=200
"""
SECTOR = 512
TRACK = 16 * 63 * SECTOR  # the disk's size is a whole number of these, or Bochs guesses its geometry wrong


class Bochs(machine.Machine):
    """The same fields and the same run() as machine.Machine; what does not apply is refused."""

    default_timeout = 400
    com2 = None  # HOST:PORT where COM2 waits for a connection
    exit_pass = None  # the status says nothing: the last line of the console decides

    def find(self):
        self.cpu = self.cpu or "sapphire_rapids"
        self.bochs = self.bochs or "xfd-mended"
        if self.bochs not in BUILDS:
            raise machine.MachineError("no Bochs is called %s; there are %s" % (self.bochs, " ".join(sorted(BUILDS))))
        if self.arch != "x86_64":
            raise machine.MachineError("Bochs is an x86-64 machine; leave ARCH out")
        if self.cpu not in CPU:
            raise machine.MachineError("Bochs has no CPU %s here; there are %s" % (self.cpu, " and ".join(sorted(CPU))))
        for option, value in (("--icount", self.icount), ("--accel", self.accel == "kvm"), ("--machine-args", self.extra)):
            if value:
                raise machine.MachineError("%s is for QEMU; Bochs always counts instructions, without acceleration"
                                           % option)
        if not self.mem.endswith("M"):
            raise machine.MachineError("--mem %s: for Bochs it is a number of MiB, like 512M" % self.mem)
        self.tree = machine.setup_print("bochs-tree", self.arch)
        self.lib = os.path.join(self.tree, "usr/lib", platform.machine() + "-linux-gnu")
        if self.bochs == "packaged":
            program = os.path.join(self.tree, "usr/bin/bochs-bin")
        else:
            program = os.path.join(machine.setup_print("bochs-xfd", self.arch), "bochs")
        if not os.path.exists(program) or not os.path.exists(self.lib):
            raise machine.MachineError("no Bochs here: run `tools/setup.sh bochs`")
        self.prefix = [program]
        if self.bochs == "packaged":
            loader = [os.path.join(self.lib, name) for name in sorted(os.listdir(self.lib))
                      if name.startswith("ld-linux-")]
            self.prefix = [loader[0], "--library-path", self.lib, program]
        # -unlock: a killed run's lock file must not stop the next one.
        self.prefix += ["-q", "-unlock", "-f"]

    def describe(self):
        return "Bochs 3 %s; CPU %s, %s (every instruction interpreted, up to 90 million a second)" % (
            BUILDS[self.bochs], self.cpu, self.mem)

    def boots(self, work):
        """The ROM the CPU starts in, and the disk: firmware and the ESP, or a ROM of our own and nothing else."""
        rom = self.rom or os.path.join(self.tree, "usr/share/ovmf/OVMF.fd")
        lines = ["romimage: file=%s, address=%#x" % (rom, (1 << 32) - os.path.getsize(rom))]
        if not self.rom:
            lines += ["ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14",
                      "ata0-master: type=disk, path=%s, mode=flat" % os.path.join(work, "esp.img"), "boot: disk"]
        return lines

    def configuration(self, work, console):
        share = os.path.join(self.tree, "usr/share")
        megabytes = int(self.mem[:-1])
        return "\n".join(self.boots(work) + [
            'display_library: rfb, options="timeout=0"',
            "vgaromimage: file=%s/vgabios/vgabios.bin" % share,
            "memory: guest=%d, host=%d" % (megabytes, megabytes),
            "pci: enabled=1, chipset=i440fx",
            "plugin_ctrl: unmapped=true, biosdev=true, serial=true",
            "clock: sync=none, time0=1000000000",
            "com1: enabled=1, mode=file, dev=%s" % console,
        ] + (["com2: enabled=1, mode=socket-server, dev=%s" % self.com2] if self.com2 else []) + [
            "cpu: %s, count=%s, ips=50000000, ignore_bad_msrs=1, reset_on_triple_fault=0" % (CPU[self.cpu], self.smp_count()),
            "log: " + os.path.join(work, "bochs.log"),
            # It reports every VM exit as an error: that is half of its time, and nobody reads it.
            "error: action=ignore", "info: action=ignore", "debug: action=ignore", "panic: action=fatal", ""])

    def smp_count(self):
        """Threads of one core where the guest is alone: CPUID then tells it how many there are."""
        return "1:1:%d" % int(self.smp) if self.kernel else "%d" % int(self.smp)

    def command(self, work, console="/dev/stdout"):
        if not self.rom:
            if not self.conf and not self.disk:
                self.conf = os.path.join(work, "fermata.conf")
                with open(self.conf, "w", encoding="ascii") as out:
                    out.write(CONF % QUANTUM[self.cpu])
            self.make_disk(work)
        with open(os.path.join(work, "bochsrc"), "w", encoding="ascii") as out:
            out.write(self.configuration(work, console))
        return self.prefix + [os.path.join(work, "bochsrc")]

    def make_disk(self, work):
        esp, image, more = os.path.join(work, "esp.img"), self.image, []
        if self.kernel:
            # No -kernel here: a loader of our own does that, beside the kernel (tests/emu/bare_x86.c).
            image, cmdline = os.path.join(os.path.dirname(self.kernel), "bare.efi"), os.path.join(work, "cmdline.txt")
            with open(cmdline, "w", encoding="ascii") as out:
                out.write(self.append)
            more = [(self.kernel, "/guest.elf"), (cmdline, "/cmdline.txt")]
        if self.disk:
            shutil.copyfile(self.disk, esp)
        else:
            media.make_disk(self, esp, image, more)
        with open(esp, "r+b") as disk:
            disk.truncate(-(-os.path.getsize(esp) // TRACK) * TRACK)

    def start(self, work):
        """COM1 goes into a pipe of our own: on its standard output Bochs itself talks."""
        read, write = os.pipe()
        environment = dict(os.environ, LTDL_LIBRARY_PATH=os.path.join(self.lib, "bochs/plugins"),
                           BXSHARE=os.path.join(self.tree, "usr/share/bochs"),
                           FERMATA_BOCHS_AMX="as-is" if self.bochs == "xfd" else "mended")
        with open(os.path.join(work, "bochs.out"), "wb") as own:
            process = subprocess.Popen(self.command(work, "/dev/fd/%d" % write), stdin=subprocess.DEVNULL, stdout=own,
                                       stderr=subprocess.STDOUT, pass_fds=[write], env=environment)
        os.close(write)
        return process, os.fdopen(read, "rb", 0)

    def registers(self, work):
        return "(Bochs has no monitor)"

    def why_it_stopped(self, work):
        """Bochs' own last words, if it died of a panic of its own."""
        try:
            with open(os.path.join(work, "bochs.log"), encoding="utf-8", errors="replace") as log:
                return [line.strip() for line in log
                        if ">>PANIC<<" in line and not re.search("soft power off|shutdown requested", line)][-1:]
        except OSError:
            return []
