"""What an emulated machine boots from, and the firmware that does it: media and firmware of machine.Machine.

media       volume    a FAT file system that is the whole disk (made by mtools): the quickest
            disk      the image of tools/image.py on virtio; usb, nvme, sata: the same on another bus
            pxe       no disk: the image by TFTP from QEMU's own network
            -readonly behind any disk: it cannot be written; -full: no free cluster is left
firmware    None      the distribution's EDK2 for this machine: OVMF, AAVMF
            u-boot    U-Boot's EFI loader
            strict-nx EDK2 that gives no memory more rights than its type or section asks for
            secure    OVMF that enforces Secure Boot, `enrol` (a certificate) being the only one it trusts
"""
import os

import image
import machine
import secure_boot

DISKS = {
    "disk": ["-device", "virtio-blk-pci,drive=esp"],
    "usb": ["-device", "qemu-xhci", "-device", "usb-storage,drive=esp"],
    "nvme": ["-device", "nvme,serial=fermata,drive=esp"],
    "sata": ["-device", "ide-hd,drive=esp,bus=ide.0"],
}
DISKS["volume"] = DISKS["disk"]
U_BOOT = {"arm64": "/usr/lib/u-boot/qemu_arm64/u-boot.bin", "x86_64": "/usr/lib/u-boot/qemu-x86_64/u-boot.rom"}


def parts(text):
    """("usb", {"readonly"}) of "usb-readonly"."""
    kind, *words = (text or "volume").split("-")
    if kind not in list(DISKS) + ["pxe"] or set(words) - {"readonly", "full"} or kind in ("pxe", "volume") and words:
        raise machine.MachineError("media %s: it is volume, pxe, or one of %s, and -readonly or -full behind it"
                                   % (text, " ".join(sorted(set(DISKS) - {"volume"}))))
    return kind, set(words)


def make_disk(box, path, efi, more=()):
    """What the machine's disk holds, into the file `path`: the image `efi`, the config, the machine's files and `more`."""
    kind, words = parts(box.media)
    files = list(box.files) + ([(box.conf, "/fermata.conf")] if box.conf else []) + list(more)
    if kind == "volume":
        machine.make_esp(path, box.arch, efi, files)
        return
    try:
        image.write_image(path, image.boot_files(box.arch, efi) + files, full="full" in words)
    except image.ImageError as error:
        raise machine.MachineError(str(error)) from error


def media_arguments(box, work):
    kind, words = parts(box.media)
    if kind == "pxe":
        if box.conf or box.files:
            raise machine.MachineError("media pxe: the image alone is loaded, there is no place for other files")
        folder, name = os.path.split(os.path.abspath(box.image))
        return ["-netdev", "user,id=net,tftp=%s,bootfile=%s" % (folder, name), "-device", "virtio-net-pci,netdev=net"]
    esp = box.disk
    if not esp:
        esp = os.path.join(work, "esp.img")
        make_disk(box, esp, box.image)
    # A read-only drive takes no snapshot.
    how = "readonly=on" if "readonly" in words else "snapshot=on"
    return ["-drive", "if=none,id=esp,format=raw,%s,file=%s" % (how, esp)] + DISKS[kind]


def firmware_arguments(box, work):
    """QEMU's arguments for the firmware."""
    if box.firmware == "u-boot":
        if not os.path.exists(U_BOOT[box.arch]):
            raise machine.MachineError("no U-Boot for %s here: run `tools/setup.sh u-boot`" % box.arch)
        return ["-bios", U_BOOT[box.arch]]
    code, variables = machine.firmware(box.arch, box.tree)
    more = []
    if box.firmware == "secure":
        code, variables = secure_firmware(box, work)
    if box.firmware == "strict-nx":
        code = strict_firmware(box)
    if box.firmware and box.arch == "x86_64":
        more = ["-machine", "smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"]
    return ["-drive", "if=pflash,format=raw,unit=0,readonly=on,file=" + code,
            # snapshot: every run starts from the firmware's untouched variables.
            "-drive", "if=pflash,format=raw,unit=1,snapshot=on,file=" + variables] + more


def strict_firmware(box):
    """Of Debian 13: the tree's, or the machine's own."""
    name = {"x86_64": "OVMF/OVMF_CODE_4M.secboot.strictnx.fd", "arm64": "AAVMF/AAVMF_CODE.secboot.strictnx.fd"}[box.arch]
    for base in (box.tree, "/", machine.setup_print("qemu-10", box.arch)):
        if os.path.exists(os.path.join(base, "usr/share", name)):
            return os.path.join(base, "usr/share", name)
    raise machine.MachineError("no %s here: run `tools/setup.sh qemu-10`" % name)


def secure_firmware(box, work):
    """OVMF built with SMM, without which Secure Boot would be for show, and variables with the certificate."""
    code, variables = machine.firmware(box.arch, box.tree)
    code = code.replace("CODE_4M.fd", "CODE_4M.secboot.fd")
    if box.arch != "x86_64":
        raise machine.MachineError("firmware secure is for x86-64")
    if not os.path.exists(code):
        raise machine.MachineError("no %s: run `make setup`" % code)
    if not box.enrol:
        raise machine.MachineError("firmware secure trusts nobody without a certificate: --enrol CERT.pem")
    own = os.path.join(work, "variables.fd")
    try:
        secure_boot.enrol(box.enrol, variables, own)
    except (secure_boot.SecureBootError, OSError) as error:
        raise machine.MachineError(str(error)) from error
    return code, own
