#!/usr/bin/env python3
"""How long until the process that watches has told of a mutation, for each type of resource: what the contract suites of the providers say.
watch-providers.py FAKE-DAEMON RUNNER CASE… Prints figures as the other benchmarks do."""
import json
import os
import re
import subprocess
import sys

LINE = re.compile(r"^log .*: watched: (\S+) .* \(drifted\) after ([0-9.]+) ms$", re.M)


def at(samples, part):
    return sorted(samples)[min(len(samples) - 1, int(part * len(samples)))]


def figures(name, samples):
    print(json.dumps({"case": name, "ours": at(samples, 0.5), "aim": 200, "unit": "ms", "against": "nothing: the aim is of p99", "samples": len(samples),
                      "p50": at(samples, 0.5), "p99": at(samples, 0.99), "load": round(os.getloadavg()[0], 2)}), flush=True)


def arguments(case):
    """As check-case gives them."""
    with open(case, encoding="utf-8") as file:
        return re.findall(r"^--\? (.*)$", file.read().replace("@HERE@", os.path.dirname(os.path.abspath(case))), re.M)


def main():
    daemon, runner, *cases = sys.argv[1:]
    found = {}
    for case in cases:
        done = subprocess.run([daemon, runner, case, *arguments(case)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        if done.returncode != 0:
            sys.exit(f"{case} failed:\n{done.stdout[-2000:]}")
        for kind, milliseconds in LINE.findall(done.stdout):
            found.setdefault(kind, []).append(float(milliseconds))
    for kind, samples in sorted(found.items()):
        figures("watch-providers-" + kind, samples)
    everything = [one for samples in found.values() for one in samples]
    if not everything:
        sys.exit("nothing was seen")
    figures("watch-providers", everything)


main()
