#!/usr/bin/env python3
"""tools/trace: what it makes of a console with a trace in it, and of one without."""
import json
import os
import tempfile
import xml.dom.minidom

import tap

TOOL = os.path.join(tap.ROOT, "tools/trace")
CONSOLE = """fermata: quantum 200 us
[alpha.0] ok 1 - fermata: trace is a word
fermata: trace: CPU, ticks (1000000000 a second), event, vCPU, units, bytes
fermata: trace 0 5000 out a_b.0 0 0
fermata: trace 0 5000 in beta.1 0 0
fermata: trace 0 6000 trap beta.1 1 0
fermata: trace 0 6500 grow beta.1 0 896
fermata: trace 0 7000 load beta.1 1 832
fermata: trace 0 7100 gate beta.1 1 0
fermata: trace 0 9000 save beta.1 1 416
fermata: trace 0 9100 scrub beta.1 1 0
fermata: trace 0 9200 out beta.1 0 0
fermata: trace 0 9200 in a_b.0 0 0
fermata: trace 0 9900 trap a_b.0 2 0
fermata: PASS
"""


def main():
    with tempfile.TemporaryDirectory() as folder:
        console, as_json, as_svg, empty = (os.path.join(folder, name) for name in ("c", "j", "s", "e"))
        with open(console, "w") as out:
            out.write(CONSOLE)
        with open(empty, "w") as out:
            out.write("fermata: PASS\n")
        status, said = tap.run(TOOL, console, "--json", as_json, "--svg", as_svg)
        tap.check(status == 0, "a console with a trace is taken", said)
        rows = {line.split()[0]: line.split()[1:] for line in said.splitlines()[1:]}
        tap.check(rows.get("beta.1") == "1 1 1 1 1 1 1 1248".split(), "the table counts runs, events and bytes", said)
        tap.check(rows.get("a_b.0") == "2 1 0 0 0 0 0 0".split(), "a run that began before it and one that goes on count", said)
        with open(as_json) as made:
            events = json.load(made)["traceEvents"]
        runs = [(event["ts"], event["dur"]) for event in events if event["ph"] == "X"]
        tap.check(sorted(runs) == [(0.0, 0.0), (0.0, 4.2), (4.2, 4.9 - 4.2)] or
                  [(round(a, 6), round(b, 6)) for a, b in sorted(runs)] == [(0, 0), (0, 4.2), (4.2, 0.7)],
                  "runs begin and end in microseconds of the machine's ticks", runs)
        loads = [event for event in events if event["name"] == "load"]
        tap.check(len(loads) == 1 and loads[0]["args"] == {"units": 1, "bytes": 832, "cpu": 0} and
                  round(loads[0]["ts"], 6) == 2, "a load has its time, units and bytes", loads)
        counters = [event["args"]["bytes"] for event in events if event["ph"] == "C"]
        tap.check(counters == [832, 1248], "bytes moved add up", counters)
        picture = xml.dom.minidom.parse(as_svg)
        texts = [node.firstChild.data for node in picture.getElementsByTagName("text")]
        tap.check("a_b.0" in texts and "beta.1" in texts and len(picture.getElementsByTagName("title")) == 7,
                  "the picture is XML, with a row for each vCPU and a stroke for each event", texts)
        tap.refused("a console without a trace", [TOOL, empty], "there is no trace in it")
        tap.refused("a file that is not there", [TOOL, empty + "x"], "No such file")
    tap.end()


main()
