#!/usr/bin/env python3
"""Packs the built-in guest: pack.py IN OUT. boot/unpack.c takes it apart again.

OUT is the length of IN as 32 bits, little endian, then one LZ4 block (lz4_Block_format.md of the LZ4 project): chosen
because taking it apart is a page of C. The packing is greedy with a bounded search; it takes about a second.
"""
import struct
import sys

MIN_MATCH, LAST_LITERALS, MATCH_LIMIT, WINDOW, TRIES = 4, 5, 12, 65535, 64


def length_bytes(n):
    """What follows a 4-bit length of 15."""
    return b"\xff" * (n // 255) + bytes([n % 255])


def sequence(literals, offset=0, match=0):
    """Literals, then a copy of `match` bytes from `offset` back; the last sequence has no copy."""
    low = match - MIN_MATCH if match else 0
    out = bytes([min(len(literals), 15) << 4 | min(low, 15)])
    if len(literals) >= 15:
        out += length_bytes(len(literals) - 15)
    out += literals
    if match:
        out += struct.pack("<H", offset)
        if low >= 15:
            out += length_bytes(low - 15)
    return out


def common(data, a, b, end):
    n = 0
    while b + n < end and data[a + n] == data[b + n]:
        n += 1
    return n


def best_match(data, places, at, end):
    """(length, offset) of the longest earlier copy of what is at `at`, among the last TRIES that begin alike."""
    best = (0, 0)
    for place in reversed(places[-TRIES:]):
        if at - place > WINDOW:
            break
        n = common(data, place, at, end)
        if n > best[0]:
            best = (n, at - place)
    return best


def pack(data):
    out, seen, at, begun = [], {}, 0, 0
    end = len(data) - LAST_LITERALS
    while at < len(data) - MATCH_LIMIT:
        places = seen.setdefault(data[at:at + MIN_MATCH], [])
        length, offset = best_match(data, places, at, end)
        places.append(at)
        if length < MIN_MATCH:
            at += 1
            continue
        out.append(sequence(data[begun:at], offset, length))
        for skipped in range(at + 1, at + length):
            seen.setdefault(data[skipped:skipped + MIN_MATCH], []).append(skipped)
        at += length
        begun = at
    out.append(sequence(data[begun:]))
    return struct.pack("<I", len(data)) + b"".join(out)


def main():
    with open(sys.argv[1], "rb") as source:
        data = source.read()
    with open(sys.argv[2], "wb") as target:
        target.write(pack(data))


if __name__ == "__main__":
    main()
