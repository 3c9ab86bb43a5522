#!/usr/bin/env python3
"""Secure Boot: signs the EFI image, and enrols a certificate in an emulator's empty firmware variables.

  tools/secure_boot.py sign KEY,CERT IN OUT        by sbsign, and checked by sbverify
  tools/secure_boot.py enrol CERT VARS-IN VARS-OUT CERT becomes PK, KEK and db: the machine is its owner's alone

KEY and CERT are PEM files. On a real machine the certificate is enrolled in the firmware's own menus.
"""
import base64
import re
import shutil
import struct
import subprocess
import sys
import uuid

GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")  # PK, KEK (UEFI 2.10, 3.3)
SECURITY_DATABASE = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")  # db (32.6.1)
X509 = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")  # EFI_CERT_X509_GUID (32.4.1)
OWNER = uuid.UUID("c5ae4e0b-2a8a-5f0c-9d9b-fe24a7a0fe24")  # of the signatures enrolled here: ours
# NON_VOLATILE, BOOTSERVICE_ACCESS, RUNTIME_ACCESS, TIME_BASED_AUTHENTICATED_WRITE_ACCESS
ATTRIBUTES = 0x27
# EDK II's store of authenticated variables: the header of the volume, that of the store, variables on 4 bytes.
STORE = uuid.UUID("aaf32c78-947b-439a-a180-2e144ec37792")
STORE_BYTES, ALIGN = 28, 4
VARIABLE_START, VARIABLE_ADDED = 0x55AA, 0x3F
TIME = struct.pack("<HBBBBBBIhBB", 2024, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0)


class SecureBootError(Exception):
    """The text says what is wrong and what to do."""


def run(*command):
    if not shutil.which(command[0]):
        raise SecureBootError("%s is not here: run `tools/setup.sh sign`" % command[0])
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SecureBootError("%s: %s" % (command[0], done.stdout.strip()))


def sign(pair, source, target):
    key, comma, certificate = pair.partition(",")
    if not comma or not key or not certificate or "," in certificate:
        raise SecureBootError("SIGN=%s: it is KEY,CERT: two PEM files" % pair)
    for path in (key, certificate):
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise SecureBootError("SIGN: %s: %s" % (path, error.strerror)) from error
    run("sbsign", "--key", key, "--cert", certificate, "--output", target, source)
    # A key that is not the certificate's signs without complaint.
    run("sbverify", "--cert", certificate, target)


def test_key(prefix):
    """A new key and its certificate, PREFIX.key and PREFIX.pem: for tests, worth nothing."""
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "3650", "-subj",
        "/CN=Fermata test key", "-keyout", prefix + ".key", "-out", prefix + ".pem")
    return prefix + ".key", prefix + ".pem"


def der_of(path):
    with open(path, "rb") as source:
        data = source.read()
    pem = re.search(rb"-----BEGIN CERTIFICATE-----(.*?)-----END", data, re.S)
    if not pem:
        raise SecureBootError("%s: no certificate in PEM form" % path)
    return base64.b64decode(pem.group(1))


def variable(guid, name, certificate):
    """One variable of the store: a list of one signature."""
    data = struct.pack("<16sIII16s", X509.bytes_le, 28 + 16 + len(certificate), 0, 16 + len(certificate),
                       OWNER.bytes_le) + certificate
    name = (name + "\0").encode("utf-16-le")
    header = struct.pack("<HBBIQ16sIII16s", VARIABLE_START, VARIABLE_ADDED, 0, ATTRIBUTES, 0, TIME, 0, len(name),
                         len(data), guid.bytes_le)
    return (header + name + data).ljust(-(-(len(header + name + data)) // ALIGN) * ALIGN, b"\xff")


def enrol(certificate, source, target):
    with open(source, "rb") as variables:
        data = bytearray(variables.read())
    at = struct.unpack_from("<H", data, 48)[0] + STORE_BYTES  # EFI_FIRMWARE_VOLUME_HEADER.HeaderLength
    if data[at - STORE_BYTES:at - STORE_BYTES + 16] != STORE.bytes_le or data[at:at + 2] != b"\xff\xff":
        raise SecureBootError("%s: no store of authenticated variables, or not an empty one" % source)
    der = der_of(certificate)
    for guid, name in ((GLOBAL, "PK"), (GLOBAL, "KEK"), (SECURITY_DATABASE, "db")):
        one = variable(guid, name, der)
        data[at:at + len(one)] = one
        at += len(one)
    with open(target, "wb") as variables:
        variables.write(data)


def main():
    verbs = {"sign": sign, "enrol": enrol}
    if len(sys.argv) != 5 or sys.argv[1] not in verbs:
        sys.exit(__doc__)
    try:
        verbs[sys.argv[1]](*sys.argv[2:])
    except (SecureBootError, OSError) as error:
        sys.exit("%s: %s" % (sys.argv[1], error))


if __name__ == "__main__":
    main()
