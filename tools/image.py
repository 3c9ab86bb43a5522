#!/usr/bin/env python3
"""Writes a disk image to boot a machine from: GPT, one EFI system partition, the image in it. make image.

  tools/image.py --arch x86_64 --efi BOOTX64.EFI --out fermata.img [--conf my.conf] [--file k.elf:\\guests\\k.elf]

The same files give the same bytes, wherever and whenever: dates are fixed, and the GUIDs and the volume's serial
number come from the contents. Nothing but Python's own library is used.

UEFI 2.10, chapter 5 (GPT) and 13.3 (file system); Microsoft, FAT32 File System Specification 1.03.
"""
import argparse
import hashlib
import os
import re
import struct
import sys
import uuid
import zlib

EFI_NAME = {"x86_64": "BOOTX64.EFI", "arm64": "BOOTAA64.EFI"}

SECTOR = 512
FIRST = 2048  # sector where the partition begins: aligned for any flash
ENTRIES, ENTRY_BYTES = 128, 128
GPT_SECTORS = ENTRIES * ENTRY_BYTES // SECTOR  # of the entries; the header is one more
# The disk is a whole number of old cylinders: Bochs, and BIOSes that look at it, guess wrong otherwise.
CYLINDER = 16 * 63
ESP_TYPE = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
ESP_LEAST = 64 << 20  # room for guests that are copied to it later; and FAT32 needs 65525 clusters

RESERVED, FATS, ROOT_CLUSTER, ENTRY = 32, 2, 2, 32
CLUSTERS_LEAST, CLUSTERS_MANY = 65525, 1 << 20
END_OF_CHAIN = 0x0FFFFFFF
VOLUME_ID, DIRECTORY, ARCHIVE, LONG_NAME = 0x08, 0x10, 0x20, 0x0F
DATE = 1 << 5 | 1  # 1 January 1980
FILE_MOST = (1 << 32) - 1
LABEL = b"FERMATA    "


class ImageError(Exception):
    """No image can be made of this; the text says what to do."""


# --- The tree of files ---

def tree_of(files):
    """{name: bytes or tree} of [(host path, ESP path)]. Names differ by more than case, as FAT compares them."""
    root = {}
    for host, esp in files:
        *folders, name = [part for part in re.split(r"[\\/]+", esp) if part] or [""]
        node = root
        for part in folders:
            node = node.setdefault(known(node, check_name(part, esp)), {})
            if not isinstance(node, dict):
                raise ImageError("%s: %s is a file already" % (esp, part))
        if known(node, check_name(name, esp)) in node:
            raise ImageError("%s: it is there already" % esp)
        try:
            with open(host, "rb") as source:
                node[name] = source.read()
        except OSError as error:
            raise ImageError("%s: %s" % (host, error.strerror)) from error
        if len(node[name]) > FILE_MOST:
            raise ImageError("%s: a FAT file is shorter than 4 GiB" % host)
    return root


def check_name(name, esp):
    if not name or len(name) > 255 or name.strip(". ") == "" or re.search(r'[\x00-\x1f"*/:<>?\\|\x7f-\U0010ffff]', name):
        raise ImageError("%s: no name a FAT file can have (ASCII, without \" * : < > ? |)" % esp)
    return name


def known(node, name):
    """The name as the folder has it, if it has."""
    return next((other for other in node if other.upper() == name.upper()), name)


def digest_of(tree):
    """SHA-256 of all names and contents, in order."""
    digest = hashlib.sha256()
    for name in sorted(tree):
        part = tree[name]
        data = digest_of(part) if isinstance(part, dict) else hashlib.sha256(part).digest()
        digest.update(struct.pack("<I?", len(name), isinstance(part, dict)) + name.encode("ascii") + data)
    return digest.digest()


# --- FAT32 ---

def short_name(name, taken):
    """The 11 bytes of a directory entry, unlike all in `taken`; is the name more than they can say?"""
    base, dot, extension = name.rpartition(".")
    base, extension = (base, extension) if dot and base else (name, "")
    plain = re.fullmatch(r"[A-Z0-9_-]{1,8}", base) and re.fullmatch(r"[A-Z0-9_-]{0,3}", extension)
    if plain and name.count(".") <= 1:
        short = base.ljust(8).encode("ascii") + extension.ljust(3).encode("ascii")
        if short not in taken:
            return short, False
    base = re.sub(r"[^A-Z0-9_-]", "", base.upper()) or "FILE"
    extension = re.sub(r"[^A-Z0-9_-]", "", extension.upper())[:3].ljust(3)
    for number in range(1, 1000000):
        tail = "~%d" % number
        short = (base[:8 - len(tail)] + tail).ljust(8).encode("ascii") + extension.encode("ascii")
        if short not in taken:
            return short, True
    raise ImageError("%s: too many names like it" % name)


def long_entries(name, short):
    """The entries that carry a long name, last part first, before the short one."""
    checksum = 0
    for byte in short:
        checksum = ((checksum >> 1 | checksum << 7) + byte) & 0xFF
    units = name.encode("utf-16-le")
    parts = -(-len(name) // 13)
    if len(name) % 13:
        units += b"\0\0"
    units = units.ljust(parts * 26, b"\xff")
    out = b""
    for part in range(parts, 0, -1):
        piece = units[26 * (part - 1):26 * part]
        out += struct.pack("<B10sBBB12sH4s", part | (0x40 if part == parts else 0), piece[:10], LONG_NAME, 0,
                           checksum, piece[10:22], 0, piece[22:])
    return out


def entry(short, attributes, cluster, size):
    return struct.pack("<11sBBBHHHHHHHI", short, attributes, 0, 0, 0, DATE, DATE, cluster >> 16, 0, DATE,
                       cluster & 0xFFFF, size)


class Fat:
    """A FAT32 file system being laid out: clusters are given out in order, so nothing is fragmented."""

    def __init__(self, tree, serial):
        self.serial = serial
        sectors = (max(ESP_LEAST, self.bytes_of(tree) * 5 // 4 + (16 << 20)) + SECTOR - 1) // SECTOR
        self.per_cluster = 1
        while sectors // self.per_cluster > CLUSTERS_MANY and self.per_cluster < 64:
            self.per_cluster *= 2
        self.sectors = sectors
        self.fat_sectors = -(-(sectors // self.per_cluster + 2) * 4 // SECTOR)
        self.clusters = (sectors - RESERVED - FATS * self.fat_sectors) // self.per_cluster
        if not CLUSTERS_LEAST <= self.clusters < 0x0FFFFFF0:
            raise ImageError("%d MiB of files are too many for one volume" % (self.bytes_of(tree) >> 20))
        self.chain = [0x0FFFFFF8, END_OF_CHAIN]
        self.data = []  # (first cluster, bytes)
        self.folder(tree, None)

    def bytes_of(self, tree):
        """Enough for the files, their names and the rounding of both."""
        return sum(self.bytes_of(part) if isinstance(part, dict) else len(part) for part in tree.values()) + \
            (len(tree) + 1) * 65536

    def take(self, data):
        """Clusters for these bytes: the first one's number, 0 for none."""
        count = -(-len(data) // (self.per_cluster * SECTOR))
        if not count:
            return 0
        first = len(self.chain)
        if first + count > self.clusters + 2:
            raise ImageError("the files do not fit the volume")
        self.chain += list(range(first + 1, first + count)) + [END_OF_CHAIN]
        self.data.append((first, data))
        return first

    def folder(self, tree, parent):
        """Lays out a folder: its own clusters first, for their length is known before what is in them."""
        names, taken = [], set()
        for name in sorted(tree):
            short, more = short_name(name, taken)
            taken.add(short)
            names.append((name, short, long_entries(name, short) if more else b""))
        # The label, or "." and ".."; and one that ends the folder.
        size = ENTRY * ((1 if parent is None else 2) + 1) + sum(len(extra) + ENTRY for _, _, extra in names)
        own = self.take(bytes(size))
        slot = len(self.data) - 1
        if parent is None:
            out = entry(LABEL, VOLUME_ID, 0, 0)
        else:
            out = entry(b".".ljust(11), DIRECTORY, own, 0) + \
                entry(b"..".ljust(11), DIRECTORY, 0 if parent == ROOT_CLUSTER else parent, 0)
        for name, short, extra in names:
            part = tree[name]
            if isinstance(part, dict):
                out += extra + entry(short, DIRECTORY, self.folder(part, own), 0)
            else:
                out += extra + entry(short, ARCHIVE, self.take(part), len(part))
        self.data[slot] = (own, out)
        return own

    def boot_sector(self):
        sector = struct.pack("<3s8sHBHBHHBHHHIIIHHIHH12xBBBI11s8s", b"\xeb\x58\x90", b"FERMATA ", SECTOR,
                             self.per_cluster, RESERVED, FATS, 0, 0, 0xF8, 0, 63, 16, FIRST, self.sectors,
                             self.fat_sectors, 0, 0, ROOT_CLUSTER, 1, 6, 0x80, 0, 0x29, self.serial, LABEL, b"FAT32   ")
        # What a BIOS would run: int 0x18, "no bootable device".
        return (sector + b"\xcd\x18\xeb\xfe").ljust(SECTOR - 2, b"\0") + b"\x55\xaa"

    def info_sector(self):
        used = len(self.chain)
        return struct.pack("<4s480x4sII12x4s", b"RRaA", b"rrAa", self.clusters + 2 - used, used, b"\0\0\x55\xaa")

    def write(self, disk, at):
        """Writes it to a file that is all zero so far, `at` bytes from its start."""
        fat = struct.pack("<%dI" % len(self.chain), *self.chain)
        for sector in (0, 6):
            pwrite(disk, self.boot_sector() + self.info_sector(), at + sector * SECTOR)
        for copy in range(FATS):
            pwrite(disk, fat, at + (RESERVED + copy * self.fat_sectors) * SECTOR)
        base = at + (RESERVED + FATS * self.fat_sectors) * SECTOR
        for first, data in self.data:
            pwrite(disk, data, base + (first - 2) * self.per_cluster * SECTOR)


def pwrite(disk, data, at):
    disk.seek(at)
    disk.write(data)


# --- GPT ---

def guid_of(digest, what):
    """A GUID for these contents: random ones would make two builds differ."""
    return uuid.uuid5(uuid.NAMESPACE_OID, what + digest.hex())


def protective_mbr(sectors):
    record = struct.pack("<8B2I", 0, 0, 2, 0, 0xEE, 0xFF, 0xFF, 0xFF, 1, min(sectors - 1, 0xFFFFFFFF))
    return bytes(446) + record + bytes(48) + b"\x55\xaa"


def gpt_header(own, other, sectors, entries_at, disk_guid, entries):
    def pack(crc):
        return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x00010000, 92, crc, 0, own, other, 2 + GPT_SECTORS,
                           sectors - GPT_SECTORS - 2, disk_guid.bytes_le, entries_at, ENTRIES, ENTRY_BYTES,
                           zlib.crc32(entries))
    return pack(zlib.crc32(pack(0))).ljust(SECTOR, b"\0")


def write_gpt(disk, sectors, partition_sectors, digest):
    name = "Fermata".encode("utf-16-le").ljust(72, b"\0")
    entries = struct.pack("<16s16sQQQ72s", ESP_TYPE.bytes_le, guid_of(digest, "partition").bytes_le, FIRST,
                          FIRST + partition_sectors - 1, 0, name).ljust(ENTRIES * ENTRY_BYTES, b"\0")
    guid, last = guid_of(digest, "disk"), sectors - 1
    pwrite(disk, protective_mbr(sectors), 0)
    pwrite(disk, gpt_header(1, last, sectors, 2, guid, entries) + entries, SECTOR)
    pwrite(disk, entries + gpt_header(last, 1, sectors, last - GPT_SECTORS, guid, entries),
           (last - GPT_SECTORS) * SECTOR)


def write_image(path, files, full=False):
    """The disk image with `files`, [(host path, ESP path)]. `full`: no free cluster is left on it (for tests)."""
    tree = tree_of(files)
    digest = digest_of(tree)
    volume = Fat(tree, int.from_bytes(digest[:4], "little"))
    if full:
        volume.chain += [END_OF_CHAIN] * (volume.clusters + 2 - len(volume.chain))
    sectors = -(-(FIRST + volume.sectors + GPT_SECTORS + 1) // CYLINDER) * CYLINDER
    try:
        with open(path, "wb") as disk:
            disk.truncate(sectors * SECTOR)
            volume.write(disk, FIRST * SECTOR)
            write_gpt(disk, sectors, volume.sectors, digest)
    except OSError as error:
        raise ImageError("%s: %s" % (path, error.strerror)) from error


def boot_files(arch, efi, conf=None, pairs=()):
    """[(host path, ESP path)] of a volume that starts by itself: the image as the removable medium's program."""
    files = [(efi, "\\EFI\\BOOT\\" + EFI_NAME[arch])] + [(conf, "\\fermata.conf")] * bool(conf)
    for pair in pairs:
        host, colon, esp = pair.rpartition(":")
        if not colon or not host or not esp.startswith(("\\", "/")):
            raise ImageError("--file %s: it is HOST:\\ESP\\PATH" % pair)
        files.append((host, esp))
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", choices=sorted(EFI_NAME), required=True)
    parser.add_argument("--efi", required=True, help="the EFI image")
    parser.add_argument("--out", required=True, help="the disk image")
    parser.add_argument("--conf", help=r"becomes \fermata.conf; without: the built-in guest")
    parser.add_argument("--file", action="append", default=[], metavar=r"HOST:\ESP\PATH",
                        help="a file more, e.g. a guest (may be repeated)")
    options = parser.parse_args()
    try:
        write_image(options.out + ".new", boot_files(options.arch, options.efi, options.conf, options.file))
        os.replace(options.out + ".new", options.out)
    except ImageError as error:
        sys.exit("image: %s" % error)


if __name__ == "__main__":
    main()
