#!/usr/bin/env python3
"""Makes one bad file for an emulator test: make_file.py GUEST OUTPUT KIND. GUEST is the built guest kernel."""
import os
import platform
import struct
import subprocess
import sys
import tempfile

PT_LOAD, PT_NOTE = 1, 4


def program_headers(elf):
    """Offsets of the program headers of an ELF-64 or ELF-32 file, and whether it is 64-bit."""
    wide = elf[4] == 2
    start = struct.unpack_from("<Q" if wide else "<I", elf, 32 if wide else 28)[0]
    size, count = struct.unpack_from("<HH", elf, 54 if wide else 42)
    return [start + n * size for n in range(count)], wide


def elf_outside(elf):
    """The last segment to load lies a TiB up (a GiB for ELF-32)."""
    headers, wide = program_headers(elf)
    for at in headers:
        if struct.unpack_from("<I", elf, at)[0] == PT_LOAD:
            last = at
    if wide:
        struct.pack_into("<Q", elf, last + 24, 1 << 40)
    else:
        struct.pack_into("<I", elf, last + 12, 1 << 30)
    return elf


def elf_cut(elf):
    """The file ends inside the last segment that has bytes in it."""
    end = 0
    for at in program_headers(elf)[0]:
        if struct.unpack_from("<I", elf, at)[0] == PT_LOAD:
            offset, _, _, size = struct.unpack_from("<4Q", elf, at + 8)
            end = max(end, offset + size)
    return elf[:end - 8]


def elf_wraps(elf):
    """A segment whose address and size wrap around 64 bits: the sum looks small."""
    headers, wide = program_headers(elf)
    at = [h for h in headers if struct.unpack_from("<I", elf, h)[0] == PT_LOAD][0]
    if wide:
        struct.pack_into("<Q", elf, at + 24, (1 << 64) - 4096)
    else:
        struct.pack_into("<I", elf, at + 12, (1 << 32) - 4096)
    return elf


def elf_no_note(elf):
    for at in program_headers(elf)[0]:
        if struct.unpack_from("<I", elf, at)[0] == PT_NOTE:
            struct.pack_into("<I", elf, at, 0)
    return elf


def elf_machine(elf):
    struct.pack_into("<H", elf, 18, 243)  # RISC-V
    return elf


def image_size(image, size):
    """The arm64 Image header: text_offset at 8, image_size at 16, flags at 24, magic at 56."""
    struct.pack_into("<Q", image, 16, size)
    return image


def image_magic(image):
    image[56:60] = b"nope"
    return image


def image_big_endian(image):
    struct.pack_into("<Q", image, 24, struct.unpack_from("<Q", image, 24)[0] | 1)
    return image


def odd_x86(_):
    """The kernel of odd_x86.S, assembled and linked as a 32-bit ELF file at 1 MiB."""
    here = os.path.dirname(os.path.abspath(__file__))
    cross = "" if platform.machine() == "x86_64" else "x86_64-linux-gnu-"
    with tempfile.TemporaryDirectory() as work:
        built, elf = os.path.join(work, "odd.o"), os.path.join(work, "odd.elf")
        subprocess.run([cross + "gcc", "-m32", "-c", os.path.join(here, "odd_x86.S"), "-o", built], check=True)
        subprocess.run([cross + "ld", "-n", "-m", "elf_i386", "--no-warn-rwx-segments", "-T",
                        os.path.join(here, "odd_x86.lds"), built, "-o", elf], check=True)
        with open(elf, "rb") as source:
            return source.read()


HERE = os.path.dirname(os.path.abspath(__file__))


def rom(sources):
    """A ROM that is all there is on a PC: bochs-xfd/check/rom.S and `sources`, C that starts at main()."""
    root, check = os.path.dirname(os.path.dirname(HERE)), os.path.join(HERE, "bochs-xfd/check")
    cross = "" if platform.machine() == "x86_64" else "x86_64-linux-gnu-"
    flags = ("-m64 -O2 -Wall -Wextra -Werror -std=gnu11 -ffreestanding -fno-pic -mno-red-zone -mgeneral-regs-only "
             "-fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -I").split() + [root]
    with tempfile.TemporaryDirectory() as work:
        objects = []
        for name in [os.path.join(check, "rom.S"), os.path.join(check, "machine.c"), "hv/string.c"] + sources:
            objects.append(os.path.join(work, "%d.o" % len(objects)))
            subprocess.run([cross + "gcc"] + flags + ["-c", os.path.join(root, name), "-o", objects[-1]], check=True)
        image = os.path.join(work, "rom")
        subprocess.run([cross + "ld", "-n", "--no-warn-rwx-segments", "-T", os.path.join(check, "rom.lds"), "-o", image]
                       + objects, check=True)
        with open(image, "rb") as source:
            return source.read()


def xfd_check(_):
    """The bare machine checks its own AMX and XFD."""
    return rom(["tests/emu/bochs-xfd/check/xfd.c", "tests/emu/bochs-xfd/check/amx.c"])


def model_check(_):
    """The bare machine against the model of tests/model/x86_64."""
    return rom(["tests/model/x86_64/%s.c" % name
                for name in ("bare", "bare_insn", "cpu", "cpu_xsave", "cpu_amx", "random", "insn")])


KINDS = {
    "xfd-check": xfd_check,
    "model-check": model_check,
    "odd-x86": odd_x86,
    "copy": lambda guest: guest,
    "empty": lambda guest: bytearray(),
    "stub": lambda guest: guest[:40],
    "text": lambda guest: bytearray(b"This is no kernel.\n" * 100),
    "elf-cut": elf_cut,
    "elf-outside": elf_outside,
    "elf-wraps": elf_wraps,
    "elf-machine": elf_machine,
    "elf-no-note": elf_no_note,
    "image-outside": lambda guest: image_size(guest, 1 << 30),
    "image-huge": lambda guest: image_size(guest, (1 << 64) - 4096),
    "image-magic": image_magic,
    "image-big-endian": image_big_endian,
    # Configurations.
    "long-line": lambda guest: bytearray(b"[vm.alpha]\nkernel = " + b"a" * (1 << 20) + b"\n"),
    "huge-conf": lambda guest: bytearray(b"# a comment line of a very long configuration file\n" * (1 << 18)),
    # Every byte value, in an order that no text has.
    "rubbish": lambda guest: bytearray((n * 167 + (n >> 8) * 13) & 255 for n in range(8192)),
    "utf16": lambda guest: bytearray("[vm.alpha]\r\nkernel = builtin\r\n".encode("utf-16")),
}


def main():
    if len(sys.argv) != 4 or sys.argv[3] not in KINDS:
        sys.exit("%s Kinds: %s" % (__doc__, " ".join(sorted(KINDS))))
    with open(sys.argv[1], "rb") as source:
        guest = bytearray(source.read())
    with open(sys.argv[2], "wb") as target:
        target.write(KINDS[sys.argv[3]](guest))


main()
