"""TAP for the tests of tools/: check() prints a result, run() a program's output if it is not as expected."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
count = failed = 0


def check(good, text, detail=""):
    global count, failed
    count += 1
    failed += not good
    print("%sok %d - %s" % ("" if good else "not ", count, text.replace("#", "")), flush=True)
    if not good:
        for line in str(detail).rstrip("\n").split("\n")[-30:]:
            print("# " + line, flush=True)


def run(*command, **how):
    """(exit status, everything it printed)"""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **how)
    return done.returncode, done.stdout


def refused(text, command, expect, **how):
    """The program must fail with one line that says `expect`; a Python traceback is no sentence."""
    status, said = run(*command, **how)
    lines = [line for line in said.strip().split("\n") if not line.startswith("make")]
    check(status != 0 and len(lines) == 1 and expect in lines[0], "refused: " + text, said)


def end():
    print("1..%d" % count, flush=True)
    sys.exit(1 if failed or not count else 0)
