#!/usr/bin/env python3
"""The console of last resort: Fermata on a machine with a screen and no UART, its screen read letter by letter."""
import os
import re
import sys
import tempfile

import tap
import tap_machine

import machine

CELL, LETTER = (6, 9), (5, 7)
# What gives a machine a screen.
MACHINES = {
    "x86_64": ["-device", "VGA,xres=1024,yres=768"],
    "arm64": ["-device", "ramfb"],
}


def font():
    """{columns: letter} of hv/font.c."""
    with open(os.path.join(tap.ROOT, "hv/font.c")) as source:
        glyphs = re.findall(r"\['(\\?.)' - ' '\] = \{([^}]*)\}", source.read())
    return {tuple(int(column, 0) for column in columns.split(",")): letter[-1] for letter, columns in glyphs}


def picture(path):
    """(width, height, rows of pixels' first bytes) of a binary PPM."""
    with open(path, "rb") as source:
        data = source.read()
    header = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data)
    width, height = int(header.group(1)), int(header.group(2))
    data = data[header.end():]
    return width, height, [data[3 * width * y:3 * width * (y + 1):3] for y in range(height)]


def text_of(path, glyphs):
    """The lines of a screen; what is none of our letters is shown as _."""
    width, height, rows = picture(path)
    scale = 2 if width >= 1280 else 1
    lines = []
    for top in range(0, height - CELL[1] * scale + 1, CELL[1] * scale):
        line = ""
        for left in range(0, width - CELL[0] * scale + 1, CELL[0] * scale):
            columns = tuple(sum((rows[top + (dot + 1) * scale][left + column * scale] > 64) << dot
                                for dot in range(LETTER[1])) for column in range(LETTER[0]))
            line += glyphs.get(columns, "_")
        lines.append(line.rstrip())
    return lines


def screen_of(box, work, glyphs):
    """What its screen shows when it has been switched off."""
    with tap_machine.running(box, work) as monitor:
        status = tap_machine.off(monitor)
        path = os.path.join(work, "screen.ppm")
        monitor.ask("screendump", filename=path)
        return status, text_of(path, glyphs)


def main():
    glyphs = font()
    tap.check(len(glyphs) == 95, "the font has 95 letters, no two alike", len(glyphs))
    for arch, devices in MACHINES.items():
        with tempfile.TemporaryDirectory(prefix="fermata-screen-") as work:
            conf = os.path.join(work, "fermata.conf")
            with open(conf, "w") as out:
                # An arm64 machine of QEMU's always has a UART, which is found first.
                out.write("%s[vm.alpha]\nkernel = builtin\ncmdline = run=nofp\n"
                          % ("[fermata]\nconsole = screen\n" if arch == "arm64" else ""))
            image = os.path.join(tap.ROOT, "build/%s-debug" % arch, machine.EFI_NAME[arch])
            box = machine.Machine(arch, image, conf=conf, accel="tcg", extra=devices,
                                  serial="none" if arch == "x86_64" else "usual")
            status, lines = screen_of(box, work, glyphs)
        shown = "\n".join(lines)
        tap.check(status == "shutdown", arch + ": the machine was switched off", status)
        tap.check(any(line == "fermata: PASS" for line in lines), arch + ": the screen says PASS", shown)
        tap.check(re.search(r"^\[alpha\.0\] ok 1 - ", shown, re.M), arch + ": and what the guest said", shown)
        tap.check(lines[(lines.index("fermata: PASS") + 1) % len(lines) if "fermata: PASS" in lines else 0] == "",
                  arch + ": the line behind the last is empty", shown)
    tap.end()


if __name__ == "__main__":
    main() if len(sys.argv) == 1 else sys.exit(__doc__)
