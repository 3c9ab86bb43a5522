#!/usr/bin/env python3
"""Checks of the linked image that fail the build. Each guards a property no test can be trusted to notice:

vector    no FP, vector or matrix instruction outside the functions of tools/vector_allowed.txt
guest     arm64: no C of the hypervisor uses the registers that stay a guest's on an FP trap
reloc     the start-up code only ever adds the load address: R_*_RELATIVE and nothing else
wx        no segment or section, in the ELF or the PE file, is both writable and executable
purity    hv/ holds no assembly and no #if on an architecture
size      the release image is at most 256 KiB
"""
import argparse
import os
import re
import struct
import subprocess
import sys

IMAGE_LIMIT = 256 * 1024

# What a disassembler prints for an FP, vector or matrix register, and instructions that touch that state
# without naming a register. `nop`-like hints and prefetches do not match.
VECTOR = {
    "x86_64": re.compile(
        r"%(?:[xyz]mm\d+|mm[0-7]|st\b|k[0-7]\b|tmm\d|bnd\d)"
        r"|^(?:f(?!isttpq?$)[a-z0-9]+|w?fwait|emms|femms|[fx]?x(?:save|rstor)\w*|v?(?:ld|st)mxcsr|vzero\w+"
        r"|(?:ld|st)tilecfg|tilerelease)\b"),
    "arm64": re.compile(
        r"(?<![\w.#])(?:v\d+(?:\.|\b)|[bhsdq](?:[12]?\d|3[01])\b|[zp]\d+(?:\.|/|\b)|za\b|za\d|zt0)"
        r"|^(?:rdvl|rdffr|wrffr|setffr|smstart|smstop|cnt[bhwd]|add[vp]l|ptrue|sqinc\w|uqinc\w)\b"
        r"|\b(?:fpcr|fpsr|fpmr|svcr|svcrsm|svcrza|svcrsmza)\b", re.I),
}
# Looks like FP by its name, and is not.
NOT_VECTOR = {"x86_64": re.compile(r"^(?:femms_never)$"), "arm64": re.compile(r"^(?:dsb|dmb|bti)\b")}

RELATIVE = {"x86_64": {"R_X86_64_RELATIVE"}, "arm64": {"R_AARCH64_RELATIVE"}}

ARCH_IF = re.compile(r"^\s*#\s*(?:el)?if.*(?:__x86_64|__i386|__aarch64|__arm|__amd64|__ARM_|CONFIG_X86|CONFIG_ARM)")
ASSEMBLY = re.compile(r"\b(?:asm|__asm__|__asm)\b\s*(?:volatile|__volatile__|goto|inline)?\s*[({]")


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def allowed(path, arch):
    """The listed symbols, as one regular expression."""
    names = []
    with open(path) as listing:
        for line in listing:
            fields = line.split("#")[0].split(None, 2)
            if fields and len(fields) < 3:
                sys.exit("%s: '%s' gives no reason" % (path, line.strip()))
            if fields and fields[0] == arch:
                names.append(re.escape(fields[1]).replace(r"\*", ".*"))
    return re.compile("(?:%s)$" % "|".join(names or ["(?!)"]))


def check_vector(options):
    """Every instruction of the image, by function. Only code sections are disassembled (-d)."""
    permitted = allowed(options.allowed, options.arch)
    function, found, seen = "?", [], 0
    for line in run(options.cross + "objdump", "-d", "--no-show-raw-insn", options.elf).splitlines():
        header = re.match(r"^[0-9a-f]+ <([^>]+)>:$", line)
        if header:
            function = header.group(1)
            continue
        instruction = re.match(r"^\s*([0-9a-f]+):\s+(.*)$", line)
        if not instruction:
            continue
        seen += 1
        text = re.sub(r"<[^>]*>|//.*$|#.*$" if options.arch == "x86_64" else r"<[^>]*>|//.*$", "",
                      instruction.group(2)).strip()
        text = " ".join(text.split())
        text = re.sub(r"^(?:(?:lock|rep[nz]*|data16|cs|ds|rex\.?\w*)\s+)+", "", text)
        if VECTOR[options.arch].search(text) and not NOT_VECTOR[options.arch].search(text):
            if not permitted.match(function):
                found.append("%s: %s in %s" % (instruction.group(1), text, function))
    if seen < 100:
        return ["vector: only %d instructions disassembled: the check does not see the code" % seen]
    return ["vector: %s (only the functions of %s may)" % (what, options.allowed) for what in found]


# X10-X15 and X18 (arch/arm64/vectors.S, guest_fp): only the entries and exits themselves name them, and moves of ZA,
# which put W12 back, and what the self-test runs before there is a guest.
GUESTS_OWN = re.compile(r"(?<![\w.])[xw](?:1[0-58])\b")
GUESTS_OWN_IN = re.compile(r"(?:guest_(?:enter|sync|fp|irq|serror|leave)|crash_common|vectors_el2|fp_move_(?:save|load)_za|selftest_\w+)$")


def check_guest_registers(options):
    if options.arch != "arm64" or options.build == "coverage":  # libgcov is not ours to compile
        return []
    function, found = "?", []
    for line in run(options.cross + "objdump", "-d", "--no-show-raw-insn", options.elf).splitlines():
        header = re.match(r"^[0-9a-f]+ <([^>]+)>:$", line)
        if header:
            function = header.group(1)
        elif re.match(r"^\s*[0-9a-f]+:", line) and GUESTS_OWN.search(re.sub(r"<[^>]*>|//.*$", "", line)):
            if not GUESTS_OWN_IN.match(function):
                found.append("guest: %s in %s" % (" ".join(line.split()), function))
    return found


def check_relocations(options):
    kinds = re.findall(r"\b(R_(?:X86_64|AARCH64)_\w+)", run(options.cross + "readelf", "-rW", options.elf))
    bad = sorted(set(kinds) - RELATIVE[options.arch])
    return ["reloc: %s in %s: the image would only run at its link address" % (kind, options.elf) for kind in bad]


def check_undefined(options):
    undefined = [line.split()[-1] for line in run(options.cross + "nm", "-u", options.elf).splitlines()
                 if not line.split()[0] in "wv"]
    return ["undefined: %s" % name for name in undefined]


def check_wx(options):
    errors = []
    for line in run(options.cross + "readelf", "-lW", options.elf).splitlines():
        if re.match(r"\s*LOAD\s.*\sRWE\s", line):
            errors.append("wx: a segment of %s is writable and executable: %s" % (options.elf, line.strip()))
    for line in run(options.cross + "readelf", "-SW", options.elf).splitlines():
        section = re.match(r"\s*\[\s*\d+\]\s+(\S+)\s+\S+\s+\S+\s+\S+\s+\S+\s+\S+\s+([A-Z]*)", line)
        if section and "W" in section.group(2) and "X" in section.group(2):
            errors.append("wx: section %s of %s is writable and executable" % (section.group(1), options.elf))
    return errors + pe_wx(options.efi)


def pe_wx(path):
    """The section table of the PE file (PE/COFF specification 4.0): IMAGE_SCN_MEM_EXECUTE and _WRITE."""
    with open(path, "rb") as image:
        data = image.read()
    pe = struct.unpack_from("<I", data, 0x3C)[0]
    if data[:2] != b"MZ" or data[pe:pe + 4] != b"PE\0\0":
        return ["wx: %s is no PE file" % path]
    sections, optional = struct.unpack_from("<H", data, pe + 6)[0], struct.unpack_from("<H", data, pe + 20)[0]
    subsystem = struct.unpack_from("<H", data, pe + 24 + 68)[0]
    errors = [] if subsystem == 10 else ["subsystem: %s has %d, EFI application is 10" % (path, subsystem)]
    for n in range(sections):
        at = pe + 24 + optional + 40 * n
        flags = struct.unpack_from("<I", data, at + 36)[0]
        if flags & 0x20000000 and flags & 0x80000000:
            name = data[at:at + 8].rstrip(b"\0").decode("ascii", "replace")
            errors.append("wx: PE section %s of %s is writable and executable" % (name, path))
    return errors


def check_purity(root):
    errors = []
    for folder, _, files in os.walk(os.path.join(root, "hv")):
        for name in files:
            path = os.path.join(folder, name)
            if name.endswith((".S", ".s")):
                errors.append("purity: %s: assembly belongs under arch/" % path)
            if not name.endswith((".c", ".h")) or name == "abi.h":  # abi.h is shared with guests
                continue
            with open(path) as source:
                text = source.read()
            text = re.sub(r"/\*.*?\*/|//[^\n]*", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.S)
            text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
            for number, line in enumerate(text.split("\n"), 1):
                if ARCH_IF.match(line) or ASSEMBLY.search(line):
                    errors.append("purity: %s:%d: %s: hv/ knows no architecture" % (path, number, line.strip()))
    return errors


def check_size(options):
    size = os.path.getsize(options.efi)
    if options.build == "release" and size > IMAGE_LIMIT:
        return ["size: %s is %d bytes, at most %d" % (options.efi, size, IMAGE_LIMIT)]
    return []


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", required=True, choices=sorted(VECTOR))
    parser.add_argument("--build", required=True)
    parser.add_argument("--cross", default="", help="prefix of objdump, readelf and nm")
    parser.add_argument("--elf", required=True)
    parser.add_argument("--efi", required=True)
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--allowed", default=os.path.relpath(os.path.join(here, "vector_allowed.txt")))
    options = parser.parse_args()
    errors = []
    for check in (check_vector, check_guest_registers, check_relocations, check_undefined, check_wx, check_size):
        errors += check(options)
    errors += check_purity(".")
    for error in errors[:40]:
        print("check_image: " + error, file=sys.stderr)
    sys.exit(1 if errors else 0)


main()
