#!/usr/bin/env python3
"""tools/core: a core file of lines as hv/core.c writes them, and what it says of lines that were damaged on the way."""
import os
import struct
import tempfile

import tap

TOOL = os.path.join(tap.ROOT, "tools/core")


def line(what, payload):
    return "fermata: core %s %s %04x" % (what, payload.hex(), sum(payload) & 0xffff)


def dump(name, arch, lines):
    return ["fermata: core begin %s %s" % (name, arch)] + lines + ["fermata: core end %d" % len(lines)]


def x86_registers():
    return struct.pack("<17Q7I", *[0x1000 + n for n in range(17)], *range(7))


def whole():
    regs, memory = x86_registers(), bytes(range(100))
    records = struct.pack("<II", 0x46000001, 40) + bytes(32) + struct.pack("<II", 0x55, 0)
    image = bytearray(832)
    image[160:168] = b"VECTORS!"
    image[464] = 7
    records += struct.pack("<II", 0x202, 832) + bytes(image)
    lines = [line("regs 0 0", regs)]
    lines += [line("fp 0 %x" % at, records[at:at + 192]) for at in range(0, len(records), 192)]
    return lines + [line("mem 1ff0", memory), line("mem 9000", memory)]


def program_headers(data):
    count = struct.unpack_from("<H", data, 56)[0]
    return [struct.unpack_from("<IIQQQQQQ", data, 64 + 56 * n) for n in range(count)]


def good(folder):
    console = os.path.join(folder, "console")
    with open(console, "w") as out:
        out.write("\n".join(["[alpha.0] ok 1 - fermata: core begin no such thing"] + dump("alpha", "x86_64", whole())))
    status, said = tap.run(TOOL, console, "--out", folder)
    tap.check(status == 0 and "alpha.core: 1 thread" in said, "a whole dump is taken", said)
    with open(os.path.join(folder, "alpha.core"), "rb") as made:
        data = made.read()
    headers = program_headers(data)
    loads = [(h[3], h[5], data[h[2]:h[2] + h[5]]) for h in headers if h[0] == 1]
    tap.check([load[:2] for load in loads] == [(0x1000, 0x2000), (0x9000, 0x1000)], "pages that touch are one segment", loads)
    tap.check(loads[0][2][0xff0:0xff0 + 100] == bytes(range(100)), "memory is where it was")
    note = data[headers[0][2]:headers[0][2] + headers[0][5]]
    tap.check(struct.pack("<Q", 0x1010) in note and b"VECTORS!" in note and b"LINUX\0" in note, "registers are in the notes")


def damaged(folder):
    lines = dump("alpha", "x86_64", whole())
    cases = [("a line is missing", lines[:3] + lines[4:], "missing"),
             ("the last memory line is missing", lines[:-2] + lines[-1:], "lines were written"),
             ("a digit was lost", lines[:2] + [lines[2].replace(" 0", " ", 1)] + lines[3:], ""),
             ("a byte changed", [each.replace("000102", "000103") for each in lines], "its sum is wrong"),
             ("it ends early", lines[:-1], "the end is missing"),
             ("it has no beginning", lines[1:], "before core begin"),
             ("a kind that is not known", dump("a", "arm64", [line("what 0", b"1")]), "not known"),
             ("there is none", ["fermata: PASS"], "there is no core in it")]
    for number, (what, text, expect) in enumerate(cases):
        console = os.path.join(folder, "damaged%d" % number)
        with open(console, "w") as out:
            out.write("\n".join(text) + "\n")
        tap.refused(what, [TOOL, console, "--out", folder], expect)


def main():
    with tempfile.TemporaryDirectory() as folder:
        good(folder)
        damaged(folder)
    tap.end()


main()
