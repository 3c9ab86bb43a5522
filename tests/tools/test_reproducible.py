#!/usr/bin/env python3
"""make image twice, in another directory, at another time, by another user's habits: the same bytes. And SIGN=."""
import os
import re
import shutil
import tempfile

import tap

import machine
import secure_boot


def sources(target):
    """A copy of the sources alone."""
    def ignore(folder, names):
        return [name for name in names if folder == tap.ROOT and (name == "build" or name.startswith("."))
                or name == "__pycache__"]
    shutil.copytree(tap.ROOT, target, symlinks=True, ignore=ignore)
    return target


def make(root, *arguments, **environment):
    clean = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return tap.run("make", "--no-print-directory", "image", *arguments, cwd=root, env=dict(clean, **environment))


def contents(*path):
    with open(os.path.join(*path), "rb") as source:
        return source.read()


def same_twice(first, second, arch):
    status, said = make(first, "ARCH=" + arch)
    tap.check(status == 0, arch + ": make image", said)
    os.utime(os.path.join(second, "hv/fp.c"), (10**9, 10**9))
    old = os.umask(0o077)
    status, said = make(second, "ARCH=" + arch, "-j2", TZ="Pacific/Kiritimati", LC_ALL="C.UTF-8", USER="somebody")
    os.umask(old)
    tap.check(status == 0, arch + ": make image elsewhere", said)
    for name in (machine.EFI_NAME[arch], "fermata.img"):
        built = "build/%s-release/%s" % (arch, name)
        tap.check(contents(first, built) == contents(second, built), "%s: both %s are the same" % (arch, name))


def signs(root, folder):
    """SIGN= makes a signed image of the same program, what is wrong is said, and without it all is as before."""
    efi, disk = (os.path.join(root, "build/x86_64-release", name) for name in ("BOOTX64.EFI", "fermata.img"))
    before = contents(efi), contents(disk)
    key, certificate = secure_boot.test_key(os.path.join(folder, "one"))
    stranger = secure_boot.test_key(os.path.join(folder, "two"))[1]
    status, said = make(root, "SIGN=%s,%s" % (key, certificate))
    tap.check(status == 0 and "signed" in said, "make image SIGN=", said)
    tap.check(tap.run("sbverify", "--cert", certificate, efi)[0] == 0, "sbverify agrees")
    tap.check(tap.run("sbverify", "--cert", stranger, efi)[0] != 0, "and not with another certificate")
    tap.check(contents(efi) in contents(disk), "it is the signed one that is in the disk image")
    for text, pair, expect in (("SIGN= without a certificate", key, "KEY,CERT"), ("SIGN= of three", "a,b,c", "KEY,CERT"),
                               ("SIGN= a file that is not there", "/nowhere," + certificate, "/nowhere"),
                               ("SIGN= a key of another certificate", key + "," + stranger, "sbsign")):
        status, said = make(root, "SIGN=" + pair)
        tap.check(status != 0 and re.search("^sign: .*" + expect, said, re.M), "refused: " + text, said)
    status, said = make(root)
    tap.check(status == 0 and (contents(efi), contents(disk)) == before, "without SIGN it is as it was", said)


def main():
    with tempfile.TemporaryDirectory(prefix="fermata-same-") as folder:
        first = sources(os.path.join(folder, "a"))
        second = sources(os.path.join(folder, "another/much-longer/place"))
        for arch in ("x86_64", "arm64"):
            same_twice(first, second, arch)
        signs(first, folder)
    tap.end()


if __name__ == "__main__":
    main()
