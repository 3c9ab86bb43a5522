#!/usr/bin/env python3
"""The disk image of tools/image.py, read back by programs that are not ours: sgdisk, fsck.fat, mtools."""
import os
import random
import subprocess
import tempfile

import tap

import image

START = image.FIRST * image.SECTOR
TOOL = os.path.join(tap.ROOT, "tools/image.py")
ENVIRONMENT = dict(os.environ, MTOOLS_SKIP_CHECK="0", MTOOLSRC="/dev/null", PATH=os.environ["PATH"] + ":/usr/sbin")


def sample(folder):
    """Files whose names and sizes are hard on a FAT: [(host path, ESP path)]."""
    noise = random.Random(1)
    sizes = {"EFI/BOOT/BOOTX64.EFI": 200000, "fermata.conf": 700, "guests/EMPTY.BIN": 0, "guests/CLUSTER.BIN": 512,
             "guests/a name of several words.and.dots.elf": 513, "guests/a name of several other words.elf": 5000000,
             "guests/deep/er/still/x": 1, "guests/thirteenchars": 13, "guests/twenty-six-characters-long": 26,
             "guests/.hidden": 3, "guests/" + "n" * 250 + ".elf": 99}
    for n in range(150):
        sizes["many/file number %d.bin" % n] = n
    files = []
    for number, (name, size) in enumerate(sorted(sizes.items())):
        path = os.path.join(folder, "host%d" % number)
        with open(path, "wb") as out:
            out.write(noise.randbytes(size))
        files.append((path, "/" + name))
    return files


def looked_at(folder, name, files, **how):
    """The image is written, and found in order by the others, to the last byte of every file."""
    disk, volume, back = (os.path.join(folder, name + suffix) for suffix in (".img", ".fat", ".back"))
    image.write_image(disk, files, **how)
    status, said = tap.run("sgdisk", "-v", disk, env=ENVIRONMENT)
    tap.check(status == 0 and "No problems found" in said, name + ": sgdisk finds no fault", said)
    status, said = tap.run("sgdisk", "-i", "1", disk, env=ENVIRONMENT)
    tap.check("C12A7328-F81F-11D2-BA4B-00A0C93EC93B" in said, name + ": it is an EFI system partition", said)
    with open(disk, "rb") as source, open(volume, "wb") as out:
        source.seek(START)
        out.write(source.read())
    status, said = tap.run("fsck.fat", "-n", "-v", volume, env=ENVIRONMENT)
    tap.check(status == (1 if how.get("full") else 0), name + ": fsck.fat finds no fault", said)
    bad = []
    for host, esp in files:
        status, said = tap.run("mcopy", "-o", "-i", volume, "::" + esp, back, env=ENVIRONMENT)
        with open(host, "rb") as want, open(back, "rb") as got:
            if status or want.read() != got.read():
                bad.append("%s: %s" % (esp, said))
    tap.check(not bad, "%s: mtools reads all %d files back" % (name, len(files)), "\n".join(bad))
    listed = subprocess.run(["mdir", "-/", "-b", "-i", volume, "::"], stdout=subprocess.PIPE, text=True,
                            env=ENVIRONMENT).stdout.split("\n")
    tap.check(sorted(line[3:] for line in listed if line and not line.endswith("/")) ==
              sorted(esp[1:] for _, esp in files), name + ": and finds no other", listed)
    return disk


def contents(path):
    with open(path, "rb") as source:
        return source.read()


def refusals(folder, good):
    """What people get wrong: one sentence each, no image, no traceback."""
    out = os.path.join(folder, "none.img")
    base = [TOOL, "--arch", "x86_64", "--efi", good, "--out", out]
    tap.refused("no such EFI image", [TOOL, "--arch", "x86_64", "--efi", "/nowhere", "--out", out], "/nowhere")
    tap.refused("an EFI image that is a folder", [TOOL, "--arch", "x86_64", "--efi", folder, "--out", out], "directory")
    tap.refused("no such config", base + ["--conf", "/nowhere"], "/nowhere")
    tap.refused("a file without an ESP path", base + ["--file", good], "HOST:")
    tap.refused("an ESP path that is relative", base + ["--file", good + ":x"], "HOST:")
    tap.refused("a name FAT forbids", base + ["--file", good + ":/a?b"], "no name")
    tap.refused("a name of dots", base + ["--file", good + ":/a/.."], "no name")
    tap.refused("no name", base + ["--file", good + ":/"], "no name")
    tap.refused("a name that is not ASCII", base + ["--file", good + ":/gr\xfcn"], "ASCII")
    tap.refused("a name too long", base + ["--file", good + ":/" + "x" * 256], "no name")
    tap.refused("the same name twice, but for case", base + ["--file", good + ":/efi/boot/bootx64.efi"], "already")
    tap.refused("a file where a folder must be", base + ["--file", good + ":/A", "--file", good + ":/a/b"], "already")
    tap.refused("a place that cannot be written", base[:-1] + ["/nowhere/x.img"], "/nowhere")
    tap.check(not os.path.exists(out), "and no image is left")


def main():
    with tempfile.TemporaryDirectory(prefix="fermata-image-") as folder:
        files = sample(folder)
        first = looked_at(folder, "sample", files)
        looked_at(folder, "full", files[:3], full=True)
        looked_at(folder, "one", files[:1])
        again = os.path.join(folder, "again.img")
        image.write_image(again, list(reversed(files)))
        tap.check(contents(first) == contents(again), "the order in which files are named changes nothing")
        other = os.path.join(folder, "other.img")
        image.write_image(other, files[:-1])
        tap.check(contents(first)[512 + 56:512 + 72] != contents(other)[512 + 56:512 + 72],
                  "other contents give another disk GUID")
        refusals(folder, files[0][0])
    tap.end()


if __name__ == "__main__":
    main()
