#!/usr/bin/env python3
"""flat_image.py OBJCOPY ELF IMAGE: a static PIE linked at 0 laid flat, with the list of its words that hold addresses.

The list comes last, in ELF's RELR form, ended by a 0 (System V gABI, "Relative Relocation Table"): an even 64-bit entry
is the offset of such a word; an odd one has a bit, from bit 1 on, for each of the 63 words behind what came before.
It takes a fortieth of the room of the linker's RELA table, which GNU ld 2.40 cannot pack for arm64.
"""
import struct
import subprocess
import sys

R_AARCH64_RELATIVE = 0x403


def rela(elf):
    """{offset: addend} of section .rela.dyn."""
    start, entry, count, names = struct.unpack_from("<Q10x3H", elf, 0x28)  # e_shoff, e_shentsize, e_shnum, e_shstrndx
    sections = [struct.unpack_from("<IIQQQQ", elf, start + n * entry) for n in range(count)]
    strings = sections[names][4]
    for name, _, _, _, offset, size in sections:
        if elf[strings + name:].startswith(b".rela.dyn\0"):
            break
    else:
        return {}
    words = {}
    for at in range(offset, offset + size, 24):
        where, info, addend = struct.unpack_from("<QQq", elf, at)
        if info != R_AARCH64_RELATIVE or where % 8:
            sys.exit("flat_image: the relocation at 0x%x (type 0x%x) is not that of an aligned address" % (where, info))
        words[where] = addend
    return words


def relr(offsets):
    entries, offsets = [], sorted(offsets)
    while offsets:
        base = offsets.pop(0)
        entries.append(base)
        base += 8
        while offsets and offsets[0] < base + 63 * 8:
            bits = 1
            while offsets and offsets[0] < base + 63 * 8:
                bits |= 2 << (offsets.pop(0) - base) // 8
            entries.append(bits)
            base += 63 * 8
    return entries + [0]


def main():
    objcopy, elf_path, image_path = sys.argv[1:]
    subprocess.run([objcopy, "-O", "binary", "-R", ".rela.dyn", "-R", ".dynamic", elf_path, image_path], check=True)
    with open(elf_path, "rb") as source:
        words = rela(source.read())
    with open(image_path, "r+b") as target:
        image = bytearray(target.read())
        for where, addend in words.items():
            struct.pack_into("<q", image, where, addend)
        for entry in relr(words):
            image += struct.pack("<Q", entry)
        target.seek(0)
        target.write(image)


if __name__ == "__main__":
    main()
