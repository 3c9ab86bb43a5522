"""A machine of machine.Machine that is looked at, and asked, while it runs and after it was switched off."""
import contextlib
import json
import os
import socket
import subprocess
import time

LIMIT = 100  # seconds, four times as long by the clock

class Monitor:
    """QMP, one command after the other."""

    def __init__(self, path):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.connect(path)
        self.stream = self.connection.makefile("rw")
        self.stream.readline()
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.stream.flush()
        answer = {}
        while "return" not in answer and "error" not in answer:
            answer = json.loads(self.stream.readline())
        return answer.get("return")

    def human(self, line):
        return self.ask("human-monitor-command", **{"command-line": line}).replace("\r", "")


@contextlib.contextmanager
def running(box, work):
    """Starts it without the device that would end QEMU; being switched off only stops it. Yields its Monitor."""
    command = box.command(work)
    for device in ("isa-debug-exit,iobase=0xf4,iosize=4",):
        if device in command:
            at = command.index(device)
            del command[at - 1:at + 1]
    with subprocess.Popen(command + ["-no-shutdown"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.STDOUT) as qemu:
        try:
            end = time.monotonic() + 20
            while not os.path.exists(os.path.join(work, "qmp")) and time.monotonic() < end:
                time.sleep(0.1)
            time.sleep(0.3)
            yield Monitor(os.path.join(work, "qmp"))
        finally:
            qemu.kill()


def off(monitor):
    """Waits until it was switched off; the state it is in then."""
    end = time.monotonic() + 4 * LIMIT
    while time.monotonic() < end and monitor.ask("query-status")["status"] != "shutdown":
        time.sleep(0.5)
    return monitor.ask("query-status")["status"]
