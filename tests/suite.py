"""What the test suite consists of: host programs, models, emulator stanzas, mutants. Read by tests/run and tests/one."""
import glob
import importlib.machinery
import importlib.util
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tools"))

ARCHS = ("x86_64", "arm64")
HOST_KINDS = ("host", "model")
STANZA_KEYS = {"arch", "conf", "make", "cpu", "mem", "smp", "machine", "args", "icount", "qemu", "firmware", "build",
               "timeout", "verdict", "expect", "forbid", "plans", "bugs", "long", "why", "bare",
               "as-bare", "media", "sign", "serial", "break", "accel", "skip", "bochs", "rom", "sweep"}
LISTS = {"make", "expect", "forbid"}
MUTANT_KEYS = {"file", "test", "expect", "why", "bugs", "long", "copies"}


class SuiteError(Exception):
    """A test description is wrong; the text says where."""


def swept(name, fields):
    """[(name, fields)] of a stanza's boots: one, or one for each `NAME: CPU` line of its sweep."""
    lines = fields.get("sweep", "").split("\n")
    if lines == [""]:
        return [(name, fields)]
    pairs = [re.match(r"^([a-z0-9-]+): *(\S+)$", line) for line in lines if line]
    if None in pairs:
        raise SuiteError("[%s]: a line of its sweep is NAME: CPU" % name)
    return [("%s-%s" % (name, pair.group(1)), dict(fields, cpu=pair.group(2))) for pair in pairs]


def read_stanzas(path):
    """[(name, {key: text})] of a stanza file.

    [name] begins a stanza; `key = value` sets a key; indented lines go on with the value, one line each, as
    they are; # begins a comment line. `key@arch` is for one architecture only and goes before `key`.
    """
    stanzas, key = [], None
    with open(path) as source:
        for number, line in enumerate(source, 1):
            line = line.rstrip("\n")
            where = "%s:%d" % (path, number)
            if line.startswith("#") or not line.strip():
                continue
            if line[0] in " \t":
                if key is None:
                    raise SuiteError("%s: an indented line goes on with a value; there is none" % where)
                stanzas[-1][1][key] += "\n" + line.strip()
                continue
            section = re.match(r"^\[([a-z0-9-]+)\]$", line)
            if section:
                if section.group(1) in dict(stanzas):
                    raise SuiteError("%s: %s is there twice" % (where, section.group(1)))
                stanzas.append((section.group(1), {}))
                key = None
                continue
            setting = re.match(r"^([a-z-]+(?:@(?:x86_64|arm64))?)\s*=\s*(.*)$", line)
            if not setting or not stanzas or setting.group(1).split("@")[0] not in STANZA_KEYS:
                raise SuiteError("%s: not understood: %s" % (where, line))
            key = setting.group(1)
            stanzas[-1][1][key] = setting.group(2)
    return stanzas


class Emu:
    """One boot: a stanza on one architecture."""

    kind = "emu"

    def __init__(self, stanza, arch, fields):
        def get(key, default=""):
            text = fields.get("%s@%s" % (key, arch), fields.get(key))
            if key in LISTS:
                # Both the common lines and those of this architecture.
                both = (fields.get(key, ""), fields.get("%s@%s" % (key, arch), ""))
                return [line for text in both for line in text.split("\n") if line]
            return default if text is None else text

        self.name = "%s-%s" % (stanza, arch)
        self.arch = arch
        self.get = get
        self.long = get("long") == "yes"
        self.build = get("build", "debug")
        self.bugs = get("bugs").split()
        self.bare = any(key.split("@")[0] == "bare" for key in fields)
        self.verdict = get("verdict", "pass")
        if self.verdict not in ("pass", "fail", "firmware", "not-ok"):
            raise SuiteError("%s: verdict is pass, fail, firmware or not-ok" % self.name)
        if get("qemu") not in ("", "10", "11") or get("firmware") not in ("", "u-boot", "secure", "strict-nx"):
            raise SuiteError("%s: qemu is 10 or 11, firmware is u-boot, secure or strict-nx" % self.name)


class Host:
    """One program on this machine: tests/host/test_X.c, or tests/model/test_X.c."""

    def __init__(self, kind, path):
        self.kind = kind
        self.program = os.path.basename(path)[:-2]
        self.name = kind + "-" + self.program[len("test_"):]
        self.long = False


class Tool:
    """A test of what tools/ makes: tests/tools/test_X.py, which prints TAP."""

    kind, long = "tool", False

    def __init__(self, path):
        self.program = os.path.basename(path)
        self.name = "tool-" + self.program[len("test_"):-len(".py")]


class Debug:
    """A scripted gdb on QEMU's stub: tests/emu/debug_test.py in tools/debug."""

    kind = "debug"
    build, long = "debug", False

    def __init__(self, arch):
        self.arch, self.name = arch, "debug-" + arch


class Stub:
    """A real gdb on Fermata's own stub, or on a core file: tests/stub.py, tests/emu/{stub,core}_test.py."""

    kind = "stub"
    build, long = "debug", False

    def __init__(self, name, arch):
        self.arch, self.name = arch, name


class Mutant:
    """A deliberately broken build, and the test that must fail on it. tests/mutants/NAME.mutant:

    key: value lines, then ---, then the exact lines to find, each behind a `-`, and what replaces them, each
    behind a `+`. Several such pairs, each begun by a --- of its own, are applied one after the other.
    """

    kind = "mutant"

    def __init__(self, path):
        self.path = path
        self.name = "mutant-" + os.path.basename(path)[:-len(".mutant")]
        self.fields, self.edits = {}, []
        with open(path) as source:
            for number, line in enumerate(source, 1):
                self.read_line(line.rstrip("\n"), "%s:%d" % (path, number))
        for key in ("file", "test", "why"):
            if key not in self.fields:
                raise SuiteError("%s: no `%s:`" % (path, key))
        if not self.edits:
            raise SuiteError("%s: nothing to change" % path)
        self.long = self.fields.get("long") == "yes"

    def read_line(self, line, where):
        if line == "---":
            self.edits.append(([], []))
        elif self.edits and line[:1] in ("-", "+"):
            self.edits[-1][line[0] == "+"].append(line[1:])
        elif not self.edits and (line.startswith("#") or not line.strip()):
            return
        else:
            key, colon, value = line.partition(":")
            if self.edits or not colon or key not in MUTANT_KEYS:
                raise SuiteError("%s: not understood: %s" % (where, line))
            self.fields[key] = value.strip()

    def apply(self, root):
        """Breaks the copy at root. A text that is not there exactly once is an error, not a pass."""
        path = os.path.join(root, self.fields["file"])
        if not os.path.exists(path):
            raise SuiteError("%s: no file %s" % (self.path, self.fields["file"]))
        with open(path) as source:
            text = source.read()
        for old, new in self.edits:
            old, new = ("".join(line + "\n" for line in lines) for lines in (old, new))
            count = ("\n" + text).count("\n" + old)
            if not old or count != int(self.fields.get("copies", "1")):
                raise SuiteError("%s: the text is in %s %d times" % (self.path, self.fields["file"], count))
            text = ("\n" + text).replace("\n" + old, "\n" + new)[1:]
        with open(path, "w") as target:
            target.write(text)


def tests():
    """Every test of the suite, by name, in the order to run."""
    found = [Host(kind, path) for kind in HOST_KINDS
             for path in sorted(glob.glob(os.path.join(ROOT, "tests", kind, "test_*.c")))]
    for path in sorted(glob.glob(os.path.join(ROOT, "tests/emu/*.stanzas"))):
        for name, fields in read_stanzas(path):
            archs = ARCHS if fields.get("arch", "both") == "both" else [fields["arch"]]
            found += [Emu(boot, arch, one) for boot, one in swept(name, fields) for arch in archs]
    found += [Debug(arch) for arch in ARCHS]
    found += [Stub(*pair) for pair in (
        ("stub-svm", "x86_64"), ("stub-vmx", "x86_64"), ("stub-arm64", "arm64"), ("core-x86_64", "x86_64"),
        ("core-arm64", "arm64"), ("core-panic-x86_64", "x86_64"), ("core-panic-arm64", "arm64"))]
    found += [Tool(path) for path in sorted(glob.glob(os.path.join(ROOT, "tests/tools/test_*.py")))]
    found += [Mutant(path) for path in sorted(glob.glob(os.path.join(ROOT, "tests/mutants/*.mutant")))]
    names = {}
    for test in found:
        if test.name in names:
            raise SuiteError("two tests are called %s" % test.name)
        names[test.name] = test
    return names


def load_one():
    """tests/one as a module (it has no .py in its name, being a program first)."""
    loader = importlib.machinery.SourceFileLoader("one", os.path.join(ROOT, "tests/one"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("one", loader))
    loader.exec_module(module)
    return module
