#!/usr/bin/env python3
"""Turns `nm -n` of the linked program (standard input) into the assembly of its own symbol table.

What is written is declared in hv/symbols.h: offsets of the functions from the image base (address 0 of
fermata.elf), sorted, with the end of the last one after them; and their names. --empty writes a table
without symbols, for the first link.
"""
import sys


def functions(lines):
    """[(address, name)] of text symbols, one per address, sorted."""
    found = {}
    for line in lines:
        fields = line.split()
        if len(fields) != 3 or fields[1] not in "tTwW":
            continue
        address, name = int(fields[0], 16), fields[2]
        # Mapping symbols of the arm64 ABI ($x, $d) and compiler labels name no function.
        if name.startswith(("$", ".L")) or "*" in name:
            continue
        # Of several names at one address the shortest reads best (start, not start.localalias).
        if address not in found or len(name) < len(found[address]):
            found[address] = name
    return sorted(found.items())


def end_of_text(lines, last):
    """End of the last function: the first symbol behind it that is not code."""
    for line in lines:
        fields = line.split()
        if len(fields) == 3 and fields[1] not in "tTwWU" and int(fields[0], 16) > last:
            return int(fields[0], 16)
    return last + 4096


def assembly(table, end):
    out = ["/* Made by tools/symbols.py. */", '.section .rodata.symbols, "a"', ".balign 4"]

    def words(label, values):
        out.append(".globl %s\n%s:" % (label, label))
        out.extend("    .long %d" % value for value in values)

    name_offsets, offset = [], 0
    for _, name in table:
        name_offsets.append(offset)
        offset += len(name) + 1
    words("symbol_count", [len(table)])
    words("symbol_offsets", [address for address, _ in table] + [end])
    words("symbol_name_offsets", name_offsets or [0])
    out.append(".globl symbol_names\nsymbol_names:")
    out.extend('    .asciz "%s"' % name for _, name in table)
    out.append("    .byte 0")
    # Hidden, so that the code reaches it without a global offset table.
    for label in ("symbol_count", "symbol_offsets", "symbol_name_offsets", "symbol_names"):
        out.append(".hidden %s" % label)
    out.append('.section .note.GNU-stack, "", %progbits')
    return "\n".join(out)


def main():
    if sys.argv[1:] == ["--empty"]:
        print(assembly([], 0))
        return
    lines = sys.stdin.readlines()
    table = functions(lines)
    if not table:
        sys.exit("symbols.py: nm shows no function: is the program stripped?")
    print(assembly(table, end_of_text(lines, table[-1][0])))


main()
