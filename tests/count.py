#!/usr/bin/env python3
"""Counts the cases of a test run: count.py testlog.json EXIT-STATUS-OF-MESON.

Meson's log has a line of JSON a test program. Where the program's output says how its cases went (TAP, as from
bats; cmocka), they count one by one, else the program counts as one. Prints the failed and the skipped ones, and last
of all "N passed, N failed". Fails when anything failed, or when nothing ran.
"""
import json
import re
import sys

TAP = re.compile(r"^(ok|not ok) \d+ ?(?:- )?(.*)$", re.M)
SKIP = re.compile(r"#\s*skip\b", re.I)
CMOCKA = re.compile(r"^\[\s*(OK|FAILED|SKIPPED|ERROR)\s*\] (?!(?:\S+ )?\d+ test)(\S+)", re.M)
GOOD = ("OK", "EXPECTEDFAIL")


def cases(output):
    """The cases that a program's output tells of: (name, "passed" | "failed" | "skipped")."""
    found = []
    for word, name in TAP.findall(output):
        # A skipped case is "ok"; one that is "not ok" has failed whatever is written behind it.
        state = "failed" if word != "ok" else "skipped" if SKIP.search(name) else "passed"
        found.append((name, state))
    if found:
        return found
    states = {"OK": "passed", "SKIPPED": "skipped"}
    seen = {}
    for word, name in CMOCKA.findall(output):
        # cmocka names failed ones again in its summary.
        seen[name] = states.get(word, "failed")
    return list(seen.items())


def main():
    log, status = sys.argv[1], int(sys.argv[2])
    totals = {"passed": 0, "failed": 0, "skipped": 0}
    notes = []
    try:
        with open(log, encoding="utf-8", errors="replace") as file:
            programs = [json.loads(line) for line in file if line.strip()]
    except OSError as error:
        print(f"no log of the tests: {error}", file=sys.stderr)
        programs = []
    for program in programs:
        found = cases((program.get("stdout") or "") + "\n" + (program.get("stderr") or ""))
        result = program["result"]
        if result == "SKIP":
            found = found or [("", "skipped")]
        elif result in GOOD:
            found = found or [("", "passed")]
        elif not any(state == "failed" for _, state in found):
            found.append((result.lower(), "failed"))
        for name, state in found:
            totals[state] += 1
            if state != "passed":
                notes.append(f"{state}: {program['name']}{': ' if name else ''}{name}")
    if status and not totals["failed"]:
        notes.append(f"failed: meson test ended with exit status {status}")
        totals["failed"] += 1
    for note in notes:
        print(note)
    if totals["skipped"]:
        print(f"{totals['skipped']} skipped")
    print(f"{totals['passed']} passed, {totals['failed']} failed")
    return 1 if totals["failed"] or not totals["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
