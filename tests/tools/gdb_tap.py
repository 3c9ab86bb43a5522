"""TAP for scripts that run inside gdb (tests/emu/*_test.py), which find it by the PYTHONPATH that tests/one sets."""
import re

import gdb
import tap

check = tap.check


def run(command):
    try:
        return gdb.execute(command, to_string=True)
    except gdb.error as error:
        return "error: %s" % error


def says(command, pattern, what):
    said = run(command)
    check(re.search(pattern, said, re.M), what, "%s printed:\n%s" % (command, said))
    return said


def end():
    """gdb's status is that of the tests."""
    gdb.execute("quit %d" % (tap.failed != 0))
